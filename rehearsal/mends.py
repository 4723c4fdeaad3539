"""What moto 5.2.5 gets wrong for the resources that we use. Importing this module mends moto."""

import base64
import copy
import os
from collections.abc import Callable
from typing import Any

from moto.awslambda import models
from moto.sts.models import sts_backends

from rehearsal import functions

# AWS keeps and returns these settings; moto drops them, so that Terraform would plan them for ever.
KEPT_SETTINGS = ("LoggingConfig", "TracingConfig")

original_init: Callable[..., None] = models.LambdaFunction.__init__
original_configuration: Callable[..., dict[str, Any]] = models.LambdaFunction.get_configuration
original_update: Callable[..., dict[str, Any]] = models.LambdaFunction.update_configuration


def init(self: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    """Keep the settings that a function is created with."""
    self.kept = {name: spec[name] for name in KEPT_SETTINGS if name in spec}
    original_init(self, account_id, spec, *args, **kwargs)


def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
    """Return the configuration with the settings kept."""
    return {**original_configuration(self, on_create), **copy.deepcopy(self.kept)}


def update_configuration(self: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """Keep the settings that are changed."""
    self.kept |= {name: changes[name] for name in KEPT_SETTINGS if name in changes}
    original_update(self, changes)
    configuration: dict[str, Any] = self.get_configuration()
    return configuration


def invoke(self: Any, body: bytes | str, headers: Any, response_headers: dict[str, str]) -> bytes:
    """Run the deployed package; AWS does, moto asks Docker."""
    configuration = self.get_configuration()
    role = sts_backends[self.account_id]["aws"].assume_role(
        self.region, self.function_name, self.role, "", 3600, ""
    )
    answer = functions.invoke(
        self.code_bytes,
        (body.encode() if isinstance(body, str) else body) or b"{}",
        configuration,
        {
            "AWS_ACCESS_KEY_ID": role.access_key_id,
            "AWS_SECRET_ACCESS_KEY": role.secret_access_key,
            "AWS_SESSION_TOKEN": role.session_token,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
            **configuration.get("Environment", {}).get("Variables", {}),
        },
    )
    response_headers["x-amz-log-result"] = base64.b64encode(answer.log.encode()[-4096:]).decode()
    if answer.error:
        response_headers["x-amz-function-error"] = answer.error
    return answer.payload


for name, mend in {
    "__init__": init,
    "get_configuration": get_configuration,
    "update_configuration": update_configuration,
    "invoke": invoke,
}.items():
    setattr(models.LambdaFunction, name, mend)
