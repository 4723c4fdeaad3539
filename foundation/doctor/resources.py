"""What holds state and releases, reads GitHub and tells of failures: whose it is, and what it lacks."""

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from foundation.apply import FORBIDDEN
from foundation.doctor.access import principals, statements
from foundation.doctor.account import Account, Finding, absent, status_of


def buckets(account: Account) -> Iterator[Finding]:
    """Say whose the buckets are, and what they lack."""
    s3, artifacts = account.client("s3"), account.facts.get("artifacts_bucket")
    key = key_of(account)
    for name in (
        account.facts["state_bucket"],
        *([artifacts, f"{artifacts}-pipelines"] if artifacts else []),
    ):
        try:
            found = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account.id)
        except ClientError as error:
            if absent(error):
                yield Finding("ok", f"bucket {name} is free")
            elif status_of(error) == FORBIDDEN:
                text = f"bucket {name} is of another account, or you may not see it"
                remedy = "give it another name in accounts.yaml, or take credentials that may"
                yield Finding("fault", text, remedy)
            else:
                raise
            continue
        if (where := found.get("BucketRegion", account.region)) != account.region:
            text = f"bucket {name} is in {where}, not in {account.region}"
            yield Finding("fault", text, "give it another name in accounts.yaml")
        elif lacking := list(lacks(s3, name, key and key["Arn"])):
            remedy = "apply the foundation, which sets it"
            text = f"bucket {name}: {', '.join(lacking)}"
            yield Finding("warning", text, remedy, f"make foundation-{account.name}")
        else:
            yield Finding("ok", f"bucket {name} is versioned, private and encrypted by the account's key")


def lacks(s3: Any, bucket: str, key: str | None) -> Iterator[str]:
    """Yield what a bucket does not have and needs. key: the ARN of the account's."""
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        yield "it is not versioned"
    blocked = answer(s3.get_public_access_block, Bucket=bucket).get("PublicAccessBlockConfiguration", {})
    if not blocked or not all(blocked.values()):
        yield "public access to it is not blocked"
    encryption = answer(s3.get_bucket_encryption, Bucket=bucket).get("ServerSideEncryptionConfiguration", {})
    keys = [
        rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
        for rule in encryption.get("Rules", [])
    ]
    if not key or keys != [key]:
        yield "it is not encrypted by the account's key"


def answer(operation: Any, **parameters: Any) -> Any:
    """Return what an operation answers, nothing if there is nothing."""
    try:
        return operation(**parameters)
    except ClientError as error:
        if absent(error):
            return {}
        raise


def key_of(account: Account) -> Any:
    """Return what KMS says of the account's key, None if there is none."""
    kms = account.client("kms")
    return answer(kms.describe_key, KeyId=f"alias/{account.organization}").get("KeyMetadata")


def key(account: Account) -> Iterator[Finding]:
    """Say whether the account's policies may allow the use of its key, if there is one."""
    found = key_of(account)
    if not found:
        return
    text, number = f"key alias/{account.organization}", found["KeyId"]
    if found["KeyState"] != "Enabled":
        do = "cancel-key-deletion" if found["KeyState"] == "PendingDeletion" else "enable-key"
        yield Finding(
            "fault", f"{text} is {found['KeyState']}", "take it back", f"aws kms {do} --key-id {number}"
        )
        return
    policy = json.loads(account.client("kms").get_key_policy(KeyId=number, PolicyName="default")["Policy"])
    if any(delegates(statement, account.id) for statement in statements(policy)):
        yield Finding("ok", f"{text} is enabled and heeds the account's policies")
    else:
        yield Finding(
            "fault",
            f"the policy of {text} lacks the account: no policy of a role can allow the use of the key",
            f'have somebody whom it names add {{"Effect": "Allow", "Principal": {{"AWS": "{account.id}"}}, '
            '"Action": "kms:*", "Resource": "*"}',
            f"aws kms put-key-policy --key-id {number} --policy file://POLICY.json",
        )


def delegates(statement: dict[str, Any], account: str) -> bool:
    """Return whether a statement of a key's policy leaves it to the policies of its account.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    action = statement.get("Action", [])
    return (
        statement["Effect"] == "Allow"
        and bool({account, f"arn:aws:iam::{account}:root"} & set(principals(statement)))
        and "kms:*" in ([action] if isinstance(action, str) else action)
        and "Condition" not in statement
    )


def connection(account: Account) -> Iterator[Finding]:
    """Say whether the GitHub connection is complete, if there is one."""
    name = f"{account.organization}-github"
    for each in account.client("codestar-connections").list_connections()["Connections"]:
        if each["ConnectionName"] != name:
            continue
        if each["ConnectionStatus"] == "AVAILABLE":
            yield Finding("ok", f"the GitHub connection {name} is complete")
            continue
        console = f"https://{account.region}.console.aws.amazon.com/codesuite/settings/connections"
        yield Finding(
            "warning",
            f"the GitHub connection {name} is {each['ConnectionStatus']}: no push starts a pipeline",
            f"an operator of {account.name} ({account.id}), who owns {account.accounts['github_owner']} "
            f'on GitHub, completes it by "Update pending connection" at {console}?region={account.region}',
        )


def alerts(account: Account) -> Iterator[Finding]:
    """Say whether anybody hears alerts, if there are any."""
    topic = account.arn("sns", f"{account.organization}-alerts")
    attributes = answer(account.client("sns").get_topic_attributes, TopicArn=topic).get("Attributes")
    if not attributes:
        return
    confirmed, pending = (int(attributes[f"Subscriptions{of}"]) for of in ("Confirmed", "Pending"))
    if confirmed:
        yield Finding("ok", f"subscriptions to alerts: {confirmed}")
        return
    waiting = f"; subscriptions not confirmed: {pending}" if pending else ""
    profile = f"{account.organization}-{account.name}-operator"
    yield Finding(
        "warning",
        f"nobody hears alerts{waiting}",
        "subscribe whoever is on call, who then confirms it",
        f"aws sns subscribe --profile {profile} --topic-arn {topic} "
        "--protocol email --notification-endpoint ADDRESS",
    )
