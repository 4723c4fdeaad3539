"""The emulated accounts: who reaches what, what is recorded, what is refused, and how a world ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from werkzeug.serving import make_server

from emulator.accounts import EmulatedAccounts, sdk
from emulator.calls import Call, Caller, Check
from emulator.front import Front

DEV, STAGE, REGION = "222222222222", "333333333333", "eu-west-1"


def topics(accounts: EmulatedAccounts, account: str = DEV) -> list[str]:
    """Return the names of an account's topics."""
    listed = accounts.client("sns", account, REGION).list_topics()["Topics"]
    return [topic["TopicArn"].rpartition(":")[2] for topic in listed]


# Who reaches what


def test_credentials_decide_the_account(accounts: EmulatedAccounts) -> None:
    accounts.client("sns", DEV, REGION).create_topic(Name="of-dev")
    accounts.client("sns", STAGE, REGION).create_topic(Name="of-stage")

    assert (topics(accounts, DEV), topics(accounts, STAGE)) == (["of-dev"], ["of-stage"])


def test_a_role_is_taken_in_another_account_through_sts(accounts: EmulatedAccounts) -> None:
    arn = f"arn:aws:iam::{STAGE}:role/reader"
    sts = accounts.client("sts", DEV, REGION)
    taken = sts.assume_role(RoleArn=arn, RoleSessionName="ada")["Credentials"]
    credentials = {
        "aws_access_key_id": taken["AccessKeyId"],
        "aws_secret_access_key": taken["SecretAccessKey"],
        "aws_session_token": taken["SessionToken"],
    }

    reader = sdk().client("sts", endpoint_url=accounts.url, region_name=REGION, **credentials)

    assert reader.get_caller_identity()["Arn"] == f"arn:aws:sts::{STAGE}:assumed-role/reader/ada"
    assert accounts.journal()[-1].role == arn


def test_a_role_with_a_path_is_known_by_its_name(accounts: EmulatedAccounts) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam = accounts.client("iam", DEV, REGION)
    iam.create_role(RoleName="deployer", Path="/pipeline/", AssumeRolePolicyDocument=trust)

    accounts.client("sns", DEV, REGION, "deployer").list_topics()

    assert accounts.journal()[-1].role == f"arn:aws:iam::{DEV}:role/pipeline/deployer"


def test_a_session_that_a_service_takes_has_no_path(accounts: EmulatedAccounts) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam = accounts.client("iam", DEV, REGION)
    iam.create_role(RoleName="deployer", Path="/acme/pipelines/", AssumeRolePolicyDocument=trust)
    role = f"arn:aws:iam::{DEV}:role/acme/pipelines/deployer"
    accounts.ask("enforce")

    use = {"service": "codebuild.amazonaws.com", "account": DEV, "region": REGION, "role": role}
    why = accounts.ask("act", **use, actions=[("sns:Publish", f"arn:aws:sns:{REGION}:{DEV}:it")])

    taken, published = accounts.journal()[-1].checks
    assert (taken.resource, taken.denied) == (role, None)
    assert published.caller.role == role
    assert "assumed-role/deployer/codebuild is not authorized to perform: sns:Publish" in why
    assert published.caller.session == f"arn:aws:sts::{DEV}:assumed-role/deployer/codebuild"


def test_a_role_with_a_path_is_taken_and_created_by_its_whole_arn(accounts: EmulatedAccounts) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": DEV}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam = accounts.client("iam", DEV, REGION)
    iam.create_role(RoleName="deployer", Path="/acme/pipelines/", AssumeRolePolicyDocument=trust)
    accounts.ask("enforce")
    sts = accounts.client("sts", DEV, REGION)

    sts.assume_role(RoleArn=f"arn:aws:iam::{DEV}:role/acme/pipelines/deployer", RoleSessionName="ada")
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(RoleArn=f"arn:aws:iam::{DEV}:role/deployer", RoleSessionName="ada")
    with pytest.raises(ClientError, match="EntityAlreadyExists"):
        iam.create_role(RoleName="deployer", Path="/elsewhere/", AssumeRolePolicyDocument=trust)

    (created,) = accounts.journal()[-1].checks
    assert created.resource == f"arn:aws:iam::{DEV}:role/elsewhere/deployer"


