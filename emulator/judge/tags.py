"""The tags of what is there, as moto and the emulator keep them."""

from collections.abc import Callable
from typing import Any

from emulator.codebuild import REPORT_GROUPS
from emulator.connections import CONNECTIONS
from emulator.judge.verdict import TAGS


def kept_in(collection: str) -> Callable[[Any, str, str], Any]:
    """Return what reads the tags that moto keeps with a resource in a collection, by its name."""
    return lambda backend, arn, name: getattr(getattr(backend, collection).get(name), "tags", None)


def of_arn(backend: Any, arn: str, name: str) -> Any:
    """Return the tags that moto keeps by ARN."""
    return backend.tagger.get_tag_dict_for_resource(arn)


def of_parameter(backend: Any, arn: str, name: str) -> Any:
    """Return the tags of a parameter, of which the ARN does not tell whether its name begins with a slash."""
    kept = backend._resource_tags["Parameter"]
    return kept.get(name) or kept.get(f"/{name}")


def of_project(backend: Any, arn: str, name: str) -> Any:
    """Return the tags of a build project."""
    found = backend.codebuild_projects.get(name)
    return found and found.project_metadata.get("tags")


def of_function(backend: Any, arn: str, name: str) -> Any:
    """Return the tags of a function."""
    known = backend._lambdas._functions.get(name)
    return known and known["latest"].tags


def of_role(backend: Any, arn: str, name: str) -> Any:
    """Return the tags of a role."""
    return next((role.tags for role in backend.get_roles() if role.arn == arn), None)


# By the service and the end of an ARN: the first group is the end of the ARN that has the tags, the second
# its name. What may follow is a part of it: a version, a stream, an index, a stage.
TAGS.update(
    {
        r"cloudwatch:(alarm:(.+))": ("cloudwatch", of_arn),
        r"codebuild:(project/(.+))": ("codebuild", of_project),
        r"codebuild:(report-group/(.+))": (
            "codebuild",
            lambda _, arn, name: REPORT_GROUPS.get(arn, {}).get("tags"),
        ),
        r"codedeploy:((?:application|deploymentgroup):(.+))": ("codedeploy", of_arn),
        r"codepipeline:(([^:/]+))(?:/.+)?": ("codepipeline", kept_in("pipelines")),
        r"codestar-connections:(connection/(.+))": (
            "codepipeline",  # moto has none of its own
            lambda _, arn, name: CONNECTIONS.get(arn, {}).get("Tags"),
        ),
        r"dynamodb:(table/([^/]+))(?:/.+)?": ("dynamodb", kept_in("tables")),
        r"events:((?:rule|event-bus)/(.+))": ("events", of_arn),
        r"iam:(role/(.+))": ("iam", of_role),
        r"kinesis:(stream/([^/]+))": ("kinesis", kept_in("streams")),
        r"kms:(key/(.+))": ("kms", lambda backend, arn, name: of_arn(backend, name, name)),
        r"kms:(alias/(.+))": ("kms", lambda *_: None),  # keys alone have tags
        r"lambda:(event-source-mapping:(.+))": ("lambda", kept_in("_event_source_mappings")),
        r"lambda:(function:([^:]+))(?::.+)?": ("lambda", of_function),
        r"logs:(log-group:([^:]+))(?::.+)?": ("logs", of_arn),
        r"secretsmanager:(secret:(.+))": (
            "secretsmanager",
            lambda backend, arn, name: getattr(backend.secrets.get(arn), "tags", None),
        ),
        r"sns:(([^:]+))(?::.+)?": (
            "sns",
            lambda backend, arn, name: getattr(backend.topics.get(arn), "_tags", None),
        ),
        r"sqs:((.+))": ("sqs", kept_in("queues")),
        r"ssm:(parameter/(.+))": ("ssm", of_parameter),
        r"states:(stateMachine:([^:]+))": ("stepfunctions", of_arn),
    }
)
