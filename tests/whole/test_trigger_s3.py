"""A function that objects of a bucket invoke: all of them are handled or kept, whatever becomes of them."""

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.lives import Life, empty, live, settle
from tests.worlds import LONE, REGION, Rehearsed, World, terraform_of
from triggers.s3.trigger import Trigger

NAME = "hello-s3"
BUCKET = f"{NAME}-{LONE['id']}"
LIVE = f"arn:aws:lambda:{REGION}:{LONE['id']}:function:{NAME}:live"


@pytest.fixture
def world(stored: Rehearsed, tmp_path: Path) -> Iterator[World]:
    with stored.world.fork() as accounts:
        yield World(stored, accounts, tmp_path)


@pytest.fixture
def bucket(world: World) -> Trigger:
    """The trigger where it is deployed."""
    return Trigger(partial(world.client, environment=LONE), NAME, LONE["id"], REGION)


@pytest.fixture(scope="module")
def life(stored: Rehearsed, tmp_path_factory: pytest.TempPathFactory) -> Life:
    edits = (
        ("trigger.tf", "noncurrent_days = 30", "noncurrent_days = 20"),
        ("trigger.tf", 'sid       = "NoPlainHttp"', 'sid       = "OverTLSAlone"'),
        ("rule.tf", "maximum_retry_attempts       = 185", "maximum_retry_attempts       = 100"),
        ("failures.tf", "14 * 24", "13 * 24"),
        ("versions.tf", ", environment = var.environment", ""),
    )
    return live(stored, tmp_path_factory.mktemp("life"), "s3", *edits)


def kept(bucket: Trigger) -> list[dict[str, Any]]:
    """Return what is in the queue of failures."""
    found = bucket.client("sqs").receive_message(
        QueueUrl=bucket.url, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def invoke(world: World, event: dict[str, Any]) -> None:
    """Invoke the function asynchronously."""
    payload = json.dumps(event).encode()
    world.client("lambda", LONE).invoke(FunctionName=LIVE, InvocationType="Event", Payload=payload)


def test_a_rehearsal_tells_what_became_of_a_good_and_of_a_bad_object(stored: Rehearsed) -> None:
    ends = {"greeting": "handled", "bad": f"in {NAME}-failures after 3 tries"}

    assert stored.result.problem == ""
    assert stored.result.denied == []
    assert stored.result.sent == [("dev", *end) for end in ends.items()]


def test_nothing_that_is_done_for_it_is_denied_and_nothing_is_left_of_it(life: Life) -> None:
    """Of a sandbox, though there are objects in its bucket."""
    assert life.denied == []
    assert life.left == []


def test_nothing_is_granted_for_it_that_it_does_not_use(life: Life) -> None:
    assert len(life.granted) > 30
    assert life.unused == set()


def test_an_object_that_has_been_deleted_since_is_read_and_one_that_is_gone_for_good_is_kept_as_failed(
    world: World, bucket: Trigger
) -> None:
    world.client("lambda", LONE).remove_permission(FunctionName=NAME, Qualifier="live", StatementId="rule")
    assert settle(bucket, world, "greeting") == f"in {NAME}-failures without a try"
    (event,) = [message for message in kept(bucket) if "detail" in message]
    found, s3 = event["detail"]["object"], world.client("s3", LONE)
    version = found["version-id"]

    s3.delete_object(Bucket=BUCKET, Key=found["key"])
    invoke(world, event)
    while not any(version in line for line in bucket.handled()):
        time.sleep(0.5)

    s3.delete_object(Bucket=BUCKET, Key=found["key"], VersionId=version)
    invoke(world, event)
    while not (records := [each for each in kept(bucket) if version in str(each.get("requestPayload"))]):
        time.sleep(0.5)
    assert records[0]["requestContext"]["approximateInvokeCount"] == 3
    # Who may not list a bucket is not told that an object is gone.
    assert records[0]["responsePayload"]["errorType"] == "AccessDenied"


def test_a_bucket_that_the_organization_names_takes_the_place_of_the_function_s_own(world: World) -> None:
    s3 = world.client("s3", LONE)
    s3.create_bucket(Bucket="acme-orders")
    notifies: dict[str, Any] = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket="acme-orders", NotificationConfiguration=notifies)
    empty(world, LONE)
    deployer = world.accounts.environment(LONE["id"], REGION, f"{NAME}-deployer")
    run = partial(terraform_of, world, world.deployed(LONE), deployer)
    backend = {"bucket": LONE["state_bucket"], "key": f"functions/{NAME}.tfstate", "region": REGION}
    run("init", *(f"-backend-config={name}={value}" for name, value in backend.items()))

    inputs = ("-var=environment=dev", "-var-file=environments/dev.tfvars", "-var=bucket=acme-orders")
    run("apply", "-auto-approve", *inputs)

    run("plan", "-detailed-exitcode", *inputs)  # 2 if it has changes
    pattern = json.loads(world.client("events", LONE).describe_rule(Name=NAME)["EventPattern"])
    assert pattern["detail"] == {"bucket": {"name": ["acme-orders"]}}
    names = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    assert "acme-orders" in names
    assert BUCKET not in names


def test_the_bucket_refuses_plain_http_and_encrypts_by_the_account_s_key(
    world: World, bucket: Trigger
) -> None:
    s3, keys = world.client("s3", LONE), world.client("kms", LONE)

    (statement,) = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    bucket.send(json.loads((world.repository / "events/greeting.json").read_text()))
    stored = s3.head_object(Bucket=BUCKET, Key="greeting.json")
    assert stored["SSEKMSKeyId"] == keys.describe_key(KeyId="alias/acme")["KeyMetadata"]["Arn"]
