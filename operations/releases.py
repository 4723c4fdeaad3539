"""What one can go back to in an environment."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from operations import accounts
from operations.repository import FUNCTION

AT_ONCE = 16
SHOWN = 20  # packages whose version is gone


@dataclass(frozen=True)
class Release:
    """A release that can answer: as a version, or (version "") as a package to be published again."""

    version: str
    revision: str
    summary: str
    date: datetime
    sha256: str


def versions(functions: Any) -> list[Release]:
    """Return the versions that are there, the latest first."""
    pages = functions.get_paginator("list_versions_by_function").paginate(FunctionName=FUNCTION)
    return [
        Release(
            version["Version"],
            version["Description"].partition(" ")[0],
            version["Description"],
            datetime.fromisoformat(version["LastModified"]),
            base64.b64decode(version["CodeSha256"]).hex(),
        )
        for page in pages
        for version in page["Versions"]
        if version["Version"] != "$LATEST"
    ][::-1]


def packages(s3: Any, bucket: str, prefix: str = "") -> Iterator[Release]:
    """Yield the packages that have been deployed, the latest first; deployment/prepare.sh marks them.

    Which it is says each object itself, so only some are asked at once. prefix: of their sha256.
    """
    place = f"releases/{FUNCTION}/{prefix}"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=place)
    stored = [found for page in pages for found in page.get("Contents", [])]
    stored.sort(key=lambda found: found["LastModified"], reverse=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for first in range(0, len(stored), AT_ONCE):
            keys = [found["Key"] for found in stored[first : first + AT_ONCE]]
            heads = pool.map(lambda key: s3.head_object(Bucket=bucket, Key=key), keys)
            for key, head in zip(keys, heads, strict=True):
                yield Release(
                    "",
                    head["Metadata"].get("revision", "")[:12],
                    head["Metadata"].get("summary", ""),
                    head["LastModified"],
                    key.rpartition("/")[2].removesuffix(".zip"),
                )


def find(name: str) -> list[Release]:
    """Return what one can go back to: versions, then the latest packages whose version is gone."""
    bucket = accounts.environment(name)["artifacts_bucket"]
    published = versions(accounts.client("lambda", name, "operator"))
    known = {release.revision for release in published}
    stored = packages(accounts.client("s3", name, "operator"), bucket)
    return published + list(islice((one for one in stored if one.revision not in known), SHOWN))


def main(name: str) -> None:
    """Print what one can go back to."""
    accounts.environment(name)
    with accounts.explained():
        found = find(name)
        alias = accounts.client("lambda", name, "operator").get_alias(FunctionName=FUNCTION, Name="live")
    print(f"{'':1}  version  {'published':16}  commit")
    for release in found:
        mark = "*" if release.version == alias["FunctionVersion"] else ""
        print(f"{mark:1}  {release.version or '-':7}  {release.date:%Y-%m-%d %H:%M}  {release.summary}")
    print(f"\n* answers. What has no version is published again: make rollback ENV={name} TO=REVISION")
    print(f"Of those, the latest {SHOWN} are listed; older ones come back in the same way")
