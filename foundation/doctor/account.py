"""What all checks share: an account to look at, what is found there, and errors that are findings too."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

DOCS = "docs/foundation.md"
DENIED = re.compile("AccessDenied|AuthorizationError|UnauthorizedOperation")
# Of the codes that say that something is not there, those that may come without the status 404.
ABSENT = {"NotFoundException", "QueueDoesNotExist", "ResourceNotFoundException"}
ABSENT |= {"AWS.SimpleQueueService.NonExistentQueue"}


class Finding(NamedTuple):
    """What was found: ok, warning or fault; of what is not ok, what to do, in words, and the command."""

    status: str
    text: str
    remedy: str = ""
    command: str = ""


@dataclass
class Account:
    """An account, as its administrator sees it. facts: its own; accounts: all of accounts.yaml."""

    name: str
    facts: dict[str, Any]
    accounts: dict[str, Any]
    session: Any = field(repr=False)

    @property
    def id(self) -> str:
        """Return the account's id."""
        return str(self.facts["id"])

    @property
    def organization(self) -> str:
        """Return the prefix of the foundation's names."""
        return str(self.accounts["organization"])

    @property
    def region(self) -> str:
        """Return the region of the foundation."""
        return str(self.accounts["region"])

    def client(self, service: str) -> Any:
        """Return a client of a service in this account."""
        config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5)
        return self.session.client(service, region_name=self.region, config=config)

    def arn(self, service: str, name: str) -> str:
        """Return the ARN of something in this account."""
        return f"arn:aws:{service}:{self.region}:{self.id}:{name}"


Check = Callable[[Account], Iterator[Finding]]


def enter(accounts: dict[str, Any], name: str) -> Account:
    """Return an account, as who runs this sees ops and as the bootstrap role sees the others.

    accounts: what accounts.yaml says. Raises ClientError.
    """
    session = boto3.Session()
    if name == "ops":
        return Account(name, accounts["ops"], accounts, session)
    facts = next(each for each in accounts["environments"] if each["name"] == name)
    role = f"arn:aws:iam::{facts['id']}:role/{accounts['bootstrap_role']}"
    sts = session.client("sts", region_name=accounts["region"])
    taken = sts.assume_role(RoleArn=role, RoleSessionName="doctor")["Credentials"]
    inside = boto3.Session(taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"])
    return Account(name, facts, accounts, inside)


def guarded(what: str, check: Check, account: Account) -> Iterator[Finding]:
    """Yield what a check finds; where AWS does not answer it, that it cannot tell. what: what it looks at."""
    try:
        yield from check(account)
    except (BotoCoreError, ClientError) as error:
        text, remedy = str(error), ""
        if denied(error):
            action = re.search(r"perform: (\S+)", text)
            text = f"you may not {action[1] if action else error.operation_name}"
            remedy = f'{DOCS}, "Ask the doctor", says what it has to be allowed'
        yield Finding("warning", f"cannot tell about {what}: {text}", remedy)


def status_of(error: ClientError) -> int:
    """Return the HTTP status of an error."""
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def denied(error: Exception) -> bool:
    """Return whether an error says that the caller may not ask."""
    return isinstance(error, ClientError) and bool(
        DENIED.search(error.response["Error"]["Code"]) or status_of(error) == HTTPStatus.FORBIDDEN
    )


def absent(error: ClientError) -> bool:
    """Return whether an error says that something is not there."""
    return status_of(error) == HTTPStatus.NOT_FOUND or error.response["Error"]["Code"] in ABSENT


def listed(client: Any, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
    """Yield all that an operation lists under a key."""
    for page in client.get_paginator(operation).paginate(**parameters):
        yield from page.get(key, [])
