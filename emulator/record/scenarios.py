"""What is asked of AWS and of the emulator: what the rehearsal depends on, in scratch names."""

import io
import json
import time
from collections.abc import Callable
from typing import Any
from zipfile import ZipFile, ZipInfo

from emulator.record.scratch import NAME, PATH, Scratch, allow, policy, trust

Scenario = Callable[[Scratch], None]
SCENARIOS: dict[str, Scenario] = {}
MAKES: dict[str, str] = {}
# Where the emulator refuses what AWS does not, so that a rehearsal fails where things would go wrong later.
STRICTER = {"functions: get it without lambda:ListTags"}

HANDLER = """
def handle(event, context):
    if "raise" in event:
        raise ValueError(event["raise"])
    return {"version": context.function_version}
# {text}
"""


def scenario(makes: str) -> Callable[[Scenario], Scenario]:
    """Make the decorated function a scenario, by its name; makes: what it creates, for who pays for it."""

    def register(asks: Scenario) -> Scenario:
        SCENARIOS[asks.__name__], MAKES[asks.__name__] = asks, makes
        return asks

    return register


def package(text: str = "") -> bytes:
    """Return the code of a function, for the same text always the same bytes."""
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        file = ZipInfo("app.py")
        file.external_attr = 0o644 << 16  # so that Lambda may read it
        archive.writestr(file, HANDLER.replace("{text}", text))
    return content.getvalue()


def function(scratch: Scratch, code: dict[str, Any]) -> dict[str, Any]:
    """Return what CreateFunction takes, with a role that may do nothing and that there is in IAM soon."""
    return {
        "FunctionName": f"{scratch.prefix}-it",
        "Role": scratch.role("execution", service="lambda"),
        "Runtime": "python3.13",
        "Handler": "app.handle",
        "Code": code,
        "Tags": {NAME: scratch.prefix},
    }


@scenario("4 roles and 1 policy of IAM")
def roles(scratch: Scratch) -> None:
    """Roles with path, boundary and tags, and who may make them."""
    iam, name = scratch.client("iam"), f"{scratch.prefix}-it"
    boundary, none = f"{scratch.prefix}-boundary", scratch.arn("iam", f"role{PATH}{scratch.prefix}-none")
    arn = scratch.arn("iam", f"policy{PATH}{boundary}")
    trusted = trust(Service="lambda.amazonaws.com")
    some = policy(allow("sts:GetCallerIdentity"))
    bounded = {"AssumeRolePolicyDocument": trusted, "Path": PATH, "PermissionsBoundary": arn}

    scratch.later(iam.delete_policy, PolicyArn=arn)
    named = {"PolicyName": boundary, "Path": PATH, "PolicyDocument": some}
    scratch.ask("create a policy", iam.create_policy, **named, Tags=scratch.tags())
    scratch.ask("create it again", iam.create_policy, **named)
    scratch.later(iam.delete_role, RoleName=name)
    scratch.ask(
        "create a role with a boundary", iam.create_role, RoleName=name, **bounded, Tags=scratch.tags()
    )
    scratch.ask("create the role again", iam.create_role, RoleName=name, **bounded)
    scratch.ask("get the role", iam.get_role, RoleName=name)
    scratch.ask("get a role that is not there", iam.get_role, RoleName=f"{scratch.prefix}-none")
    change = iam.update_assume_role_policy
    scratch.ask("trust a role that is not there", change, RoleName=name, PolicyDocument=trust(AWS=none))
    scratch.ask("trust by what is no policy", change, RoleName=name, PolicyDocument="{}")
    scratch.ask(
        "trust a service", change, RoleName=name, PolicyDocument=trust(Service="events.amazonaws.com")
    )
    put = {"RoleName": name, "PolicyName": "it", "PolicyDocument": some}
    scratch.later(iam.delete_role_policy, RoleName=name, PolicyName="it")
    scratch.ask("put a policy into it", iam.put_role_policy, **put)
    scratch.ask("delete it with its policy", iam.delete_role, RoleName=name)
    half = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3"}
    cut = put | {"PolicyName": "cut", "PolicyDocument": policy(half)}
    scratch.later(iam.delete_role_policy, RoleName=name, PolicyName="cut")
    scratch.ask("put a policy on an ARN that is cut off", iam.put_role_policy, **cut)
    old = cut | {"PolicyDocument": policy(allow("sts:GetCallerIdentity"), version="")}
    scratch.ask("put a policy without version", iam.put_role_policy, **old)

    makes = ("iam:CreateRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole")
    mine = scratch.arn("iam", f"role{PATH}{scratch.prefix}-*")
    scratch.role("maker", allow(*makes, on=mine, StringEquals={"iam:PermissionsBoundary": arn}))
    scratch.role("idle")
    scratch.settle()
    maker, made = scratch.client("iam", "maker"), f"{scratch.prefix}-made"
    free = {key: value for key, value in bounded.items() if key != "PermissionsBoundary"}
    scratch.later(iam.delete_role, RoleName=made)
    scratch.ask("create a role without the boundary it must have", maker.create_role, RoleName=made, **free)
    scratch.ask("create a role with the boundary it must have", maker.create_role, RoleName=made, **bounded)
    scratch.ask("put a policy into it, on condition of its boundary", maker.put_role_policy, **put)
    change = maker.update_assume_role_policy
    for whose, role in {"a role that has it": name, "a role that has none": f"{scratch.prefix}-idle"}.items():
        step = f"change whom {whose} trusts, on condition of its boundary"
        scratch.ask(step, change, RoleName=role, PolicyDocument=trusted)
    scratch.ask("delete a role, on condition of its boundary", maker.delete_role, RoleName=made)
    scratch.ask("get a role without permission", scratch.client("iam", "idle").get_role, RoleName=name)


