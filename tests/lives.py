"""The life of a function that a trigger invokes, up to its removal, and what is granted for that."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import triggers
from emulator.calls import Check
from emulator.judge import grants
from emulator.judge.grants import Grant
from emulator.judge.policies import name
from rehearsal import demo
from rehearsal.denials import OF_TRIGGERS
from tests.worlds import REGION, TOOL, People, Rehearsed, World, terraform_of

# What developers, and readers, are granted for single triggers, by statement.
OF_DEVELOPERS = {
    "kinesis": {"EncryptStreams", "ManageStreams", "SeeLimitsOfStreams"},
    "stream": {"FindDefaultKey", "LetDynamoDBUseKey", "ManageTables"},
    "events": {"ConfigureInvocations", "LetServicesInvoke", "ManageRules", "PutEvents", "ReadWhoMayInvoke"},
    "http": {
        *("FindApis", "LetServicesInvoke", "LogRequests", "MakeApis", "ManageApis", "ReadWhoMayInvoke"),
        *("SeeApis", "SendRequests", "TagApis", "TagNewApis"),
    },
    "schedule": {"ConfigureInvocations", "ManageSchedules", "PassRolesToLambdaAndScheduler"},
    "sns": {
        "ConfigureInvocations",
        "LetServicesInvoke",
        "ManageTopics",
        "ReadWhoMayInvoke",
        "SubscribeFunctions",
    },
    "s3": {"ManageBuckets", "PutAndDeleteObjects"},
}
ENOUGH = 60  # seconds
Edit = tuple[str, str, str]


@dataclass
class Life:
    """What was checked in the life of a function, what is granted for its trigger, and what is left.

    said: what a developer and a reader saw.
    """

    checks: list[Check]
    granted: list[Grant]
    left: list[str]
    said: str

    @property
    def denied(self) -> list[Check]:
        """Return what was denied."""
        return [check for check in self.checks if check.denied]

    @property
    def unused(self) -> set[tuple[str, str, str]]:
        """Return what no account has used: role, statement and action."""
        accounts = Counter((name(grant.role), grant.sid) for grant in self.granted)
        left: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for grant, actions in grants.unused(self.granted, self.checks):
            left[name(grant.role), grant.sid].update(actions)
        return {
            (*of, action)
            for of, actions in left.items()
            for action, count in actions.items()
            if count == accounts[of]
        }


def live(rehearsed: Rehearsed, folder: Path, trigger: str, *edits: Edit, then: tuple[Edit, ...] = ()) -> Life:
    """Plan, change and remove what is deployed, and create, change, use and remove a sandbox.

    edits: file of deployment/, what stands there, and what then does. then: more, once those are deployed.
    """
    steps = [each for each in (edits, then) if each]
    with rehearsed.world.fork() as accounts:
        world = World(rehearsed, accounts, folder)
        granted = granted_for(world, trigger)
        said = play(world, trigger, steps)
        change_and_remove(world, steps)
        calls = [*rehearsed.result.journal, *accounts.journal()]
        checks = [check for call in calls for check in call.checks]
        return Life(checks, granted, sorted(what_is_left(world)), said)


def granted_for(world: World, trigger: str) -> list[Grant]:
    """Return what the function's roles and developers are granted for its trigger."""
    clients = (world.client("iam", each) for each in world.environments)
    return [
        grant
        for grant in grants.granted(clients)
        if (name(grant.role).startswith(world.name) and grant.policy in OF_TRIGGERS)
        or (name(grant.role) in ("acme-developer", "acme-reader") and grant.sid in OF_DEVELOPERS[trigger])
    ]


def edit(folder: Path, edits: tuple[Edit, ...]) -> None:
    """Change files; each change must find its place."""
    for file, old, new in edits:
        text = (folder / file).read_text()
        assert old in text, old
        (folder / file).write_text(text.replace(old, new))


