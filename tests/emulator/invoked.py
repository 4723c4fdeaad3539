"""A function that services invoke, in an emulated account."""

import io
import json
import time
from collections.abc import Callable
from typing import Any
from zipfile import ZipFile

from emulator.accounts import EmulatedAccounts

ACCOUNT, REGION = "222222222222", "us-east-1"
HERE = f"{REGION}:{ACCOUNT}"
FUNCTION = f"arn:aws:lambda:{HERE}:function:a-function"
ALIAS, FAILURES = f"{FUNCTION}:live", f"arn:aws:sqs:{HERE}:failures"
ENOUGH = 20  # seconds


class Invoked:
    """A function with an alias, a queue for what fails, and a key that encrypts it."""

    def __init__(self, accounts: EmulatedAccounts, code: str = "pass") -> None:
        """Make them; code: the function's last line."""
        accounts.ask("pace", minute=0.05)
        self.accounts = accounts
        self.iam, self.functions, self.queues, self.keys = map(self.client, ("iam", "lambda", "sqs", "kms"))
        self.key = self.keys.create_key()["KeyMetadata"]["Arn"]
        attributes = {"KmsMasterKeyId": self.key}
        self.failures = self.queues.create_queue(QueueName="failures", Attributes=attributes)["QueueUrl"]
        role = self.role("a-role", "lambda.amazonaws.com", "logs:*")
        package = io.BytesIO()
        with ZipFile(package, "w") as archive:
            lines = "import json\ndef handle(event, context):\n    print(json.dumps({'given': event}))\n    "
            archive.writestr("app.py", f"{lines}{code}\n")
        settings = {"Runtime": "python3.13", "Handler": "app.handle", "Role": role, "Publish": True}
        self.functions.create_function(
            FunctionName="a-function", Code={"ZipFile": package.getvalue()}, **settings
        )
        self.functions.create_alias(FunctionName="a-function", Name="live", FunctionVersion="1")

    def client(self, service: str) -> Any:
        """Return a client of a service."""
        return self.accounts.client(service, ACCOUNT, REGION)

    def role(self, name: str, service: str, *actions: str, **condition: Any) -> str:
        """Make a role that trusts a service, under a condition, and may do actions; return its ARN."""
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        document = {
            "Version": "2012-10-17",
            "Statement": trust | ({"Condition": condition} if condition else {}),
        }
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
        self.allow(name, *actions)
        return str(made["Role"]["Arn"])

    def allow(self, name: str, *actions: str) -> None:
        """Let a role do actions and nothing else."""
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)

    def let_in(self, service: str, source: str) -> None:
        """Let a service invoke the alias for a source."""
        given = {"Action": "lambda:InvokeFunction", "Principal": service, "SourceArn": source}
        self.functions.add_permission(FunctionName="a-function", Qualifier="live", StatementId="it", **given)

    def events(self) -> list[dict[str, Any]]:
        """Return what the function was given."""
        logs = self.client("logs")
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/a-function", filterPattern="given")
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(event["message"])["given"] for event in found["events"]]

    def kept(self) -> list[dict[str, Any]]:
        """Return the messages that are kept as failed."""
        found: list[dict[str, Any]] = self.queues.receive_message(
            QueueUrl=self.failures,
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        return found

    def denied(self) -> set[str]:
        """Return the actions that were denied."""
        return {check.action for entry in self.accounts.journal() for check in entry.checks if check.denied}


def eventually(look: Callable[[], list[Any]], count: int = 1) -> list[Any]:
    """Return what is there as soon as there is so much of it."""
    deadline = time.monotonic() + ENOUGH
    while len(found := look()) < count:
        assert time.monotonic() < deadline, f"only {found}"
        time.sleep(0.25)
    return found