def test_a_role_that_asks_for_a_device_s_code_is_taken_with_one_each_time(accounts: EmulatedAccounts) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": DEV},
        "Action": "sts:AssumeRole",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam = accounts.client("iam", DEV, REGION)
    may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": may})
    for name in "operator", "another":
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName=name, PolicyName="it", PolicyDocument=document)
    accounts.ask("enforce")
    sts = accounts.client("sts", DEV, REGION)
    operator: dict[str, str] = {"RoleArn": f"arn:aws:iam::{DEV}:role/operator", "RoleSessionName": "ada"}
    device = {"SerialNumber": f"arn:aws:iam::{DEV}:mfa/ada", "TokenCode": "123456"}

    for given in {}, {"SerialNumber": device["SerialNumber"]}:
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(**operator, **given)
    taken = sts.assume_role(**operator, **device)["Credentials"]

    session = sdk().client(
        "sts",
        endpoint_url=accounts.url,
        region_name=REGION,
        aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"],
        aws_session_token=taken["SessionToken"],
    )
    another = operator | {"RoleArn": f"arn:aws:iam::{DEV}:role/another"}
    with pytest.raises(ClientError, match="AccessDenied"):
        session.assume_role(**another)


def test_a_session_that_differs_from_its_role_is_an_error(accounts: EmulatedAccounts) -> None:
    accounts.ask("enforce")
    sts = accounts.client("sts", DEV, REGION)

    for limit in {"Policy": "{}"}, {"Tags": [{"Key": "function", "Value": "hello"}]}:
        with pytest.raises(ClientError, match="EmulatorNotImplemented"):
            sts.assume_role(RoleArn=f"arn:aws:iam::{DEV}:role/it", RoleSessionName="ada", **limit)


def test_a_user_s_own_aws_configuration_is_kept_out(
    accounts: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[default]\nregion = us-west-2\nendpoint_url = http://127.0.0.1:9\n")
    nowhere = "http://127.0.0.1:9"
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_PROFILE": "not-there",
        "HTTP_PROXY": nowhere,
        "http_proxy": nowhere,
    }.items():
        monkeypatch.setenv(name, value)
    sdk.cache_clear()

    assert accounts.client("sts", DEV, REGION).get_caller_identity()["Account"] == DEV

    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [str(Path(sys.executable).with_name("aws")), "sts", "get-caller-identity", "--output", "json"]
    answer = subprocess.check_output(command, env=own | accounts.environment(DEV, REGION, "deployer"))
    assert json.loads(answer)["Arn"] == f"arn:aws:sts::{DEV}:assumed-role/deployer/rehearsal"


def test_credentials_of_elsewhere_are_refused(accounts: EmulatedAccounts) -> None:
    stranger = sdk().client(
        "sts",
        endpoint_url=accounts.url,
        region_name=REGION,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="secret",  # noqa: S106
    )

    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        stranger.get_caller_identity()


def test_an_unsigned_request_is_refused(accounts: EmulatedAccounts) -> None:
    with pytest.raises(HTTPError) as refusal:
        urlopen(accounts.url + "/a-bucket/it")  # noqa: S310

    assert refusal.value.code == 403
    assert accounts.journal()[-1].error == "MissingAuthenticationToken"


# What is recorded


def test_a_call_is_recorded_with_what_it_said_and_how_it_ended(accounts: EmulatedAccounts) -> None:
    began = time.time()
    s3 = accounts.client("s3", DEV, REGION, "deployer")
    with pytest.raises(ClientError):
        s3.put_object(Bucket="no-bucket", Key="path/it", Body=b"12345", Metadata={"revision": "abc"})

    (entry,) = accounts.journal()

    assert (entry.service, entry.operation) == ("s3", "PutObject")
    assert (entry.region, entry.account) == (REGION, DEV)
    assert entry.role == f"arn:aws:iam::{DEV}:role/deployer"
    assert entry.principal == f"arn:aws:sts::{DEV}:assumed-role/deployer/rehearsal"
    said = {"Bucket": "no-bucket", "Key": "path/it", "Body": "(5 bytes)", "Metadata": {"revision": "abc"}}
    assert entry.parameters | said == entry.parameters
    assert (entry.status, entry.error) == (404, "NoSuchBucket")
    assert began <= entry.time <= time.time()
    assert entry.ms > 0


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "recorded"),
    [  # one for each of AWS's protocols
        ("sns", "create_topic", {"Name": "t"}, {"Name": "t"}),
        ("events", "put_rule", {"Name": "r", "ScheduleExpression": "rate(1 day)"}, {"Name": "r"}),
        ("lambda", "list_versions_by_function", {"FunctionName": "f"}, {"FunctionName": "f"}),
        ("s3", "create_bucket", {"Bucket": "a-bucket"}, {"Bucket": "a-bucket"}),
        ("cloudwatch", "describe_alarms", {"AlarmNamePrefix": "a"}, {"AlarmNamePrefix": "a"}),
    ],
)
def test_every_protocol_is_understood(
    accounts: EmulatedAccounts,
    service: str,
    operation: str,
    parameters: dict[str, str],
    recorded: dict[str, str],
) -> None:
    getattr(accounts.client(service, DEV, "us-east-1"), operation)(**parameters)

    (entry,) = accounts.journal()

    assert (entry.service, entry.operation) == (
        service,
        operation.title().replace("_", "").replace("By", "By"),
    )
    assert entry.parameters.items() >= recorded.items()


