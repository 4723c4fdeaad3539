"""EventBridge Scheduler: what it checks, and what it does when schedules are due. moto keeps them.

The clock of a schedule begins as that is made or changed; from then on it runs as emulated minutes do.
"""

import json
import re
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.exceptions import ServiceException
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, scheduler_backends

from emulator import calls, cloudwatch, codebuild, sqs
from emulator.calls import PACE, AwsError, Call, claims, doc, guess, moment
from emulator.cron import due
from emulator.judge.checks import Asked, derived, reads
from emulator.mends import replaces

LOOK = 0.2  # seconds between two looks at the clock
FASTEST = 0.001  # seconds that an emulated minute lasts at least
SCHEDULER = "scheduler.amazonaws.com"
POLICIES = doc("scheduler/latest/UserGuide/security_iam_id-based-policy-examples.html")


@reads("scheduler", rests=POLICIES)
def asked(call: Call, action: str) -> Asked:
    """Yield what Scheduler checks; who makes a schedule passes its role, and needs the key of it."""
    said, schedules = call.parameters, f"arn:aws:scheduler:{call.region}:{call.account}:schedule/"
    if not call.operation.endswith("Schedule"):
        yield from derived(call, action)
        if call.operation == "DeleteScheduleGroup":  # with its schedules
            yield "scheduler:DeleteSchedule", f"{schedules}{said['Name']}/*", {}
        return
    arn = f"{schedules}{said.get('GroupName') or 'default'}/{said['Name']}"
    yield action, arn, {}
    if role := said.get("Target", {}).get("RoleArn"):
        yield "iam:PassRole", role, {"iam:passedtoservice": SCHEDULER}
    if key := said.get("KmsKeyArn"):
        told = told_of_schedule(arn) | {"kms:viaservice": f"scheduler.{call.region}.amazonaws.com"}
        yield from ((f"kms:{verb}", key, told) for verb in ("DescribeKey", "GenerateDataKey", "Decrypt"))


@claims("a schedule's key is used for the schedule", POLICIES)
def told_of_schedule(arn: str) -> dict[str, str | None]:
    """Return the condition keys of the encryption context under which a schedule's key is used."""
    return {"kms:encryptioncontext:aws:scheduler:schedule:arn": arn, "kms:encryptioncontext:*": None}


def make(backend: EventBridgeSchedulerBackend, original: Any, **given: Any) -> Schedule:
    """Refuse a role that does not trust Scheduler, and what is no expression. AWS does, moto takes any.

    A flexible window is taken, and used as it begins.
    """
    if given["start_date"] or given["end_date"]:
        raise NotImplementedError("start and end dates of schedules")
    group, target = backend.get_schedule_group(given["group_name"]), given["target"]
    here = SCHEDULER, backend.account_id, backend.region_name
    if calls.act(*here, [], role=target["RoleArn"], source=group.arn):
        message = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        raise AwsError("ValidationException", message)
    expression, now = given["schedule_expression"], datetime.now(UTC)
    try:
        list(due(expression, given["schedule_expression_timezone"], now, now, now))
    except (LookupError, ValueError):
        raise AwsError("ValidationException", f"Invalid Schedule Expression {expression}.") from None
    # What an update leaves out, too, is as in a new one, where moto keeps nothing.
    schedule: Schedule = original(backend, **given | {"state": given["state"] or "ENABLED"})
    schedule.clock = moment(schedule.last_modified_date)  # type: ignore[attr-defined]
    return schedule


for making in "create_schedule", "update_schedule":
    replaces(EventBridgeSchedulerBackend, making, rests=doc("scheduler/latest/UserGuide/setting-up.html"))(
        make
    )


class Clock:
    """What looks at the schedules of a world, and invokes what is due."""

    def __init__(self, world: threading.RLock) -> None:
        """Look; world: held while moto's state is changed."""
        self._world = world

    def run(self) -> None:
        """Look for ever."""
        looked = time.monotonic()
        while True:
            time.sleep(LOOK)
            before, looked = looked, time.monotonic()
            passed = timedelta(minutes=(looked - before) / max(PACE["minute"], FASTEST))
            with self._world:  # lest a schedule be seen that is half made
                come = list(self._come(passed))
            for one in come:
                threading.Thread(target=one.come, daemon=True).start()

    def _come(self, passed: timedelta) -> Iterator["Time"]:
        """Let time pass; yield what was due meanwhile."""
        for backend in (each for regions in scheduler_backends.values() for each in regions.values()):
            for group in backend.schedule_groups.values():
                for schedule in group.schedules.values():
                    for when in self._due(schedule, passed):
                        yield Time(self._world, backend, schedule, group.arn, when)

    def _due(self, schedule: Any, passed: timedelta) -> list[datetime]:
        """Let time pass for a schedule; return when it was due meanwhile."""
        before, schedule.clock = schedule.clock, schedule.clock + passed
        made, zone = moment(schedule.creation_date), schedule.schedule_expression_timezone
        enabled = schedule.state == "ENABLED"
        return list(due(schedule.schedule_expression, zone, made, before, schedule.clock)) if enabled else []


