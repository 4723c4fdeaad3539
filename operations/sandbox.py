"""A sandbox: a developer's own copy of the function, in the first environment."""

import getpass
import hashlib
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from hooks.git import GitError, git
from operations import accounts
from operations.repository import ACCOUNTS, FUNCTION

NAME = re.compile("[a-z0-9][a-z0-9-]{0,11}")
ENVIRONMENT: dict[str, Any] = ACCOUNTS["environments"][0]
# Bytes that a call may carry: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LARGEST = 50_000_000
# Seconds between two looks. The account has 15 in a second, for all that look at any function: the same page.
SOONEST, LATEST = 0.1, 1

# What says that it is not there.
MISSING = {
    *("AWS.SimpleQueueService.NonExistentQueue", "NoSuchBucket", "NotFound", "NotFoundException"),
    "ResourceNotFoundException",
}


def client(service: str, config: Config | None = None) -> Any:
    """Return a client of a service, as a developer; config: what it does unlike others."""
    return accounts.client(service, ENVIRONMENT["name"], "developer", config)


def commit() -> str:
    """Return which commit is checked out, and whether files differ from it."""
    try:
        found = git(".", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+")
    except GitError:
        return "no commit"
    return f"changed {found[:-1]}" if found.endswith("+") else found


@dataclass(frozen=True)
class Sandbox:
    """A sandbox of the function, by its own name; deployment/main.tf says the same of both."""

    name: str

    @property
    def full_name(self) -> str:
        """Return its name in AWS."""
        return f"{FUNCTION}--sandbox-{self.name}"

    @property
    def state(self) -> str:
        """Return the key of its state."""
        return f"sandboxes/{FUNCTION}/{self.name}.tfstate"

    @property
    def packages(self) -> str:
        """Return what the keys of its packages begin with."""
        return f"sandboxes/{FUNCTION}/{self.name}/"

    def upload(self, package: bytes) -> dict[str, str]:
        """Put a package into the artifacts bucket; return where it is, as Lambda wants to know it."""
        where = {
            "Bucket": ENVIRONMENT["artifacts_bucket"],
            "Key": f"{self.packages}{hashlib.sha256(package).hexdigest()}.zip",
        }
        client("s3").put_object(**where, Body=package)
        return {f"S3{name}": value for name, value in where.items()}

    def sync(self, functions: Any, package: bytes) -> None:
        """Give it a package, by a client of Lambda, and wait until that is live."""
        code = self.upload(package) if len(package) > LARGEST else {"ZipFile": package}
        answer, pause = functions.update_function_code(FunctionName=self.full_name, **code), 0.0
        now = datetime.now(UTC).isoformat(timespec="seconds")
        functions.tag_resource(Resource=answer["FunctionArn"], Tags={"synced": f"{now} {commit()}"})
        while answer["LastUpdateStatus"] == "InProgress":
            time.sleep(pause)
            answer = functions.get_function_configuration(FunctionName=self.full_name)
            pause = min(max(2 * pause, SOONEST), LATEST)
        if answer["LastUpdateStatus"] == "Failed":
            sys.exit(f"{self.full_name} is not updated: {answer['LastUpdateStatusReason']}")

    @contextmanager
    def used(self) -> Iterator[None]:
        """Exit with one line if the sandbox is not there, or if AWS cannot be asked."""
        with accounts.explained():
            try:
                yield
            except ClientError as error:
                if error.response["Error"]["Code"] not in MISSING:
                    raise
                sys.exit(f"there is no sandbox {self.name} yet; create it: make sandbox NAME={self.name}")


def sandbox(name: str) -> Sandbox:
    """Return a sandbox; without a name, the one that is named after the user's login."""
    name = name or re.sub("[^a-z0-9]+", "-", getpass.getuser().lower()).strip("-")[:12].strip("-")
    if not NAME.fullmatch(name):
        sys.exit(
            f"NAME={name}: a sandbox's name has 1 to 12 lower-case letters, digits and hyphens, "
            "no hyphen first, such as NAME=ada"
        )
    return Sandbox(name)
