"""CodeBuild: projects, report groups, whose turn it is to build, how builds end, and what it checks.

Whoever walks the pipelines builds, and whoever looks for what Scheduler has started.
"""

import re
from typing import Any

from moto.codebuild.models import CodeBuildBackend, codebuild_backends
from moto.core.utils import unix_time

from emulator.calls import MODEL, NOTHING, AwsError, Call, claims, command, doc, operation
from emulator.events import emit
from emulator.judge.checks import Asked, derived, reads
from emulator.mends import replaces

# https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html: of a kind, in a new account,
# "Concurrently running builds for ARM/Small environment", L-5ED1D25B.
AT_ONCE = 1
QUEUED = 5 * AT_ONCE  # https://docs.aws.amazon.com/codebuild/latest/userguide/builds-working.html
BUILDS: dict[str, tuple[str, ...]] = {}  # that run or wait, by id: where, and of which kind
ENDED: dict[str, dict[str, Any]] = {}  # what else is told of builds that have ended, by id
REPORT_GROUPS: dict[str, dict[str, Any]] = {}  # by ARN
REPORTED: set[str] = set()  # report groups that hold reports


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


@operation("codebuild", "ListBuilds", rests=doc("codebuild/latest/APIReference/API_ListBuilds.html"))
def list_builds(call: Call) -> dict[str, Any]:
    """Return an account's builds, a hundred a page, the newest first unless asked otherwise."""
    of_projects = codebuild_backends[call.account][call.region].build_metadata_history.values()
    builds = sorted((build["startTime"], build["id"]) for known in of_projects for build in known)
    order = 1 if call.parameters.get("sortOrder") == "ASCENDING" else -1
    first = int(call.parameters.get("nextToken") or 0)
    more = {"nextToken": str(first + 100)} if first + 100 < len(builds) else {}
    return {"ids": [build for _, build in builds[::order][first : first + 100]], **more}


# Report groups


@operation("codebuild", "CreateReportGroup", rests=MODEL)
def create_report_group(call: Call) -> dict[str, Any]:
    """Create a report group. AWS does, moto cannot."""
    name = call.parameters["name"]
    arn = f"arn:aws:codebuild:{call.region}:{call.account}:report-group/{name}"
    if arn in REPORT_GROUPS:
        raise AwsError("ResourceAlreadyExistsException", f"Report group already exists: {name}")
    REPORT_GROUPS[arn] = {"arn": arn, "created": unix_time(), "status": "ACTIVE", **call.parameters}
    return {"reportGroup": REPORT_GROUPS[arn]}


@operation("codebuild", "UpdateReportGroup", rests=MODEL)
def update_report_group(call: Call) -> dict[str, Any]:
    """Change where a report group exports to, or its tags."""
    arn = call.parameters["arn"]
    if arn not in REPORT_GROUPS:
        raise AwsError("ResourceNotFoundException", f"Report group does not exist: {arn}")
    REPORT_GROUPS[arn] |= call.parameters | {"lastModified": unix_time()}
    return {"reportGroup": REPORT_GROUPS[arn]}


@operation("codebuild", "BatchGetReportGroups", rests=MODEL)
def get_report_groups(call: Call) -> dict[str, Any]:
    """Return report groups, and the ARNs of those that are not there."""
    arns = call.parameters["reportGroupArns"]
    return {
        "reportGroups": [REPORT_GROUPS[arn] for arn in arns if arn in REPORT_GROUPS],
        "reportGroupsNotFound": [arn for arn in arns if arn not in REPORT_GROUPS],
    }


@operation("codebuild", "ListReportGroups", rests=MODEL)
def list_report_groups(call: Call) -> dict[str, Any]:
    """Return the ARNs of the report groups."""
    return {
        "reportGroups": [arn for arn in REPORT_GROUPS if arn.split(":")[3:5] == [call.region, call.account]]
    }


@operation(
    "codebuild", "DeleteReportGroup", rests=doc("codebuild/latest/APIReference/API_DeleteReportGroup.html")
)
def delete_report_group(call: Call) -> dict[str, Any]:
    """Delete a report group; one that holds reports, only with them."""
    arn = call.parameters["arn"]
    if arn in REPORTED and not call.parameters.get("deleteReports"):
        raise AwsError("InvalidInputException", f"Report group still holds reports: {arn}")
    REPORTED.discard(arn)
    REPORT_GROUPS.pop(arn, None)
    return {}


