"""What the foundation will create in an account. The foundation, when it is there, replaces this module."""

import json
from typing import Any

from rehearsal.accounts import EmulatedAccounts


def create(accounts: EmulatedAccounts, facts: dict[str, Any], environment: dict[str, Any]) -> None:
    """Create an environment's key, buckets, boundary and alerts topic.

    facts: what accounts.json holds; environment: one of its environments.
    """
    organization, region, account = facts["organization"], facts["region"], environment["id"]

    kms = accounts.client("kms", account, region)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=f"alias/{organization}", TargetKeyId=key)

    s3 = accounts.client("s3", account, region)
    elsewhere = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    for bucket in environment["state_bucket"], environment["artifacts_bucket"]:
        s3.create_bucket(Bucket=bucket, **elsewhere)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_encryption(
            Bucket=bucket,
            ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": encryption}]},
        )

    boundary = {"Effect": "Allow", "Action": ["logs:*", "xray:*"], "Resource": "*"}
    accounts.client("iam", account, region).create_policy(
        PolicyName=f"{organization}-boundary",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [boundary]}),
    )
    accounts.client("sns", account, region).create_topic(Name=f"{organization}-alerts")