@scenario("11 roles of IAM")
def conditions(scratch: Scratch) -> None:
    """Condition keys and variables as IAM takes them: each role may read itself, or not."""
    read = allow("iam:GetRole")
    deny = read | {"Effect": "Deny"}
    me = "arn:aws:iam::${aws:PrincipalAccount}:role" + PATH + scratch.prefix + "-*"
    cases: dict[str, list[dict[str, Any]]] = {
        "allowed": [read],
        "deny-variable": [
            read,
            deny | {"Condition": {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}},
        ],
        "deny-arn": [read, deny | {"Condition": {"ArnLike": {"aws:PrincipalArn": me}}}],
        "null-or": [allow("iam:GetRole", Null={"aws:SourceArn": ["false", "true"]})],
        "principal-tag": [allow("iam:GetRole", StringEquals={f"aws:PrincipalTag/{NAME}": scratch.prefix})],
        "resource-tag": [allow("iam:GetRole", StringEquals={f"aws:ResourceTag/{NAME}": scratch.prefix})],
        "without-mfa": [
            read,
            deny | {"Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}},
        ],
        "for-service": [allow("iam:GetRole", Null={"aws:SourceAccount": "false"})],
        "region": [allow("iam:GetRole", StringEquals={"aws:RequestedRegion": scratch.place.region})],
        "no-service": [allow("iam:GetRole", Bool={"aws:PrincipalIsAWSService": "false"})],
        "secure": [allow("iam:GetRole", Bool={"aws:SecureTransport": "true"})],
    }
    for name, statements in cases.items():
        scratch.role(name, *statements)
    scratch.settle()
    for name in cases:
        full = f"{scratch.prefix}-{name}"
        scratch.ask(name, scratch.client("iam", name).get_role, "Role.RoleName", RoleName=full)


@scenario("1 bucket with a few objects of a few bytes, 3 roles")
def buckets(scratch: Scratch) -> None:
    """Objects that are put once, and what is told of objects that are not there."""
    s3, name = scratch.client("s3"), scratch.bucket("it")
    objects, bucket = f"arn:aws:s3:::{name}/*", f"arn:aws:s3:::{name}"
    scratch.role("blind", allow("s3:GetObject", on=objects))
    scratch.role("lister", allow("s3:GetObject", on=objects), allow("s3:ListBucket", on=bucket))
    scratch.role("putter", allow("s3:PutObject", on=objects))
    put = {"Bucket": name, "Key": "it", "Body": b"it"}
    summary = {"codepipeline-artifact-revision-summary": "0123456 A subject"}

    scratch.ask("get a bucket's policy where it has none", s3.get_bucket_policy, Bucket=name)
    scratch.ask("put an object", s3.put_object, **put, Metadata=summary)
    scratch.ask("put it again", s3.put_object, **put)
    scratch.ask("put it if it is not there", s3.put_object, **put, IfNoneMatch="*")
    scratch.ask("put another if it is not there", s3.put_object, **put | {"Key": "new"}, IfNoneMatch="*")
    versions = s3.list_object_versions(Bucket=name, Prefix="it")["Versions"]
    first = versions[-1]["VersionId"]
    scratch.ask("head its first version", s3.head_object, Bucket=name, Key="it", VersionId=first)
    wrong = "0" * 12
    scratch.ask("put it for another owner", s3.put_object, **put, ExpectedBucketOwner=wrong)
    scratch.ask("get what is not there", s3.get_object, Bucket=name, Key="none")
    scratch.ask("head what is not there", s3.head_object, Bucket=name, Key="none")
    scratch.ask("head a bucket that is not there", s3.head_bucket, Bucket=f"{name}-none")
    nobody = {"AWS": scratch.arn("iam", f"role{PATH}{scratch.prefix}-none")}
    foreign = allow("s3:GetObject", on=objects) | {"Principal": nobody}
    set_policy = s3.put_bucket_policy
    scratch.ask("let in a role that is not there", set_policy, Bucket=name, Policy=policy(foreign))
    once: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": objects}
    once |= {"Condition": {"Null": {"s3:if-none-match": "true"}}}
    scratch.ask("ask for conditional writes", set_policy, Bucket=name, Policy=policy(once))

    scratch.settle()
    putter = scratch.client("s3", "putter")
    scratch.ask("put without a condition where it is asked for", putter.put_object, **put)
    more = put | {"Key": "more"}
    scratch.ask("put on condition where it is asked for", putter.put_object, **more, IfNoneMatch="*")
    scratch.ask("put on condition what is there", putter.put_object, **more, IfNoneMatch="*")
    for role in "blind", "lister":
        client = scratch.client("s3", role)
        scratch.ask(f"head what is not there as {role}", client.head_object, Bucket=name, Key="none")
        scratch.ask(f"get what is not there as {role}", client.get_object, Bucket=name, Key="none")
    version = {"Bucket": name, "Key": "it", "VersionId": first}
    scratch.ask("get a version without GetObjectVersion", scratch.client("s3", "blind").get_object, **version)
    deny: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": objects}
    deny |= {"Condition": {"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}}}
    for date in "2008-10-17", "2012-10-17":
        step = f"get where a policy of {date} denies by a variable"
        s3.put_bucket_policy(Bucket=name, Policy=policy(deny, version=date))
        scratch.settle()
        scratch.ask(step, scratch.client("s3", "blind").get_object, "Body", Bucket=name, Key="it")


@scenario("1 key of KMS, which AWS deletes in 7 days, 1 bucket, 5 roles, up to 2 functions")
def keys(scratch: Scratch) -> None:
    """A key by its alias, and who needs it for what it encrypts, Lambda's code too."""
    kms, s3, alias = scratch.client("kms"), scratch.client("s3"), f"alias/{scratch.prefix}"
    bucket = scratch.bucket("it")
    key = kms.create_key(Tags=scratch.tags("TagKey", "TagValue"))["KeyMetadata"]
    scratch.later(kms.schedule_key_deletion, KeyId=key["KeyId"], PendingWindowInDays=7)
    scratch.later(kms.delete_alias, AliasName=alias)
    scratch.ask("create an alias", kms.create_alias, AliasName=alias, TargetKeyId=key["KeyId"])
    scratch.ask("create it again", kms.create_alias, AliasName=alias, TargetKeyId=key["KeyId"])
    scratch.ask("describe the key by its alias", kms.describe_key, KeyId=alias)
    scratch.ask("describe a key that is not there", kms.describe_key, KeyId=f"{alias}-none")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    put = {"Bucket": bucket, "Key": "it.zip", "Body": package()}
    scratch.ask("put an object by the bucket's key", s3.put_object, **put)

    objects = f"arn:aws:s3:::{bucket}/*"
    code = {"S3Bucket": bucket, "S3Key": "it.zip"}
    wanted = function(scratch, code)
    create = [
        allow("lambda:CreateFunction", "lambda:TagResource", on=scratch.arn("lambda", f"function:{NAME}-*")),
        allow("iam:PassRole", on=wanted["Role"]),
        allow("s3:GetObject", "s3:PutObject", on=objects),
    ]
    scratch.role("keyless", *create)
    scratch.role("decrypter", *create, allow("kms:Decrypt", on=key["Arn"]))
    scratch.role("generator", *create, allow("kms:GenerateDataKey", on=key["Arn"]))
    scratch.role("by-alias", allow("kms:DescribeKey", on=scratch.arn("kms", alias)))
    scratch.settle()
    for role in "keyless", "decrypter", "generator":
        client = scratch.client("s3", role)
        scratch.ask(f"put as {role}", client.put_object, **put)
        scratch.ask(f"get as {role}", client.get_object, "ContentLength", Bucket=bucket, Key="it.zip")
    described = scratch.client("kms", "by-alias").describe_key
    scratch.ask("describe by a permission on the alias alone", described, KeyId=alias)
    for role in "keyless", "decrypter":
        named = wanted | {"FunctionName": f"{scratch.prefix}-{role}"}
        scratch.later(scratch.client("lambda").delete_function, FunctionName=named["FunctionName"])
        scratch.ask(f"create a function as {role}", scratch.client("lambda", role).create_function, **named)


@scenario("up to 2 functions with 2 versions, invoked a few times, 3 roles")
def functions(scratch: Scratch) -> None:
    """A function from its making to its answers."""
    client, wanted = scratch.client("lambda"), function(scratch, {"ZipFile": package()})
    it = {"FunctionName": wanted["FunctionName"]}
    here = scratch.arn("lambda", f"function:{it['FunctionName']}")
    scratch.role("reader", allow("lambda:GetFunction", on=here))
    scratch.role("stranger", allow("lambda:GetFunction", on=f"{here}-none"))
    scratch.settle()
    active = "State=='Active' && LastUpdateStatus=='Successful'"

    scratch.later(client.delete_function, **it)
    foreign = wanted | {
        "FunctionName": f"{it['FunctionName']}-foreign",
        "Role": scratch.arn("iam", f"role{PATH}{scratch.prefix}-reader"),
    }
    scratch.later(client.delete_function, FunctionName=foreign["FunctionName"])
    scratch.ask("create one with a role that Lambda cannot take", client.create_function, **foreign)
    scratch.ask("create it", client.create_function, **wanted)
    scratch.ask("create it again", client.create_function, **wanted)
    scratch.until("wait until it is active", client.get_function_configuration, active, **it)
    scratch.ask("get one that is not there", client.get_function, FunctionName=f"{it['FunctionName']}-none")
    wrong = "A" * 43 + "="
    scratch.ask("publish what it is not", client.publish_version, **it, CodeSha256=wrong)
    scratch.ask("publish it", client.publish_version, **it, Description="first")
    scratch.until("wait until 1 is active", client.get_function_configuration, active, **it, Qualifier="1")
    scratch.ask("publish it unchanged", client.publish_version, **it, Description="second")
    scratch.ask("change its code", client.update_function_code, **it, ZipFile=package("second"))
    client.get_waiter("function_updated_v2").wait(**it)
    scratch.ask("publish what has changed", client.publish_version, **it, Description="second")
    client.get_waiter("published_version_active").wait(**it, Qualifier="2")
    live = {**it, "Name": "live"}
    scratch.ask("get an alias that is not there", client.get_alias, **live)
    scratch.ask("create an alias", client.create_alias, **live, FunctionVersion="1")
    scratch.ask("create it again, the alias", client.create_alias, **live, FunctionVersion="1")
    scratch.ask("move it to a version that is not there", client.update_alias, **live, FunctionVersion="9")
    shared = {"AdditionalVersionWeights": {"2": 0.1}}
    scratch.ask("share its traffic", client.update_alias, **live, RoutingConfig=shared)
    scratch.ask("delete a version that the alias is at", client.delete_function, **it, Qualifier="1")
    nobody: dict[str, Any] = {"AdditionalVersionWeights": {}}
    scratch.ask("end its sharing", client.update_alias, **live, RoutingConfig=nobody)
    scratch.ask("invoke it by the alias", client.invoke, **it, Qualifier="live", Payload=b"{}")
    scratch.ask("invoke it so that it raises", client.invoke, **it, Qualifier="2", Payload=b'{"raise": "no"}')
    scratch.ask("invoke it with what is no JSON", client.invoke, **it, Payload=b"{")
    scratch.ask("invoke a version that is not there", client.invoke, **it, Qualifier="9")
    scratch.ask("read its policy where it has none", client.get_policy, **it)
    let = {"StatementId": "it", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    scratch.ask("let a service call the alias", client.add_permission, **it, Qualifier="live", **let)
    scratch.ask("let it twice", client.add_permission, **it, Qualifier="live", **let)
    scratch.ask("read the alias's policy", client.get_policy, **it, Qualifier="live")
    scratch.ask("get it without lambda:ListTags", scratch.client("lambda", "reader").get_function, **it)
    scratch.ask("get it without permission", scratch.client("lambda", "stranger").get_function, **it)


@scenario("1 log group with one line")
def logs(scratch: Scratch) -> None:
    """A log group, its retention, and a line of it."""
    client, name = scratch.client("logs"), f"/{scratch.prefix}/it"
    it = {"logGroupName": name}
    scratch.later(client.delete_log_group, **it)
    scratch.ask("create a group", client.create_log_group, **it, tags={NAME: scratch.prefix})
    scratch.ask("create it again", client.create_log_group, **it)
    scratch.ask("set its retention", client.put_retention_policy, **it, retentionInDays=1)
    scratch.ask("set one that is none", client.put_retention_policy, **it, retentionInDays=2)
    scratch.ask("describe it", client.describe_log_groups, logGroupNamePrefix=name)
    arn = scratch.arn("logs", f"log-group:{name}")
    scratch.ask("list its tags", client.list_tags_for_resource, resourceArn=arn)
    scratch.ask("create a stream", client.create_log_stream, **it, logStreamName="it")
    line = [{"timestamp": int(time.time() * 1000), "message": "a line"}]
    stream = {**it, "logStreamName": "it"}
    scratch.ask("put a line", client.put_log_events, **stream, logEvents=line)
    scratch.ask(
        "put a line into a stream that is not there",
        client.put_log_events,
        **it,
        logStreamName="no",
        logEvents=line,
    )
    scratch.until("find the line", client.filter_log_events, "events", "events[].message", **it)
    none = {"logGroupName": f"{name}-none"}
    scratch.ask("read a group that is not there", client.filter_log_events, **none)
    scratch.ask("delete a group that is not there", client.delete_log_group, **none)


@scenario("1 topic, 2 queues, 1 role")
def queues(scratch: Scratch) -> None:
    """Topics and queues, with their policies."""
    sqs, sns, tag = scratch.client("sqs"), scratch.client("sns"), {NAME: scratch.prefix}
    name = f"{scratch.prefix}-it"
    queue, topic = scratch.arn("sqs", name), scratch.arn("sns", name)
    scratch.ask("find a queue that is not there", sqs.get_queue_url, QueueName=name)
    dead = sqs.create_queue(QueueName=f"{scratch.prefix}-dead", tags=tag)["QueueUrl"]
    scratch.later(sqs.delete_queue, QueueUrl=dead)
    redrive = {"deadLetterTargetArn": scratch.arn("sqs", f"{scratch.prefix}-dead"), "maxReceiveCount": 3}
    role = scratch.role("sender", allow("sts:GetCallerIdentity"))
    scratch.settle()
    let = allow("sqs:SendMessage", on=queue) | {"Principal": {"AWS": role}}
    given = {"Policy": policy(let), "RedrivePolicy": json.dumps(redrive)}
    url = scratch.ask("create a queue", sqs.create_queue, QueueName=name, Attributes=given, tags=tag)[
        "QueueUrl"
    ]
    scratch.later(sqs.delete_queue, QueueUrl=url)
    every = {"QueueUrl": url, "AttributeNames": ["All"]}
    scratch.ask("read its attributes", sqs.get_queue_attributes, **every)
    retention = {"MessageRetentionPeriod": "60"}
    scratch.ask("create it with other attributes", sqs.create_queue, QueueName=name, Attributes=retention)
    scratch.ask("change one of its attributes", sqs.set_queue_attributes, QueueUrl=url, Attributes=retention)
    sender = scratch.client("sqs", "sender")
    scratch.ask("send as who is let in by its policy", sender.send_message, QueueUrl=url, MessageBody="it")
    scratch.ask("send to another as who is not", sender.send_message, QueueUrl=dead, MessageBody="it")
    scratch.ask("read a topic that is not there", sns.get_topic_attributes, TopicArn=topic)
    scratch.later(sns.delete_topic, TopicArn=topic)
    scratch.ask("create a topic", sns.create_topic, Name=name, Tags=scratch.tags())
    scratch.ask("read its attributes, the topic's", sns.get_topic_attributes, TopicArn=topic)
    publisher = scratch.client("sns", "sender")
    scratch.ask("publish without permission", publisher.publish, TopicArn=topic, Message="it")
    let = allow("sns:Publish", on=topic) | {"Principal": {"AWS": role}}
    change = {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": policy(let)}
    scratch.ask("let the role publish", sns.set_topic_attributes, **change)
    scratch.settle()
    scratch.ask("publish as who is let in by its policy", publisher.publish, TopicArn=topic, Message="it")


@scenario("1 bucket, 1 rule of EventBridge, 1 topic, 1 queue")
def events(scratch: Scratch) -> None:
    """An object that is put, told by S3 to EventBridge, by a rule to a topic, and so to a queue."""
    s3, rules, sns, sqs = (scratch.client(service) for service in ("s3", "events", "sns", "sqs"))
    bucket, name = scratch.bucket("it"), f"{scratch.prefix}-it"
    topic, queue = scratch.arn("sns", name), scratch.arn("sqs", name)
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": ["promoted/it.zip"]}},
    }
    sns.create_topic(Name=name, Tags=scratch.tags())
    scratch.later(sns.delete_topic, TopicArn=topic)
    let = allow("sns:Publish", on=topic) | {"Principal": {"Service": "events.amazonaws.com"}}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy(let))
    let = allow("sqs:SendMessage", on=queue, ArnEquals={"aws:SourceArn": topic})
    let |= {"Principal": {"Service": "sns.amazonaws.com"}}
    tag = {NAME: scratch.prefix}
    url = sqs.create_queue(QueueName=name, Attributes={"Policy": policy(let)}, tags=tag)["QueueUrl"]
    scratch.later(sqs.delete_queue, QueueUrl=url)
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=raw)

    scratch.later(rules.delete_rule, Name=name)
    put = {"Name": name, "EventPattern": json.dumps(pattern)}
    scratch.ask("put a rule", rules.put_rule, **put, Tags=scratch.tags())
    scratch.ask("put a rule that is none", rules.put_rule, **put | {"EventPattern": '{"source": "aws.s3"}'})
    scratch.later(rules.remove_targets, Rule=name, Ids=["it"])
    targets = [{"Id": "it", "Arn": topic}]
    scratch.ask("give it a target", rules.put_targets, Rule=name, Targets=targets)
    scratch.ask("describe it", rules.describe_rule, Name=name)
    scratch.ask("delete it with its target", rules.delete_rule, Name=name)
    scratch.ask("describe one that is not there", rules.describe_rule, Name=f"{name}-none")
    event = {
        **{"id": "it", "account": scratch.place.account, "region": scratch.place.region, "resources": []},
        **{"source": "aws.s3", "detail-type": "Object Created", "time": "2026-01-01T00:00:00Z"},
        "detail": {"bucket": {"name": bucket}, "object": {"key": "promoted/it.zip"}},
    }
    test = {"EventPattern": json.dumps(pattern), "Event": json.dumps(event)}
    scratch.ask("test its pattern", rules.test_event_pattern, **test)
    notify: dict[str, Any] = {"NotificationConfiguration": {"EventBridgeConfiguration": {}}}
    scratch.ask("tell EventBridge", s3.put_bucket_notification_configuration, Bucket=bucket, **notify)
    scratch.ask("read whom it tells", s3.get_bucket_notification_configuration, Bucket=bucket)

    def put_and_receive(**parameters: Any) -> dict[str, Any]:
        s3.put_object(Bucket=bucket, Key="promoted/it.zip", Body=b"it")
        return dict(sqs.receive_message(**parameters))

    received = {"QueueUrl": url, "WaitTimeSeconds": 0 if scratch.place.pause < 1 else 20}
    found: dict[str, Any] = {}
    for _ in range(45):  # it takes AWS some minutes to begin with it
        if (found := put_and_receive(**received)).get("Messages"):
            break
    scratch.note("receive what was told", sqs.receive_message, found, "Messages[0].Body")


@scenario("up to 3 projects and 1 report group of CodeBuild, which build nothing, 2 roles")
def builds(scratch: Scratch) -> None:
    """A project of CodeBuild, and roles that will not do."""
    client, name = scratch.client("codebuild"), f"{scratch.prefix}-it"
    wrong, right = scratch.role("wrong", service="lambda"), scratch.role("right", service="codebuild")
    scratch.settle()
    project = {
        "name": name,
        "source": {"type": "CODEPIPELINE", "buildspec": "buildspec.yml"},
        "artifacts": {"type": "CODEPIPELINE"},
        "environment": {
            "type": "ARM_CONTAINER",
            "image": "aws/codebuild/amazonlinux-aarch64-standard:3.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        "tags": scratch.tags("key", "value"),
    }
    for whose, role in {"foreign": wrong, "missing": f"{right}-none"}.items():
        foreign = project | {"name": f"{name}-{whose}", "serviceRole": role}
        scratch.later(client.delete_project, name=foreign["name"])
        scratch.ask(f"create a project whose role is {whose}", client.create_project, **foreign)
    scratch.later(client.delete_project, name=name)
    scratch.ask("create one", client.create_project, **project, serviceRole=right)
    scratch.ask("create it again", client.create_project, **project, serviceRole=right)
    scratch.ask("get it", client.batch_get_projects, names=[name, f"{name}-none"])
    scratch.ask("change one that is not there", client.update_project, name=f"{name}-none")
    scratch.ask("build one that is not there", client.start_build, projectName=f"{name}-none")
    scratch.ask(
        "delete it by its ARN", client.delete_project, name=scratch.arn("codebuild", f"project/{name}")
    )
    scratch.ask("get what is left of it", client.batch_get_projects, "projects[].name", names=[name])
    scratch.ask("delete one that is not there", client.delete_project, name=f"{name}-none")
    arn = scratch.arn("codebuild", f"report-group/{name}")
    group: dict[str, Any] = {"name": name, "type": "TEST", "exportConfig": {"exportConfigType": "NO_EXPORT"}}
    scratch.later(client.delete_report_group, arn=arn)
    group["tags"] = scratch.tags("key", "value")
    scratch.ask("create a report group", client.create_report_group, **group)
    scratch.ask("create it again, the group", client.create_report_group, **group)
    get = client.batch_get_report_groups
    scratch.ask("get it, and one that is not there", get, reportGroupArns=[arn, f"{arn}-none"])


@scenario("1 pipeline, which takes an object and waits for an approval, 1 bucket, 2 roles")
def pipelines(scratch: Scratch) -> None:
    """A pipeline, what starts it first, and what cannot be started."""
    client, name, bucket = scratch.client("codepipeline"), f"{scratch.prefix}-it", scratch.bucket("it")
    wrong = scratch.role("wrong", service="lambda")
    right = scratch.role(
        "right",
        allow("s3:*", on=[f"arn:aws:s3:::{bucket}/*", f"arn:aws:s3:::{bucket}"]),
        service="codepipeline",
    )
    scratch.settle()
    scratch.client("s3").put_object(Bucket=bucket, Key="promoted/it.zip", Body=package())
    source = {
        "name": "Release",
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
        "configuration": {
            "S3Bucket": bucket,
            "S3ObjectKey": "promoted/it.zip",
            "PollForSourceChanges": "false",
        },
        "outputArtifacts": [{"name": "Release"}],
    }
    manual = {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
    pipeline: dict[str, Any] = {
        "name": name,
        "roleArn": right,
        "artifactStore": {"type": "S3", "location": bucket},
        "stages": [
            {"name": "Source", "actions": [source]},
            {"name": "Approve", "actions": [{"name": "Approve", "actionTypeId": manual}]},
        ],
        "pipelineType": "V2",
        "executionMode": "SUPERSEDED",
        "variables": [{"name": "why", "defaultValue": "none"}],
    }
    tags = scratch.tags("key", "value")
    scratch.later(client.delete_pipeline, name=name)
    short = pipeline | {"stages": pipeline["stages"][:1]}
    scratch.ask("create one of one stage", client.create_pipeline, pipeline=short)
    foreign = pipeline | {"roleArn": wrong}
    scratch.ask("create one whose role is another's", client.create_pipeline, pipeline=foreign)
    scratch.ask("create one", client.create_pipeline, pipeline=pipeline, tags=tags)
    scratch.ask("create it again", client.create_pipeline, pipeline=pipeline)
    it = {"pipelineName": name}
    started = "pipelineExecutionSummaries"
    trigger = f"{started}[].trigger"
    scratch.until("see what starts it first", client.list_pipeline_executions, started, trigger, **it)
    scratch.ask("get it", client.get_pipeline, name=name)
    scratch.ask("get one that is not there", client.get_pipeline, name=f"{name}-none")
    start = client.start_pipeline_execution
    unknown = [{"name": "what", "value": "it"}]
    scratch.ask("start it with a variable that it has not", start, name=name, variables=unknown)
    revision = {"actionName": "None", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": "it"}
    scratch.ask("start it at a revision of no source", start, name=name, sourceRevisions=[revision])
    begun = scratch.ask("start it", start, name=name)
    execution = {**it, "pipelineExecutionId": begun.get("pipelineExecutionId", "")}
    told = "pipelineExecution.[status, trigger.triggerType, variables, executionMode]"
    scratch.ask("see it run", client.get_pipeline_execution, told, **execution)
    approval = {
        **it,
        "stageName": "Approve",
        "actionName": "Approve",
        "result": {"summary": "", "status": "Approved"},
    }
    token = "00000000-0000-4000-8000-000000000000"  # noqa: S105
    scratch.ask("approve by a token that is none", client.put_approval_result, **approval, token=token)
    scratch.ask("stop it", client.stop_pipeline_execution, **execution, abandon=True)
    stopped = "pipelineExecution.status=='Stopped'"
    scratch.until("wait until it has stopped", client.get_pipeline_execution, stopped, told, **execution)
    scratch.ask("stop it again", client.stop_pipeline_execution, **execution, abandon=True)
    retry = {**execution, "stageName": "Approve", "retryMode": "FAILED_ACTIONS"}
    scratch.ask("retry what has not failed", client.retry_stage_execution, **retry)


def deployable(scratch: Scratch) -> dict[str, Any]:
    """Make a function with two versions, its alias at the first; return what CreateDeploymentGroup takes.

    There is no application of CodeDeploy yet.
    """
    wanted, client = function(scratch, {"ZipFile": package()}), scratch.client("lambda")
    it = {"FunctionName": wanted["FunctionName"]}
    here = scratch.arn("lambda", f"function:{it['FunctionName']}")
    moves = ("lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias")
    role = scratch.role("traffic", allow(*moves, on=[here, f"{here}:*"]), service="codedeploy")
    scratch.settle()
    scratch.later(client.delete_function, **it)
    client.create_function(**wanted, Publish=True)
    client.get_waiter("function_active_v2").wait(**it)
    client.update_function_code(**it, ZipFile=package("second"))
    client.get_waiter("function_updated_v2").wait(**it)
    client.publish_version(**it)
    client.get_waiter("published_version_active").wait(**it, Qualifier="2")
    client.create_alias(**it, Name="live", FunctionVersion="1")
    return {
        "applicationName": it["FunctionName"],
        "deploymentGroupName": "it",
        "serviceRoleArn": role,
        "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
        "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "autoRollbackConfiguration": {
            "enabled": True,
            "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"],
        },
    }


def shift(group: dict[str, Any], current: str, target: str) -> dict[str, Any]:
    """Return what CreateDeployment takes to move the alias from a version to another."""
    application = group["applicationName"]
    places = {"Name": application, "Alias": "live", "CurrentVersion": current, "TargetVersion": target}
    resource = {"Type": "AWS::Lambda::Function", "Properties": places}
    content = {"content": json.dumps({"version": 0.0, "Resources": [{"it": resource}]})}
    revision = {"revisionType": "AppSpecContent", "appSpecContent": content}
    return {"applicationName": application, "deploymentGroupName": "it", "revision": revision}


ENDED = "contains(['Succeeded', 'Failed', 'Stopped'], deploymentInfo.status)"


@scenario("1 function with 2 versions, 1 application of CodeDeploy, 2 roles")
def deployments(scratch: Scratch) -> None:
    """An alias that CodeDeploy moves, stops moving, and moves back."""
    client, group = scratch.client("codedeploy"), deployable(scratch)
    app, get = {"applicationName": group["applicationName"]}, client.get_deployment
    live, alias = (
        scratch.client("lambda").get_alias,
        {"FunctionName": group["applicationName"], "Name": "live"},
    )

    scratch.ask("get an application that is not there", client.get_application, **app)
    scratch.later(client.delete_application, **app)
    made = {**app, "computePlatform": "Lambda", "tags": scratch.tags()}
    scratch.ask("create an application", client.create_application, **made)
    scratch.ask("create it again", client.create_application, **made)
    foreign = group | {
        "deploymentGroupName": "foreign",
        "serviceRoleArn": scratch.arn("iam", f"role{PATH}{scratch.prefix}-execution"),
    }
    scratch.ask("create a group whose role is another's", client.create_deployment_group, **foreign)
    scratch.later(client.delete_deployment_group, **app, deploymentGroupName="it")
    scratch.ask("create a group", client.create_deployment_group, **group)
    scratch.ask("get the group", client.get_deployment_group, **app, deploymentGroupName="it")
    scratch.ask("get a group that is not there", client.get_deployment_group, **app, deploymentGroupName="no")

    deploy = client.create_deployment
    first = scratch.ask("deploy all at once", deploy, **shift(group, "1", "2")).get("deploymentId", "")
    scratch.until("wait until that has ended", get, ENDED, deploymentId=first)
    scratch.ask("see the alias", live, **alias)
    scratch.ask("stop what has ended", client.stop_deployment, deploymentId=first)
    canary = shift(group, "2", "1")
    canary["deploymentConfigName"] = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    second = scratch.ask("deploy a canary", deploy, **canary).get("deploymentId", "")
    scratch.ask("deploy while that goes on", deploy, **shift(group, "2", "1"))
    shared = "RoutingConfig.AdditionalVersionWeights"
    scratch.until("wait until the alias shares its traffic", live, shared, **alias)
    scratch.ask("stop it", client.stop_deployment, deploymentId=second, autoRollbackEnabled=True)
    back = f"{ENDED} && deploymentInfo.rollbackInfo.rollbackDeploymentId"
    stopped = scratch.until("wait until it rolls back", get, back, deploymentId=second)
    rollback = stopped.get("deploymentInfo", {}).get("rollbackInfo", {}).get("rollbackDeploymentId", "")
    scratch.until("wait until the rollback has ended", get, ENDED, deploymentId=rollback)
    scratch.ask("see the alias again", live, **alias)


@scenario("1 function with 2 versions, 1 application of CodeDeploy, 5 roles")
def deployers(scratch: Scratch) -> None:
    """What who deploys must be allowed, beside the deployment itself."""
    actions = "GetApplicationRevision", "GetDeploymentConfig", "RegisterApplicationRevision"
    name = f"{scratch.prefix}-it"
    kinds = f"application:{name}", f"deploymentgroup:{name}/it", "deploymentconfig:*"
    on = [scratch.arn("codedeploy", kind) for kind in kinds]
    for lacking in actions:
        granted = [f"codedeploy:{each}" for each in ("CreateDeployment", *actions) if each != lacking]
        scratch.role(lacking, allow(*granted, on=on))
    client, group = scratch.client("codedeploy"), deployable(scratch)
    app = {"applicationName": name}
    scratch.later(client.delete_application, **app)
    client.create_application(**app, computePlatform="Lambda", tags=scratch.tags())
    scratch.later(client.delete_deployment_group, **app, deploymentGroupName="it")
    client.create_deployment_group(**group)
    versions = "1", "2"
    for lacking in actions:
        deploy = scratch.client("codedeploy", lacking).create_deployment
        begun = scratch.ask(f"deploy without {lacking}", deploy, **shift(group, *versions))
        if deployment := begun.get("deploymentId"):
            step = f"wait until that without {lacking} has ended"
            scratch.until(
                step, client.get_deployment, ENDED, "deploymentInfo.status", deploymentId=deployment
            )
            versions = versions[1], versions[0]


@scenario("1 connection to GitHub, which stays pending, 2 roles")
def connections(scratch: Scratch) -> None:
    """A connection before somebody completes it, and who may list connections."""
    client = scratch.client("codestar-connections")
    name = scratch.prefix[-32:]
    scratch.role("lister", allow("codestar-connections:ListConnections", "codeconnections:ListConnections"))
    own = [scratch.arn(service, "connection/*") for service in ("codestar-connections", "codeconnections")]
    each = ("codestar-connections:ListConnections", "codeconnections:ListConnections")
    scratch.role("lister-of-connections", allow(*each, on=own))
    scratch.settle()
    wanted = {"ConnectionName": name, "ProviderType": "GitHub", "Tags": scratch.tags()}
    arn = scratch.ask("create a connection", client.create_connection, **wanted).get("ConnectionArn", "")
    scratch.later(client.delete_connection, ConnectionArn=arn)
    scratch.ask("get it", client.get_connection, ConnectionArn=arn)
    scratch.ask("list its tags", client.list_tags_for_resource, ResourceArn=arn)
    none = scratch.arn("codestar-connections", "connection/00000000-0000-4000-8000-000000000000")
    scratch.ask("get one that is not there", client.get_connection, ConnectionArn=none)
    mine = f"Connections[?ConnectionName=='{name}'] | [].ConnectionStatus"
    for who, role in {"all": "lister", "connections alone": "lister-of-connections"}.items():
        listing = scratch.client("codestar-connections", role).list_connections
        scratch.ask(f"list by a permission on {who}", listing, mine)
