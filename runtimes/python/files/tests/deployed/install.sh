#!/bin/sh
# Installs what these tests need into build: by uv, which is faster, where it is there.
# Usage, from a release's folder: sh tests/deployed/install.sh
set -eu

# What pip is told, uv is told too.
test -z "${PIP_INDEX_URL:-}" || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}"
test -z "${PIP_CERT:-}" || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
$(command -v uv || echo python -m) pip install --quiet --require-hashes --target build --requirement tests/deployed/requirements.txt
