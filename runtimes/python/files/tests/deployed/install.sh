#!/bin/sh
# Installs what these tests need into build: by uv, which is faster, where it is there.
# Usage, from a release's folder: sh tests/deployed/install.sh
set -eu

$(command -v uv || echo python -m) pip install --quiet --require-hashes --target build --requirement tests/deployed/requirements.txt
