"""The judge: case by case as documented, and by chance against another formulation of it."""

import io
import json
import random
from fnmatch import fnmatchcase
from itertools import product
from typing import Any
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from emulator.calls import Caller, Request
from emulator.connections import told_of_use
from emulator.judge.checks import completed
from emulator.judge.policies import Policies, UnknownError, decide

ROLE, OBJECT = "arn:aws:iam::222222222222:role/r", "arn:aws:s3:::bucket/key"
SESSION = "arn:aws:sts::222222222222:assumed-role/r/s"


def statement(
    effect: str = "Allow", action: Any = "s3:GetObject", resource: Any = OBJECT, **more: Any
) -> Any:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: Any) -> Any:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allowed(
    *identity: Any,
    boundary: Any = None,
    resource: Any = None,
    owner: str = "222222222222",
    delegating: bool = False,
    version: str = "2012-10-17",
    **context: str | None,
) -> bool:
    """Return whether the role may get the object."""
    keys = {key.replace("__", ":"): value for key, value in context.items()}
    request = Request(Caller(ROLE, SESSION), "s3:GetObject", OBJECT, owner, keys)
    document = {**policy(*identity), "Version": version}
    return decide(request, Policies([document], boundary, resource, delegating)) is None


# The evaluation of policies, case by case as documented


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], False),
        ([statement()], True),
        ([statement(action="S3:getobject")], True),  # actions know no case
        ([statement(resource="arn:aws:s3:::bucket/KEY")], False),  # resources do
        ([statement(action="s3:Get*", resource="arn:aws:s3:::b?cket/*")], True),
        ([statement(action=["s3:PutObject", "s3:GetObject"])], True),
        ([statement(action="s3:GetObjectAcl")], False),
        ([statement(), statement("Deny")], False),
        ([statement(), statement("Deny", action="s3:PutObject")], True),
        ([{"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"}], True),
        ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], False),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/*"}], False),
        ([statement(), statement("Deny", resource="arn:aws:s3")], False),  # what an ARN lacks is anything
        ([statement(resource="arn:aws")], True),
        ([statement(resource="arn:aws:sqs")], False),
        ([statement(resource="arn:aws:s3:::")], False),  # nothing lacks: it names nothing
    ],
)
def test_statements_allow_and_deny(statements: list[Any], expected: bool) -> None:
    assert allowed(*statements) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"iam:PassedToService": "lambda"}}, True),
        ({"StringEquals": {"IAM:passedtoservice": ["x", "lambda"]}}, True),
        ({"StringEquals": {"iam:PassedToService": "Lambda"}}, False),
        ({"StringLike": {"iam:PassedToService": "lam*"}}, True),
        ({"StringNotEquals": {"iam:PassedToService": "lambda"}}, False),
        ({"StringNotEquals": {"iam:PassedToService": "x"}}, True),
        ({"StringEquals": {"missing": "x"}}, False),
        ({"StringEqualsIfExists": {"missing": "x"}}, True),
        ({"StringNotEquals": {"missing": "x"}}, True),  # negated operators hold where the key is missing
        ({"Null": {"missing": "true"}}, True),
        ({"Null": {"iam:PassedToService": "true"}}, False),
        ({"Null": {"iam:PassedToService": ["true", "false"]}}, True),  # one of the values is enough
        ({"Null": {"missing": ["false", "true"]}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/r"}}, True),
        ({"StringEquals": {"iam:PassedToService": "lambda"}, "Bool": {"aws:SecureTransport": False}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}, False),
        ({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["b", "c"]}}, False),
        ({"ForAllValues:StringNotEquals": {"aws:TagKeys": "c"}}, True),
        ({"ForAllValues:StringEquals": {"missing": "x"}}, True),
    ],
)
def test_conditions_hold_as_documented(condition: Any, expected: bool) -> None:
    found = allowed(
        statement(Condition=condition),
        iam__passedtoservice="lambda",
        aws__securetransport="true",
        aws__principalarn=ROLE,
        aws__tagkeys="a\nb",
        missing=None,
    )

    assert found is expected


@pytest.mark.parametrize(
    "unknown",
    [
        statement(Condition={"DateGreaterThan": {"aws:CurrentTime": "2020"}}),
        statement(Condition={"StringEquals": {"aws:PrincipalOrgId": "o-1"}}),
        statement(Condition={"StringNotEquals": {"aws:PrincipalOrgId": "o-1"}}),
        statement(Condition={"StringEqualsIfExists": {"aws:PrincipalOrgId": "o-1"}}),
        statement(Condition={"Null": {"aws:PrincipalOrgId": "true"}}),
        # Whether or not another condition fails already: nobody would see it before that one holds.
        statement(Condition={"StringEquals": {"aws:username": "x", "aws:PrincipalOrgId": "o-1"}}),
        statement(resource="arn:aws:s3:::${aws:userid}/*"),
        statement(resource="arn:aws:s3:${aws:username}::*"),
    ],
)
def test_what_is_not_known_never_passes(unknown: Any) -> None:
    with pytest.raises(UnknownError):
        allowed(unknown, aws__currenttime="2026", aws__username=None)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
        ("arn:aws:s3:::bucket/${test:Name}", True),
        ("arn:aws:s3:::bucket/key${test:none}", False),  # nothing equals what has no value
        ("arn:aws:s3:::bucket/${test:none, 'key'}", True),
        ("arn:aws:s3:::bucket/${test:star}", False),  # what fills a variable is no pattern
        ("arn:aws:s3:::bucket/k${*}", False),
        ("arn:aws:s3:::${test:Name}*", False),
    ],
)
def test_a_variable_in_a_resource_is_filled(pattern: str, expected: bool) -> None:
    values = {"test:name": "key", "test:none": None, "test:star": "*"}

    assert allowed(statement(resource=pattern), **values) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}, True),
        ({"StringEquals": {"aws:ResourceAccount": "*${aws:PrincipalAccount}"}}, False),
        ({"StringLike": {"aws:ResourceAccount": "*${aws:PrincipalAccount}"}}, True),
        ({"StringNotEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}, False),
        ({"StringEquals": {"aws:ResourceAccount": "${aws:username}"}}, False),
        ({"StringNotEquals": {"aws:ResourceAccount": "${aws:username}"}}, True),
        ({"StringEquals": {"aws:ResourceAccount": "${aws:username, '222222222222'}"}}, True),
        ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:role/r"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:role/x"}}, False),
        ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:role/*"}}, False),
    ],
)
def test_a_variable_in_a_condition_is_filled(condition: Any, expected: bool) -> None:
    context = {
        "aws:principalaccount": "222222222222",
        "aws:resourceaccount": "222222222222",
        "aws:principalarn": ROLE,
        "aws:username": None,
    }

    def found(**more: Any) -> bool:
        return allowed(statement(Condition=condition), **context, **more)  # type: ignore[arg-type]

    assert found() is expected
    assert allowed(statement(), statement("Deny", Condition=condition), **context) is not expected  # type: ignore[arg-type]
    assert found(version="2008-10-17") is ("Not" in str(condition))  # there, a variable is mere text


def by(principal: Any, effect: str = "Allow", **more: Any) -> Any:
    """Return a bucket's policy that speaks of a principal."""
    return policy(statement(effect, Principal={"AWS": principal}, **more))


ROOT = "arn:aws:iam::222222222222:root"


@pytest.mark.parametrize(
    ("identity", "resource", "same", "cross", "trust"),
    [  # same account, another account, a policy that must at least delegate
        (False, None, False, False, False),
        (True, None, True, False, False),
        (False, by(ROLE), True, False, True),
        (False, by(SESSION), True, False, True),
        (False, by(ROOT), False, False, False),
        (True, by(ROOT), True, True, True),
        (True, by(ROLE), True, True, True),
        (True, by("arn:aws:iam::999999999999:root"), True, False, False),
        (True, by(ROLE, "Deny"), False, False, False),
        (True, policy(statement("Deny", Principal="*")), False, False, False),
        (True, by(ROOT, Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}}), True, True, True),
        (True, by(ROOT, Condition={"ArnEquals": {"aws:PrincipalArn": ROLE + "2"}}), True, False, False),
    ],
)
def test_a_resource_s_policy_counts_as_documented(
    identity: bool, resource: Any, same: bool, cross: bool, trust: bool
) -> None:
    statements = [statement()] if identity else []

    def found(**more: Any) -> bool:
        return allowed(*statements, resource=resource, aws__principalarn=ROLE, **more)

    assert found() is same
    assert found(owner="333333333333") is cross
    assert found(delegating=True) is trust


def test_a_boundary_caps_what_the_role_s_policies_grant() -> None:
    assert allowed(statement(), boundary=policy(statement(action="s3:*")))
    assert not allowed(statement(), boundary=policy(statement(action="s3:PutObject")))
    assert not allowed(boundary=policy(statement()))
    assert not allowed(statement(), boundary=policy(statement(), statement("Deny")))


def test_a_boundary_caps_what_a_resource_grants_to_the_role_but_not_to_its_session() -> None:
    nothing = policy(statement(action="s3:PutObject"))

    assert not allowed(resource=by(ROLE), boundary=nothing)
    assert allowed(resource=by(SESSION), boundary=nothing)
    assert not allowed(resource=by(SESSION), boundary=policy(statement(), statement("Deny")))


def test_a_service_of_aws_may_what_a_resource_s_policy_grants_it() -> None:
    trusting = policy(
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Principal": {"Service": "events.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": "222222222222"}},
        }
    )

    def found(service: str, account: str) -> bool:
        caller, keys = Caller(service=service), {"aws:sourceaccount": account}
        request = Request(caller, "s3:GetObject", OBJECT, "222222222222", keys)
        return decide(request, Policies([], None, trusting)) is None

    assert found("events.amazonaws.com", "222222222222")
    assert not found("events.amazonaws.com", "333333333333")
    assert not found("sns.amazonaws.com", "222222222222")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (ROLE, True),
        ("arn:aws:iam::*:role/*", True),
        ("arn:aws:iam::222222222222:role/?", True),
        ("arn:aws:*:role/r", False),  # each of the six parts is compared by itself
        ("arn:aws:iam::222222222222:role/R", False),
    ],
)
def test_arns_are_compared_part_by_part(pattern: str, expected: bool) -> None:
    condition = {"ArnLike": {"aws:PrincipalArn": pattern}}

    assert allowed(statement(Condition=condition), aws__principalarn=ROLE) is expected


# A call, as the judge reads it: what it knows of a request, and which policies count

OURS, THEIRS, REGION = "222222222222", "333333333333", "us-east-1"
WRITTEN = "arn:aws:iam::222222222222:role/a-role"


class Judged:
    """A role of ours that may do everything, but for what a policy says."""

    def __init__(self, accounts: EmulatedAccounts) -> None:
        self.accounts = accounts
        trust = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}
        iam = accounts.client("iam", OURS, REGION)
        iam.create_role(RoleName="a-role", AssumeRolePolicyDocument=json.dumps(trust))
        self.write(statement(action="*", resource="*"))
        accounts.ask("enforce")

    def write(self, *statements: Any) -> None:
        """Have the role's policy hold these statements."""
        iam = self.accounts.client("iam", OURS, REGION)
        iam.put_role_policy(
            RoleName="a-role", PolicyName="it", PolicyDocument=json.dumps(policy(*statements))
        )

    def client(self, service: str) -> Any:
        return self.accounts.client(service, OURS, REGION, "a-role")

    def answers(self, service: str, operation: str, **parameters: Any) -> str:
        """Return what becomes of the role's call: the code of the error, or nothing."""
        try:
            getattr(self.client(service), operation)(**parameters)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""


@pytest.fixture
def judged(accounts: EmulatedAccounts) -> Judged:
    return Judged(accounts)


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ({"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}, "AccessDenied"),
        (
            {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:role/a-role"}},
            "AccessDenied",
        ),
        ({"StringNotEquals": {"aws:PrincipalArn": WRITTEN}}, ""),
        ({"StringLike": {"s3:prefix": "a/*"}}, "AccessDenied"),
        ({"StringLike": {"s3:prefix": "b/*"}}, ""),
        ({"Null": {"s3:delimiter": "true"}}, "AccessDenied"),  # which this call could have, and lacks
        ({"Null": {"kms:ViaService": "true"}}, "AccessDenied"),  # which no call of S3 has
        ({"Bool": {"aws:PrincipalIsAWSService": "true"}}, ""),
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, "AccessDenied"),  # a session lacks it
        ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, ""),
        ({"StringEquals": {"aws:SourceAccount": OURS}}, ""),
        ({"Null": {"lambda:SourceFunctionArn": "true"}}, "AccessDenied"),  # which no other session has
        # What AWS may or may not send, nobody here can say; and what no service has is a mistake.
        ({"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}, "EmulatorNotImplemented"),
        ({"StringEquals": {"s3:prefx": "a/*"}}, "EmulatorNotImplemented"),
        ({"StringEquals": {"aws:ResourceAcount": OURS}}, "EmulatorNotImplemented"),
        ({"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}, "EmulatorNotImplemented"),
    ],
)
def test_a_condition_is_on_what_the_judge_knows_or_an_error(
    judged: Judged, condition: Any, answer: str
) -> None:
    judged.client("s3").create_bucket(Bucket="a-bucket")
    denied = statement("Deny", "s3:ListBucket", "*", Condition=condition)
    judged.write(statement(action="*", resource="*"), denied)

    assert judged.answers("s3", "list_objects_v2", Bucket="a-bucket", Prefix="a/b") == answer


def test_a_resource_s_policy_does_not_ask_which_function_calls(judged: Judged) -> None:
    s3 = judged.accounts.client("s3", OURS, REGION)
    s3.create_bucket(Bucket="a-bucket")
    condition = {"ArnEquals": {"lambda:SourceFunctionArn": f"arn:aws:lambda:{REGION}:{OURS}:function:it"}}
    denying = statement("Deny", "s3:*", "*", Principal="*", Condition=condition)
    s3.put_bucket_policy(Bucket="a-bucket", Policy=json.dumps(policy(denying)))

    assert judged.answers("s3", "list_objects_v2", Bucket="a-bucket") == "EmulatorNotImplemented"


def test_which_keys_a_request_has_is_said_by_aws_s_list_and_by_the_call() -> None:
    tags = {"aws:requesttag/one": "1", "aws:requesttag/*": None}
    known = {"kms:viaservice": "s3.eu-west-1.amazonaws.com", **tags}
    keys = {
        "kms:viaservice",
        "aws:requesttag/one",
        "aws:requesttag/two",
        "iam:passedtoservice",
        "kms:requestalias",
    }

    assert completed("kms:CreateKey", keys, known) == {
        "kms:viaservice": "s3.eu-west-1.amazonaws.com",
        "aws:requesttag/one": "1",
        "aws:requesttag/two": None,
        "iam:passedtoservice": None,
        "kms:requestalias": None,
    }
    assert completed("kms:Decrypt", {"kms:requestalias", "aws:requesttag/one"}, {}) == {
        "aws:requesttag/one": None
    }


def test_a_bucket_that_asks_for_it_is_written_only_where_nothing_is(judged: Judged) -> None:
    owner, s3 = judged.accounts.client("s3", OURS, REGION), judged.client("s3")
    owner.create_bucket(Bucket="a-bucket")
    owner.put_object(Bucket="a-bucket", Key="there", Body=b"it")
    unconditional = {
        "Null": {"s3:if-none-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    }
    denied = statement("Deny", "s3:PutObject", "*", Principal="*", Condition=unconditional)
    owner.put_bucket_policy(Bucket="a-bucket", Policy=json.dumps(policy(denied)))
    new: dict[str, Any] = {"Bucket": "a-bucket", "Key": "new"}
    if_new = {"IfNoneMatch": "*"}

    assert judged.answers("s3", "put_object", **new, Body=b"it") == "AccessDenied"
    assert judged.answers("s3", "put_object", **new, Body=b"it", **if_new) == ""
    assert judged.answers("s3", "put_object", **new, Body=b"it", **if_new) == "PreconditionFailed"
    copy = {**new, "Key": "copy", "CopySource": "a-bucket/there"}
    assert judged.answers("s3", "copy_object", **copy) == "AccessDenied"
    assert judged.answers("s3", "copy_object", **copy, **if_new) == "NotImplemented"
    large = {**new, "Key": "large"}
    upload = large | {"UploadId": s3.create_multipart_upload(**large)["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"it")
    parts = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}
    assert judged.answers("s3", "complete_multipart_upload", **upload, **parts) == "AccessDenied"
    assert judged.answers("s3", "complete_multipart_upload", **upload, **parts, **if_new) == ""

    assert {found["Key"] for found in owner.list_objects_v2(Bucket="a-bucket")["Contents"]} == {
        "there",
        "new",
        "large",
    }


def test_a_role_is_created_under_a_condition_on_its_tags_and_boundary(judged: Judged) -> None:
    boundary = json.dumps(policy(statement(action="*", resource="*")))
    arn = judged.client("iam").create_policy(PolicyName="boundary", PolicyDocument=boundary)["Policy"]["Arn"]
    conditions = (
        {"StringNotEquals": {"iam:PermissionsBoundary": arn}},
        {"Null": {"aws:RequestTag/team": "true"}},
    )
    denied = (statement("Deny", "iam:CreateRole", "*", Condition=each) for each in conditions)
    judged.write(statement(action="*", resource="*"), *denied)
    trust = json.dumps(policy(statement(action="sts:AssumeRole", Principal="*")))
    role: dict[str, Any] = {"RoleName": "another", "AssumeRolePolicyDocument": trust}
    tags, other = [{"Key": "team", "Value": "a"}], [{"Key": "env", "Value": "a"}]

    assert judged.answers("iam", "create_role", **role, Tags=tags) == "AccessDenied"
    assert judged.answers("iam", "create_role", **role, PermissionsBoundary=arn, Tags=other) == "AccessDenied"
    assert judged.answers("iam", "create_role", **role, PermissionsBoundary=arn, Tags=tags) == ""


def test_a_key_is_used_under_a_condition_on_what_is_encrypted_with_it(judged: Judged) -> None:
    key = judged.client("kms").create_key()["KeyMetadata"]["Arn"]
    condition = {"StringEquals": {"kms:EncryptionContext:for": "us"}, "Null": {"kms:ViaService": "true"}}
    judged.write(statement(action="kms:Encrypt", resource=key, Condition=condition))
    encrypt = {"KeyId": key, "Plaintext": b"it"}

    assert judged.answers("kms", "encrypt", **encrypt, EncryptionContext={"for": "us"}) == ""
    assert (
        judged.answers("kms", "encrypt", **encrypt, EncryptionContext={"for": "them"})
        == "AccessDeniedException"
    )
    assert judged.answers("kms", "encrypt", **encrypt) == "AccessDeniedException"


def test_a_topic_s_key_is_used_under_a_condition_on_the_topic(accounts: EmulatedAccounts) -> None:
    kms, sns, s3, events = (
        accounts.client(service, OURS, REGION) for service in ("kms", "sns", "s3", "events")
    )
    key = kms.create_key()["KeyMetadata"]["Arn"]
    topics = {
        name: sns.create_topic(Name=name, Attributes={"KmsMasterKeyId": key})["TopicArn"]
        for name in ("alerts", "other")
    }
    s3.create_bucket(Bucket="a-bucket")
    s3.put_bucket_notification_configuration(
        Bucket="a-bucket", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    events.put_rule(Name="it", EventPattern=json.dumps({"source": ["aws.s3"]}))
    events.put_targets(Rule="it", Targets=[{"Id": "it", "Arn": topics["alerts"]}])
    may_publish = statement(action="sns:Publish", resource="*", Principal={"Service": "events.amazonaws.com"})
    sns.set_topic_attributes(
        TopicArn=topics["alerts"],
        AttributeName="Policy",
        AttributeValue=json.dumps(policy(may_publish)),
    )
    judged = Judged(accounts)

    for name, topic in topics.items():
        of_topic = {
            "StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": topic},
            "Null": {"kms:EncryptionContext:aws:logs:arn": "true"},
        }
        use = ["kms:GenerateDataKey", "kms:Decrypt"]
        principal = {"Service": "events.amazonaws.com"}
        everybody = statement(action="kms:*", resource="*", Principal={"AWS": ROOT})
        service = statement(action=use, resource="*", Principal=principal, Condition=of_topic)
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy(everybody, service)))
        judged.write(
            statement(action="sns:*", resource="*"), statement(action=use, resource=key, Condition=of_topic)
        )
        before = len(accounts.ask("published", account=OURS))

        s3.put_object(Bucket="a-bucket", Key="it", Body=b"")
        answer = judged.answers("sns", "publish", TopicArn=topics["alerts"], Message="it")

        assert len(accounts.ask("published", account=OURS)) - before == (2 if name == "alerts" else 0)
        assert answer == ("" if name == "alerts" else "AuthorizationError")


def test_the_policies_of_secrets_queues_and_tables_count(accounts: EmulatedAccounts) -> None:
    whose = accounts.client

    def denying(action: str, resource: str) -> str:
        return json.dumps(policy(statement("Deny", action, resource, Principal={"AWS": WRITTEN})))

    secrets = whose("secretsmanager", OURS, REGION)
    secret = secrets.create_secret(Name="a-secret", SecretString="it")["ARN"]
    queues = whose("sqs", OURS, REGION)
    queue = queues.create_queue(QueueName="a-queue")["QueueUrl"]
    tables = whose("dynamodb", OURS, REGION)
    table = tables.create_table(
        TableName="a-table",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]["TableArn"]
    judged = Judged(accounts)
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("secretsmanager", "get_secret_value", {"SecretId": "a-secret"}),
        ("sqs", "send_message", {"QueueUrl": queue, "MessageBody": "it"}),
        ("dynamodb", "get_item", {"TableName": "a-table", "Key": {"key": {"S": "it"}}}),
    ]
    assert [judged.answers(service, name, **said) for service, name, said in calls] == ["", "", ""]

    secrets.put_resource_policy(SecretId=secret, ResourcePolicy=denying("secretsmanager:*", "*"))
    deny = denying("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{OURS}:a-queue")
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": deny})
    tables.put_resource_policy(ResourceArn=table, Policy=denying("dynamodb:GetItem", table))

    refused = [judged.answers(service, name, **said) for service, name, said in calls]
    assert refused == ["AccessDeniedException"] * 3


def test_a_function_s_policy_lets_in_who_calls_the_alias_that_it_names(judged: Judged) -> None:
    package = io.BytesIO()
    with ZipFile(package, "w") as archive:
        archive.writestr("app.py", "")
    functions = judged.accounts.client("lambda", OURS, REGION)
    code = {"ZipFile": package.getvalue()}
    facts = {
        "FunctionName": "it",
        "Role": WRITTEN,
        "Runtime": "python3.13",
        "Handler": "app.handle",
        "Code": code,
    }
    functions.create_function(**facts, Publish=True)
    active = functions.get_waiter("published_version_active")
    active.wait(FunctionName="it", Qualifier="1", WaiterConfig={"Delay": 0.1})
    functions.create_alias(FunctionName="it", Name="live", FunctionVersion="1")
    judged.write(statement(action="s3:ListAllMyBuckets", resource="*"))
    invoked = {"FunctionName": "it", "InvocationType": "DryRun"}
    assert judged.answers("lambda", "invoke", **invoked, Qualifier="live") == "AccessDeniedException"

    functions.add_permission(
        FunctionName="it",
        Qualifier="live",
        StatementId="x",
        Action="lambda:InvokeFunction",
        Principal=WRITTEN,
    )

    assert judged.answers("lambda", "invoke", **invoked, Qualifier="live") == ""
    assert judged.answers("lambda", "invoke", **invoked) == "AccessDeniedException"


def test_a_condition_on_whom_a_function_s_policy_lets_in_holds_as_a_statement_is_added_and_removed(
    judged: Judged,
) -> None:
    functions = judged.accounts.client("lambda", OURS, REGION)
    package = io.BytesIO()
    with ZipFile(package, "w") as archive:
        archive.writestr("app.py", "")
    code = {"Code": {"ZipFile": package.getvalue()}, "Runtime": "python3.13", "Handler": "app.handle"}
    functions.create_function(FunctionName="it", Role=WRITTEN, **code)
    actions = ["lambda:AddPermission", "lambda:RemovePermission"]
    condition = {"StringEquals": {"lambda:Principal": "sns.amazonaws.com"}}
    judged.write(statement(action=actions, resource="*", Condition=condition))

    for service, answer in ("events", "AccessDeniedException"), ("sns", ""):
        added = {"StatementId": service, "Principal": f"{service}.amazonaws.com"}
        added |= {"FunctionName": "it", "Action": "lambda:InvokeFunction"}
        assert judged.answers("lambda", "add_permission", **added) == answer
        functions.add_permission(**added | {"StatementId": f"other-{service}"})
        gone = {"FunctionName": "it", "StatementId": f"other-{service}"}
        assert judged.answers("lambda", "remove_permission", **gone) == answer


@pytest.mark.parametrize("service", ["codeconnections", "codestar-connections"])
def test_a_connection_is_used_for_the_repository_that_a_condition_names(judged: Judged, service: str) -> None:
    connection = f"arn:aws:codestar-connections:{REGION}:{OURS}:connection/it"
    condition = {
        "StringEquals": {f"{service}:FullRepositoryId": "a/one", f"{service}:ProviderAction": "GitPull"}
    }
    judged.write(
        statement(action="codestar-connections:UseConnection", resource=connection, Condition=condition)
    )
    use: dict[str, Any] = {"service": "codebuild.amazonaws.com", "account": OURS, "region": REGION}
    use |= {"actions": [("codestar-connections:UseConnection", connection)], "role": WRITTEN}

    def why(repository: str, action: str) -> str | None:
        told = told_of_use(repository, ProviderAction=action)
        found: str | None = judged.accounts.ask("act", **use, told=told)
        return found

    assert why("a/one", "GitPull") is None
    assert "no identity-based policy" in str(why("a/two", "GitPull"))
    assert "no identity-based policy" in str(why("a/one", "GitPush"))


@pytest.mark.parametrize("service", ["codeconnections", "codestar-connections"])
def test_code_in_a_role_reaches_by_a_connection_s_git_url_what_conditions_leave_it(
    judged: Judged, service: str
) -> None:
    connection = f"arn:aws:codestar-connections:{REGION}:{OURS}:connection/it"

    def reached() -> list[tuple[str, str]]:
        place = {"role": WRITTEN, "region": REGION, "connection": connection}
        return [
            (repository, "push" if push else "pull")
            for repository, push in product(("a/one", "a/two"), (False, True))
            if judged.accounts.ask("use_git_url", **place, repository=repository, push=push) is None
        ]

    def write(condition: Any) -> None:
        judged.write(statement(action="codestar-connections:UseConnection", resource=connection, **condition))

    write({})
    assert len(reached()) == 4
    write({"Condition": {"StringEquals": {f"{service}:FullRepositoryId": "a/one"}}})
    assert reached() == [("a/one", "pull"), ("a/one", "push")]
    write({"Condition": {"StringEquals": {f"{service}:ProviderPermissionsRequired": "read_only"}}})
    assert reached() == [("a/one", "pull"), ("a/two", "pull")]
    write({"Condition": {"StringEquals": {f"{service}:ProviderAction": "GitPush"}}})
    assert reached() == [("a/one", "push"), ("a/two", "push")]
    judged.write(statement(action="s3:*", resource="*"))
    assert reached() == []


def test_what_the_judge_does_not_read_is_an_error(judged: Judged) -> None:
    key = judged.client("kms").create_key()["KeyMetadata"]["Arn"]
    let = {"Action": "events:PutEvents", "Principal": THEIRS, "StatementId": "x", "EventBusName": "default"}
    assert judged.answers("events", "put_permission", **let) == "EmulatorNotImplemented"
    assert (
        judged.answers("kms", "create_grant", KeyId=key, GranteePrincipal=WRITTEN, Operations=["Decrypt"])
        == ""
    )

    assert judged.answers("kms", "encrypt", KeyId=key, Plaintext=b"it") == "EmulatorNotImplemented"


# Tags: of the caller's role, and of what a call acts on


def test_a_role_s_tags_fill_a_resource_and_a_condition(judged: Judged) -> None:
    iam, sqs = (judged.accounts.client(service, OURS, REGION) for service in ("iam", "sqs"))
    own, other = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("of-hello", "of-other"))
    queues = f"arn:aws:sqs:{REGION}:{OURS}:of-${{aws:PrincipalTag/function}}"
    judged.write(statement(action="sqs:SendMessage", resource=queues))
    send: dict[str, Any] = {"QueueUrl": own, "MessageBody": "it"}
    assert judged.answers("sqs", "send_message", **send) == "AccessDeniedException"

    iam.tag_role(RoleName="a-role", Tags=[{"Key": "function", "Value": "hello"}])
    assert judged.answers("sqs", "send_message", **send) == ""
    assert judged.answers("sqs", "send_message", **send | {"QueueUrl": other}) == "AccessDeniedException"

    for tag, answer in ("hello", ""), ("other", "AccessDeniedException"):
        condition = {
            "StringEquals": {"aws:PrincipalTag/function": tag},
            "Null": {"aws:PrincipalTag/team": "true"},
        }
        judged.write(statement(action="sqs:SendMessage", resource="*", Condition=condition))
        assert judged.answers("sqs", "send_message", **send) == answer


def test_a_role_s_tag_is_compared_with_that_of_what_is_there(judged: Judged) -> None:
    sqs = judged.accounts.client("sqs", OURS, REGION)
    own, other = (
        sqs.create_queue(QueueName=name, tags={"function": name})["QueueUrl"] for name in ("hello", "other")
    )
    same = {"StringEquals": {"aws:ResourceTag/function": "${aws:PrincipalTag/function}"}}
    judged.write(statement(action="sqs:SendMessage", resource="*", Condition=same))
    assert judged.answers("sqs", "send_message", QueueUrl=own, MessageBody="it") == "AccessDeniedException"

    tags = [{"Key": "function", "Value": "hello"}]
    judged.accounts.client("iam", OURS, REGION).tag_role(RoleName="a-role", Tags=tags)
    assert judged.answers("sqs", "send_message", QueueUrl=own, MessageBody="it") == ""
    assert judged.answers("sqs", "send_message", QueueUrl=other, MessageBody="it") == "AccessDeniedException"


TAGGED: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    # By service: how a resource is created, and a call that acts on it.
    "cloudwatch": (
        "put_metric_alarm",
        {
            **{"AlarmName": "it", "Namespace": "AWS/Lambda", "MetricName": "Errors", "Period": 60},
            **{"EvaluationPeriods": 1, "Threshold": 1.0, "Statistic": "Sum"},
            **{"ComparisonOperator": "GreaterThanThreshold", "Tags": [{"Key": "function", "Value": "hello"}]},
        },
        "delete_alarms",
        {"AlarmNames": ["it"]},
    ),
    "codebuild": (
        "create_project",
        {
            **{"name": "it", "source": {"type": "CODEPIPELINE"}, "artifacts": {"type": "CODEPIPELINE"}},
            "environment": {"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
            **{"serviceRole": WRITTEN, "tags": [{"key": "function", "value": "hello"}]},
        },
        "batch_get_projects",
        {"names": ["it"]},
    ),
    "codedeploy": (
        "create_application",
        {
            "applicationName": "it",
            "computePlatform": "Lambda",
            "tags": [{"Key": "function", "Value": "hello"}],
        },
        "get_application",
        {"applicationName": "it"},
    ),
    "codestar-connections": (
        "create_connection",
        {"ConnectionName": "it", "ProviderType": "GitHub", "Tags": [{"Key": "function", "Value": "hello"}]},
        "get_connection",
        {"ConnectionArn": "ConnectionArn"},
    ),
    "dynamodb": (
        "create_table",
        {
            "TableName": "it",
            "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
            "Tags": [{"Key": "function", "Value": "hello"}],
        },
        "scan",
        {"TableName": "it"},
    ),
    "events": (
        "put_rule",
        {"Name": "it", "ScheduleExpression": "rate(1 day)", "Tags": [{"Key": "function", "Value": "hello"}]},
        "describe_rule",
        {"Name": "it"},
    ),
    "iam": (
        "create_role",
        {
            **{"RoleName": "it", "Path": "/acme/", "AssumeRolePolicyDocument": json.dumps(policy())},
            "Tags": [{"Key": "function", "Value": "hello"}],
        },
        "get_role",
        {"RoleName": "it"},
    ),
    "kms": (
        "create_key",
        {"Tags": [{"TagKey": "function", "TagValue": "hello"}]},
        "describe_key",
        {"KeyId": "KeyMetadata"},
    ),
    "logs": (
        "create_log_group",
        {"logGroupName": "/it", "tags": {"function": "hello"}},
        "create_log_stream",
        {"logGroupName": "/it", "logStreamName": "it"},
    ),
    "secretsmanager": (
        "create_secret",
        {"Name": "it", "SecretString": "it", "Tags": [{"Key": "function", "Value": "hello"}]},
        "get_secret_value",
        {"SecretId": "it"},
    ),
    "sns": (
        "create_topic",
        {"Name": "it", "Tags": [{"Key": "function", "Value": "hello"}]},
        "list_tags_for_resource",
        {"ResourceArn": "TopicArn"},
    ),
    "sqs": (
        "create_queue",
        {"QueueName": "it", "tags": {"function": "hello"}},
        "send_message",
        {"QueueUrl": "QueueUrl", "MessageBody": "it"},
    ),
    "ssm": (
        "put_parameter",
        {"Name": "/a/it", "Type": "String", "Value": "it", "Tags": [{"Key": "function", "Value": "hello"}]},
        "get_parameter",
        {"Name": "/a/it"},
    ),
}


def tag_condition(value: str) -> Any:
    return {"StringEquals": {"aws:ResourceTag/function": value}}


@pytest.mark.parametrize("service", TAGGED)
def test_what_is_there_is_reached_by_its_tags(accounts: EmulatedAccounts, service: str) -> None:
    create, facts, use, parameters = TAGGED[service]
    made = getattr(accounts.client(service, OURS, REGION), create)(**facts)
    judged = Judged(accounts)
    known = made | made.get("KeyMetadata", {}) | {"KeyMetadata": made.get("KeyMetadata", {}).get("KeyId")}
    parameters = {
        name: known.get(value, value) if isinstance(value, str) else value
        for name, value in parameters.items()
    }

    judged.write(statement(action="*", resource="*", Condition=tag_condition("other")))
    assert judged.answers(service, use, **parameters).startswith(("AccessDenied", "AuthorizationError"))
    judged.write(statement(action="*", resource="*", Condition=tag_condition("hello")))
    assert judged.answers(service, use, **parameters) == ""


def test_a_part_of_what_is_there_has_its_tags(judged: Judged) -> None:
    package = io.BytesIO()
    with ZipFile(package, "w") as archive:
        archive.writestr("app.py", "")
    judged.accounts.ask("pace", minute=0)
    functions, iam = (judged.accounts.client(service, OURS, REGION) for service in ("lambda", "iam"))
    trust = statement(action="sts:AssumeRole", Principal={"Service": "lambda.amazonaws.com"})
    trust.pop("Resource", None)
    iam.create_role(RoleName="it", Path="/acme/", AssumeRolePolicyDocument=json.dumps(policy(trust)))
    takes = json.dumps(policy(statement(action="sqs:*", resource="*")))
    iam.put_role_policy(RoleName="it", PolicyName="takes", PolicyDocument=takes)
    functions.create_function(
        FunctionName="it",
        Role=f"arn:aws:iam::{OURS}:role/acme/it",
        Runtime="python3.13",
        Handler="app.handle",
        Code={"ZipFile": package.getvalue()},
        Publish=True,
        Tags={"function": "hello"},
    )
    functions.create_alias(FunctionName="it", Name="live", FunctionVersion="1")
    sqs = judged.accounts.client("sqs", OURS, REGION)
    sqs.create_queue(QueueName="it")
    mapping = functions.create_event_source_mapping(
        FunctionName="it", EventSourceArn=f"arn:aws:sqs:{REGION}:{OURS}:it", Tags={"function": "hello"}
    )["UUID"]
    judged.write(statement(action="*", resource="*", Condition=tag_condition("hello")))

    assert judged.answers("lambda", "get_function_configuration", FunctionName="it", Qualifier="1") == ""
    assert (
        judged.answers("lambda", "invoke", FunctionName="it", InvocationType="DryRun", Qualifier="live") == ""
    )
    assert judged.answers("lambda", "delete_event_source_mapping", UUID=mapping) == ""
    functions.tag_resource(Resource=f"arn:aws:lambda:{REGION}:{OURS}:function:it", Tags={"function": "other"})
    assert (
        judged.answers("lambda", "invoke", FunctionName="it", InvocationType="DryRun", Qualifier="live")
        == "AccessDeniedException"
    )


def may(judged: Judged, action: str, resource: str) -> bool:
    """Return whether a service that has taken the role may do something by itself."""
    use = {"service": "codebuild.amazonaws.com", "account": OURS, "region": REGION, "role": WRITTEN}
    return judged.accounts.ask("act", **use, actions=[(action, resource)]) is None


def test_a_stage_and_an_index_have_the_tags_of_what_they_are_part_of(
    accounts: EmulatedAccounts,
) -> None:
    tag, here = {"Key": "function", "Value": "hello"}, f"{REGION}:{OURS}"
    kinesis = accounts.client("kinesis", OURS, REGION)
    kinesis.create_stream(StreamName="it", ShardCount=1)
    kinesis.add_tags_to_stream(StreamName="it", Tags={"function": "hello"})
    machine = {"StartAt": "a", "States": {"a": {"Type": "Pass", "End": True}}}
    accounts.client("stepfunctions", OURS, REGION).create_state_machine(
        name="it",
        roleArn=WRITTEN,
        definition=json.dumps(machine),
        tags=[{"key": "function", "value": "hello"}],
    )
    for service in "dynamodb", "logs":
        create, facts, *_ = TAGGED[service]
        getattr(accounts.client(service, OURS, REGION), create)(**facts)
    iam, pipelines, applications = (
        accounts.client(service, OURS, REGION) for service in ("iam", "codepipeline", "codedeploy")
    )
    trust = {"Action": "sts:AssumeRole", "Principal": {"Service": "codepipeline.amazonaws.com"}}
    role = iam.create_role(
        RoleName="pipeline",
        Path="/acme/",
        AssumeRolePolicyDocument=json.dumps(policy({"Effect": "Allow", **trust})),
    )["Role"]["Arn"]
    kind = {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
    source = kind | {"category": "Source", "provider": "S3"}
    pipelines.create_pipeline(
        pipeline={
            "name": "it",
            "roleArn": role,
            "artifactStore": {"type": "S3", "location": "a-bucket"},
            "stages": [
                {"name": "Source", "actions": [{"name": "Source", "actionTypeId": source}]},
                {"name": "Approve", "actions": [{"name": "Approve", "actionTypeId": kind}]},
            ],
        },
        tags=[{"key": "function", "value": "hello"}],
    )
    applications.create_application(applicationName="it", computePlatform="Lambda")
    applications.create_deployment_group(
        applicationName="it",
        deploymentGroupName="live",
        deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce",
        serviceRoleArn=role,
        tags=[tag],
    )
    accounts.client("codebuild", OURS, REGION).create_report_group(
        name="it",
        type="TEST",
        exportConfig={"exportConfigType": "NO_EXPORT"},
        tags=[{"key": "function", "value": "hello"}],
    )
    parts = {
        "codebuild:UpdateReportGroup": f"arn:aws:codebuild:{here}:report-group/it",
        "codedeploy:GetDeploymentGroup": f"arn:aws:codedeploy:{here}:deploymentgroup:it/live",
        "codepipeline:PutApprovalResult": f"arn:aws:codepipeline:{here}:it/Approve/Approve",
        "codepipeline:StartPipelineExecution": f"arn:aws:codepipeline:{here}:it",
        "dynamodb:Query": f"arn:aws:dynamodb:{here}:table/it/index/by-date",
        "kinesis:GetRecords": f"arn:aws:kinesis:{here}:stream/it",
        "logs:PutLogEvents": f"arn:aws:logs:{here}:log-group:/it:log-stream:a",
        "states:StartExecution": f"arn:aws:states:{here}:stateMachine:it",
    }
    judged = Judged(accounts)

    judged.write(statement(action="*", resource="*", Condition=tag_condition("hello")))
    assert [action for action, resource in parts.items() if not may(judged, action, resource)] == []
    judged.write(statement(action="*", resource="*", Condition=tag_condition("other")))
    assert [action for action, resource in parts.items() if may(judged, action, resource)] == []


def test_what_is_not_there_yet_has_no_tags_whatever_it_is_created_with(judged: Judged) -> None:
    judged.write(
        statement(action="*", resource="*", Condition={"Null": {"aws:ResourceTag/function": "true"}})
    )
    create = {"logGroupName": "/it", "tags": {"function": "hello"}}

    assert judged.answers("logs", "create_log_group", **create) == ""
    assert judged.answers("logs", "delete_log_group", logGroupName="/it") == "AccessDeniedException"
    judged.accounts.client("logs", OURS, REGION).delete_log_group(logGroupName="/it")
    assert judged.answers("logs", "create_log_group", **create) == ""  # nor what is there no more


def test_tags_that_nothing_reads_are_an_error_and_so_are_those_of_a_role_that_is_passed(
    judged: Judged,
) -> None:
    s3 = judged.accounts.client("s3", OURS, REGION)
    s3.create_bucket(Bucket="a-bucket")
    judged.write(
        statement(action=["s3:*", "iam:PassRole"], resource="*", Condition=tag_condition("hello")),
        statement(action="codebuild:*", resource="*"),
    )

    assert judged.answers("s3", "list_objects_v2", Bucket="a-bucket") == "EmulatorNotImplemented"
    _, project, *_ = TAGGED["codebuild"]
    assert judged.answers("codebuild", "create_project", **project) == "EmulatorNotImplemented"


# By chance: the same in terms of sets, over a world so small that all of it can be listed

ACTIONS = ["s3:GetObject", "s3:PutObject"]
RESOURCES = ["arn:aws:s3:::bucket/key", "arn:aws:s3:::bucket/other"]
EVERYTHING = set(product(ACTIONS, RESOURCES))
PATTERNS = {
    "Action": ["s3:GetObject", "s3:PutObject", "s3:*", "s3:Get*", "s3:?utObject", "*", "kms:*"],
    "Resource": [*RESOURCES, "arn:aws:s3:::bucket/*", "*", "arn:aws:s3:::bucket/k??", "arn:aws:s3:::b"],
}
# What other patterns amount to.
MEANT = {
    "arn:aws:s3": "*",
    "arn:aws:kms": "nothing",
    "arn:aws:s3:::bucket/${test:name}": "arn:aws:s3:::bucket/key",
    "arn:aws:s3:::bucket/key${test:none}": "nothing",
    "arn:aws:s3:::bucket/${test:none, 'other'}": "arn:aws:s3:::bucket/other",
}
PATTERNS["Resource"] += MEANT
ALWAYS: dict[str, str | None] = {"test:name": "key", "test:none": None, "test:missing": None}
# Operator, value in the policy, value in the request (None: it has none), whether the condition holds.
CONDITIONS = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", "a", "b", False),
    ("StringEquals", "a", None, False),
    ("StringEqualsIfExists", "a", None, True),
    ("StringNotEquals", "a", "a", False),
    ("StringNotEquals", "a", None, True),
    ("StringLike", "a*", "abc", True),
    ("StringNotLike", "a*", "abc", False),
    ("Bool", "true", "true", True),
    ("Bool", "true", "false", False),
    ("Null", "true", None, True),
    ("Null", "true", "a", False),
    ("Null", ["false", "true"], "a", True),
    ("Null", ["true", "false"], None, True),
    ("StringEquals", "${test:name}", "key", True),
    ("StringEquals", "${test:none}", "key", False),
    ("StringNotEquals", "${test:none}", "key", True),
    ("StringLike", "*${test:name}", "a key", True),
    ("ArnEquals", "arn:aws:x::${test:name}:a/*", "arn:aws:x::key:a/b", True),
]


class Chance:
    """Statements made by chance, each with the set of what it speaks of."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.context = dict(ALWAYS)

    def document(self, principals: list[Any] | None = None) -> tuple[Any, list[tuple[str, Any, set[Any]]]]:
        """Return a policy and, of each statement, its effect, its principal and what it speaks of."""
        version = self.random.choice(["2012-10-17"] * 4 + ["2008-10-17"])
        made = [self.statement(principals, version) for _ in range(self.random.randint(0, 3))]
        return {**policy(*(each for each, _ in made)), "Version": version}, [
            (each["Effect"], each.get("Principal"), spoken) for each, spoken in made
        ]

    def statement(self, principals: list[Any] | None, version: str) -> tuple[dict[str, Any], set[Any]]:
        old = version == "2008-10-17"
        made: dict[str, Any] = {"Effect": self.random.choice(["Allow", "Allow", "Deny"])}
        if principals:
            made["Principal"] = self.random.choice(principals)
        spoken = EVERYTHING
        for place, (element, patterns) in enumerate(PATTERNS.items()):
            chosen = self.random.sample(patterns, self.random.randint(1, 2))
            meant = ["nothing" if old and "${" in p else MEANT.get(p, p) for p in chosen]
            hit = {each for each in EVERYTHING if any(fnmatchcase(each[place], p) for p in meant)}
            negated = self.random.random() < 0.2
            made[f"Not{element}" if negated else element] = chosen if len(chosen) > 1 else chosen[0]
            spoken = spoken - hit if negated else spoken & hit
        if self.random.random() < 0.3:
            operator, wanted, given, holds = self.random.choice(CONDITIONS)
            key = f"test:key{len(self.context)}" if given is not None else "test:missing"
            if given is not None:
                self.context[key] = given
            made["Condition"] = {operator: {key: wanted}}
            holds = "Not" in operator if old and "${" in str(wanted) else holds
            spoken = spoken if holds else set()
        return made, spoken


def test_twenty_thousand_cases_by_chance_agree_with_what_sets_say() -> None:
    ways = {ROLE: "role", "*": "role", SESSION: "session", ROOT: "account", "222222222222": "account"}
    principals = [*({"AWS": each} for each in ways), {"AWS": ROOT[:-1]}, {"Service": "x.amazonaws.com"}, "*"]
    verdicts = []
    for seed in range(20_000):
        chance = Chance(seed)
        identity, of_identity = chance.document()
        boundary, of_boundary = chance.document() if seed % 2 else (None, [("Allow", None, EVERYTHING)])
        resource, of_resource = chance.document(principals) if seed % 3 else (None, [])
        foreign, delegating = seed % 5 == 0, seed % 7 == 0
        action, where = chance.random.choice(sorted(EVERYTHING))

        def way(principal: Any) -> str | None:
            return ways.get(principal if principal == "*" else principal.get("AWS"))

        denied = {x for e, p, spoken in of_resource if e == "Deny" and way(p) for x in spoken}
        denied |= {x for e, _, spoken in [*of_identity, *of_boundary] if e == "Deny" for x in spoken}
        given = {x for e, _, spoken in of_identity if e == "Allow" for x in spoken}
        capped = {x for e, _, spoken in of_boundary if e == "Allow" for x in spoken}
        by_way = {
            each: {x for e, p, spoken in of_resource if e == "Allow" and way(p) == each for x in spoken}
            for each in ("session", "role", "account")
        }
        if foreign:
            expected = given & capped & (by_way["session"] | by_way["role"] | by_way["account"])
        elif delegating:
            expected = by_way["session"] | by_way["role"] & capped | by_way["account"] & given & capped
        else:
            expected = by_way["session"] | (by_way["role"] | given) & capped
        owner = "333333333333" if foreign else "222222222222"
        request = Request(Caller(ROLE, SESSION), action, where, owner, chance.context)

        found = decide(request, Policies([identity], boundary, resource, delegating)) is None

        assert found is ((action, where) in expected - denied), (seed, identity, boundary, resource)
        verdicts.append(found)
    assert 1_000 < sum(verdicts) < 19_000


def test_a_key_that_is_named_by_an_alias_is_told_of_as_such(judged: Judged) -> None:
    kms = judged.accounts.client("kms", OURS, REGION)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key)
    alias = {"StringEquals": {"kms:RequestAlias": "alias/mine"}}
    judged.write(statement(action="kms:DescribeKey", resource="*", Condition=alias))

    assert judged.answers("kms", "describe_key", KeyId="alias/mine") == ""
    assert judged.answers("kms", "describe_key", KeyId=key) == "AccessDeniedException"
