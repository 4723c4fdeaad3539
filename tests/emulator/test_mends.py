"""Every mend of moto, by what AWS does. Each test fails without its mend."""

import io
import json
from typing import Any
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts

OURS, THEIRS, REGION = "222222222222", "333333333333", "us-east-1"


def role(accounts: EmulatedAccounts, account: str = OURS, *principals: dict[str, Any]) -> str:
    """Create a role that the principals may assume, in one statement each; return its ARN."""
    trust = [
        {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        for principal in principals or [{"Service": "lambda.amazonaws.com"}]
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    iam = accounts.client("iam", account, REGION)
    arn: str = iam.create_role(RoleName="a-role", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    return arn


def function(accounts: EmulatedAccounts, account: str = OURS, **settings: Any) -> Any:
    """Create a function, a-function, and return a Lambda client; what is made or changed is there at once."""
    accounts.ask("pace", minute=0)
    package = io.BytesIO()
    with ZipFile(package, "w") as archive:
        archive.writestr("app.py", "")
    client = accounts.client("lambda", account, REGION)
    client.create_function(
        FunctionName="a-function",
        Role=role(accounts, account),
        Runtime="python3.13",
        Handler="app.handle",
        Code={"ZipFile": package.getvalue()},
        **settings,
    )
    return client


# Accounts


def test_a_key_of_another_account_is_reached_by_its_arn(accounts: EmulatedAccounts) -> None:
    arn = accounts.client("kms", THEIRS, REGION).create_key()["KeyMetadata"]["Arn"]

    key = accounts.client("kms", OURS, REGION).describe_key(KeyId=arn)["KeyMetadata"]

    assert key["AWSAccountId"] == THEIRS


def test_a_function_of_another_account_is_reached_by_its_arn(accounts: EmulatedAccounts) -> None:
    function(accounts, THEIRS)
    ours = function(accounts, OURS)
    arn = f"arn:aws:lambda:{REGION}:{THEIRS}:function:a-function"

    assert ours.get_function_configuration(FunctionName=arn)["FunctionArn"] == arn
    assert ours.get_function_configuration(FunctionName="a-function")["FunctionArn"] != arn


def test_a_bucket_whose_owner_is_not_the_expected_one_is_not_written(accounts: EmulatedAccounts) -> None:
    accounts.client("s3", THEIRS, REGION).create_bucket(Bucket="a-bucket")
    ours = accounts.client("s3", OURS, REGION)
    ours.put_object(Bucket="a-bucket", Key="expected", Body=b"", ExpectedBucketOwner=THEIRS)

    with pytest.raises(ClientError, match="AccessDenied") as refusal:
        ours.put_object(Bucket="a-bucket", Key="unexpected", Body=b"", ExpectedBucketOwner=OURS)

    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert [item["Key"] for item in ours.list_objects_v2(Bucket="a-bucket")["Contents"]] == ["expected"]


def test_a_copy_s_source_has_the_expected_owner_too(accounts: EmulatedAccounts) -> None:
    theirs, ours = accounts.client("s3", THEIRS, REGION), accounts.client("s3", OURS, REGION)
    theirs.create_bucket(Bucket="source")
    theirs.put_object(Bucket="source", Key="it", Body=b"")
    ours.create_bucket(Bucket="target")
    copy = {"Bucket": "target", "Key": "it", "CopySource": "source/it"}
    ours.copy_object(**copy, ExpectedSourceBucketOwner=THEIRS)

    with pytest.raises(ClientError, match="AccessDenied"):
        ours.copy_object(**copy, ExpectedSourceBucketOwner=OURS)


# S3


def test_a_policy_that_denies_plain_http_does_not_deny_everything(accounts: EmulatedAccounts) -> None:
    s3 = accounts.client("s3", OURS, REGION)
    s3.create_bucket(Bucket="a-bucket")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::a-bucket", "arn:aws:s3:::a-bucket/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket="a-bucket", Policy=policy)

    s3.put_object(Bucket="a-bucket", Key="it", Body=b"content")

    assert s3.get_object(Bucket="a-bucket", Key="it")["Body"].read() == b"content"


def test_a_bucket_says_that_it_notifies_eventbridge(accounts: EmulatedAccounts) -> None:
    s3, topic = accounts.client("s3", OURS, REGION), f"arn:aws:sns:{REGION}:{OURS}:a-topic"
    accounts.client("sns", OURS, REGION).create_topic(Name="a-topic")
    for bucket, configuration in {
        "with": {"EventBridgeConfiguration": {}},
        "without": {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]},
    }.items():
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)

    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket="with")
    without = s3.get_bucket_notification_configuration(Bucket="without")
    assert "EventBridgeConfiguration" not in without
    assert without["TopicConfigurations"][0]["TopicArn"] == topic


