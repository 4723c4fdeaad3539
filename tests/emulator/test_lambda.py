"""What Lambda refuses: while a function or version is being made or changed, and what is asked too often."""

import base64
import hashlib
import io
import json
from typing import Any
from zipfile import ZipFile, ZipInfo

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from emulator.calls import AwsError, Call
from emulator.lambda_ import check_rate

ACCOUNT, REGION, NAME = "222222222222", "us-east-1", "a-function"
PENDING, CHANGING = "currently in the following state: Pending", "An update is in progress for resource"
AN_HOUR = 36000  # seconds that a minute lasts, so that what has begun does not end


def package(text: str) -> bytes:
    """Return the code of a function, always the same bytes."""
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr(ZipInfo("app.py"), f"def handle(event, context):\n    return {text!r}\n")
    return content.getvalue()


def create(accounts: EmulatedAccounts, minute: float = 0) -> Any:
    """Create a function; return a client. minute: how long one lasts, then and from then on."""
    accounts.ask("pace", minute=minute)
    statement = {
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Effect": "Allow",
    }
    role = accounts.client("iam", ACCOUNT, REGION).create_role(
        RoleName="role", AssumeRolePolicyDocument=json.dumps({"Statement": statement})
    )
    client = accounts.client("lambda", ACCOUNT, REGION)
    client.create_function(
        FunctionName=NAME,
        Role=role["Role"]["Arn"],
        Runtime="python3.13",
        Handler="app.handle",
        Code={"ZipFile": package("first")},
    )
    return client


def state(client: Any, qualifier: str) -> tuple[str, str]:
    """Return the state of a function or version, and the status of its last update."""
    found = client.get_function_configuration(FunctionName=NAME, Qualifier=qualifier)
    return found["State"], found["LastUpdateStatus"]


def refused(client: Any, operation: str, **parameters: Any) -> str:
    """Return why an operation on the function is refused."""
    with pytest.raises(client.exceptions.ResourceConflictException) as refusal:
        getattr(client, operation)(FunctionName=NAME, **parameters)
    return str(refusal.value)


def test_a_function_that_is_being_made_is_not_invoked_changed_or_published(
    accounts: EmulatedAccounts,
) -> None:
    client = create(accounts, AN_HOUR)

    assert state(client, "$LATEST")[0] == "Pending"
    assert PENDING in refused(client, "invoke")
    assert PENDING in refused(client, "update_function_code", ZipFile=package("second"))
    assert PENDING in refused(client, "update_function_configuration", Description="x")
    assert PENDING in refused(client, "publish_version")


def test_a_function_becomes_active(accounts: EmulatedAccounts) -> None:
    client = create(accounts, 10)

    client.get_waiter("function_active_v2").wait(FunctionName=NAME)

    assert client.invoke(FunctionName=NAME)["Payload"].read() == b'"first"'


def test_a_function_that_is_being_changed_answers_and_is_not_changed_or_published(
    accounts: EmulatedAccounts,
) -> None:
    client = create(accounts)
    accounts.ask("pace", minute=AN_HOUR)

    changed = client.update_function_code(FunctionName=NAME, ZipFile=package("second"))

    assert changed["LastUpdateStatus"] == "InProgress"
    assert state(client, "$LATEST") == ("Active", "InProgress")
    assert "FunctionError" not in client.invoke(FunctionName=NAME)
    assert CHANGING in refused(client, "update_function_code", ZipFile=package("third"))
    assert CHANGING in refused(client, "update_function_configuration", Description="x")
    assert CHANGING in refused(client, "publish_version")


def test_a_version_is_invoked_once_it_is_active(accounts: EmulatedAccounts) -> None:
    client = create(accounts)
    client.publish_version(FunctionName=NAME)
    client.update_function_code(FunctionName=NAME, ZipFile=package("second"))
    accounts.ask("pace", minute=AN_HOUR)

    assert client.publish_version(FunctionName=NAME)["State"] == "Pending"

    assert (state(client, "$LATEST"), state(client, "2")[0]) == (("Active", "Successful"), "Pending")
    assert PENDING in refused(client, "invoke", Qualifier="2")


def test_a_version_that_is_there_already_is_not_made_again(accounts: EmulatedAccounts) -> None:
    client = create(accounts)
    client.publish_version(FunctionName=NAME)
    accounts.ask("pace", minute=AN_HOUR)

    assert client.publish_version(FunctionName=NAME)["State"] == "Active"
    assert client.create_alias(FunctionName=NAME, Name="live", FunctionVersion="1")["FunctionVersion"] == "1"


