"""What Lambda takes from streams by itself: in which order, what comes again, and what is given up."""

import io
import json
import time
from base64 import b64decode
from typing import Any
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts

ACCOUNT, REGION = "222222222222", "us-east-1"
HERE = f"{REGION}:{ACCOUNT}"
ALIAS = f"arn:aws:lambda:{HERE}:function:a-function:live"
FAILURES = f"arn:aws:sqs:{HERE}:failures"
ENOUGH = 20  # seconds
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
POLLS = {
    "dynamodb": [
        f"dynamodb:{each}" for each in ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")
    ],
    "kinesis": [
        f"kinesis:{each}"
        for each in (
            "GetRecords",
            "GetShardIterator",
            "DescribeStream",
            "DescribeStreamSummary",
            "ListShards",
        )
    ],
}
TELLS = ["sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"]
# The function's code: it knows of each record its text and its number.
READS = """
import base64, json, time
def handle(event, context):
    print(json.dumps({**event, "at": time.time()}))
    records = [
        (base64.b64decode(r["kinesis"]["data"]).decode(), r["kinesis"]["sequenceNumber"])
        if "kinesis" in r else (r["dynamodb"]["NewImage"]["text"]["S"], r["dynamodb"]["SequenceNumber"])
        for r in event["Records"]
    ]
    bad = [number for text, number in records if text == "bad"]
"""
RAISES = "assert not bad"
NAMES_THE_BAD = "return {'batchItemFailures': [{'itemIdentifier': number} for number in reversed(bad)]}"


class Source:
    """A table with a stream, or a stream of Kinesis, and a function that it invokes."""

    def __init__(
        self, accounts: EmulatedAccounts, kind: str, code: str, key: str = "", shards: int = 1
    ) -> None:
        """Make them; code: the function's last line. key: by which all is encrypted."""
        accounts.ask("pace", minute=0)
        self.accounts, self.kind = accounts, kind
        self.functions, self.queues, self.iam, self.source = (
            accounts.client(service, ACCOUNT, REGION) for service in ("lambda", "sqs", "iam", kind)
        )
        encrypted = {"KmsMasterKeyId": key} if key else {}
        self.url = self.queues.create_queue(QueueName="failures", Attributes=encrypted)["QueueUrl"]
        if kind == "dynamodb":
            table = self.source.create_table(
                TableName="a-source",
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
                SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key} if key else {},
            )
            self.arn = table["TableDescription"]["LatestStreamArn"]
        else:
            self.source.create_stream(StreamName="a-source", ShardCount=shards)
            if key:
                self.source.start_stream_encryption(StreamName="a-source", EncryptionType="KMS", KeyId=key)
            self.arn = f"arn:aws:kinesis:{HERE}:stream/a-source"
        self.role = self.iam.create_role(
            RoleName="a-role", AssumeRolePolicyDocument=json.dumps({"Statement": TRUST})
        )["Role"]["Arn"]
        self.allow(*POLLS[kind], *TELLS, "logs:*")
        package = io.BytesIO()
        with ZipFile(package, "w") as archive:
            archive.writestr("app.py", f"{READS}    {code}\n")
        settings = {"Runtime": "python3.13", "Handler": "app.handle", "Role": self.role, "Publish": True}
        self.functions.create_function(
            FunctionName="a-function", Code={"ZipFile": package.getvalue()}, **settings
        )
        self.functions.create_alias(FunctionName="a-function", Name="live", FunctionVersion="1")

    def allow(self, *actions: str) -> None:
        """Let the function's role do actions and nothing else."""
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.iam.put_role_policy(RoleName="a-role", PolicyName="p", PolicyDocument=document)

    def map(self, **settings: Any) -> dict[str, Any]:
        """Have the source invoke the function's alias; return the mapping."""
        given = {
            "StartingPosition": "TRIM_HORIZON",
            "MaximumRetryAttempts": 2,
            "BisectBatchOnFunctionError": True,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": {"OnFailure": {"Destination": FAILURES}},
        }
        mapping: dict[str, Any] = self.functions.create_event_source_mapping(
            EventSourceArn=self.arn, FunctionName=ALIAS, **{**given, **settings}
        )
        return mapping

    def put(self, *texts: str, client: Any = None, key: str = "") -> None:
        """Put records, each by a key of its own unless one is given."""
        source = client or self.source
        for number, text in enumerate(texts):
            own = key or f"{text}-{number}"
            if self.kind == "dynamodb":
                source.put_item(TableName="a-source", Item={"id": {"S": own}, "text": {"S": text}})
            else:
                source.put_record(StreamName="a-source", Data=text.encode(), PartitionKey=own)

    def settle(self) -> list[dict[str, Any]]:
        """Wait until nothing is left; return what is told of failures."""
        deadline = time.monotonic() + ENOUGH
        while self.left():
            assert time.monotonic() < deadline, "records are still under way"
            time.sleep(0.1)
        kept = self.queues.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in kept]

    def left(self) -> int:
        """Return how many records are under way."""
        found: int = self.accounts.ask("under_way", account=ACCOUNT, function="a-function")
        return found

    def events(self) -> list[dict[str, Any]]:
        """Return what the function was given, in that order."""
        logs, group = self.accounts.client("logs", ACCOUNT, REGION), "/aws/lambda/a-function"
        try:
            found = logs.filter_log_events(logGroupName=group, filterPattern="Records")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []  # it was given nothing yet
        return sorted((json.loads(each["message"]) for each in found), key=lambda event: event["at"])

    def batches(self) -> list[list[str]]:
        """Return the texts of the batches that the function was given."""
        return [[text_of(record) for record in event["Records"]] for event in self.events()]


