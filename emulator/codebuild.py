"""CodeBuild: projects, and what it checks. Builds are run by whoever walks the pipelines."""

import re
from typing import Any

from moto.codebuild.models import codebuild_backends
from moto.core.utils import unix_time

from emulator.calls import MODEL, AwsError, Call, doc, operation
from emulator.judge.checks import Asked, derived, reads


@operation("codebuild", "CreateProject", "UpdateProject", rests=MODEL)
def put_project(call: Call) -> dict[str, Any]:
    """Create or change a project.

    AWS takes CODEPIPELINE for source and artifacts, keeps every parameter, and can update; moto demands
    locations, forgets the key and more, and cannot.
    """
    backend = codebuild_backends[call.account][call.region]
    name = call.parameters["name"]
    exists = name in backend.codebuild_projects
    if call.operation == "CreateProject":
        if exists:
            raise AwsError("ResourceAlreadyExistsException", f"Project already exists: {name}")
        backend.create_project(
            project_name=name,
            description=None,
            project_source=call.parameters["source"],
            artifacts=call.parameters["artifacts"],
            environment=call.parameters["environment"],
            service_role=call.parameters["serviceRole"],
            tags=[],
            cache=None,
            timeout=60,
            queued_timeout=480,
            source_version=None,
            logs_config=None,
            vpc_config=None,
        )
    elif not exists:
        raise AwsError("ResourceNotFoundException", f"Project does not exist: {name}")
    project = backend.codebuild_projects[name].project_metadata
    project |= call.parameters | {"lastModified": unix_time()}
    return {"project": project}


@reads("codebuild", rests=doc("service-authorization/latest/reference/list_awscodebuild.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what CodeBuild checks."""
    said = call.parameters
    names = said.get("names") or [n for n in (said.get("name"), said.get("projectName")) if n]
    if not names or not re.search("Projects?$|^StartBuild$", call.operation):
        yield from derived(call, action)
        return
    for name in names:
        yield action, f"arn:aws:codebuild:{call.region}:{call.account}:project/{name}", {}
    if said.get("serviceRole"):
        yield "iam:PassRole", said["serviceRole"], {"iam:passedtoservice": "codebuild.amazonaws.com"}
