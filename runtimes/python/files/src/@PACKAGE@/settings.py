"""What differs between environments: `settings` and `secrets` of deployment/environments/."""

import os

DEFAULT_LANGUAGE = os.environ.get("DEFAULT_LANGUAGE", "en")


def secret(name: str) -> str:
    """Return a secret that `secrets` names. It is read again after five minutes."""
    # This loads AWS's SDK: for that, only who reads a secret should wait.
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415

    path = f"/{os.environ['POWERTOOLS_SERVICE_NAME']}/{name}"
    return str(parameters.get_parameter(path, decrypt=True, max_age=300))