def test_secrets_are_not_recorded(accounts: EmulatedAccounts) -> None:
    secrets, parameters = (accounts.client(service, DEV, REGION) for service in ("secretsmanager", "ssm"))
    secrets.create_secret(Name="it", SecretString="hunter2")
    parameters.put_parameter(Name="it", Type="SecureString", Value="hunter2")

    assert "hunter2" not in str(accounts.journal())
    assert accounts.journal()[0].parameters["SecretString"] == "(sensitive)"


def test_an_attempt_that_is_repeated_gets_the_same_answer(accounts: EmulatedAccounts) -> None:
    s3 = accounts.client("s3", DEV, "us-east-1")
    s3.create_bucket(Bucket="a-bucket")
    s3.put_bucket_versioning(Bucket="a-bucket", VersioningConfiguration={"Status": "Enabled"})

    def same_id(request: Any, **_: Any) -> None:
        request.headers["Amz-Sdk-Invocation-Id"] = "one call"

    s3.meta.events.register("before-send.s3.PutObject", same_id)
    first, again = (s3.put_object(Bucket="a-bucket", Key="it", Body=b"x")["VersionId"] for _ in range(2))

    assert first == again


# What is refused


def test_what_moto_lacks_fails_at_once_and_says_so(accounts: EmulatedAccounts) -> None:
    for service, operation, parameters in (
        ("codedeploy", "list_deployment_configs", {}),  # moto has no such method
        ("xray", "create_group", {"GroupName": "it"}),  # no such route
        ("codeconnections", "list_connections", {}),  # no such service
    ):
        with pytest.raises(ClientError, match="EmulatorNotImplemented") as failure:
            getattr(accounts.client(service, DEV, REGION), operation)(**parameters)
        name = operation.title().replace("_", "")
        assert f"{service}:{name}: " in str(failure.value)
        assert failure.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_where_moto_crashes_the_call_fails_at_once_and_says_where(accounts: EmulatedAccounts) -> None:
    s3 = accounts.client("s3", DEV, "us-east-1")
    s3.create_bucket(Bucket="logs")
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    s3.put_bucket_policy(Bucket="logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": statement}))

    with pytest.raises(ClientError, match=r"s3:PutBucketLogging: .*Error at models\.py:\d+") as failure:
        s3.put_bucket_logging(
            Bucket="logs",
            BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": ""}},
        )

    assert failure.value.response["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("s3", "create_bucket", {"Bucket": "b"}),
        ("sns", "create_topic", {"Name": "t"}),
        ("lambda", "list_functions", {}),
        ("events", "put_rule", {"Name": "r", "ScheduleExpression": "rate(1 day)"}),
        ("codestar-connections", "create_connection", {"ConnectionName": "c", "ProviderType": "GitHub"}),
    ],
)
def test_a_judge_sees_each_call_and_can_refuse_it(
    service: str, operation: str, parameters: dict[str, str]
) -> None:
    seen = []

    def judge(call: Call) -> list[Check]:
        seen.append(call)
        return [Check(Caller(), "x:Do", "*", DEV, {}, "because not today")]

    front = Front(judge)
    server = make_server("127.0.0.1", 0, front, threaded=True)
    front.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    accounts = EmulatedAccounts()
    accounts.url = front.url

    with pytest.raises(ClientError, match="because not today") as refusal:
        getattr(accounts.client(service, DEV, "us-east-1"), operation)(**parameters)

    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert [call.parameters.items() >= parameters.items() for call in seen] == [True]
    (entry,) = accounts.journal()
    assert entry.error == refusal.value.response["Error"]["Code"]
    assert [check.denied for check in entry.checks] == ["because not today"]
    server.shutdown()


