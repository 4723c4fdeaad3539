"""The tags of what is there, as moto and the emulator keep them."""

from collections.abc import Callable
from typing import Any

from emulator.codebuild import REPORT_GROUPS
from emulator.codedeploy import GROUPS
from emulator.connections import CONNECTIONS
from emulator.judge.verdict import TAGS


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
