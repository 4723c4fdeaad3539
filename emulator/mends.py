"""What moto 5.2.5 gets wrong for the resources that we use. Importing this module mends moto.

Each mend says what AWS does and what moto does, and has its test. An operation is answered here instead of by
moto; a replacement stands in for a method of moto's own.
"""

import copy
import functools
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from moto.awslambda.models import LambdaBackend, LambdaFunction, LambdaStorage
from moto.awslambda.responses import LambdaResponse
from moto.codebuild.models import CodeBuildBackend
from moto.codepipeline.models import CodePipeline, CodePipelineBackend
from moto.core.responses import ActionResult
from moto.core.utils import unix_time
from moto.iam.access_control import PermissionResult
from moto.iam.models import iam_backends
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeBucket, s3_backends
from moto.s3.responses import S3Response

from emulator.calls import MISSING, MODEL, AwsError, Basis, Call, claims, doc, guess
from emulator.judge.policies import listed


def replaces(
    owner: type, name: str, *, rests: Basis = MISSING
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put the decorated function, which is given the original first, in the place of a method."""

    def replace(replacement: Callable[..., Any]) -> Callable[..., Any]:
        where = replacement.__module__.rpartition(".")[2]
        noted = claims(f"{where} mends moto's {owner.__name__}.{name}", rests)(replacement)
        setattr(owner, name, functools.partialmethod(noted, getattr(owner, name)))
        return replacement

    return replace


@claims("a bucket's expected owner is compared", doc("AmazonS3/latest/userguide/bucket-owner-condition.html"))
def check_bucket_owner(call: Call) -> None:
    """Refuse a call whose bucket is not of the account that it expects. AWS does, moto does not look."""
    source = str(call.parameters.get("CopySource")).lstrip("/").partition("/")[0]
    for expected, bucket in (
        (call.parameters.get("ExpectedBucketOwner"), call.parameters.get("Bucket")),
        (call.parameters.get("ExpectedSourceBucketOwner"), source),
    ):
        _, account = s3_backends.bucket_accounts.get(str(bucket), ("", expected))
        if call.service == "s3" and expected and account != expected:
            raise AwsError("AccessDenied", "Access Denied", 403)


# S3


@replaces(
    FakeBucket,
    "get_permission",
    rests=doc("IAM/latest/UserGuide/reference_policies_evaluation-logic.html"),
)
def get_permission(bucket: FakeBucket, original: Any, action: str, resource: str) -> PermissionResult:
    """Leave bucket policies to the judge. AWS heeds their conditions, moto denies whatever a Deny names."""
    return PermissionResult.NEUTRAL


@replaces(S3Response, "get_bucket_notification", rests=MODEL)
def get_bucket_notification(response: Any, original: Any) -> Any:
    """Say that a bucket notifies EventBridge. AWS does, moto keeps it to itself."""
    configuration = response.backend.get_bucket_notification_configuration(response.bucket_name)
    if configuration and configuration.event_bridge is not None:
        serialized = response.serialized
        response.serialized = lambda answer: serialized(
            ActionResult(answer.result | {"EventBridgeConfiguration": {}})
        )
    return original(response)


# Lambda

SETTINGS = ("DeadLetterConfig", "EphemeralStorage", "KMSKeyArn", "LoggingConfig", "TracingConfig")


@replaces(LambdaFunction, "__init__", rests=MODEL)
def create_function(
    function: Any, original: Any, account_id: str, spec: Any, *args: Any, **kwargs: Any
) -> None:
    """Keep all of a function's settings. AWS does, moto forgets some and never changes others."""
    original(function, account_id, spec, *args, **kwargs)
    function.settings = {name: spec[name] for name in SETTINGS if spec.get(name)}


@replaces(LambdaFunction, "update_configuration", rests=MODEL)
def update_function(function: Any, original: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """Change the settings that are kept; published versions, which share them so far, keep theirs."""
    function.settings = function.settings | {name: changes[name] for name in SETTINGS if name in changes}
    original(function, changes)
    configuration: dict[str, Any] = function.get_configuration()
    return configuration


@replaces(LambdaFunction, "get_configuration", rests=MODEL)
def get_function(function: Any, original: Any, on_create: bool = False) -> dict[str, Any]:
    """Return the settings that are kept, with Lambda's defaults for logging."""
    configuration: dict[str, Any] = original(function, on_create) | copy.deepcopy(function.settings)
    logging = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}"}
    logging |= configuration.get("LoggingConfig", {})
    levels = (
        {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"} if logging["LogFormat"] == "JSON" else {}
    )
    return configuration | {"LoggingConfig": levels | logging}


@replaces(LambdaFunction, "_set_function_code", rests=doc("lambda/latest/dg/troubleshooting-deployment.html"))
def set_function_code(function: Any, original: Any, code: dict[str, Any]) -> None:
    """Refuse code that is not in S3. AWS does, moto makes a function without code."""
    if "S3Key" in code and "ZipFile" not in code:
        error = "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: "
        error += "The specified {} does not exist."
        try:
            found = s3_backends[function.account_id]["aws"].get_object(code["S3Bucket"], code["S3Key"])
        except MissingBucket:
            message = error.format("NoSuchBucket", "bucket")
            raise AwsError("InvalidParameterValueException", message) from None
        if found is None:
            raise AwsError("InvalidParameterValueException", error.format("NoSuchKey", "key"))
    original(function, code)


@replaces(LambdaBackend, "update_function_code", rests=doc("lambda/latest/dg/functions-states.html"))
def update_function_code(
    backend: LambdaBackend, original: Any, function_name: str, qualifier: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Change a function's code and say that this is under way. AWS does, moto does it twice and is done."""
    configuration: dict[str, Any] = backend.get_function(function_name, qualifier).update_function_code(body)
    if body.get("Publish"):
        configuration = backend.publish_version(function_name).get_configuration()  # type: ignore[union-attr]
    return configuration | {"LastUpdateStatus": "InProgress"}


@replaces(LambdaStorage, "publish_version", rests=doc("lambda/latest/dg/configuration-versions.html"))
def publish_version(storage: Any, original: Any, name: str, description: str = "") -> Any:
    """Number versions on and on. AWS does, moto gives numbers again once a version has been deleted."""
    latest = storage.get_function_by_name_or_arn_forbid_qualifier(name)
    known = len(storage._functions[latest.function_name]["versions"])
    version = original(storage, name, description)
    if len(storage._functions[latest.function_name]["versions"]) > known:
        latest.published, latest.code_or_config_updated = getattr(latest, "published", 0) + 1, False
        version.set_version(latest.published)
        storage._arns[version.function_arn] = version
    return version


@replaces(LambdaBackend, "delete_function", rests=doc("lambda/latest/api/API_DeleteFunction.html"))
def delete_function(
    backend: LambdaBackend, original: Any, function_name: str, qualifier: str | None = None
) -> None:
    """Keep a version that an alias references. AWS does, moto deletes it.

    In AWS's words: https://github.com/karl-cardenas-coding/go-lambda-cleanup/issues/45
    """
    using = [
        alias.name
        for alias in (backend.list_aliases(function_name) if qualifier else [])
        if qualifier in (alias.function_version, *weights(alias))
    ]
    if using:
        message = f"Unable to delete version because the following aliases reference it: [{', '.join(using)}]"
        raise AwsError("ResourceConflictException", message, 409)
    original(backend, function_name, qualifier)


def weights(alias: Any) -> dict[str, float]:
    """Return the versions that share an alias's traffic with its own, with their shares."""
    found: dict[str, float] = (alias.routing_config or {}).get("AdditionalVersionWeights", {})
    return found


POLICIES = doc("lambda/latest/dg/access-control-resource-based.html")


def allowed_by(backend: LambdaBackend, name: str, qualifier: str | None) -> tuple[Any, list[dict[str, Any]]]:
    """Return the policy in which a function keeps all statements, and those for a qualifier, "" for none."""
    backend.get_function(name, qualifier)
    function = backend.get_function(name.rpartition(":function:")[2].split(":")[0])
    resource = f"{function.function_arn}:{qualifier or ''}".rstrip(":")
    return function.policy, [each for each in function.policy.statements if each["Resource"] == resource]


@replaces(LambdaBackend, "add_permission", rests=POLICIES)
def add_permission(
    backend: LambdaBackend, original: Any, name: str, qualifier: str | None, raw: str
) -> dict[str, Any]:
    """Add to the policy of an alias. AWS does, moto adds to the version that the alias is at."""
    policy, known = allowed_by(backend, name, qualifier)
    statement = json.loads(raw)["StatementId"]
    if any(each["Sid"] == statement for each in known):
        message = (
            f"The statement id ({statement}) provided already exists. Please provide a new statement id,"
        )
        raise AwsError("ResourceConflictException", f"{message} or remove the existing statement.", 409)
    added: dict[str, Any] = policy.add_statement(raw, qualifier)[0]
    return added


@replaces(LambdaBackend, "get_policy", rests=POLICIES)
def get_policy(backend: LambdaBackend, original: Any, name: str, qualifier: str | None = None) -> str:
    """Return the policy of an alias. AWS does, moto that of the version that the alias is at."""
    policy, known = allowed_by(backend, name, qualifier)
    if not known:
        raise AwsError("ResourceNotFoundException", "The resource you requested does not exist.", 404)
    document = {"Version": "2012-10-17", "Id": "default", "Statement": known}
    return json.dumps({"Policy": json.dumps(document), "RevisionId": policy.revision})


@replaces(LambdaResponse, "remove_permission", rests=POLICIES)
def remove_permission(response: Any, original: Any) -> tuple[int, dict[str, int], str]:
    """Remove a statement from the policy of an alias. AWS does, moto looks in the function's alone."""
    name, _, statement = response.path.split("/")[-3:]
    qualifier = response.querystring.get("Qualifier", [None])[0]
    policy, known = allowed_by(response.backend, unquote(name), qualifier)
    found = [each for each in known if each["Sid"] == unquote(statement)]
    if not found:
        message = f"Statement {unquote(statement)} is not found in resource policy."
        raise AwsError("ResourceNotFoundException", message, 404)
    policy.statements.remove(found[0])
    return 204, {"status": 204}, "{}"


@replaces(CodeBuildBackend, "delete_project", rests=guess("delete a project by its ARN"))
def delete_project(backend: CodeBuildBackend, original: Any, name: str) -> None:
    """Delete a project by its name or ARN. AWS does, moto deletes nothing for an ARN."""
    original(backend, name.rpartition("/")[2])


# CodePipeline


@replaces(CodePipelineBackend, "create_pipeline", rests=MODEL)
def create_pipeline(
    backend: CodePipelineBackend, original: Any, pipeline: dict[str, Any], tags: Any
) -> tuple[Any, Any]:
    """Say by the error of its own that there is a pipeline of this name. AWS does, moto has another."""
    if pipeline["name"] in backend.pipelines:
        message = f"A pipeline with the name '{pipeline['name']}' already exists in the account"
        raise AwsError("PipelineNameInUseException", message)
    created: tuple[Any, Any] = original(backend, pipeline, tags)
    return created


@claims(
    "any trust policy that lets CodePipeline in will do",
    doc("IAM/latest/UserGuide/id_roles_create_for-service.html"),
)
def trust_policies(backend: CodePipelineBackend) -> SimpleNamespace:
    """Give moto's CreatePipeline a role's trusted services in the only form that it reads.

    AWS reads any trust policy; moto fails on one that names several services or another kind of principal.
    """

    def get_role_by_arn(arn: str) -> SimpleNamespace:
        role = iam_backends[backend.account_id]["aws"].get_role_by_arn(arn)
        services: list[str] = []
        for statement in listed(json.loads(role.assume_role_policy_document)["Statement"]):
            if isinstance(statement["Principal"], dict):
                services += listed(statement["Principal"].get("Service", []))
        plain = {"Statement": [{"Principal": {"Service": service}} for service in services]}
        return SimpleNamespace(assume_role_policy_document=json.dumps(plain))

    return SimpleNamespace(get_role_by_arn=get_role_by_arn)


@claims("a pipeline's times are numbers", MODEL)
def pipeline_metadata(pipeline: CodePipeline) -> dict[str, Any]:
    """Give a pipeline's times as numbers. AWS does, moto gives strings, on which the SDK for Go fails."""
    created, updated = unix_time(pipeline._created), unix_time(pipeline._updated)
    return {"pipelineArn": pipeline._arn, "created": created, "updated": updated}


CodePipelineBackend.iam_backend = property(trust_policies)  # type: ignore[method-assign, assignment]
CodePipeline.metadata = property(pipeline_metadata)  # type: ignore[method-assign, assignment]