def test_what_is_denied_is_refused_or_done_and_only_recorded(accounts: EmulatedAccounts) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    accounts.client("iam", DEV, REGION).create_role(RoleName="powerless", AssumeRolePolicyDocument=trust)
    sns = accounts.client("sns", DEV, REGION, "powerless")

    accounts.ask("enforce")
    with pytest.raises(ClientError, match="AuthorizationError"):
        sns.create_topic(Name="it")
    accounts.ask("report")
    sns.create_topic(Name="it")

    (check,) = accounts.journal()[-1].checks
    assert "no identity-based policy of powerless" in str(check.denied)


# Copies


def test_a_copy_and_its_origin_go_their_own_ways(accounts: EmulatedAccounts) -> None:
    accounts.client("sns", DEV, REGION).create_topic(Name="shared")
    with accounts.fork() as copy:
        copy.client("sns", DEV, REGION).create_topic(Name="of-copy")
        accounts.client("sns", DEV, REGION).create_topic(Name="of-origin")
        with copy.fork() as second:
            assert topics(second) == ["shared", "of-copy"]

        assert topics(copy) == ["shared", "of-copy"]
        assert topics(accounts) == ["shared", "of-origin"]
        assert "of-origin" not in str(copy.journal())
        client = copy.client("sns", DEV, REGION)

    with pytest.raises(EndpointConnectionError):
        client.list_topics()


def test_a_copy_has_the_objects_of_its_origin(accounts: EmulatedAccounts) -> None:
    body = os.urandom(12_000_000)  # larger than what moto keeps in memory by itself
    s3 = accounts.client("s3", DEV, "us-east-1")
    s3.create_bucket(Bucket="a-bucket")
    s3.put_object(Bucket="a-bucket", Key="it", Body=body)

    with accounts.fork() as copy:
        results: list[bool] = []

        def read(world: EmulatedAccounts) -> None:
            client = world.client("s3", DEV, "us-east-1")
            results.extend(
                client.get_object(Bucket="a-bucket", Key="it")["Body"].read() == body for _ in range(5)
            )

        readers = [threading.Thread(target=read, args=(world,)) for world in (accounts, copy)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()

    assert results == [True] * 10


def test_a_copy_can_be_made_while_calls_are_served(accounts: EmulatedAccounts) -> None:
    stop = threading.Event()

    def call() -> None:
        client = accounts.client("sns", DEV, REGION)
        while not stop.is_set():
            client.create_topic(Name="busy")

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        for _ in range(10):
            with accounts.fork() as copy:
                assert topics(copy) in ([], ["busy"])
    finally:
        stop.set()
        for caller in callers:
            caller.join()


def test_copies_can_be_made_at_the_same_time(accounts: EmulatedAccounts) -> None:
    with ThreadPoolExecutor(8) as pool:
        copies = list(pool.map(lambda _: accounts.fork().__enter__(), range(24), timeout=60))
    try:
        assert len({copy.url for copy in copies}) == len(copies)
    finally:
        for copy in copies:
            copy.__exit__(None, None, None)


# How a world ends

STARTS_A_WORLD = """
import sys, time
from emulator.accounts import EmulatedAccounts
with EmulatedAccounts() as accounts, accounts.fork() as copy:
    print(accounts.url, copy.url, flush=True)
    time.sleep(60)
"""


def answers(url: str) -> bool:
    try:
        urlopen(url, timeout=5)  # noqa: S310
    except HTTPError:
        return True
    except OSError:
        return False
    return True


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_world_ends_with_whoever_started_it(ending: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STARTS_A_WORLD], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    urls = process.stdout.readline().decode().split()
    assert [answers(url) for url in urls] == [True, True]

    process.send_signal(ending)
    process.communicate()

    deadline = time.monotonic() + 10
    while any(map(answers, urls)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [answers(url) for url in urls] == [False, False]


def test_a_world_that_cannot_start_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", "/dev/null")
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(RuntimeError, match="did not start"), EmulatedAccounts():
        pass
