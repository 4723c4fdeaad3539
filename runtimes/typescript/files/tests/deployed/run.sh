#!/bin/sh
# Runs these tests on what is deployed.
# Usage, from a release's folder: sh tests/deployed/run.sh
set -eu

node --disable-warning=ExperimentalWarning --test --test-reporter=spec 'tests/deployed/*.test.mts'