def digest(content: bytes) -> str:
    """Return the checksum of code as Lambda tells it."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def test_a_function_s_checksum_is_that_of_the_bytes_that_are_stored(accounts: EmulatedAccounts) -> None:
    client, s3 = create(accounts), accounts.client("s3", ACCOUNT, REGION)
    s3.create_bucket(Bucket="a-bucket")
    s3.put_bucket_versioning(Bucket="a-bucket", VersioningConfiguration={"Status": "Enabled"})
    contents = [package(text) for text in ("second", "third")]
    first, _ = (s3.put_object(Bucket="a-bucket", Key="it", Body=body)["VersionId"] for body in contents)
    place = {"S3Bucket": "a-bucket", "S3Key": "it"}

    def checksum() -> str:
        return str(client.get_function_configuration(FunctionName=NAME)["CodeSha256"])

    assert checksum() == digest(package("first"))
    client.update_function_code(FunctionName=NAME, **place)
    assert checksum() == digest(contents[1])
    client.update_function_code(FunctionName=NAME, **place, S3ObjectVersion=first)
    assert checksum() == digest(contents[0])
    assert client.invoke(FunctionName=NAME)["Payload"].read() == b'"second"'
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="NoSuchVersion"):
        client.update_function_code(FunctionName=NAME, **place, S3ObjectVersion="none")

    accounts.ask("enforce")
    client.update_function_code(FunctionName=NAME, **place, S3ObjectVersion=first)
    asked = [check.action for check in accounts.journal()[-1].checks]
    assert asked == ["lambda:UpdateFunctionCode", "s3:GetObjectVersion"]


def test_only_the_code_whose_checksum_is_given_is_published(accounts: EmulatedAccounts) -> None:
    client = create(accounts)
    wanted, other = digest(package("first")), digest(package("second"))

    with pytest.raises(client.exceptions.InvalidParameterValueException, match="is different from current"):
        client.publish_version(FunctionName=NAME, CodeSha256=other)
    assert len(client.list_versions_by_function(FunctionName=NAME)["Versions"]) == 1

    assert client.publish_version(FunctionName=NAME, CodeSha256=wanted)["CodeSha256"] == wanted


LISTS = """
import boto3

def handle(event, context):
    return len(boto3.client("sns").list_topics()["Topics"])
"""


def test_a_function_s_code_and_its_log_tell_which_function_calls_and_other_sessions_do_not(
    accounts: EmulatedAccounts,
) -> None:
    client, arn = create(accounts), f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("app.py", LISTS)
    client.update_function_code(FunctionName=NAME, ZipFile=content.getvalue())
    client.update_function_configuration(FunctionName=NAME, TracingConfig={"Mode": "Active"}, Timeout=60)
    client.publish_version(FunctionName=NAME)
    of_function = {"ArnEquals": {"lambda:SourceFunctionArn": arn}}
    may = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": of_function}
    document = json.dumps({"Version": "2012-10-17", "Statement": may})
    iam = accounts.client("iam", ACCOUNT, REGION)
    iam.put_role_policy(RoleName="role", PolicyName="it", PolicyDocument=document)
    accounts.ask("enforce")

    assert client.invoke(FunctionName=NAME, Qualifier="1")["Payload"].read() == b"0"

    told = {
        check.action: check.context["lambda:sourcefunctionarn"]
        for entry in accounts.journal()
        for check in entry.checks
        if check.caller.role.endswith(":role/role")
    }
    assert told == {
        "sns:ListTopics": arn,
        "logs:CreateLogStream": arn,
        "logs:PutLogEvents": arn,
        "xray:PutTraceSegments": arn,
        "xray:PutTelemetryRecords": None,
    }
    with pytest.raises(ClientError, match="AuthorizationError"):
        accounts.client("sns", ACCOUNT, REGION, "role").list_topics()


def asks(operation: str, times: int, account: str = ACCOUNT, role: str = "deployer") -> None:
    """Ask in one moment."""
    arn = f"arn:aws:iam::{account}:role/{role}"
    for _ in range(times):
        check_rate(Call("lambda", operation, REGION, account, role=arn))


def test_an_account_asks_lambda_fifteen_times_in_a_second_functions_and_policies_aside() -> None:
    asks("GetFunctionConfiguration", 10)
    asks("GetAlias", 5)
    asks("GetFunction", 100)
    asks("GetPolicy", 15)
    asks("Invoke", 1000)
    asks("GetAlias", 15, account="333333333333")
    asks("GetAlias", 1000, role="OrganizationAccountAccessRole")

    for operation in "ListAliases", "GetFunction", "GetPolicy":
        with pytest.raises(AwsError, match="Rate exceeded"):
            asks(operation, 1)
