"""How a profile is entered, and what it means if that, or AWS, refuses.

Sessions are kept where the AWS CLI keeps its own: whoever has entered a role need not ask STS again.
"""

from pathlib import Path

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from botocore.utils import JSONFileCache

NO_LOGIN = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}


def session(profile: str, region: str) -> Session:
    """Return a session of a profile in a region."""
    entered = Session(profile=profile)
    entered.set_config_variable("region", region)  # whatever the process or the profile says
    provider = entered.get_component("credential_provider").get_provider("assume-role")
    provider.cache = JSONFileCache(str(Path("~/.aws/cli/cache").expanduser()))
    return entered


def explanation(error: BotoCoreError | ClientError, login: str) -> str:
    """Return what an error of the SDK says and what to do about it, in a line. login: the profile of ops."""
    said = " ".join(str(error).split())
    log_in = f"{said}; log in to ops, such as by: aws sso login --profile {login}"
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    match error:
        case exceptions.ProfileNotFound() | exceptions.InvalidConfigError():
            return f"{said}; ~/.aws/config needs the profiles that README.md lists, and {login}"
        case exceptions.NoCredentialsError() | exceptions.SSOError() | exceptions.TokenRetrievalError():
            return log_in
        case exceptions.ConnectionError() | exceptions.HTTPClientError():
            return f"{said}; is there a network?"
        case ClientError(operation_name="AssumeRole") if code == "AccessDenied":
            return f"{said}; ask to be put into the group of that role in ops"
        case ClientError() if code in NO_LOGIN:
            return log_in
    return said
