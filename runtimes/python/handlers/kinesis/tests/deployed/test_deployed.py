"""The function as it is deployed, with its stream."""

import json
import os

import boto3
from logged import logged


def test_a_record_is_handled() -> None:
    put = boto3.client("kinesis").put_record(
        StreamName=os.environ["FUNCTION"],
        PartitionKey="deployment",
        Data=json.dumps({"name": "deployment"}).encode(),
    )

    assert logged(f"{put['ShardId']}:{put['SequenceNumber']}") == "greeted"
