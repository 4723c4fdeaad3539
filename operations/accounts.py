"""The accounts of accounts.json, entered by the profiles that README.md lists."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from operations import entrance
from operations.repository import ACCOUNTS

LOGIN = f"{ACCOUNTS['organization']}-ops"
MISSING = {"PipelineNotFoundException", "ResourceNotFoundException"}
explanation = partial(entrance.explanation, login=LOGIN)


def environment(name: str) -> dict[str, Any]:
    """Return what accounts.json says of an environment, or exit and say which there are."""
    environments = {known["name"]: known for known in ACCOUNTS["environments"]}
    if name not in environments:
        sys.exit(f"there is no environment {name!r}; there are {', '.join(environments)}")
    found: dict[str, Any] = environments[name]
    return found


@cache
def session(name: str, role: str) -> Session:
    """Return a session of operator, developer or reader in an environment."""
    profile = f"{ACCOUNTS['organization']}-{environment(name)['name']}-{role}"
    return entrance.session(profile, ACCOUNTS["region"])


def client(service: str, name: str, role: str, config: Config | None = None) -> Any:
    """Return a client of a service, as a role in an environment; config: what it does unlike others."""
    return session(name, role).create_client(service, config=config)


def variables(name: str, role: str) -> dict[str, str]:
    """Return the environment variables with which Terraform is a role in an environment."""
    credentials = session(name, role).get_credentials().get_frozen_credentials()
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token,
    }


def is_missing(error: ClientError, name: str, client: Any, operation: str, names: str, **of: str) -> bool:
    """Return whether an error means that what is of a name is not there.

    Whoever may look at what has a tag is denied what is not there, since that has none. A list tells then;
    operation: of client, with parameters of, lists. names: where the names are in that, in JMESPath's words.
    """
    code = error.response["Error"]["Code"]
    if code == "AccessDeniedException":
        return name not in client.get_paginator(operation).paginate(**of).search(names)
    return code in MISSING


@contextmanager
def explained() -> Iterator[None]:
    """Exit with one line if AWS cannot be reached, entered or asked: what is missing, and what to type."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        sys.exit(explanation(error))
