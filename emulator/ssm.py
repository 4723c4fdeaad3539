"""Parameter Store: what it checks. moto keeps the parameters."""

import hashlib
from typing import Any

from moto.ssm.models import Parameter, ssm_backends
from moto.ssm.utils import parameter_arn

from emulator.calls import Call, claims, doc
from emulator.judge.bases import PARAMETER_KMS
from emulator.judge.checks import Asked, derived, reads
from emulator.kms import key_arn
from emulator.mends import replaces

SECURE = "SecureString"


@reads("ssm", rests=PARAMETER_KMS)
def asked(call: Call, action: str) -> Asked:
    """Yield what Parameter Store checks; to encrypt or decrypt a value, the caller needs its key."""
    said = call.parameters
    yield from derived(call, action)
    if call.operation == "PutParameter" and said.get("Type") == SECURE:
        arn = parameter_arn(call.account, call.region, said["Name"])
        yield from of_key(call, "kms:Encrypt", said.get("KeyId"), arn)
    if said.get("WithDecryption"):
        store = ssm_backends[call.account][call.region]
        kept = [store.get_parameter(name) for name in said.get("Names") or [said["Name"]]]
        for parameter in kept:
            if parameter and parameter.parameter_type == SECURE:
                arn = parameter_arn(call.account, call.region, parameter.name)
                yield from of_key(call, "kms:Decrypt", parameter.keyid, arn)


@claims(
    "a secure parameter is encrypted under its ARN",
    doc("kms/latest/developerguide/services-parameter-store.html"),
)
def of_key(call: Call, action: str, key: str | None, parameter: str) -> Asked:
    """Yield what is checked of a parameter's key; that of AWS itself asks for nothing."""
    if key and "alias/aws/" not in key:
        told = {
            "kms:viaservice": f"ssm.{call.region}.amazonaws.com",
            "kms:encryptioncontext:parameter_arn": parameter,
        }
        yield action, key_arn(key, call.account, call.region), told


@replaces(
    Parameter, "response_object", rests=doc("systems-manager/latest/APIReference/API_GetParameter.html")
)
def response_object(parameter: Any, original: Any, decrypt: bool = False, *args: Any) -> dict[str, Any]:
    """Return an encrypted value where it is not to be decrypted. AWS does, moto returns its text."""
    answer: dict[str, Any] = original(parameter, decrypt, *args)
    if parameter.parameter_type == SECURE and not decrypt:
        answer["Value"] = hashlib.sha256(parameter.value.encode()).hexdigest()
    return answer
