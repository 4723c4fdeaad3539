"""The tags of what is there, as moto and the emulator keep them, and what is found by them."""

from collections.abc import Callable
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.codepipeline.models import codepipeline_backends

from emulator.calls import AwsError, Call, doc, operation
from emulator.codebuild import REPORT_GROUPS
from emulator.codedeploy import GROUPS
from emulator.connections import CONNECTIONS
from emulator.judge.checks import Asked, pairs, reads
from emulator.judge.verdict import TAGS

TAGGING = "resourcegroupstaggingapi"


def listed(backend: Any, arn: str, name: str) -> Any:
    """Return the tags that moto lists for the Resource Groups Tagging API."""
    return next((each.tags for each in backend.iter_tagged_resources() if each.arn == arn), None)


def by_arn(backend: Any, arn: str, name: str) -> Any:
    """Return the tags that moto keeps by ARN."""
    return backend.tagger.get_tag_dict_for_resource(arn)


def kept_in(collection: str) -> Callable[[Any, str, str], Any]:
    """Return what reads the tags that moto keeps with a resource in a collection, by its name."""
    return lambda backend, arn, name: getattr(getattr(backend, collection).get(name), "tags", None)


def of_project(backend: Any, arn: str, name: str) -> Any:
    """Return the tags of a build project."""
    found = backend.codebuild_projects.get(name)
    return found and found.project_metadata.get("tags")


def of_group(backend: Any, arn: str, name: str) -> Any:
    """Return the tags of a deployment group."""
    there = (backend.account_id, backend.region_name, *name.split("/")) in GROUPS
    return by_arn(backend, arn, name) if there else None


def of_role(backend: Any, arn: str, name: str) -> Any:
    """Return the tags of a role."""
    return next((role.tags for role in backend.get_roles() if role.arn == arn), None)


# By the service and the end of an ARN: the first group is the end of the ARN that has the tags, the second
# its name. What may follow is a part of it: a version, a stream, an index, a stage.
TAGS.update(
    {
        r"cloudwatch:(alarm:(.+))": ("cloudwatch", listed),
        r"codebuild:(project/(.+))": ("codebuild", of_project),
        r"codebuild:(report-group/(.+))": (
            "codebuild",
            lambda _, arn, name: REPORT_GROUPS.get(arn, {}).get("tags"),
        ),
        r"codedeploy:(application:(.+))": ("codedeploy", listed),
        r"codedeploy:(deploymentgroup:(.+))": ("codedeploy", of_group),
        r"codepipeline:(([^:/]+))(?:/.+)?": ("codepipeline", kept_in("pipelines")),
        r"codestar-connections:(connection/(.+))": (
            "codepipeline",  # moto has none of its own
            lambda _, arn, name: CONNECTIONS.get(arn, {}).get("Tags"),
        ),
        r"dynamodb:(table/([^/]+))(?:/index/.+)?": ("dynamodb", listed),
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/abac-streams.html
        r"dynamodb:(table/[^/]+/stream/(.+))": ("dynamodb", lambda *_: None),  # none of its table's
        r"events:(event-bus/(.+))": ("events", listed),
        r"events:(rule/(.+))": ("events", by_arn),
        r"iam:(role/(.+))": ("iam", of_role),
        r"kinesis:(stream/([^/]+))": ("kinesis", kept_in("streams")),
        r"kms:(key/(.+))": ("kms", listed),
        r"kms:(alias/(.+))": ("kms", lambda *_: None),  # keys alone have tags
        r"lambda:(event-source-mapping:(.+))": ("lambda", kept_in("_event_source_mappings")),
        r"lambda:(function:([^:]+))(?::.+)?": ("lambda", listed),
        r"logs:(log-group:([^:]+))(?::.+)?": ("logs", listed),
        r"secretsmanager:(secret:(.+))": ("secretsmanager", listed),
        r"sns:(([^:]+))(?::.+)?": ("sns", listed),
        r"sqs:((.+))": ("sqs", listed),
        r"ssm:(parameter/(.+))": ("ssm", listed),
        r"states:(stateMachine:([^:]+))": ("stepfunctions", listed),
    }
)


# What is found by tags


def functions(account: str, region: str) -> dict[str, Any]:
    """Return the tags of an account's functions, by ARN."""
    return {each.arn: each.tags for each in lambda_backends[account][region].iter_tagged_resources()}


def pipelines(account: str, region: str) -> dict[str, Any]:
    """Return the tags of an account's pipelines, by ARN."""
    known = codepipeline_backends[account][region].pipelines
    return {f"arn:aws:codepipeline:{region}:{account}:{name}": each.tags for name, each in known.items()}


FOUND = {"codepipeline": pipelines, "lambda:function": functions}  # by kind, as ARNs begin


@operation(
    TAGGING, "GetResources", rests=doc("resourcegroupstagging/latest/APIReference/API_GetResources.html")
)
def get_resources(call: Call) -> dict[str, Any]:
    """Return what has tags, of the kinds that are asked for. Of pipelines moto knows nothing here."""
    said = call.parameters
    if unknown := {*said.get("ResourceTypeFilters", [""])} - FOUND.keys():
        raise NotImplementedError(f"resources by tags, of the kinds {unknown}")
    found: dict[str, dict[str, str]] = {}
    for kind in said["ResourceTypeFilters"]:
        found |= {arn: pairs(tags) for arn, tags in FOUND[kind](call.account, call.region).items()}
    wanted = {each["Key"]: each.get("Values", []) for each in said.get("TagFilters", [])}
    fitting = [
        {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        for arn, tags in sorted(found.items())
        if all(key in tags and (not values or tags[key] in values) for key, values in wanted.items())
    ]
    try:
        first = int(said.get("PaginationToken") or 0)
    except ValueError:
        raise AwsError("InvalidParameterException", "the PaginationToken is none of ours") from None
    last = first + said.get("ResourcesPerPage", 50)
    token = str(last) if last < len(fitting) else ""
    return {"ResourceTagMappingList": fitting[first:last], "PaginationToken": token}


@reads(
    TAGGING,
    rests=doc("service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html"),
)
def asked(call: Call, action: str) -> Asked:
    """Yield what is checked of a search by tags, under another name."""
    yield f"tag:{call.operation}", "*", {}
