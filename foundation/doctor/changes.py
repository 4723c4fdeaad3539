"""What applying the foundation would do: planned by Terraform, compared with what is there."""

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from foundation import adopt
from foundation.apply import FOLDER, FORBIDDEN, Foundation
from foundation.doctor.account import DOCS, Account, Finding, absent, enter, guarded, listed, status_of
from foundation.doctor.resources import answer
from screen import Screen

# Attributes of what is adopted that do not matter to anybody, or that Terraform alone has.
UNIMPORTANT = {
    "bypass_policy_lockout_safety_check",
    "deletion_window_in_days",
    "force_destroy",
    "tags",
    "tags_all",
}


class PlanError(Exception):
    """Terraform could not plan; the message is its own."""


@dataclass(frozen=True)
class Change:
    """What Terraform would do to a resource: to which, of which type, how, and its attributes then.

    adopted: whether it is imported, that is, was there before. changed: the names of what changes of it.
    """

    address: str
    type: str
    actions: list[str]
    after: dict[str, Any]
    adopted: bool = False
    changed: frozenset[str] = frozenset()


class Planner:
    """Terraform over copies of the foundation and of its state: it writes and locks nothing of theirs."""

    def __init__(self, accounts: dict[str, Any], folder: Path) -> None:
        """Copy the foundation; folder: to work in, an empty one."""
        self.accounts = accounts
        self.bucket, self.region = accounts["ops"]["state_bucket"], accounts["region"]
        ignore = shutil.ignore_patterns("build", ".terraform", "__pycache__")
        shutil.copytree(FOLDER, folder / "foundation", ignore=ignore)
        shutil.copy(FOLDER.parent / "accounts.yaml", folder)
        (folder / "foundation/backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        self.foundation = Foundation(accounts, Screen(quiet=True), folder / "foundation")
        self.ready = False

    def plan(self, account: str) -> tuple[bool, list[Change]]:
        """Return whether an account has state, and what applying would do there.

        Raises PlanError, or AdoptError of what cannot be adopted.
        """
        copy = self.foundation.build / f"{account}.tfstate"
        if state := self.state(account):
            copy.write_bytes(state)
        imports = adopt.blocks(enter(self.accounts, account))
        (self.foundation.folder / "imports.tf").write_text(imports)
        if not self.ready:
            self.terraform("init", "-reconfigure", "-input=false", "-no-color")
            self.ready = True
        if adopt.forgets_connection(self.accounts, account, state):
            self.terraform("state", "rm", f"-state={copy}", adopt.CONNECTION)
        where = (f"-var=account={account}", f"-state={copy}", "-out=build/plan")
        self.terraform("plan", "-input=false", "-lock=false", "-json", *where)
        shown = json.loads(self.terraform("show", "-json", "build/plan"))
        found = [change_of(each) for each in shown.get("resource_changes", [])]
        nothing = (["no-op"], ["read"])
        return bool(state), [each for each in found if each.adopted or each.actions not in nothing]

    def state(self, account: str) -> bytes:
        """Return an account's state, empty if it has none."""
        unfinished = FOLDER / "build/ops.tfstate"
        if account == "ops" and unfinished.exists():
            return unfinished.read_bytes()
        s3 = boto3.client("s3", region_name=self.region)
        kept = answer(s3.get_object, Bucket=self.bucket, Key=f"foundation/{account}.tfstate")
        return bytes(kept["Body"].read()) if kept else b""

    def terraform(self, *command: str) -> str:
        """Run Terraform and return what it prints. Raises PlanError."""
        try:
            done = subprocess.run(
                ["terraform", *command],
                cwd=self.foundation.folder,
                env=self.foundation.variables | {"TF_DATA_DIR": str(FOLDER / "build/doctor")},
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            raise PlanError("terraform is not on PATH; install Terraform 1.11 or later") from None
        if done.returncode:
            raise PlanError(errors(done.stdout) or " ".join(done.stderr.split()))
        return done.stdout


def change_of(planned: dict[str, Any]) -> Change:
    """Return a change as Terraform's JSON describes it.

    https://developer.hashicorp.com/terraform/internals/json-format#change-representation
    """
    change = planned["change"]
    before, after = change["before"] or {}, change["after"] or {}
    names = {*after, *change.get("after_unknown", {})}
    changed = frozenset(name for name in names if after.get(name) != before.get(name))
    return Change(
        planned["address"], planned["type"], change["actions"], after, "importing" in change, changed
    )


def errors(output: str) -> str:
    """Return the errors in what Terraform prints as JSON."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    found = [line["diagnostic"] for line in lines if line.get("@level") == "error" and "diagnostic" in line]
    return "; ".join(" ".join(f"{each['summary']}: {each.get('detail', '')}".split()) for each in found)


def applying(planner: Planner, account: Account) -> Iterator[Finding]:
    """Say what would keep Terraform from applying, and what that would change."""
    try:
        applied, changes = planner.plan(account.name)
    except adopt.AdoptError as error:
        yield Finding("fault", str(error), "correct that, then ask again")
        return
    except PlanError as error:
        yield Finding("fault", f"Terraform cannot plan: {error}", "correct that, then ask again")
        return
    if adopted := [change for change in changes if change.adopted]:
        yield adopting(adopted)
        changes = [change for change in changes if not change.adopted]
    yield from names(account, changes)
    yield differences(account, applied, changes)


def adopting(changes: list[Change]) -> Finding:
    """Say what would be adopted, and what of it is other than the foundation makes it."""
    words = {address: kind for kind, address in adopt.ADOPTABLE.items()}
    words[f"{adopt.CONNECTION}[0]"] = "the GitHub connection"
    which = ", ".join(words[change.address] for change in changes if change.address in words)
    text = f"applying would adopt what is there: {which or len(changes)}"
    if replaced := [change.address for change in changes if len(change.actions) > 1]:
        remedy = "take it out of adopt in accounts.yaml, and rename or remove it"
        return Finding("fault", f"{text}; it would delete and make anew {', '.join(replaced)}", remedy)
    differing = {change.address: ", ".join(sorted(change.changed - UNIMPORTANT)) for change in changes}
    if other := [f"{address} ({names})" for address, names in differing.items() if names]:
        return Finding("warning", f"{text}; it would change {', '.join(other)}", "see how, in the plan")
    return Finding("ok", f"{text}; it would change tags alone")


def differences(account: Account, applied: bool, changes: list[Change]) -> Finding:
    """Say how what is there differs from what this version makes."""
    if not applied:
        return Finding("ok", f"not applied yet; that would create {len(changes)} resources")
    if not changes:
        return Finding("ok", "the foundation is as this version makes it")
    kinds = Counter("replace" if len(change.actions) > 1 else change.actions[0] for change in changes)
    how = ", ".join(f"{kind} {count}" for kind, count in kinds.items())
    which = ", ".join(change.address for change in changes[:5]) + (", …" if changes[5:] else "")
    text = f"applying would change {len(changes)} resources ({how}): {which}"
    return Finding("warning", text, "see what, and apply it", f"make foundation-{account.name}")


def removed(account: Account) -> Iterator[Finding]:
    """Look for environments that have been applied and are not in accounts.yaml any more."""
    place = {"Bucket": account.facts["state_bucket"], "Prefix": "foundation/"}
    try:
        keys = [
            Path(each["Key"]) for each in listed(account.client("s3"), "list_objects_v2", "Contents", **place)
        ]
    except ClientError as error:
        if absent(error):
            return
        raise
    known = {"ops", *(each["name"] for each in account.accounts["environments"])}
    for name in sorted({key.stem for key in keys if key.suffix == ".tfstate"} - known):
        text = f"{name} has been applied and is not in accounts.yaml any more"
        yield Finding("fault", text, f"{DOCS} says how to remove it")


# Names

Read = Callable[[Account, str], Any]
FREE = Finding("ok", "free")


def of_bucket(account: Account, name: str) -> Any:
    """Return the tags of a bucket. Raises ClientError if there is none."""
    s3 = account.client("s3")
    s3.head_bucket(Bucket=name, ExpectedBucketOwner=account.id)
    return answer(s3.get_bucket_tagging, Bucket=name).get("TagSet", [])


def of_alias(account: Account, name: str) -> Any:
    """Return the tags of an alias's key. Raises ClientError if there is none."""
    kms = account.client("kms")
    return kms.list_resource_tags(KeyId=kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"])["Tags"]


def of_queue(account: Account, name: str) -> Any:
    """Return the tags of a queue. Raises ClientError if there is none."""
    sqs = account.client("sqs")
    return sqs.list_queue_tags(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"]).get("Tags", {})


def of_group(account: Account, name: str) -> Any:
    """Return no tags, since groups have none. Raises ClientError if there is none."""
    account.client("iam").get_group(GroupName=name)
    return []


def of_log_group(account: Account, name: str) -> Any:
    """Return the tags of a log group, None if there is none."""
    logs, arn = account.client("logs"), account.arn("logs", f"log-group:{name}")
    there = listed(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    if name in [each["logGroupName"] for each in there]:
        return logs.list_tags_for_resource(resourceArn=arn)["tags"]
    return None


def of_alarm(account: Account, name: str) -> Any:
    """Return the tags of an alarm, None if there is none."""
    cloudwatch = account.client("cloudwatch")
    for each in cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
        return cloudwatch.list_tags_for_resource(ResourceARN=each["AlarmArn"])["Tags"]
    return None


def of_connection(account: Account, name: str) -> Any:
    """Return the tags of a connection, None if there is none."""
    connections = account.client("codestar-connections")
    for each in connections.list_connections()["Connections"]:
        if each["ConnectionName"] == name:
            return connections.list_tags_for_resource(ResourceArn=each["ConnectionArn"])["Tags"]
    return None


# By Terraform's type: the word for it, the attribute that is its name, and what reads its tags.
NAMED: dict[str, tuple[str, str, Read]] = {
    "aws_cloudwatch_event_rule": (
        "rule",
        "name",
        lambda at, name: at.client("events").list_tags_for_resource(
            ResourceARN=at.arn("events", f"rule/{name}")
        )["Tags"],
    ),
    "aws_cloudwatch_log_group": ("log group", "name", of_log_group),
    "aws_cloudwatch_metric_alarm": ("alarm", "alarm_name", of_alarm),
    "aws_codestarconnections_connection": ("connection", "name", of_connection),
    "aws_iam_group": ("group", "name", of_group),
    "aws_iam_policy": (
        "policy",
        "name",
        lambda at, name: (
            at.client("iam")
            .get_policy(PolicyArn=f"arn:aws:iam::{at.id}:policy/{name}")["Policy"]
            .get("Tags", [])
        ),
    ),
    "aws_iam_role": (
        "role",
        "name",
        lambda at, name: at.client("iam").get_role(RoleName=name)["Role"].get("Tags", []),
    ),
    "aws_kms_alias": ("alias", "name", of_alias),
    "aws_lambda_function": (
        "function",
        "function_name",
        lambda at, name: at.client("lambda").get_function(FunctionName=name).get("Tags", {}),
    ),
    "aws_s3_bucket": ("bucket", "bucket", of_bucket),
    "aws_sns_topic": (
        "topic",
        "name",
        lambda at, name: at.client("sns").list_tags_for_resource(ResourceArn=at.arn("sns", name))["Tags"],
    ),
    "aws_sqs_queue": ("queue", "name", of_queue),
}


def names(account: Account, changes: list[Change]) -> Iterator[Finding]:
    """Look for what has the name of something that applying would create."""
    new = [change for change in changes if change.actions == ["create"] and change.type in NAMED]
    adoptable = {address: kind for kind, address in adopt.ADOPTABLE.items()}
    free = 0
    for change in new:
        word, attribute, read = NAMED[change.type]
        name = change.after[attribute]
        importing = import_command(account, change, name)
        for finding in guarded(f"{word} {name}", partial(whose, word, name, read, importing), account):
            kind = adoptable.get(change.address)
            if finding is FREE:
                free += 1
            elif kind and finding.command:
                remedy = f"remove it, or adopt it: in accounts.yaml, {account.name} gets adopt: [{kind}]"
                yield finding._replace(remedy=remedy, command="")
            else:
                yield finding
    if new:
        yield Finding("ok", f"of {len(new)} names that it would take, {free} are free")


def import_command(account: Account, change: Change, name: str) -> str:
    """Return the command that tells Terraform to import what has the name of a resource.

    By a block, which is planned with all the rest: `terraform import` fails where others are missing too.
    """
    identifier = {
        "aws_codestarconnections_connection": "ARN",
        "aws_iam_policy": f"arn:aws:iam::{account.id}:policy/{name}",
        "aws_sns_topic": account.arn("sns", name),
        "aws_sqs_queue": f"https://sqs.{account.region}.amazonaws.com/{account.id}/{name}",
    }.get(change.type, name)
    block = f'import {{\\n  to = {change.address}\\n  id = "{identifier}"\\n}}\\n'
    return f"printf '{block}' >> foundation/import.tf"


def whose(word: str, name: str, read: Read, importing: str, account: Account) -> Iterator[Finding]:
    """Say by what a name is taken, or FREE; importing: the command that takes it over."""
    try:
        found = read(account, name)
    except ClientError as error:
        if word == "bucket" and status_of(error) == FORBIDDEN:
            return  # buckets() tells of it
        if not absent(error):
            raise
        found = None
    if found is None:
        yield FREE
        return
    tags = found if isinstance(found, dict) else dict(tuple(tag.values())[:2] for tag in found)
    maker = tags.get("foundation")
    taken = f"{word} {name} is there already, made by"
    if maker not in (None, account.organization):
        remedy = "give each organization accounts of its own"
        yield Finding("fault", f"{taken} the foundation of {maker}", remedy)
        return
    with_tags = ", ".join(f"{key}={value}" for key, value in islice(tags.items(), 5)) or "no tags"
    by = "this foundation, whose state does not have it" if maker else f"something else, with {with_tags}"
    remedy = f"remove it, or import it: type this, make foundation-{account.name}, then delete that file"
    yield Finding("fault", f"{taken} {by}", remedy, importing)
