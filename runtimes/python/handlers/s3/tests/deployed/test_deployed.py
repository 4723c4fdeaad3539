"""The function as it is deployed, with its own bucket."""

import json
import os
import re
from pathlib import Path

import boto3
import pytest
from logged import logged


def belongs_to_the_organization() -> bool:
    """Return whether the bucket is one that the environment names. A sandbox has its own all the same."""
    variables = Path(f"deployment/environments/{os.environ.get('ENVIRONMENT', '-')}.tfvars")
    return variables.is_file() and re.search(r"^bucket\s*=", variables.read_text(), re.MULTILINE) is not None


@pytest.mark.skipif(belongs_to_the_organization(), reason="what is put there, others see, too")
def test_an_object_is_handled() -> None:
    put = boto3.client("s3").put_object(
        Bucket=f"{os.environ['FUNCTION']}-{os.environ['ACCOUNT']}",
        Key="deployment/greeting.json",  # the one place where the verifier may put any
        Body=json.dumps({"name": "deployment"}),
    )

    assert logged(put["VersionId"]) == "greeted"
