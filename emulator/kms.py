"""KMS: what it checks, and the policies of keys."""

from typing import Any

from moto.kms.models import kms_backends

from emulator.calls import AwsError, Call, doc, owner
from emulator.judge.checks import Asked, derived, reads
from emulator.judge.policies import UnknownError, parse
from emulator.judge.verdict import Guarded, guards


@reads("kms", rests=doc("kms/latest/developerguide/alias-access.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what KMS checks; of an alias, the alias and its key."""
    said = call.parameters
    under: dict[str, Any] = {"kms:viaservice": None, "kms:encryptioncontext:*": None}
    # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-request-alias
    key = said.get("KeyId") or said.get("TargetKeyId")
    under["kms:requestalias"] = key.rpartition(":")[2] if key and "alias/" in key else None
    for name, value in said.get("EncryptionContext", {}).items():
        under[f"kms:encryptioncontext:{name}".lower()] = value
    if alias := said.get("AliasName"):
        yield action, f"arn:aws:kms:{call.region}:{call.account}:{alias}", under
    if key:
        yield action, key_arn(key, owner(call), call.region), under
    elif not alias:
        yield from derived(call, action)


@guards("kms", rests=doc("kms/latest/developerguide/control-access.html"))
def key_policy(region: str, resource: str) -> Guarded:
    """Return the policy of a key; an alias has none, nor has what is about to become one."""
    account, rest = resource.split(":", 5)[4:]
    if not rest.startswith("key/") or rest == "key/*":
        return None, account, False
    key = kms_backends[account][region].keys[rest.removeprefix("key/")]
    if key.grants:
        raise UnknownError(f"grants of KMS, of which there are some on {resource}")
    return parse(key.policy), account, True


def key_arn(key: str, account: str, region: str) -> str:
    """Return the ARN of a key that is named by its ARN, id or alias."""
    if key.startswith("arn:") and ":key/" in key:
        return key
    backend = kms_backends[account][region]
    identifier = backend.get_key_id_from_alias(key) if "alias/" in key else backend.get_key_id(key)
    if identifier is None:
        raise AwsError("NotFoundException", f"Alias arn:aws:kms:{region}:{account}:{key} is not found.")
    return f"arn:aws:kms:{region}:{account}:key/{identifier}"