@command
@claims("the command keep_report", doc("codebuild/latest/userguide/report-create.html"))
def keep_report(group: str) -> None:
    """Keep a report of a build's tests in a report group, by its ARN, which is made if it is not there."""
    name, export = group.rpartition("/")[2], {"exportConfigType": "NO_EXPORT"}
    facts = {"arn": group, "name": name, "type": "TEST", "exportConfig": export, "status": "ACTIVE"}
    REPORT_GROUPS.setdefault(group, facts | {"created": unix_time()})
    REPORTED.add(group)


# Whose turn it is


@replaces(CodeBuildBackend, "start_build", rests=doc("codebuild/latest/userguide/builds-working.html"))
def start_build(backend: CodeBuildBackend, original: Any, project: str, *args: Any) -> dict[str, Any]:
    """Queue a build, if there is room. AWS does, in moto it is over at once."""
    machine = backend.codebuild_projects[project].project_metadata["environment"]
    kind = (backend.account_id, backend.region_name, machine["type"], machine["computeType"])
    if list(BUILDS.values()).count(kind) >= AT_ONCE + QUEUED:
        message = f"Cannot have more than {QUEUED} builds in queue for the account"
        raise AwsError("AccountLimitExceededException", message)
    build: dict[str, Any] = original(backend, project, *args)
    BUILDS[build["id"]] = kind
    return build


@command
@claims("the command may_build", NOTHING)
def may_build(build: str) -> bool:
    """Return whether it is a build's turn: in the order in which they began, which AWS does not promise."""
    of_kind = [each for each, kind in BUILDS.items() if kind == BUILDS[build]]
    return build in of_kind[:AT_ONCE]


@claims("scheduler starts builds", doc("scheduler/latest/UserGuide/managing-targets-templated.html"))
def begin(project: str) -> AwsError | None:
    """Start a build of a project, by its ARN; return why not. It takes no turn: nobody may look for it."""
    account, region, name = *reversed(project.split(":")[3:5]), project.rpartition("/")[2]
    backend = codebuild_backends[account][region]
    if name not in backend.codebuild_projects:
        return AwsError("ResourceNotFoundException", f"Project cannot be found: {project}")
    build = backend.start_build(name)["id"]
    BUILDS[build] = (account, region, "by Scheduler")
    return None


@command
@claims("the command end_build", doc("codebuild/latest/userguide/sample-build-notifications.html"))
def end_build(build: str, status: str = "SUCCEEDED", exported: dict[str, str] | None = None) -> None:
    """Note that a build has ended, and tell EventBridge. exported: its variables."""
    account, region, *_ = BUILDS.pop(build)
    variables = [{"name": name, "value": value} for name, value in (exported or {}).items()]
    ENDED[build] = {"buildStatus": status, "exportedEnvironmentVariables": variables}
    arn = f"arn:aws:codebuild:{region}:{account}:build/{build}"
    told = {"build-status": status, "project-name": build.partition(":")[0], "build-id": arn}
    emit(account, region, "aws.codebuild", "CodeBuild Build State Change", told, arn)


@replaces(CodeBuildBackend, "batch_get_builds", rests=MODEL)
def batch_get_builds(backend: CodeBuildBackend, original: Any, ids: list[str]) -> list[dict[str, Any]]:
    """Return builds, as they have ended. In moto each has succeeded as soon as somebody looks."""
    return [build | ENDED.get(build["id"], {}) for build in original(backend, ids)]


@reads("codebuild", rests=doc("service-authorization/latest/reference/list_awscodebuild.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what CodeBuild checks."""
    said = call.parameters
    if "reportGroupArns" in said:
        for arn in said["reportGroupArns"]:
            yield action, arn, {}
        return
    names = said.get("names") or [n for n in (said.get("name"), said.get("projectName")) if n]
    names = names or list(dict.fromkeys(build.partition(":")[0] for build in said.get("ids", [])))
    if not names or not re.search("Projects?$|^StartBuild$|^BatchGetBuilds$", call.operation):
        yield from derived(call, action)
        return
    for name in names:  # or an ARN
        own = name.rpartition(":project/")[2]
        yield action, f"arn:aws:codebuild:{call.region}:{call.account}:project/{own}", {}
    if said.get("serviceRole"):
        yield "iam:PassRole", said["serviceRole"], {"iam:passedtoservice": "codebuild.amazonaws.com"}
