"""The accounts of accounts.json, entered by the profiles that README.md lists.

Sessions are kept where the AWS CLI keeps its own: whoever has entered a role need not ask STS again.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from botocore.utils import JSONFileCache

from operations.repository import ACCOUNTS

LOGIN = f"{ACCOUNTS['organization']}-ops"
MISSING = {"PipelineNotFoundException", "ResourceNotFoundException"}
NO_LOGIN = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}


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
    entered = Session(profile=f"{ACCOUNTS['organization']}-{environment(name)['name']}-{role}")
    entered.set_config_variable("region", ACCOUNTS["region"])  # whatever the process or the profile says
    provider = entered.get_component("credential_provider").get_provider("assume-role")
    provider.cache = JSONFileCache(str(Path("~/.aws/cli/cache").expanduser()))
    return entered


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


def explanation(error: BotoCoreError | ClientError) -> str:
    """Return what an error of the SDK says and what to do about it, in one line."""
    said = " ".join(str(error).split())
    log_in = f"{said}; log in to ops, such as by: aws sso login --profile {LOGIN}"
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    match error:
        case exceptions.ProfileNotFound() | exceptions.InvalidConfigError():
            return f"{said}; ~/.aws/config needs the profiles that README.md lists, and {LOGIN}"
        case exceptions.NoCredentialsError() | exceptions.SSOError() | exceptions.TokenRetrievalError():
            return log_in
        case exceptions.ConnectionError() | exceptions.HTTPClientError():
            return f"{said}; is there a network?"
        case ClientError(operation_name="AssumeRole") if code == "AccessDenied":
            return f"{said}; ask to be put into the group of that role in ops"
        case ClientError() if code in NO_LOGIN:
            return log_in
    return said