def text_of(record: dict[str, Any]) -> str:
    """Return the text of a record."""
    if "kinesis" in record:
        return b64decode(record["kinesis"]["data"]).decode()
    return str(record["dynamodb"]["NewImage"]["text"]["S"])


def key_of(accounts: EmulatedAccounts) -> str:
    """Return a new key of KMS."""
    return str(accounts.client("kms", ACCOUNT, REGION).create_key()["KeyMetadata"]["Arn"])


@pytest.fixture(params=["dynamodb", "kinesis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_records_come_in_order_in_batches_of_the_size_that_the_mapping_says(
    accounts: EmulatedAccounts, kind: str
) -> None:
    source = Source(accounts, kind, RAISES)
    source.put(*"abcde")
    source.map(BatchSize=2)

    assert source.settle() == []
    assert source.batches() == [["a", "b"], ["c", "d"], ["e"]]


def test_a_record_that_always_fails_is_found_by_halves_and_alone_given_up(
    accounts: EmulatedAccounts, kind: str
) -> None:
    source = Source(accounts, kind, RAISES)
    source.put("a", "b", "bad", "c")
    source.map()

    (failure,) = source.settle()

    halves = [["a", "b", "bad", "c"], ["a", "b"], ["bad", "c"]]
    assert source.batches() == [*halves, *[["bad"]] * 3, ["c"]]
    batch = failure["DDBStreamBatchInfo" if kind == "dynamodb" else "KinesisBatchInfo"]
    assert batch["batchSize"] == 1
    assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert failure["requestContext"]["approximateInvokeCount"] == 3


def test_of_a_half_bad_batch_what_is_behind_the_first_failure_comes_again(
    accounts: EmulatedAccounts, kind: str
) -> None:
    source = Source(accounts, kind, NAMES_THE_BAD)
    source.put("a", "bad", "b", "bad", "c")
    source.map(MaximumRetryAttempts=0)

    assert len(source.settle()) == 2
    assert source.batches() == [
        ["a", "bad", "b", "bad", "c"],
        ["bad", "b", "bad", "c"],
        ["bad", "b"],
        ["bad"],
        ["b"],
        ["bad", "c"],
        ["bad"],
        ["c"],
    ]


@pytest.mark.parametrize("identifier", ["'unknown'", "''", "None"])
def test_an_answer_that_names_no_record_of_the_batch_fails_all_of_it(
    accounts: EmulatedAccounts, identifier: str
) -> None:
    answer = f"{{'batchItemFailures': [{{'itemIdentifier': {identifier}}}]}}"
    source = Source(accounts, "kinesis", f"return {answer}")
    source.put("a", "b")
    source.map(MaximumRetryAttempts=0, BisectBatchOnFunctionError=False)

    (failure,) = source.settle()
    assert failure["KinesisBatchInfo"]["batchSize"] == 2


def test_a_batch_that_is_not_to_be_split_is_given_up_as_one(accounts: EmulatedAccounts, kind: str) -> None:
    source = Source(accounts, kind, RAISES)
    source.put("a", "bad", "b")
    source.map(BisectBatchOnFunctionError=False, MaximumRetryAttempts=1)
    source.settle()

    source.put("c")
    source.settle()

    assert source.batches() == [["a", "bad", "b"], ["a", "bad", "b"], ["c"]]


def test_what_is_told_of_a_failure_is_as_lambda_s_documentation_shows_it(
    accounts: EmulatedAccounts, kind: str
) -> None:
    source = Source(accounts, kind, RAISES)
    source.put("bad")
    source.map()

    (failure,) = source.settle()

    ((record,), *_) = (event["Records"] for event in source.events())
    batch = failure.pop("KinesisBatchInfo" if kind == "kinesis" else "DDBStreamBatchInfo")
    number = (
        record["kinesis"]["sequenceNumber"] if kind == "kinesis" else record["dynamodb"]["SequenceNumber"]
    )
    assert (batch["startSequenceNumber"], batch["endSequenceNumber"]) == (number, number)
    assert (batch["streamArn"], batch["batchSize"]) == (source.arn, 1)
    assert batch["shardId"].startswith("shardId-0")
    first, last = batch["approximateArrivalOfFirstRecord"], batch["approximateArrivalOfLastRecord"]
    assert first == last
    assert len(first) == len("2019-11-14T00:13:19Z" if kind == "dynamodb" else "2019-11-14T00:38:04.835Z")
    assert failure.pop("timestamp") >= first[:-1]
    assert failure["requestContext"].pop("requestId")
    assert failure == {
        "version": "1.0",
        "requestContext": {
            "functionArn": ALIAS,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
    }


def test_a_change_of_a_table_comes_as_lambda_s_documentation_shows_it(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, "dynamodb", "return None")
    source.put("a", key="1")
    source.put("b", key="1")
    source.map(BatchSize=1)

    source.settle()

    (first,), (second,) = (event["Records"] for event in source.events())
    item = {"id": {"S": "1"}, "text": {"S": "b"}}
    change = second.pop("dynamodb")
    assert (first["eventName"], second.pop("eventName")) == ("INSERT", "MODIFY")
    assert second.pop("eventID")
    assert second == {
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "eventSourceARN": source.arn,
    }
    assert (change["Keys"], change["NewImage"]) == ({"id": {"S": "1"}}, item)
    assert change["OldImage"] == item | {"text": {"S": "a"}}
    assert change["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert change["SizeBytes"] > 0
    assert time.time() - 60 < change["ApproximateCreationDateTime"] < time.time() + 1
    assert int(change["SequenceNumber"]) > int(first["dynamodb"]["SequenceNumber"])


def test_a_record_of_a_stream_comes_as_lambda_s_documentation_shows_it(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, "kinesis", "return None")
    source.put("a", key="1")
    source.map()

    source.settle()

    ((record,),) = (event["Records"] for event in source.events())
    kept = record.pop("kinesis")
    assert time.time() - 60 < kept.pop("approximateArrivalTimestamp") < time.time() + 1
    number = kept.pop("sequenceNumber")
    assert kept == {"kinesisSchemaVersion": "1.0", "partitionKey": "1", "data": "YQ=="}
    assert record == {
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": source.role,
        "awsRegion": REGION,
        "eventSourceARN": source.arn,
    }


def test_a_write_that_changes_nothing_is_no_record(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, "dynamodb", RAISES)
    source.put("a", key="1")
    source.put("a", key="1")
    source.map()

    source.settle()

    assert source.batches() == [["a"]]


def test_a_mapping_that_begins_with_the_latest_takes_what_comes_from_then_on(
    accounts: EmulatedAccounts, kind: str
) -> None:
    source = Source(accounts, kind, RAISES)
    source.put("a")
    source.map(StartingPosition="LATEST")
    time.sleep(0.5)  # AWS takes longer to begin

    source.put("b")
    source.settle()

    assert source.batches() == [["b"]]


def test_of_batches_that_are_handled_side_by_side_each_keeps_the_order_of_its_keys(
    accounts: EmulatedAccounts,
) -> None:
    source = Source(accounts, "kinesis", "time.sleep(0.05)")
    for text in "abcdefgh":
        source.put(text, key=f"key {ord(text) % 4}")
    source.map(BatchSize=1, ParallelizationFactor=4)

    source.settle()

    order = [text for batch in source.batches() for text in batch]
    assert sorted(order) == list("abcdefgh")
    for first, second in "ae", "bf", "cg", "dh":
        assert order.index(first) < order.index(second)


def test_records_older_than_the_mapping_says_are_given_up_and_younger_ones_not(
    accounts: EmulatedAccounts, kind: str
) -> None:
    source = Source(accounts, kind, RAISES)
    source.put("bad", "a")
    time.sleep(1.2)
    accounts.ask("pace", minute=0.02)
    source.put("b")
    source.map(MaximumRecordAgeInSeconds=60 * 60, MaximumRetryAttempts=-1)  # 1.2 seconds

    (failure,) = source.settle()

    assert failure["requestContext"]["condition"] == "RecordAgeExceeded"
    assert failure["DDBStreamBatchInfo" if kind == "dynamodb" else "KinesisBatchInfo"]["batchSize"] == 2
    assert source.batches() == [["b"]]
    assert "responseContext" not in failure  # nobody was asked


def test_a_function_that_is_throttled_uses_up_no_try(accounts: EmulatedAccounts, kind: str) -> None:
    source = Source(accounts, kind, RAISES)
    source.functions.put_function_concurrency(FunctionName="a-function", ReservedConcurrentExecutions=0)
    source.put("a")
    source.map(MaximumRetryAttempts=0)
    time.sleep(1)
    assert source.left() == 1

    source.functions.delete_function_concurrency(FunctionName="a-function")

    assert source.settle() == []
    assert source.batches() == [["a"]]


def test_a_mapping_that_is_deleted_tries_no_more(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, "kinesis", RAISES)
    source.put("bad")
    mapping = source.map(MaximumRetryAttempts=-1)
    while len(source.batches()) < 2:
        time.sleep(0.3)

    source.functions.delete_event_source_mapping(UUID=mapping["UUID"])
    time.sleep(0.3)
    tried = len(source.batches())
    time.sleep(0.5)

    assert len(source.batches()) == tried
    assert source.left() == 0


def test_a_copy_of_a_world_goes_on_where_the_world_was(accounts: EmulatedAccounts, kind: str) -> None:
    source = Source(accounts, kind, RAISES)
    source.put("a")
    source.map()
    source.settle()

    with accounts.fork() as copy:
        source.accounts, source.source = copy, copy.client(kind, ACCOUNT, REGION)
        source.put("b")
        source.settle()
        assert source.batches() == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("kind", "action"), [(kind, action) for kind, actions in POLLS.items() for action in actions]
)
def test_a_function_that_may_not_read_the_stream_is_refused(
    accounts: EmulatedAccounts, kind: str, action: str
) -> None:
    source = Source(accounts, kind, RAISES)
    source.allow(*(each for each in POLLS[kind] if each != action))
    accounts.ask("enforce")

    with pytest.raises(ClientError, match=r"Cannot access stream .*\. Please ensure the role can"):
        source.map()


def test_records_are_read_in_the_function_s_role_and_with_its_key(
    accounts: EmulatedAccounts, kind: str
) -> None:
    source = Source(accounts, kind, RAISES, key_of(accounts))
    accounts.ask("enforce")
    source.map()
    source.put("a")
    assert source.settle() == []

    for lost in f"{kind}:GetRecords", "kms:Decrypt":
        source.allow(*({*POLLS[kind], *TELLS, "logs:*"} - {lost}))
        source.put("b")
        time.sleep(0.5)
        assert source.left() > 0
        checks = [check for entry in accounts.journal() for check in entry.checks]
        assert lost in {c.action for c in checks if c.denied and c.caller.role == source.role}


@pytest.mark.parametrize("lost", TELLS)
def test_of_failures_is_told_in_the_function_s_role_and_by_the_queue_s_key(
    accounts: EmulatedAccounts, lost: str
) -> None:
    source = Source(accounts, "kinesis", RAISES)
    source.queues.set_queue_attributes(QueueUrl=source.url, Attributes={"KmsMasterKeyId": key_of(accounts)})
    accounts.ask("enforce")
    source.map()
    source.put("bad")
    assert len(source.settle()) == 1

    source.allow(*({*POLLS["kinesis"], *TELLS, "logs:*"} - {lost}))
    source.put("bad")

    assert source.settle() == []  # it is given up all the same


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("dynamodb", ["dynamodb:PutItem", "kms:Decrypt"]),
        ("kinesis", ["kinesis:PutRecord", "kms:GenerateDataKey"]),
    ],
)
def test_who_writes_needs_the_key(accounts: EmulatedAccounts, kind: str, needed: list[str]) -> None:
    source = Source(accounts, kind, RAISES, key_of(accounts))
    accounts.ask("enforce")
    mine = accounts.client(kind, ACCOUNT, REGION, "a-role")

    source.allow(*needed)
    source.put("a", client=mine)
    for lost in needed:
        source.allow(*(each for each in needed if each != lost))
        with pytest.raises(ClientError, match=lost):
            source.put("a", client=mine)


