#!/bin/sh
# Runs these tests on what is deployed, with what install.sh has installed.
# Usage, from a release's folder: sh tests/deployed/run.sh
set -eu

PYTHONPATH=build python -B -m pytest --quiet -p no:cacheprovider tests/deployed
