"""What a scenario is given: names that nobody else has, roles, and a place where answers are noted.

Answers are noted so that two runs note the same: what differs by account, region, time and chance is
replaced.
"""

import json
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import boto3
import jmespath
from botocore.exceptions import BotoCoreError, ClientError

from emulator.accounts import EmulatedAccounts

NAME = "lambda-template-record"  # how whatever is made here begins, and the key of its tag
PATH = f"/{NAME}/"
PATIENCE = 900  # seconds until a scenario gives up waiting
VARIES = {
    *("ETag", "Location", "PolicyId", "ReceiptHandle", "RevisionId", "RoleId", "VersionId", "RequestId"),
    *("etag", "id", "nextSequenceToken", "request-id", "sequencer", "source-ip-address", "version-id"),
}
PATTERNS = {
    r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|[+-]\d\d:?\d\d)?": "{time}",
    r"^1\d{9}(\d{3})?(\.\d+)?$": "{time}",
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "{uuid}",
    r"\bd-[0-9A-Z]{9}\b": "{deployment}",
    r"https?://[^/]+/": "{host}/",
    r'(?<=File ")[^"]*/(?=\w+\.py")': "{folder}/",
}
TAGS = ({"Key", "Value"}, {"key", "value"}, {"TagKey", "TagValue"})


@dataclass(frozen=True)
class Place:
    """Where scenarios run: AWS, or the emulated accounts.

    caller: the ARN of who runs them. connect: returns a client of a service, given other credentials if it is
    not to be the caller's. settles: seconds until everybody knows of a change in IAM. pause: seconds between
    two looks.
    """

    account: str
    region: str
    caller: str
    connect: Callable[..., Any]
    settles: float
    pause: float


def aws(profile: str) -> Place:
    """Return the account that a profile of the user's AWS configuration reaches."""
    session = boto3.Session(profile_name=profile)
    if not session.region_name:
        raise SystemExit(f"The profile {profile} has no region.")
    caller = session.client("sts").get_caller_identity()
    return Place(caller["Account"], session.region_name, caller["Arn"], session.client, settles=20, pause=2)


def emulated(world: EmulatedAccounts, account: str = "222222222222", region: str = "us-east-1") -> Place:
    """Return an emulated account, whose calls are judged from now on."""
    world.ask("enforce")
    variables = world.environment(account, region)

    def connect(service: str, **credentials: str) -> Any:
        return world.connect(service, variables | {name.upper(): own for name, own in credentials.items()})

    caller = connect("sts").get_caller_identity()["Arn"]
    return Place(account, region, caller, connect, settles=0, pause=0.05)


