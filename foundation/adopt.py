"""What of the foundation is there already: Terraform imports it, instead of creating it."""

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from foundation.doctor.account import Account, absent, denied, listed

Import = tuple[str, str]  # Terraform's address, AWS's id

# By the words of accounts.yaml, what each stands for.
ADOPTABLE = {
    "state_bucket": 'aws_s3_bucket.account["state"]',
    "artifacts_bucket": 'aws_s3_bucket.account["artifacts"]',
    "pipelines_bucket": 'aws_s3_bucket.account["pipelines"]',
    "key": "aws_kms_alias.account",
    "github": "aws_iam_openid_connect_provider.github[0]",
    "operator": 'aws_iam_role.people["operator"]',
    "developer": 'aws_iam_role.people["developer"]',
    "reader": 'aws_iam_role.people["reader"]',
}
CONNECTION = "aws_codestarconnections_connection.github"
# What else Terraform has of a bucket, and what asks S3 for it.
OF_BUCKET = {
    "aws_s3_bucket_lifecycle_configuration": "get_bucket_lifecycle_configuration",
    "aws_s3_bucket_ownership_controls": "get_bucket_ownership_controls",
    "aws_s3_bucket_policy": "get_bucket_policy",
    "aws_s3_bucket_public_access_block": "get_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration": "get_bucket_encryption",
    "aws_s3_bucket_versioning": "get_bucket_versioning",
}


class AdoptError(Exception):
    """What accounts.yaml has adopted cannot be; the message says why, and what to do."""


def imports(account: Account) -> Iterator[Import]:
    """Yield what Terraform has to import into an account's state. Raises AdoptError or ClientError.

    What the state has already may be among it: Terraform passes over that.
    """
    first = account.facts is account.accounts["environments"][0]
    for kind in account.facts["adopt"]:
        if kind == "developer" and not first:
            raise fault(account, kind, f"only {account.accounts['environments'][0]['name']} has developers")
        if kind.endswith("bucket"):
            yield from bucket(account, kind)
        elif kind == "github":
            if not account.accounts.get("plan_pull_requests"):
                raise fault(account, kind, "nobody is let in by it without plan_pull_requests: true")
            yield (
                ADOPTABLE[kind],
                f"arn:aws:iam::{account.id}:oidc-provider/token.actions.githubusercontent.com",
            )
        else:
            yield from key(account) if kind == "key" else role(account, kind)
    if first:  # it may be left of the time when the account was first before
        name = f"{account.organization}-github"
        for each in connections(account):
            if each["ConnectionName"] == name:
                yield f"{CONNECTION}[0]", each["ConnectionArn"]


def connections(account: Account) -> Iterator[Any]:
    """Yield the connections of an account, which botocore does not page."""
    client, more = account.client("codestar-connections"), dict[str, str]()
    while True:
        page = client.list_connections(**more)
        yield from page["Connections"]
        if "NextToken" not in page:
            return
        more = {"NextToken": page["NextToken"]}


def forgets_connection(accounts: dict[str, Any], name: str, state: bytes) -> bool:
    """Return whether an account is not first any more, and its state still has the connection.

    Terraform would delete that. People have completed it, and bootstrap.yaml lets nobody delete it, so it is
    taken out of the state and left as it is. accounts: what accounts.yaml says.
    """
    first = accounts["environments"][0]["name"] == name
    resources = json.loads(state)["resources"] if state and not first else []
    return CONNECTION in [f"{each['type']}.{each['name']}" for each in resources]


def bucket(account: Account, kind: str) -> Iterator[Import]:
    """Yield a bucket, and what there is of it. kind: which, in the words of accounts.yaml."""
    which, s3 = kind.removesuffix("_bucket"), account.client("s3")
    name = account.facts.get(kind) or f"{account.facts['artifacts_bucket']}-pipelines"
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=account.id)
    except ClientError as error:
        if denied(error):
            raise fault(account, kind, f"{name} is of another account, or you may not see it") from None
        raise missing(account, kind, f"bucket {name}", error) from None
    yield ADOPTABLE[kind], name
    for part, operation in OF_BUCKET.items():
        if there(getattr(s3, operation), Bucket=name):
            yield f'{part}.account["{which}"]', name
    if which == "artifacts" and there(s3.get_bucket_notification_configuration, Bucket=name):
        yield "aws_s3_bucket_notification.artifacts[0]", name


def there(operation: Any, **parameters: Any) -> bool:
    """Return whether an operation has something to answer."""
    try:
        return set(operation(**parameters)) > {"ResponseMetadata"}
    except ClientError as error:
        if absent(error):
            return False
        raise


def key(account: Account) -> Iterator[Import]:
    """Yield the key to which the account's alias points, and the alias."""
    alias = f"alias/{account.organization}"
    try:
        found = account.client("kms").describe_key(KeyId=alias)["KeyMetadata"]
    except ClientError as error:
        do = f"; give a key that name: aws kms create-alias --alias-name {alias} --target-key-id KEY"
        raise missing(account, "key", alias, error, do) from None
    yield ADOPTABLE["key"], alias
    yield "aws_kms_key.account", found["KeyId"]


def role(account: Account, kind: str) -> Iterator[Import]:
    """Yield a role of people, and those of its policies that the foundation writes too."""
    name, iam = f"{account.organization}-{kind}", account.client("iam")
    try:
        policies = set(listed(iam, "list_role_policies", "PolicyNames", RoleName=name))
    except ClientError as error:
        raise missing(account, kind, f"role {name}", error) from None
    yield ADOPTABLE[kind], name
    ours = policies_of(account, kind)
    for policy in sorted(policies & ours.keys()):
        yield ours[policy], f"{name}:{policy}"


def policies_of(account: Account, kind: str) -> dict[str, str]:
    """Return the addresses of the policies that the foundation writes to a role of people, by their names."""
    if kind == "operator":
        names = ("state",) if account.name == "ops" else ("pipelines", "releases", "roles")
        return {name: f'aws_iam_role_policy.operator["{name}"]' for name in names}
    return {kind: f"aws_iam_role_policy.{kind}" + ("[0]" if kind == "developer" else "")}


def missing(account: Account, kind: str, what: str, error: ClientError, do: str = "") -> AdoptError:
    """Return an error about a line that names what is not there. Raises what says otherwise."""
    if not absent(error):
        raise error
    return fault(account, kind, f"there is no {what}{do or '; without this line the foundation makes it'}")


def fault(account: Account, kind: str, message: str) -> AdoptError:
    """Return an error about a line of accounts.yaml."""
    return AdoptError(f"accounts.yaml: {account.name} ({account.id}): adopt: {kind}: {message}")


def blocks(account: Account) -> str:
    """Return the import blocks for an account, as Terraform reads them. Raises AdoptError or ClientError."""
    return "\n".join(
        f"import {{\n  to = {address}\n  id = {json.dumps(number)}\n}}\n"
        for address, number in imports(account)
    )
