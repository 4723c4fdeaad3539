"""Secrets Manager: what it checks, and the policies of secrets."""

from moto.secretsmanager.models import secretsmanager_backends

from emulator.calls import Call, doc
from emulator.judge.checks import Asked, derived, reads
from emulator.judge.policies import UnknownError, parse
from emulator.judge.verdict import Guarded, guards


@reads("secretsmanager", rests=doc("service-authorization/latest/reference/list_awssecretsmanager.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what Secrets Manager checks; a secret's ARN has an end that its name does not tell."""
    known = secretsmanager_backends[call.account][call.region].secrets
    name = str(call.parameters.get("SecretId", ""))
    if call.operation == "CreateSecret":
        yield (
            action,
            f"arn:aws:secretsmanager:{call.region}:{call.account}:secret:{call.parameters['Name']}-??????",
            {},
        )
    elif name and name in known:
        yield action, known[name].arn, {}
    elif name and not name.startswith("arn:"):
        raise UnknownError(f"the judge does not know on what {action} acts: there is no secret {name}")
    else:
        yield from derived(call, action)


@guards("secretsmanager", rests=doc("secretsmanager/latest/userguide/auth-and-access_resource-policies.html"))
def secret_policy(region: str, resource: str) -> Guarded:
    """Return the policy of a secret."""
    account = resource.split(":")[4]
    secrets = secretsmanager_backends[account][region].secrets.values()
    policy = next((getattr(known, "policy", None) for known in secrets if known.arn == resource), None)
    return parse(policy) if policy else None, account, False
