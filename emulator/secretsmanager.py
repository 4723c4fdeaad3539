"""Secrets Manager: what it checks."""

from moto.secretsmanager.models import secretsmanager_backends

from emulator.calls import Call
from emulator.judge.checks import Asked, derived, reads
from emulator.judge.policies import UnknownError


@reads("secretsmanager")
def asked(call: Call, action: str) -> Asked:
    """Yield what Secrets Manager checks; a secret's ARN has an end that its name does not tell."""
    known = secretsmanager_backends[call.account][call.region].secrets
    name = str(call.parameters.get("SecretId", ""))
    if name and name in known:
        yield action, known[name].arn, {}
    elif name and not name.startswith("arn:"):
        raise UnknownError(f"the judge does not know on what {action} acts: there is no secret {name}")
    else:
        yield from derived(call, action)