def changed(world: World) -> dict[str, Any]:
    """Return the environment in which it is changed and removed: the one in the middle."""
    environment: dict[str, Any] = world.environments[len(world.environments) // 2]
    return environment


def change_and_remove(world: World, steps: list[tuple[Edit, ...]]) -> None:
    """Plan what is deployed, as the last planner, then change and destroy it, as a deployer."""
    last, there = world.environments[-1], changed(world)
    folder = world.deployed(last)
    for environment, role in (last, "planner"), (there, "deployer"):
        credentials = world.accounts.environment(environment["id"], REGION, f"{world.name}-{role}")
        run = partial(terraform_of, world, folder, credentials)
        place = {"bucket": environment["state_bucket"], "key": f"functions/{world.name}.tfstate"}
        backend = (f"-backend-config={name}={value}" for name, value in {**place, "region": REGION}.items())
        run("init", "-reconfigure", *backend)
        name = environment["name"]
        inputs = [f"-var=environment={name}", f"-var-file=environments/{name}.tfvars"]
        if role == "planner":
            run("plan", "-detailed-exitcode", "-lock=false", *inputs)  # 2 if it has changes
    for edits in steps:
        edit(folder, edits)
        run("apply", "-auto-approve", *inputs)
    empty(world, there)
    run("destroy", "-auto-approve", *inputs)


def empty(world: World, environment: dict[str, Any]) -> None:
    """Delete what is in the function's bucket, as somebody must before it can be removed."""
    s3 = world.client("s3", environment)
    for bucket in (each["Name"] for each in s3.list_buckets()["Buckets"]):
        versions = s3.list_object_versions(Bucket=bucket) if bucket.startswith(world.name) else {}
        for each in versions.get("Versions", []):
            s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])


def play(world: World, trigger: str, steps: list[tuple[Edit, ...]]) -> str:
    """Create, change, use and remove a sandbox, as a developer; see what runs; return what that printed."""
    run, folder = People(world), world.repository
    demo.install(folder)
    run("make", f"TOOL={TOOL}", "sandbox", "NAME=ada")
    for edits in steps:
        edit(folder / "deployment", edits)
        run("make", f"TOOL={TOOL}", "sandbox", "NAME=ada")
    run("make", f"TOOL={TOOL}", "verify", "NAME=ada")
    said = run(TOOL, "invoke", "ada", "events/check.json")
    said += run(TOOL, "send", "ada", "events/greeting.json") + run(TOOL, "status")
    settle(sandbox_of(world, trigger), world, "greeting")
    run(TOOL, "sandbox-destroy", "ada")
    return said


def sandbox_of(world: World, trigger: str) -> Any:
    """Return the trigger of the sandbox."""
    found = triggers.named(trigger)
    assert found
    first = world.environments[0]
    client = partial(world.client, environment=first)
    return found(client, f"{world.name}--sandbox-ada", first["id"], REGION)


def settle(trigger: Any, world: World, sample: str) -> str:
    """Put a sample into a trigger; return what becomes of it."""
    sent = trigger.send(json.loads((world.repository / f"events/{sample}.json").read_text()))
    deadline = time.monotonic() + ENOUGH
    while under_way(world) or not (end := trigger.became(sent)):
        assert time.monotonic() < deadline, "it is still under way"
        time.sleep(0.5)
    return str(end)


def under_way(world: World) -> int:
    """Return how much of its sources the function has not handled yet in production, nor its sandbox."""
    first, last = world.environments[0], world.environments[-1]
    where = ((last, world.name), (first, f"{world.name}--sandbox-ada"))
    return sum(
        int(world.accounts.ask("under_way", account=account["id"], function=name)) for account, name in where
    )


def what_is_left(world: World) -> Iterator[str]:
    """Yield what is left of the function where it was removed, and of sandboxes."""
    for environment, wanted in (changed(world), world.name), (world.environments[0], "--sandbox-"):
        functions = world.client("lambda", environment).list_functions()["Functions"]
        logs = world.client("logs", environment)
        found = [
            *(each["FunctionName"] for each in functions),
            *world.client("sqs", environment).list_queues().get("QueueUrls", []),
            *world.client("dynamodb", environment).list_tables()["TableNames"],
            *world.client("kinesis", environment).list_streams()["StreamNames"],
            *(each["Name"] for each in world.client("events", environment).list_rules()["Rules"]),
            *(each["Name"] for each in world.client("s3", environment).list_buckets()["Buckets"]),
            *(each["TopicArn"] for each in world.client("sns", environment).list_topics()["Topics"]),
            *(
                each["Name"]
                for each in world.client("scheduler", environment).list_schedule_groups()["ScheduleGroups"]
            ),
            *(each["Name"] for each in world.client("apigatewayv2", environment).get_apis()["Items"]),
            *(
                each["logGroupName"]
                for each in logs.describe_log_groups(logGroupNamePrefix="/aws/v")["logGroups"]
            ),
        ]
        yield from (each for each in found if wanted in each and not each.endswith("-promoted"))
