"""What one can go back to in an environment."""

import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from operations import accounts
from operations.repository import FUNCTION

AT_ONCE = 16
BATCH = 25  # deployments that CodeDeploy tells of at once
UNDER_WAY = ["Created", "Queued", "InProgress", "Ready", "Baking"]
TAKEN_BACK, UNCHECKED = "taken back", "check not passed"
ROLLED_BACK = re.compile(r"Back to version (\d+) from (\d+) on ")
SHOWN = 20  # packages whose version is gone


@dataclass(frozen=True)
class Release:
    """A release that can answer: as a version, or (version "") as a package to be republished."""

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


@dataclass(frozen=True)
class Shift:
    """A shift of traffic that deployment/shift.sh has begun; start, end: versions."""

    start: str
    end: str
    status: str
    begun: datetime


def shifts(deployments: Any, since: datetime) -> list[Shift]:
    """Return the shifts of traffic since a time, the oldest first. deployments: a client of CodeDeploy."""
    place = {"applicationName": FUNCTION, "deploymentGroupName": "live"}
    pages = deployments.get_paginator("list_deployments").paginate(**place, createTimeRange={"start": since})
    names = [name for page in pages for name in page["deployments"]]
    found = []
    for first in range(0, len(names), BATCH):
        batch = deployments.batch_get_deployments(deploymentIds=names[first : first + BATCH])
        for told in batch["deploymentsInfo"]:
            said = told.get("description", "").split()  # from START to END
            if told["creator"] == "user" and said[::2] == ["from", "to"]:
                found.append(Shift(said[1], said[3], told["status"], told["createTime"]))
    return sorted(found, key=lambda shift: shift.begun)


def rolled_back(alias: dict[str, Any]) -> tuple[str, str] | None:
    """Return to which version people have gone back last, and from which, if that one answers."""
    said = ROLLED_BACK.match(alias.get("Description", ""))
    return (said[1], said[2]) if said and said[1] == alias["FunctionVersion"] else None


def marks(versions: list[Release], shifts: list[Shift], alias: dict[str, Any]) -> dict[str, str]:
    """Return what is to be known of versions before one goes back to them.

    Only what has passed its check is shifted to. Of what is older than all that is known, nothing is said.
    """
    now = alias["FunctionVersion"]
    answered = {now, *(rolled_back(alias) or ()), *(shift.start for shift in shifts)}
    answered |= {shift.end for shift in shifts if shift.status == "Succeeded"}
    oldest = min(map(int, answered))
    said = {release.version: UNCHECKED for release in versions if int(release.version) > oldest}
    for shift in shifts:
        said[shift.end] = "gets traffic" if shift.status in UNDER_WAY else TAKEN_BACK
    return {version: mark for version, mark in said.items() if version not in answered} | {now: "answers"}


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
        published = [release for release in found if release.version]
        since = min(release.date for release in published)
        known = marks(published, shifts(accounts.client("codedeploy", name, "operator"), since), alias)
    print(f"version  published (UTC)   {'':16}  commit")
    for release in found:
        mark = known.get(release.version, "")
        print(f"{release.version or '-':7}  {release.date:%Y-%m-%d %H:%M}  {mark:16}  {release.summary}")
    print(f"\nTo go back to one: make rollback ENV={name} TO=REVISION")
    print(f"Without a version it is republished from its package; of those, the latest {SHOWN} are listed")