def test_an_object_s_event_names_its_bucket(accounts: EmulatedAccounts) -> None:
    s3, rules, sns = (accounts.client(service, OURS, REGION) for service in ("s3", "events", "sns"))
    told: dict[str, Any] = {"EventBridgeConfiguration": {}}
    s3.create_bucket(Bucket="a-bucket")
    s3.put_bucket_notification_configuration(Bucket="a-bucket", NotificationConfiguration=told)
    pattern = {"source": ["aws.s3"], "resources": ["arn:aws:s3:::a-bucket"]}
    rules.put_rule(Name="a-rule", EventPattern=json.dumps(pattern))
    target = {"Id": "it", "Arn": sns.create_topic(Name="a-topic")["TopicArn"]}
    rules.put_targets(Rule="a-rule", Targets=[target])

    s3.put_object(Bucket="a-bucket", Key="it", Body=b"")

    assert len(accounts.ask("published", account=OURS)) == 1


# SQS


def test_a_queue_keeps_its_policy_as_other_attributes_are_set(accounts: EmulatedAccounts) -> None:
    sqs = accounts.client("sqs", OURS, REGION)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url = sqs.create_queue(QueueName="a-queue", Attributes={"Policy": policy})["QueueUrl"]

    def kept() -> Any:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return attributes.get("Policy")

    sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "60"})
    assert kept() == policy
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert not kept()


# Lambda


def test_the_number_of_a_deleted_version_is_not_given_again(accounts: EmulatedAccounts) -> None:
    client = function(accounts, Publish=True)
    client.delete_function(FunctionName="a-function", Qualifier="1")
    client.update_function_configuration(FunctionName="a-function", Description="changed")

    assert client.publish_version(FunctionName="a-function")["Version"] == "2"
    assert client.publish_version(FunctionName="a-function")["Version"] == "2"  # nothing has changed since


def test_a_version_that_an_alias_references_is_not_deleted(accounts: EmulatedAccounts) -> None:
    client = function(accounts, Publish=True)
    client.update_function_configuration(FunctionName="a-function", Description="changed")
    client.publish_version(FunctionName="a-function")
    live = {"FunctionName": "a-function", "Name": "live"}
    sharing = {"AdditionalVersionWeights": {"2": 0.1}}
    client.create_alias(**live, FunctionVersion="1", RoutingConfig=sharing)

    for version in "1", "2":
        with pytest.raises(client.exceptions.ResourceConflictException, match=r"reference it: \[live\]"):
            client.delete_function(FunctionName="a-function", Qualifier=version)
    client.update_alias(**live, RoutingConfig={"AdditionalVersionWeights": {}})
    client.delete_function(FunctionName="a-function", Qualifier="2")

    versions = client.list_versions_by_function(FunctionName="a-function")["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1"]


def test_a_function_is_deleted_with_its_aliases(accounts: EmulatedAccounts) -> None:
    client = function(accounts, Publish=True)
    client.create_alias(FunctionName="a-function", Name="live", FunctionVersion="1")

    client.delete_function(FunctionName="a-function")

    assert client.list_functions()["Functions"] == []


SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"DeadLetterConfig": {"TargetArn": f"arn:aws:sns:{REGION}:{OURS}:one"}},
        {"DeadLetterConfig": {"TargetArn": f"arn:aws:sns:{REGION}:{OURS}:two"}},
    ),
    ({"EphemeralStorage": {"Size": 1024}}, {"EphemeralStorage": {"Size": 2048}}),
    (
        {"KMSKeyArn": f"arn:aws:kms:{REGION}:{OURS}:key/one"},
        {"KMSKeyArn": f"arn:aws:kms:{REGION}:{OURS}:key/two"},
    ),
    ({"TracingConfig": {"Mode": "Active"}}, {"TracingConfig": {"Mode": "PassThrough"}}),
    (
        {"LoggingConfig": {"LogFormat": "Text", "LogGroup": "/one"}},
        {
            "LoggingConfig": {
                "LogFormat": "JSON",
                "LogGroup": "/two",
                "ApplicationLogLevel": "DEBUG",
                "SystemLogLevel": "WARN",
            }
        },
    ),
]


@pytest.mark.parametrize(("before", "after"), SETTINGS, ids=lambda settings: next(iter(settings)))
def test_a_function_keeps_its_settings_and_changes_them_for_later_versions_only(
    accounts: EmulatedAccounts, before: dict[str, Any], after: dict[str, Any]
) -> None:
    client = function(accounts, **before, Publish=True)
    client.update_function_configuration(FunctionName="a-function", **after)
    client.publish_version(FunctionName="a-function")

    def settings(version: str) -> dict[str, Any]:
        found = client.get_function_configuration(FunctionName="a-function", Qualifier=version)
        return {name: found.get(name) for name in before}

    assert [settings(version) for version in ("1", "2", "$LATEST")] == [before, after, after]


def test_a_function_logs_as_lambda_does_by_default(accounts: EmulatedAccounts) -> None:
    client = function(accounts)
    created = client.get_function_configuration(FunctionName="a-function")
    changed = client.update_function_configuration(
        FunctionName="a-function", LoggingConfig={"LogFormat": "JSON"}
    )

    assert created["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/a-function"}
    assert changed["LoggingConfig"] == {
        "LogFormat": "JSON",
        "LogGroup": "/aws/lambda/a-function",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "INFO",
    }


@pytest.mark.parametrize(("bucket", "code"), [("a-bucket", "NoSuchKey"), ("no-bucket", "NoSuchBucket")])
def test_a_function_s_code_must_be_there(accounts: EmulatedAccounts, bucket: str, code: str) -> None:
    accounts.client("s3", OURS, REGION).create_bucket(Bucket="a-bucket")
    client = function(accounts)

    with pytest.raises(client.exceptions.InvalidParameterValueException, match=code):
        client.create_function(
            FunctionName="another-function",
            Role=f"arn:aws:iam::{OURS}:role/a-role",
            Runtime="python3.13",
            Handler="app.handle",
            Code={"S3Bucket": bucket, "S3Key": "no-package.zip"},
        )
    with pytest.raises(client.exceptions.InvalidParameterValueException, match=code):
        client.update_function_code(FunctionName="a-function", S3Bucket=bucket, S3Key="no-package.zip")