CHOOSES = [
    *("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
    *("kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
]


@pytest.mark.parametrize("lost", CHOOSES)
def test_who_chooses_the_key_of_a_table_needs_what_dynamodb_does_with_it(
    accounts: EmulatedAccounts, lost: str
) -> None:
    source, key = Source(accounts, "dynamodb", RAISES), key_of(accounts)
    accounts.ask("enforce")
    mine = accounts.client("dynamodb", ACCOUNT, REGION, "a-role")
    wanted = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}

    source.allow("dynamodb:UpdateTable", *(each for each in CHOOSES if each != lost))
    with pytest.raises(ClientError, match=lost):
        mine.update_table(TableName="a-source", SSESpecification=wanted)


def test_who_may_change_some_items_by_their_keys_may_change_no_others(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, "dynamodb", RAISES)
    accounts.ask("enforce")
    mine, table = accounts.client("dynamodb", ACCOUNT, REGION, "a-role"), {"TableName": "a-source"}
    own = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["own-*"]}}
    actions = ["dynamodb:PutItem", "dynamodb:DeleteItem"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": own}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    source.iam.put_role_policy(RoleName="a-role", PolicyName="p", PolicyDocument=document)

    mine.put_item(**table, Item={"id": {"S": "own-1"}, "text": {"S": "other-1"}})
    mine.delete_item(**table, Key={"id": {"S": "own-1"}})
    with pytest.raises(ClientError, match="dynamodb:PutItem"):
        mine.put_item(**table, Item={"id": {"S": "other-1"}, "text": {"S": "own-1"}})
    with pytest.raises(ClientError, match="dynamodb:DeleteItem"):
        mine.delete_item(**table, Key={"id": {"S": "other-1"}})


def test_who_encrypts_a_stream_may_do_so_to_the_stream_and_by_the_key(accounts: EmulatedAccounts) -> None:
    source, key = Source(accounts, "kinesis", RAISES), key_of(accounts)
    accounts.ask("enforce")
    mine = accounts.client("kinesis", ACCOUNT, REGION, "a-role")
    both = [source.arn, key]
    for resources, allowed in ([source.arn], False), ([key], False), (both, True):
        statement = {"Effect": "Allow", "Action": "kinesis:StartStreamEncryption", "Resource": resources}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        source.iam.put_role_policy(RoleName="a-role", PolicyName="p", PolicyDocument=document)
        encrypt = {"StreamName": "a-source", "EncryptionType": "KMS", "KeyId": key}
        if allowed:
            mine.start_stream_encryption(**encrypt)
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                mine.start_stream_encryption(**encrypt)


def test_a_table_s_stream_is_read_where_a_policy_says_so(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, "dynamodb", RAISES, key_of(accounts))
    source.put("a")
    accounts.ask("enforce")
    mine = accounts.client("dynamodbstreams", ACCOUNT, REGION, "a-role")
    source.allow("dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords", "kms:Decrypt")
    (shard,) = mine.describe_stream(StreamArn=source.arn)["StreamDescription"]["Shards"]
    iterator = mine.get_shard_iterator(
        StreamArn=source.arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]

    (record,) = mine.get_records(ShardIterator=iterator)["Records"]
    assert record["dynamodb"]["NewImage"]["text"] == {"S": "a"}

    source.allow("dynamodb:GetRecords")
    with pytest.raises(ClientError, match="kms:Decrypt"):
        mine.get_records(ShardIterator=iterator)


def test_who_reads_an_encrypted_stream_needs_its_key(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, "kinesis", RAISES, key_of(accounts))
    source.put("a")
    accounts.ask("enforce")
    mine, shard = accounts.client("kinesis", ACCOUNT, REGION, "a-role"), "shardId-000000000000"
    source.allow("kinesis:GetShardIterator", "kinesis:GetRecords", "kms:Decrypt")
    iterator = mine.get_shard_iterator(
        StreamName="a-source", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]

    assert len(mine.get_records(ShardIterator=iterator, StreamARN=source.arn)["Records"]) == 1
    source.allow("kinesis:GetRecords")
    with pytest.raises(ClientError, match="kms:Decrypt"):
        mine.get_records(ShardIterator=iterator, StreamARN=source.arn)


def test_a_stream_keeps_the_tags_that_it_is_made_with(accounts: EmulatedAccounts) -> None:
    streams = accounts.client("kinesis", ACCOUNT, REGION)
    streams.create_stream(StreamName="s", ShardCount=1, Tags={"function": "f"})

    assert streams.list_tags_for_stream(StreamName="s")["Tags"] == [{"Key": "function", "Value": "f"}]


def test_a_shard_that_is_split_is_taken_to_its_end_before_what_it_becomes(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, "kinesis", RAISES)
    source.put("a", "b", "c")
    for shards in 2, 1:
        source.source.update_shard_count(
            StreamName="a-source", TargetShardCount=shards, ScalingType="UNIFORM_SCALING"
        )
        source.put("d", "e", "f")
    source.map(BatchSize=10)

    source.settle()

    events = [record["eventID"].partition(":")[0] for event in source.events() for record in event["Records"]]
    texts = [text for batch in source.batches() for text in batch]
    assert texts[:3] == ["a", "b", "c"]
    assert sorted(texts[3:6]) == sorted(texts[6:]) == ["d", "e", "f"]
    assert set(events[:3]) == {"shardId-000000000000"}
    assert set(events[6:]) == {"shardId-000000000003"}


def test_a_stream_does_not_have_the_tags_of_its_table(accounts: EmulatedAccounts) -> None:
    source = Source(accounts, "dynamodb", RAISES)
    table = source.arn.partition("/stream/")[0]
    source.source.tag_resource(ResourceArn=table, Tags=[{"Key": "function", "Value": "f"}])
    tagged = {"StringEquals": {"aws:ResourceTag/function": "f"}}
    actions = ["dynamodb:DescribeTable", "dynamodb:DescribeStream"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": tagged}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    source.iam.put_role_policy(RoleName="a-role", PolicyName="p", PolicyDocument=document)
    accounts.ask("enforce")

    assert accounts.client("dynamodb", ACCOUNT, REGION, "a-role").describe_table(TableName="a-source")[
        "Table"
    ]
    with pytest.raises(ClientError, match="dynamodb:DescribeStream"):
        accounts.client("dynamodbstreams", ACCOUNT, REGION, "a-role").describe_stream(StreamArn=source.arn)
