"""KMS: what it checks, and the policies of keys."""

from moto.kms.models import kms_backends

from emulator.calls import Call, owner
from emulator.judge.checks import Asked, derived, reads
from emulator.judge.policies import parse
from emulator.judge.verdict import Guarded, guards


@reads("kms")
def asked(call: Call, action: str) -> Asked:
    """Yield what KMS checks; of an alias, the alias and its key."""
    said = call.parameters
    if alias := said.get("AliasName"):
        yield action, f"arn:aws:kms:{call.region}:{call.account}:{alias}", {}
    if key := said.get("KeyId") or said.get("TargetKeyId"):
        yield action, key_arn(key, owner(call), call.region), {}
    elif not alias:
        yield from derived(call, action)


@guards("kms")
def key_policy(region: str, resource: str) -> Guarded:
    """Return the policy of a key; an alias has none."""
    account, rest = resource.split(":", 5)[4:]
    if not rest.startswith("key/"):
        return None, account, False
    return parse(kms_backends[account][region].keys[rest.removeprefix("key/")].policy), account, True


def key_arn(key: str, account: str, region: str) -> str:
    """Return the ARN of a key that is named by its ARN, id or alias."""
    if key.startswith("arn:") and ":key/" in key:
        return key
    backend = kms_backends[account][region]
    identifier = backend.get_key_id_from_alias(key) if "alias/" in key else backend.get_key_id(key)
    return f"arn:aws:kms:{region}:{account}:key/{identifier}"