def test_a_function_s_code_is_changed_once_and_after_the_answer(accounts: EmulatedAccounts) -> None:
    client = function(accounts, Publish=True)
    package = io.BytesIO()
    with ZipFile(package, "w") as archive:
        archive.writestr("app.py", "# another")

    answer = client.update_function_code(FunctionName="a-function", ZipFile=package.getvalue(), Publish=True)

    assert (answer["Version"], answer["LastUpdateStatus"]) == ("2", "InProgress")
    later = client.get_function_configuration(FunctionName="a-function", Qualifier="2")
    assert (later["CodeSha256"], later["LastUpdateStatus"]) == (answer["CodeSha256"], "Successful")
    versions = client.list_versions_by_function(FunctionName="a-function")["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "2"]


# CodeBuild


def test_the_policy_of_an_alias_stays_as_the_alias_moves(accounts: EmulatedAccounts) -> None:
    client = function(accounts, Publish=True)
    it: dict[str, Any] = {"FunctionName": "a-function", "Qualifier": "live"}
    let = {"Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    client.create_alias(FunctionName="a-function", Name="live", FunctionVersion="1")
    client.add_permission(**it, StatementId="one", **let)
    client.update_function_configuration(FunctionName="a-function", Timeout=9)
    client.publish_version(FunctionName="a-function")
    client.update_alias(FunctionName="a-function", Name="live", FunctionVersion="2")

    with pytest.raises(client.exceptions.ResourceConflictException, match="already exists"):
        client.add_permission(**it, StatementId="one", **let)
    client.add_permission(**it, StatementId="two", **let)
    statements = json.loads(client.get_policy(**it)["Policy"])["Statement"]
    assert [each["Sid"] for each in statements] == ["one", "two"]
    assert {each["Resource"].rpartition(":")[2] for each in statements} == {"live"}
    for whose in {"FunctionName": "a-function"}, {"FunctionName": "a-function", "Qualifier": "2"}:
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.get_policy(**whose)

    client.remove_permission(**it, StatementId="one")
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="one is not found"):
        client.remove_permission(**it, StatementId="one")
    assert '"two"' in client.get_policy(**it)["Policy"]


@pytest.fixture
def project(accounts: EmulatedAccounts) -> dict[str, Any]:
    """Return the parameters of a project as a pipeline needs it."""
    return {
        "name": "a-project",
        "serviceRole": role(accounts),
        "source": {"type": "CODEPIPELINE", "buildspec": "buildspec.yml"},
        "artifacts": {"type": "CODEPIPELINE"},
        "environment": {
            "type": "ARM_CONTAINER",
            "image": "aws/codebuild/amazonlinux-aarch64-standard:3.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        "encryptionKey": f"arn:aws:kms:{REGION}:{OURS}:key/a-key",
        "concurrentBuildLimit": 3,
    }


def test_a_project_of_a_pipeline_keeps_all_that_it_is_created_with(
    accounts: EmulatedAccounts, project: dict[str, Any]
) -> None:
    codebuild = accounts.client("codebuild", OURS, REGION)
    codebuild.create_project(**project)

    (created,) = codebuild.batch_get_projects(names=["a-project"])["projects"]

    assert {name: created.get(name) for name in project} == project
    assert (created["timeoutInMinutes"], created["queuedTimeoutInMinutes"]) == (60, 480)


def test_a_project_can_be_changed(accounts: EmulatedAccounts, project: dict[str, Any]) -> None:
    codebuild = accounts.client("codebuild", OURS, REGION)
    codebuild.create_project(**project)
    codebuild.update_project(name="a-project", timeoutInMinutes=5)

    (changed,) = codebuild.batch_get_projects(names=["a-project"])["projects"]

    assert changed["timeoutInMinutes"] == 5
    assert changed["encryptionKey"] == project["encryptionKey"]


def test_a_project_is_created_once_and_changed_where_it_is_there(
    accounts: EmulatedAccounts, project: dict[str, Any]
) -> None:
    codebuild = accounts.client("codebuild", OURS, REGION)
    with pytest.raises(codebuild.exceptions.ResourceNotFoundException):
        codebuild.update_project(name="a-project", timeoutInMinutes=5)
    codebuild.create_project(**project)

    with pytest.raises(codebuild.exceptions.ResourceAlreadyExistsException):
        codebuild.create_project(**project)


@pytest.mark.parametrize("name", ["a-project", f"arn:aws:codebuild:{REGION}:{OURS}:project/a-project"])
def test_a_project_is_deleted_by_name_or_arn(
    accounts: EmulatedAccounts, project: dict[str, Any], name: str
) -> None:
    codebuild = accounts.client("codebuild", OURS, REGION)
    codebuild.create_project(**project)

    codebuild.delete_project(name=name)

    assert codebuild.list_projects()["projects"] == []


# CodePipeline


def pipeline(role_arn: str) -> dict[str, Any]:
    def stage(name: str, category: str, configuration: dict[str, str]) -> dict[str, Any]:
        kind = {"category": category, "owner": "AWS", "provider": "S3", "version": "1"}
        return {
            "name": name,
            "actions": [{"name": name, "actionTypeId": kind, "configuration": configuration}],
        }

    return {
        "name": "a-pipeline",
        "roleArn": role_arn,
        "artifactStore": {"type": "S3", "location": "a-bucket"},
        "pipelineType": "V2",
        "stages": [
            stage("Source", "Source", {"S3Bucket": "a-bucket", "S3ObjectKey": "it.zip"}),
            stage("Deploy", "Deploy", {"BucketName": "a-bucket", "Extract": "true"}),
        ],
    }


def test_a_pipeline_s_role_may_trust_others_beside_codepipeline(accounts: EmulatedAccounts) -> None:
    services = {"Service": ["codebuild.amazonaws.com", "codepipeline.amazonaws.com"]}
    arn = role(accounts, OURS, {"AWS": f"arn:aws:iam::{OURS}:root"}, services)

    created = accounts.client("codepipeline", OURS, REGION).create_pipeline(pipeline=pipeline(arn))

    assert created["pipeline"]["roleArn"] == arn


def test_a_pipeline_s_role_must_trust_codepipeline(accounts: EmulatedAccounts) -> None:
    arn = role(accounts, OURS, {"Service": ["codebuild.amazonaws.com", "events.amazonaws.com"]})
    codepipeline = accounts.client("codepipeline", OURS, REGION)

    with pytest.raises(codepipeline.exceptions.InvalidStructureException, match="not authorized"):
        codepipeline.create_pipeline(pipeline=pipeline(arn))


def test_a_pipeline_s_name_is_taken_once(accounts: EmulatedAccounts) -> None:
    definition = pipeline(role(accounts, OURS, {"Service": "codepipeline.amazonaws.com"}))
    codepipeline = accounts.client("codepipeline", OURS, REGION)
    codepipeline.create_pipeline(pipeline=definition)

    with pytest.raises(codepipeline.exceptions.PipelineNameInUseException):
        codepipeline.create_pipeline(pipeline=definition)


def test_a_pipeline_s_times_are_numbers_on_the_wire(accounts: EmulatedAccounts) -> None:
    codepipeline = accounts.client("codepipeline", OURS, REGION)
    codepipeline.create_pipeline(
        pipeline=pipeline(role(accounts, OURS, {"Service": "codepipeline.amazonaws.com"}))
    )
    sent: list[bytes] = []
    codepipeline.meta.events.register(
        "before-parse", lambda response_dict, **_: sent.append(response_dict["body"])
    )

    codepipeline.get_pipeline(name="a-pipeline")

    metadata = json.loads(sent[0])["metadata"]
    assert isinstance(metadata["created"], float)
    assert isinstance(metadata["updated"], float)


# Connections


def test_a_connection_is_pending_until_it_is_deleted(accounts: EmulatedAccounts) -> None:
    connections = accounts.client("codestar-connections", OURS, REGION)
    arn = connections.create_connection(ConnectionName="github", ProviderType="GitHub")["ConnectionArn"]

    found = connections.get_connection(ConnectionArn=arn)["Connection"]
    assert connections.list_connections()["Connections"] == [found]
    assert found == {
        "ConnectionName": "github",
        "ConnectionArn": arn,
        "ProviderType": "GitHub",
        "OwnerAccountId": OURS,
        "ConnectionStatus": "PENDING",
    }

    connections.delete_connection(ConnectionArn=arn)
    with pytest.raises(connections.exceptions.ResourceNotFoundException, match=arn):
        connections.get_connection(ConnectionArn=arn)


def test_a_connection_keeps_its_tags(accounts: EmulatedAccounts) -> None:
    connections = accounts.client("codestar-connections", OURS, REGION)
    tags = [{"Key": "one", "Value": "1"}]
    arn = connections.create_connection(ConnectionName="github", ProviderType="GitHub", Tags=tags)[
        "ConnectionArn"
    ]
    connections.tag_resource(ResourceArn=arn, Tags=[{"Key": "two", "Value": "2"}])
    connections.untag_resource(ResourceArn=arn, TagKeys=["one"])

    assert connections.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "two", "Value": "2"}]


def test_a_connection_of_another_account_is_not_found(accounts: EmulatedAccounts) -> None:
    theirs = accounts.client("codestar-connections", THEIRS, REGION)
    arn = theirs.create_connection(ConnectionName="github", ProviderType="GitHub")["ConnectionArn"]
    ours = accounts.client("codestar-connections", OURS, REGION)

    with pytest.raises(ours.exceptions.ResourceNotFoundException):
        ours.get_connection(ConnectionArn=arn)
