"""What calls lacked: where to change that, and what to paste there, as Terraform."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import triggers
from emulator.calls import Check
from emulator.judge.checks import AWS
from emulator.judge.grants import Grant
from emulator.judge.policies import applies, listed, name

# What the foundation creates as ORGANIZATION-ROLE, and where its policy stands.
OF_FOUNDATION = {
    "developer": "foundation/developer.tf",
    "drift-start": "foundation/pipelines.tf",
    "operator": "foundation/operator.tf",
    "pipeline": "foundation/pipelines.tf",
    "pipeline-start": "foundation/pipelines.tf",
    "promoter": "foundation/promoter.tf",
    "reader": "foundation/reader.tf",
}
# What a function brings along: where its policy stands, and how that file names the function and the place.
OF_FUNCTION = {
    "": ("deployment/permissions.tf", "local.function_name", "${local.accounts.region}:${local.account.id}"),
    "-builder": ("pipeline/builder.tf", "var.function_name", "${local.here}"),
    "-deployer": ("pipeline/deployer.tf", "var.function_name", "${local.here}"),
    "-planner": ("pipeline/planner.tf", "var.function_name", "${local.here}"),
    "-reviewer": ("pipeline/planner.tf", "var.function_name", "${local.here}"),
    "-scheduler": (
        "deployment/trigger.tf",
        "local.function_name",
        "${local.accounts.region}:${local.account.id}",
    ),
    "-traffic": ("pipeline/traffic.tf", "var.function_name", "${local.here}"),
    "-verifier": ("pipeline/verifier.tf", "var.function_name", "${local.here}"),
}

# What AWS names when it makes it, and will name otherwise the next time: versions, identifiers, times.
MADE = [
    (re.compile(pattern), general)
    for pattern, general in {
        r"(:(?:function|layer):[\w-]+):(\d+|\$LATEST)$": r"\1:*",
        r":log-stream:.*": ":*",
        r"(:secret:.+)-\w{6}$": r"\1-??????",
        r"/stream/[\d:.T-]+": "/stream/*",
        r"(/consumer/[^:]+):\d+$": r"\1:*",
        r"/((?:api|authorizer|deployment|integration|route)s)/\w+": r"/\1/*",
        r"\beni-[0-9a-f]+": "*",
        r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}": "*",
        r"[0-9a-f]{64}": "*",
    }.items()
]

# The policies of triggers are called like the files in which they stand.
OF_TRIGGERS = {"trigger", *(path.name for path in (Path(triggers.__file__).parent / "shared").iterdir())}


def place(check: Check, function: str, organization: str, grants: Iterable[Grant]) -> str:
    """Return the file and the statement that would have to change for what was denied to be allowed."""
    why = check.denied or ""
    if (too := " and no permissions boundary") in why:
        alone = replace(check, denied=why.replace(too, ""))
        return f"{place(alone, function, organization, grants)}; and foundation/boundary.tf"
    if "no permissions boundary" in why or "explicit deny in an identity-based" in why:
        return "foundation/boundary.tf"
    if "resource-based policy" in why:
        service = check.action.split(":")[0]
        where = {"s3": "buckets.tf", "kms": "encryption.tf", "sns": "alerts.tf"}
        return f"foundation/{where[service]}" if service in where else "the trust policy of that role"
    role = name(check.caller.role)
    files = {f"{function}{suffix}": file for suffix, (file, *_) in OF_FUNCTION.items()}
    files |= {f"{organization}-{own}": file for own, file in OF_FOUNDATION.items()}
    file = files.get(role, f"where {role} is made")
    own = [grant for grant in grants if grant.role == check.caller.role]
    for grant in own:
        if any(check.action.lower() == action.lower() for action in listed(grant.statement["Action"])):
            return f"{found_in(file, grant)}: allows it on other resources, or under another condition"
    for grant in own:
        named = grant.statement["Resource"] != "*"
        if named and applies({**grant.statement, "Action": "*"}, check.request, "Allow"):
            return f"{found_in(file, grant)}: has the resource, not the action"
    return f"{file}, a new statement"


def found_in(file: str, grant: Grant) -> str:
    """Return where a grant stands, and its name; file: where those of its role do that are of no trigger."""
    return f"{Path(file).parent / f'{grant.policy}.tf' if grant.policy in OF_TRIGGERS else file}, {grant.sid}"


def to_paste(checks: Iterable[Check], function: str, facts: dict[str, Any]) -> dict[str, str]:
    """Return, by file, the Terraform statements that allow what a function's own roles were denied.

    facts: what accounts.json says. Whoever creates something also needs to change and to remove it, which no
    rehearsal may have come to.
    """
    suffixes = {f"{function}{suffix}": suffix for suffix in OF_FUNCTION}
    wanted: dict[str, dict[str, set[str]]] = {}
    for check in checks:
        suffix = suffixes.get(name(check.caller.role))
        if suffix is None or "no identity-based policy" not in (check.denied or ""):
            continue
        resource = expression(suffix, check.resource, function, facts)
        service, _, operation = check.action.partition(":Create")
        later = {f"{service}:{verb}{operation}" for verb in ("Delete", "Update") if operation}
        wanted.setdefault(suffix, {}).setdefault(resource, set()).update(
            [check.action], (each for each in later if AWS.actions.action_exists(*each.lower().split(":")))
        )
    return {
        OF_FUNCTION[suffix][0]: "\n".join(
            statement(suffix, number, *each) for number, each in enumerate(merged(found), 1)
        )
        for suffix, found in wanted.items()
    }


def merged(wanted: dict[str, set[str]]) -> list[tuple[list[str], list[str]]]:
    """Return actions with the resources that they are wanted on, resources of the same actions together."""
    together: dict[tuple[str, ...], list[str]] = {}
    for resource, actions in sorted(wanted.items()):
        together.setdefault(tuple(sorted(actions)), []).append(resource)
    return [(list(actions), resources) for actions, resources in together.items()]


def expression(suffix: str, resource: str, function: str, facts: dict[str, Any]) -> str:
    """Return a resource's ARN as a function's Terraform writes it, for whatever AWS calls the next one."""
    _, called, here = OF_FUNCTION[suffix]
    text = re.sub(r"^(arn:aws:\w+:)[\w-]+:\d{12}:", rf"\1{here}:", resource)
    text = re.sub(r"^(arn:aws:\w+::)\d{12}:", r"\1${local.account.id}:", text)
    for made, general in MADE:
        text = made.sub(general, text)
    for environment in facts["environments"]:
        stored = f"{environment['artifacts_bucket']}-pipelines/"  # under PIPELINE/ARTIFACT/, by chance
        text = re.sub(rf"({stored}[^/]+/[^/]+)/\w+$", r"\1/*", text)
        for bucket in "artifacts_bucket", "state_bucket":
            text = text.replace(environment[bucket], f"${{local.account.{bucket}}}")
    return re.sub(rf"(?<![\w-]){function}(?!\w)", f"${{{called}}}", text)


def statement(suffix: str, number: int, actions: list[str], resources: list[str]) -> str:
    """Return a statement as `terraform fmt` leaves it."""
    sid = "".join(dict.fromkeys(action.split(":")[0].title() for action in actions))
    quoted = ",\n      ".join(f'"{action}"' for action in actions)
    places = ", ".join(f'"{resource}"' for resource in resources)
    return f"""\
  statement {{
    sid = "{"Use" if suffix == "" else "Manage"}{sid}{number}"
    actions = [
      {quoted},
    ]
    resources = [{places}]
  }}
"""