@dataclass
class Time:
    """One of the times at which a schedule is due. group: the ARN of its group."""

    world: threading.RLock
    backend: EventBridgeSchedulerBackend
    schedule: Schedule
    group: str
    when: datetime

    @property
    def itself(self) -> dict[str, str]:
        """Return in which role, and for what, Scheduler acts, as Front.act has them."""
        return {"role": self.schedule.target["RoleArn"], "source": self.group}

    @claims("scheduler tries again", doc("scheduler/latest/APIReference/API_RetryPolicy.html"))
    def come(self) -> None:
        """Invoke the target; what fails for as often, or as long, as the schedule says is not tried again."""
        limits, age, retries = self.schedule.target["RetryPolicy"], 0.0, 0
        while refusal := self._try(given := said(self.schedule, self.when, retries + 1)):
            self._count("TargetErrorCount")
            wait = 2.0**retries  # AWS waits longer each time, and does not say how long
            if retries >= limits["MaximumRetryAttempts"]:
                self._keep(given, refusal, "MaximumRetryAttempts", retries)
                break
            if age + wait > limits["MaximumEventAgeInSeconds"]:
                self._keep(given, refusal, "MaximumEventAgeInSeconds", retries)
                break
            time.sleep(wait / 60 * PACE["minute"])
            age, retries = age + wait, retries + 1
        schedule = self.schedule
        if schedule.action_after_completion == "DELETE" and schedule.schedule_expression.startswith("at("):
            with self.world:
                if group := self.backend.schedule_groups.get(schedule.group_name):
                    group.schedules.pop(schedule.name, None)

    def _try(self, given: str) -> ServiceException | None:
        """Have the target take what the schedule gives; return why it does not."""
        here = SCHEDULER, self.backend.account_id, self.backend.region_name
        if key := self.schedule.kms_key_arn:
            decrypts = [("kms:Decrypt", key, told_of_decrypting(self.schedule))]
            if why := calls.act(*here, decrypts, **self.itself):
                return AwsError("AccessDeniedException", why)
        target = self.schedule.target["Arn"]
        if ":codebuild:" in target:
            if why := calls.act(*here, [("codebuild:StartBuild", target)], **self.itself):
                return AwsError("AccessDeniedException", why)
            with self.world:
                return codebuild.begin(target)
        refusal: ServiceException | None = calls.invoke(SCHEDULER, target, json.loads(given), **self.itself)
        return refusal

    @claims(
        "scheduler keeps what it cannot hand over",
        doc("scheduler/latest/UserGuide/configuring-schedule-dlq.html"),
    )
    def _keep(self, given: str, refusal: ServiceException, condition: str, retries: int) -> None:
        """Put what could not be handed over into the schedule's dead-letter queue; without one it is lost."""
        attributes = {
            "ERROR_CODE": refusal.code,
            "ERROR_MESSAGE": str(refusal.message),
            "EXECUTION_ID": uuid.uuid4().hex,
            "EXHAUSTED_RETRY_CONDITION": condition,
            "IS_PAYLOAD_TRUNCATED": "false",
            "RETRY_ATTEMPTS": str(retries),
            "SCHEDULED_TIME": written(self.when),
            "SCHEDULE_ARN": self.schedule.arn,
            "TARGET_ARN": self.schedule.target["Arn"],
        }
        queue = self.schedule.target.get("DeadLetterConfig", {}).get("Arn")
        if queue and sqs.send(SCHEDULER, queue, given, attributes, **self.itself):
            self._count("InvocationsFailedToBeSentToDeadLetterCount")

    def _count(self, metric: str) -> None:
        """Count something of the schedule's group."""
        here, of = (self.backend.account_id, self.backend.region_name), self.schedule.group_name
        with self.world:
            cloudwatch.count(*here, "AWS/Scheduler", metric, {"ScheduleGroup": of})


@claims("scheduler decrypts a schedule by itself", guess("look in CloudTrail how a schedule is decrypted"))
def told_of_decrypting(schedule: Schedule) -> dict[str, str | None]:
    """Return the condition keys of what decrypts a schedule that is due: its role, through no service."""
    return told_of_schedule(schedule.arn) | {"kms:viaservice": None}


@claims(
    "scheduler fills in what it knows of an invocation",
    doc("scheduler/latest/UserGuide/managing-schedule-context-attributes.html"),
)
def said(schedule: Schedule, when: datetime, attempt: int) -> str:
    """Return what a schedule gives its target, at a time, in an attempt."""
    known = {
        "schedule-arn": schedule.arn,
        "scheduled-time": written(when),
        "execution-id": uuid.uuid4().hex,
        "attempt-number": str(attempt),
    }
    given = schedule.target.get("Input") or "{}"
    return re.sub(r"<aws\.scheduler\.([\w-]+)>", lambda word: known.get(word[1], word[0]), given)


def written(when: datetime) -> str:
    """Return a time as Scheduler writes it."""
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"
