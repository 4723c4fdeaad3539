#!/bin/sh
# Puts the Terraform of .terraform-version into a folder, unless that version is already on PATH.
# Usage, from the repository's root: sh deployment/install-terraform.sh FOLDER
set -eu

version=$(cat .terraform-version)
case "$(terraform version 2>/dev/null)" in "Terraform v$version"*) exit 0 ;; esac

case "$(uname -m)" in
  x86_64) machine=amd64 ;;
  aarch64) machine=arm64 ;;
  *) machine=$(uname -m) ;;
esac
archive="terraform_${version}_$(uname -s | tr '[:upper:]' '[:lower:]')_$machine.zip"
checksum=$(grep " $archive\$" deployment/terraform.sha256) || {
  echo "deployment/terraform.sha256 has no line for $archive; add it from the release's SHA256SUMS" >&2
  exit 1
}

mkdir -p "$1"
cd "$1"
trap 'rm -f "$archive"' EXIT
url="https://releases.hashicorp.com/terraform/$version/$archive"
if command -v curl >/dev/null; then
  curl --fail --silent --show-error --location --retry 3 --output "$archive" "$url"
else
  python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' "$url" "$archive"
fi
if command -v sha256sum >/dev/null; then echo "$checksum" | sha256sum -c -; else echo "$checksum" | shasum -a 256 -c -; fi
python3 -m zipfile -e "$archive" .
chmod +x terraform