@dataclass
class Scratch:
    """A run of a scenario. steps: what was answered so far. What it makes is deleted as the `with` ends."""

    place: Place
    prefix: str = field(default_factory=lambda: f"{NAME}-{secrets.token_hex(4)}")
    steps: list[dict[str, Any]] = field(default_factory=list)
    _undo: list[tuple[Callable[..., Any], dict[str, Any]]] = field(default_factory=list)

    def __enter__(self) -> "Scratch":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Delete what was made, the latest first; what cannot be deleted is found by `left`."""
        for call, parameters in reversed(self._undo):
            try:
                call(**parameters)
            except (BotoCoreError, ClientError) as error:
                if not re.search(r"\(\w*(NoSuch|NotFound|DoesNotExist)|NonExistentQueue", str(error)):
                    print(f"  not undone: {error}")

    def later(self, call: Callable[..., Any], **parameters: Any) -> None:
        """Make a call when the scenario has ended, however it does."""
        self._undo.append((call, parameters))

    def client(self, service: str, role: str = "") -> Any:
        """Return a client of a service, as the caller or as a role of this scratch."""
        if not role:
            return self.place.connect(service)
        arn = self.arn("iam", f"role{PATH}{self.prefix}-{role}")
        taken = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="record")["Credentials"]
        return self.place.connect(
            service,
            aws_access_key_id=taken["AccessKeyId"],
            aws_secret_access_key=taken["SecretAccessKey"],
            aws_session_token=taken["SessionToken"],
        )

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of the account."""
        region = "" if service == "iam" else self.place.region
        return f"arn:aws:{service}:{region}:{self.place.account}:{resource}"

    def tags(self, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
        """Return the tag of what is made here, as a list, with the names that a service has for its parts."""
        return [{key: NAME, value: self.prefix}]

    # What is asked, and noted

    def ask(
        self, step: str, call: Callable[..., Any], show: str = "@", /, **parameters: Any
    ) -> dict[str, Any]:
        """Make a call; note and return what it answers, an error too. show: what to note, by JMESPath."""
        answer = answered(call, parameters)
        self.note(step, call, answer, show)
        return answer

    def until(
        self, step: str, call: Callable[..., Any], wanted: str, show: str = "@", /, **parameters: Any
    ) -> dict[str, Any]:
        """Repeat a call until its answer has what is wanted, by JMESPath, is an error, or never will have.

        Notes and returns the last answer.
        """
        ends = time.monotonic() + PATIENCE
        while not jmespath.search(f"Error || {wanted}", answer := answered(call, parameters)):
            if time.monotonic() > ends:
                break
            time.sleep(self.place.pause)
        self.note(step, call, answer, show)
        return answer

    def settle(self) -> None:
        """Wait until everybody knows of what has changed in IAM."""
        time.sleep(self.place.settles)

    def note(self, step: str, call: Callable[..., Any], answer: dict[str, Any], show: str = "@") -> None:
        """Note an answer of a call."""
        client = call.__self__  # type: ignore[attr-defined]
        operation = client.meta.method_to_api_mapping[call.__name__]
        facts = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
        facts |= {
            key: body.read().decode(errors="replace") for key, body in facts.items() if hasattr(body, "read")
        }
        known = {
            self.place.caller: "{caller}",
            self.prefix: "{prefix}",
            self.place.account: "{account}",
            self.place.region: "{region}",
        }
        noted = {"step": step, "call": f"{client.meta.service_model.service_name}:{operation}"}
        if error := facts.get("Error"):
            status = answer["ResponseMetadata"]["HTTPStatusCode"]
            facts = {"Error": {"Code": error["Code"], "Message": error["Message"], "Status": status}}
            show = "@"
        self.steps.append(noted | {"answer": normal(jmespath.search(show, facts), known)})

    # What several scenarios make

    def role(
        self, name: str, *statements: dict[str, Any], service: str = "", version: str = "2012-10-17"
    ) -> str:
        """Make a role with a policy of these statements; return its ARN.

        It is for a service of AWS, or else for who runs the scenario.
        """
        iam, full = self.client("iam"), f"{self.prefix}-{name}"
        who = {"Service": f"{service}.amazonaws.com"} if service else {"AWS": self.arn("iam", "root")}
        self.later(iam.delete_role, RoleName=full)
        role = iam.create_role(
            RoleName=full, Path=PATH, AssumeRolePolicyDocument=trust(**who), Tags=self.tags()
        )
        if statements:
            self.later(iam.delete_role_policy, RoleName=full, PolicyName="it")
            document = policy(*statements, version=version)
            iam.put_role_policy(RoleName=full, PolicyName="it", PolicyDocument=document)
        return str(role["Role"]["Arn"])

    def bucket(self, name: str) -> str:
        """Make a versioned bucket; return its name."""
        s3, full, region = self.client("s3"), f"{self.prefix}-{name}", self.place.region
        where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.later(s3.delete_bucket, Bucket=full)
        s3.create_bucket(Bucket=full, **({} if region == "us-east-1" else where))
        self.later(empty, s3=s3, bucket=full)
        s3.put_bucket_tagging(Bucket=full, Tagging={"TagSet": self.tags()})
        s3.put_bucket_versioning(Bucket=full, VersioningConfiguration={"Status": "Enabled"})
        return full


def answered(call: Callable[..., Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Make a call; return what it answers, an error too."""
    try:
        return dict(call(**parameters))
    except ClientError as error:
        return dict(error.response)


def empty(s3: Any, bucket: str) -> None:
    """Delete all versions of all objects of a bucket."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])


def allow(*actions: str, on: str | list[str] = "*", **condition: Any) -> dict[str, Any]:
    """Return a statement; condition: by operator."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    return statement | ({"Condition": condition} if condition else {})


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    """Return a policy of some statements; without version, for "", it is one as of 2008."""
    return json.dumps(({"Version": version} if version else {}) | {"Statement": list(statements)})


def trust(**principal: str) -> str:
    """Return the policy of a role that trusts a principal."""
    return policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal})


def normal(value: Any, known: dict[str, str]) -> Any:
    """Return an answer as any other run would note it; known: what to replace, and by what."""
    match value:
        case dict():
            return {
                key: f"{{{key}}}" if key in VARIES else normal(each, known) for key, each in value.items()
            }
        case list():
            found = [normal(each, known) for each in value]
            tags = all(isinstance(each, dict) and each.keys() in TAGS for each in found)
            return sorted(found, key=str) if tags else found
        case datetime():
            return "{time}"
        case str():
            return normal_text(value, known)
    return "{time}" if normal_text(str(value), {}) == "{time}" else value


def normal_text(text: str, known: dict[str, str]) -> Any:
    """Return a text as any other run would note it; JSON, such as a policy, as what it says."""
    if text.startswith("{"):
        with suppress(ValueError):
            return normal(json.loads(text), known)
    for found, placeholder in known.items():
        text = text.replace(found, placeholder)
    for pattern, placeholder in PATTERNS.items():
        text = re.sub(pattern, placeholder, text)
    return text
