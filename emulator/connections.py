"""Connections to GitHub, which moto lacks. They are pending until somebody completes them by hand."""

import uuid
from typing import Any

from emulator.calls import MODEL, AwsError, Call, Caller, claims, command, doc, operation
from emulator.judge.verdict import check

CONNECTIONS: dict[str, dict[str, Any]] = {}


@operation("codestar-connections", "CreateConnection", rests=MODEL)
def create_connection(call: Call) -> dict[str, Any]:
    """Create a pending connection."""
    arn = f"arn:aws:codestar-connections:{call.region}:{call.account}:connection/{uuid.uuid4()}"
    tags = call.parameters.get("Tags", [])
    CONNECTIONS[arn] = {
        "ConnectionName": call.parameters["ConnectionName"],
        "ConnectionArn": arn,
        "ProviderType": call.parameters.get("ProviderType"),
        "OwnerAccountId": call.account,
        "ConnectionStatus": "PENDING",
        "Tags": {tag["Key"]: tag["Value"] for tag in tags},
    }
    return {"ConnectionArn": arn, "Tags": tags}


@claims(
    "under which conditions a connection is used",
    doc("dtconsole/latest/userguide/security-iam.html#permissions-reference-connections-use"),
)
def told_of_use(repository: str, **more: str) -> dict[str, str]:
    """Return the condition keys of UseConnection on a repository, by both names of the service."""
    owner, _, name = repository.partition("/")
    keys = {"FullRepositoryId": repository, "OwnerId": owner, "RepositoryName": name, **more}
    services = "codeconnections", "codestar-connections"
    return {f"{service}:{key}".lower(): value for service in services for key, value in keys.items()}


def told_of_git(repository: str, *, push: bool = False) -> dict[str, str]:
    """Return the condition keys of UseConnection when Git reads a repository, or writes to it."""
    action, needed = ("GitPush", "read_write") if push else ("GitPull", "read_only")
    return told_of_use(repository, ProviderAction=action, ProviderPermissionsRequired=needed)


@command
@claims(
    "the command use_git_url",
    doc("codepipeline/latest/userguide/tutorials-github-gitclone.html"),
)
def use_git_url(role: str, region: str, connection: str, repository: str, push: bool = False) -> str | None:
    """Judge what any code in a role can do by a connection's Git URL: pull a repository, or push to it.

    role, connection: ARNs. Returns why it may not, or None if it may.
    """
    session = f"arn:aws:sts::{role.split(':')[4]}:assumed-role/{role.rpartition('/')[2]}/git"
    action, told = "codestar-connections:UseConnection", told_of_git(repository, push=push)
    return check(Caller(role, session), region, action, connection, told).denied


@command
@claims("the command complete_connection", doc("dtconsole/latest/userguide/connections-update.html"))
def complete_connection(arn: str) -> None:
    """Complete a connection, as a person does in the console."""
    CONNECTIONS[arn]["ConnectionStatus"] = "AVAILABLE"


def connection(call: Call) -> dict[str, Any]:
    """Return the connection of the caller's account that a call names."""
    arn = call.parameters.get("ConnectionArn") or call.parameters["ResourceArn"]
    if arn not in CONNECTIONS or CONNECTIONS[arn]["OwnerAccountId"] != call.account:
        raise AwsError("ResourceNotFoundException", f"Connection not found: {arn}")
    return CONNECTIONS[arn]


@operation("codestar-connections", "GetConnection", rests=MODEL)
def get_connection(call: Call) -> dict[str, Any]:
    """Return a connection."""
    return {"Connection": connection(call)}


@operation("codestar-connections", "ListConnections", rests=MODEL)
def list_connections(call: Call) -> dict[str, Any]:
    """Return the account's connections."""
    found = [known for known in CONNECTIONS.values() if known["OwnerAccountId"] == call.account]
    return {"Connections": [known for known in found if f":{call.region}:" in known["ConnectionArn"]]}


@operation("codestar-connections", "DeleteConnection", rests=MODEL)
def delete_connection(call: Call) -> dict[str, Any]:
    """Delete a connection."""
    del CONNECTIONS[connection(call)["ConnectionArn"]]
    return {}


@operation("codestar-connections", "ListTagsForResource", rests=MODEL)
def list_connection_tags(call: Call) -> dict[str, Any]:
    """Return a connection's tags."""
    return {"Tags": [{"Key": key, "Value": value} for key, value in connection(call)["Tags"].items()]}


@operation("codestar-connections", "TagResource", rests=MODEL)
def tag_connection(call: Call) -> dict[str, Any]:
    """Set tags of a connection."""
    connection(call)["Tags"].update({tag["Key"]: tag["Value"] for tag in call.parameters["Tags"]})
    return {}


@operation("codestar-connections", "UntagResource", rests=MODEL)
def untag_connection(call: Call) -> dict[str, Any]:
    """Remove tags of a connection."""
    for key in call.parameters["TagKeys"]:
        connection(call)["Tags"].pop(key, None)
    return {}
