"""Gives all traffic of an environment to an earlier release, until the next promotion.

The variable WHY says why, which is kept in the description of the alias, with who it was. A shift of traffic
that is under way is stopped.
"""

import base64
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any

from botocore.session import Session

from operations import accounts
from operations.answer import reason
from operations.releases import (
    TAKEN_BACK,
    UNCHECKED,
    UNDER_WAY,
    Release,
    Shift,
    marks,
    packages,
    rolled_back,
    shifts,
    versions,
)
from operations.repository import ACCOUNTS, FUNCTION

SHORTEST = 7  # characters of a revision, so that it is not taken for a version
LONGEST = 12  # that are kept of one; with fewer, another may begin so too
WARNINGS = {
    TAKEN_BACK: "was taken back: its shift of traffic was stopped or failed",
    UNCHECKED: "has not passed its check",
}
SOON = {"Delay": 1, "MaxAttempts": 300}  # seconds between two looks


class Rollback:
    """A function in an environment, about to go back."""

    def __init__(self, name: str) -> None:
        """Find out what answers, and which versions there are."""
        self.name = name
        self.bucket = accounts.environment(name)["artifacts_bucket"]
        self.functions = accounts.client("lambda", name, "operator")
        self.deployments = accounts.client("codedeploy", name, "operator")
        self.known = self.alias()
        self.answers: str = self.known["FunctionVersion"]
        self.shifts = self.shifting()
        self.found = versions(self.functions)

    def alias(self) -> dict[str, Any]:
        """Return the alias as it is."""
        found: dict[str, Any] = self.functions.get_alias(FunctionName=FUNCTION, Name="live")
        return found

    def shifting(self) -> list[str]:
        """Return the deployments that move the alias."""
        pages = self.deployments.get_paginator("list_deployments").paginate(
            applicationName=FUNCTION, deploymentGroupName="live", includeOnlyStatuses=UNDER_WAY
        )
        return [deployment for page in pages for deployment in page["deployments"]]

    @cached_property
    def history(self) -> list[Shift]:
        """Return the shifts of traffic since the oldest version that is there."""
        return shifts(self.deployments, self.found[-1].date)

    def version(self, number: str) -> Release | None:
        """Return the release of a version, if it is there."""
        return next((release for release in self.found if release.version == number), None)

    def stored(self, prefix: str = "") -> Iterator[Release]:
        """Yield the packages that have been deployed, the latest first. prefix: of their sha256."""
        return packages(accounts.client("s3", self.name, "operator"), self.bucket, prefix)

    def revision(self, revision: str) -> Release:
        """Return the release of a revision, as a version if there is one, or exit."""
        if len(revision) < SHORTEST:
            sys.exit(f"TO={revision}: at least {SHORTEST} characters of a revision are needed")
        found = [release for release in self.found if release.revision.startswith(revision[:LONGEST])]
        if not found:
            meant = (package for package in self.stored() if package.revision.startswith(revision[:LONGEST]))
            found = list(islice(meant, 1 if len(revision) >= LONGEST else None))
        if len({release.revision for release in found}) != 1:
            many = "more than one revision begins so" if found else "there is no such release"
            sys.exit(f"TO={revision}: {many}; make releases ENV={self.name} lists them")
        return found[0]

    def before(self) -> Release:
        """Return the release that answered before, or exit; deployment/shift.sh keeps from where it went."""
        start = self.answers if self.shifts else ""
        if not start and (back := rolled_back(self.known)):
            start = back[1]
        if not start:
            to_this = [each for each in self.history if each.end == self.answers]
            start = next((each.start for each in reversed(to_this) if each.status == "Succeeded"), "")
        if release := self.version(start):
            return release
        sys.exit(
            f"nothing says what answered before version {self.answers}, or it is gone; "
            f"name a revision: make rollback ENV={self.name} TO=REVISION; make releases lists them"
        )

    def tell(self, release: Release) -> None:
        """Print what answers, what is to answer, and what should be known of that."""
        now = self.version(self.answers)
        print(f"{self.name} now:  version {self.answers}{described(now)}")
        if release.version:
            print(f"{self.name} then: version {release.version}{described(release)}")
        else:
            print(f"{self.name} then: {release.summary}, republished from its package, without a check")
        if rolled_back(self.known):
            print(f"The last change was: {self.known['Description']}")
        if self.shifts:
            print(f"a shift of traffic is under way and will be stopped: {', '.join(self.shifts)}")
        known = marks(self.found, self.history, self.known).get(release.version)
        if known in WARNINGS:
            print(f"WARNING: version {release.version} {WARNINGS[known]}")

    def stop(self) -> None:
        """Stop what moves the alias, and wait until it is back: by a deployment of CodeDeploy's own.

        Which that is may be told late; as long as it is not, the alias still shares its traffic.
        https://docs.aws.amazon.com/codedeploy/latest/userguide/deployments-rollback-and-redeploy.html
        """
        for shift in self.shifts:
            if self.told(shift).get("creator") != "codeDeployRollback":
                self.deployments.stop_deployment(deploymentId=shift, autoRollbackEnabled=True)
            back = self.ended(shift).get("rollbackInfo", {})
            for _ in range(SOON["MaxAttempts"]):
                if back or not (self.alias().get("RoutingConfig") or {}).get("AdditionalVersionWeights"):
                    break
                time.sleep(SOON["Delay"])
                back = self.ended(shift).get("rollbackInfo", {})
            if "rollbackDeploymentId" in back:
                self.ended(back["rollbackDeploymentId"])

    def told(self, deployment: str) -> dict[str, Any]:
        """Return what is known of a deployment."""
        found: dict[str, Any] = self.deployments.get_deployment(deploymentId=deployment)["deploymentInfo"]
        return found

    def ended(self, deployment: str) -> dict[str, Any]:
        """Wait for the end of a deployment; return what is known of it."""
        while (found := self.told(deployment))["status"] in UNDER_WAY:
            time.sleep(SOON["Delay"])
        return found

    def publish(self, release: Release) -> str:
        """Publish a package again, with the function's settings of now; return the version, or exit."""
        code = self.functions.get_function_configuration(FunctionName=FUNCTION)["CodeSha256"]
        latest = base64.b64decode(code).hex()
        if not any(self.stored(latest)):
            sys.exit("nothing was changed: the latest code is of no release, and could not be put back")
        try:
            self.update(release.sha256)
            version = self.functions.publish_version(
                FunctionName=FUNCTION,
                CodeSha256=base64.b64encode(bytes.fromhex(release.sha256)).decode(),
                Description=release.summary,
            )["Version"]
            self.functions.get_waiter("published_version_active").wait(
                FunctionName=FUNCTION, Qualifier=version, WaiterConfig=SOON
            )
        finally:  # Terraform has deployed it, and takes it to be there
            self.update(latest)
        return str(version)

    def update(self, sha256: str) -> None:
        """Make a package the function's latest code."""
        key = f"releases/{FUNCTION}/{sha256}.zip"
        self.functions.update_function_code(FunctionName=FUNCTION, S3Bucket=self.bucket, S3Key=key)
        self.functions.get_waiter("function_updated").wait(FunctionName=FUNCTION, WaiterConfig=SOON)

    def go(self, release: Release, why: str) -> str:
        """Give all traffic to a release; return its version."""
        self.stop()
        version = release.version or self.publish(release)
        if (found := self.alias()["FunctionVersion"]) != self.answers:
            sys.exit(f"version {found} answers meanwhile, which was not asked about; look again")
        start, when = "a shift" if self.shifts else self.answers, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        said = f"Back to version {version} from {start} on {when} by {login()}: {why}"
        self.functions.update_alias(
            FunctionName=FUNCTION,
            Name="live",
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": {}},
            Description=said.encode("ascii", "replace").decode()[:256],
        )
        return version


def login() -> str:
    """Return who is logged in to ops."""
    sts = Session(profile=accounts.LOGIN).create_client("sts", region_name=ACCOUNTS["region"])
    return str(sts.get_caller_identity()["Arn"].rpartition("/")[2])


def described(release: Release | None) -> str:
    """Return what is said of a version beside its number."""
    return f": {release.summary}, published {release.date:%Y-%m-%d %H:%M} UTC" if release else ""


def main(name: str, to: str, yes: bool) -> None:
    """Go back, once a person has said why. to: a revision; if empty, to what answered before."""
    accounts.environment(name)
    with accounts.explained():
        rollback = Rollback(name)
        release = rollback.revision(to) if to else rollback.before()
        if release.version == rollback.answers and not rollback.shifts:
            sys.exit(f"version {release.version} answers already: {release.summary}")
        rollback.tell(release)
        why = reason(f"Move all traffic of {name}?", yes)
        version = rollback.go(release, why)
    print(f"{name} answers with version {version}, until the next promotion")
