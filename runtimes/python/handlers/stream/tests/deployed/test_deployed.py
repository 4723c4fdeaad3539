"""The function as it is deployed, with its table."""

import os
import uuid

import boto3
from logged import logged


def test_a_new_item_is_handled() -> None:
    tables, key = boto3.client("dynamodb"), f"deployment-{uuid.uuid4()}"
    item = {"id": {"S": key}}

    tables.put_item(TableName=os.environ["FUNCTION"], Item={**item, "name": {"S": "deployment"}})

    try:
        assert logged(key) == "greeted"
    finally:
        tables.delete_item(TableName=os.environ["FUNCTION"], Key=item)
