"""What EventBridge Scheduler does: it invokes what is due, in the schedule's role, and keeps what fails."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from tests.emulator.invoked import ACCOUNT, ALIAS, FAILURES, HERE, Invoked, eventually

GROUP = f"arn:aws:scheduler:{HERE}:schedule-group/a-group"
NEEDS = ("lambda:InvokeFunction", "sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey")
INPUT = (
    '{"time": "<aws.scheduler.scheduled-time>", "schedule": "<aws.scheduler.schedule-arn>", '
    '"attempt": "<aws.scheduler.attempt-number>", "other": "<aws.scheduler.other>"}'
)


class Scheduled(Invoked):
    """A function that schedules of a group invoke."""

    def __init__(self, accounts: EmulatedAccounts, **trust: Any) -> None:
        """Make the group, and the role in which its schedules invoke; trust: the condition of its trust."""
        super().__init__(accounts)
        self.schedules = self.client("scheduler")
        self.schedules.create_schedule_group(Name="a-group")
        trust = trust or {
            "ArnEquals": {"aws:SourceArn": GROUP},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        }
        self.invokes = self.role("scheduler", "scheduler.amazonaws.com", *NEEDS, **trust)
        accounts.ask("enforce")

    def schedule(self, expression: str, schedules: Any = None, **settings: Any) -> None:
        """Make a schedule, as who has a client of Scheduler, else as an administrator."""
        target = {
            "Arn": ALIAS,
            "RoleArn": self.invokes,
            "Input": INPUT,
            "DeadLetterConfig": {"Arn": FAILURES},
            "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600},
        }
        (schedules or self.schedules).create_schedule(
            Name="a-schedule",
            GroupName="a-group",
            ScheduleExpression=expression,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target,
            **settings,
        )

    def names(self) -> list[str]:
        """Return the schedules of the group."""
        found = self.schedules.list_schedules(GroupName="a-group")["Schedules"]
        return [schedule["Name"] for schedule in found]


def soon() -> str:
    """Return the expression of a time that comes in a minute."""
    return f"at({datetime.now(UTC) + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S})"


def test_a_schedule_invokes_at_once_and_then_at_its_rate(accounts: EmulatedAccounts) -> None:
    scheduled, before = Scheduled(accounts), datetime.now(UTC)

    scheduled.schedule("rate(1 hour)")

    first, second = (datetime.fromisoformat(event["time"]) for event in eventually(scheduled.events, 2)[:2])
    assert abs(first - before) < timedelta(minutes=1)
    assert second - first == timedelta(hours=1)


def test_a_schedule_tells_what_it_is_asked_for(accounts: EmulatedAccounts) -> None:
    scheduled = Scheduled(accounts)

    scheduled.schedule(soon())

    (event,) = eventually(scheduled.events)
    assert event["schedule"] == f"arn:aws:scheduler:{HERE}:schedule/a-group/a-schedule"
    assert (event["attempt"], event["other"]) == ("1", "<aws.scheduler.other>")


def test_a_schedule_for_once_invokes_once_and_is_deleted_if_it_says_so(accounts: EmulatedAccounts) -> None:
    scheduled = Scheduled(accounts)

    scheduled.schedule(soon(), ActionAfterCompletion="DELETE")

    eventually(scheduled.events)
    time.sleep(0.5)
    assert len(scheduled.events()) == 1
    assert scheduled.names() == []


def test_a_schedule_that_is_off_invokes_nothing(accounts: EmulatedAccounts) -> None:
    scheduled = Scheduled(accounts)

    scheduled.schedule("rate(1 minute)", State="DISABLED")

    time.sleep(0.5)
    assert scheduled.events() == []


def test_what_an_update_does_not_say_is_as_in_a_new_schedule(accounts: EmulatedAccounts) -> None:
    scheduled = Scheduled(accounts)
    scheduled.schedule("rate(1 day)", State="DISABLED")
    own = scheduled.schedules.get_schedule(GroupName="a-group", Name="a-schedule")

    named = {
        name: own[name]
        for name in ("FlexibleTimeWindow", "GroupName", "Name", "ScheduleExpression", "Target")
    }
    scheduled.schedules.update_schedule(**named)

    assert scheduled.schedules.get_schedule(GroupName="a-group", Name="a-schedule")["State"] == "ENABLED"


def test_a_copy_of_a_world_goes_on_with_its_schedules(accounts: EmulatedAccounts) -> None:
    scheduled = Scheduled(accounts)
    scheduled.schedule("rate(1 hour)")
    eventually(scheduled.events)

    with accounts.fork() as copy:
        scheduled.accounts = copy
        assert len(eventually(scheduled.events, 2)) == 2


def test_what_the_role_may_not_invoke_is_tried_again_and_kept(accounts: EmulatedAccounts) -> None:
    scheduled = Scheduled(accounts)
    scheduled.allow("scheduler", *(action for action in NEEDS if action != "lambda:InvokeFunction"))

    scheduled.schedule(soon())

    (message,) = eventually(scheduled.kept)
    told = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
    assert json.loads(message["Body"])["time"] == told["SCHEDULED_TIME"]
    assert told["ERROR_CODE"] == "AccessDeniedException"
    assert (told["EXHAUSTED_RETRY_CONDITION"], told["RETRY_ATTEMPTS"]) == ("MaximumRetryAttempts", "2")
    assert (told["TARGET_ARN"], told["SCHEDULE_ARN"][-10:]) == (ALIAS, "a-schedule")
    assert scheduled.events() == []


def test_what_is_to_be_invoked_and_is_not_there_any_more_is_told_of(accounts: EmulatedAccounts) -> None:
    scheduled = Scheduled(accounts)
    scheduled.functions.delete_alias(FunctionName="a-function", Name="live")

    scheduled.schedule(soon())

    (message,) = eventually(scheduled.kept)
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ResourceNotFoundException"


@pytest.mark.parametrize("lost", ["sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"])
def test_what_the_role_may_not_even_keep_is_lost_and_counted(accounts: EmulatedAccounts, lost: str) -> None:
    scheduled, alarms = Scheduled(accounts), accounts.client("cloudwatch", ACCOUNT, "us-east-1")
    for metric in "TargetErrorCount", "InvocationsFailedToBeSentToDeadLetterCount":
        alarms.put_metric_alarm(
            AlarmName=metric,
            Namespace="AWS/Scheduler",
            MetricName=metric,
            Dimensions=[{"Name": "ScheduleGroup", "Value": "a-group"}],
            Statistic="Sum",
            Period=3600,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )
    scheduled.allow("scheduler", *(each for each in NEEDS if each not in (lost, "lambda:InvokeFunction")))

    scheduled.schedule(soon())

    eventually(lambda: alarms.describe_alarms(StateValue="ALARM")["MetricAlarms"], 2)
    assert scheduled.kept() == []
    assert scheduled.denied() == {lost, "lambda:InvokeFunction"}


def test_an_encrypted_schedule_is_decrypted_in_the_schedule_s_role(accounts: EmulatedAccounts) -> None:
    scheduled = Scheduled(accounts)
    scheduled.schedule(soon(), KmsKeyArn=scheduled.key)
    eventually(scheduled.events)

    scheduled.allow("scheduler", *(action for action in NEEDS if action != "kms:Decrypt"))
    scheduled.schedules.delete_schedule(GroupName="a-group", Name="a-schedule")
    scheduled.schedule(soon(), KmsKeyArn=scheduled.key)

    time.sleep(0.5)
    assert len(scheduled.events()) == 1
    assert scheduled.denied() == {"kms:Decrypt"}


@pytest.mark.parametrize(
    "trust",
    [
        {"ArnEquals": {"aws:SourceArn": GROUP.replace("schedule-group", "schedule") + "/a-schedule"}},
        {"ArnEquals": {"aws:SourceArn": GROUP.replace("a-group", "default")}},
        {"StringEquals": {"aws:SourceAccount": "333333333333"}},
    ],
)
def test_a_role_that_does_not_trust_scheduler_for_the_group_is_refused(
    accounts: EmulatedAccounts, trust: dict[str, Any]
) -> None:
    scheduled = Scheduled(accounts, **trust)

    with pytest.raises(ClientError, match="must allow AWS EventBridge Scheduler to assume the role"):
        scheduled.schedule("rate(1 day)")
    assert scheduled.names() == []


def test_what_is_no_expression_is_refused(accounts: EmulatedAccounts) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*Invalid Schedule Expression daily"):
        Scheduled(accounts).schedule("daily")


MAKES = (
    *("scheduler:CreateSchedule", "iam:PassRole"),
    *("kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt"),
)


@pytest.mark.parametrize("lost", MAKES)
def test_who_makes_a_schedule_passes_its_role_and_may_use_its_key(
    accounts: EmulatedAccounts, lost: str
) -> None:
    scheduled = Scheduled(accounts)
    scheduled.role("maker", "lambda.amazonaws.com", *(action for action in MAKES if action != lost))
    mine = accounts.client("scheduler", ACCOUNT, "us-east-1", "maker")

    with pytest.raises(ClientError, match=lost):
        scheduled.schedule("rate(1 day)", mine, KmsKeyArn=scheduled.key)
    scheduled.allow("maker", *MAKES)
    scheduled.schedule("rate(1 day)", mine, KmsKeyArn=scheduled.key)


def test_who_deletes_a_group_deletes_its_schedules_and_must_be_allowed_to(accounts: EmulatedAccounts) -> None:
    scheduled = Scheduled(accounts)
    scheduled.role("maker", "lambda.amazonaws.com", "scheduler:DeleteScheduleGroup")
    mine = accounts.client("scheduler", ACCOUNT, "us-east-1", "maker")
    scheduled.schedule("rate(1 day)")

    with pytest.raises(ClientError, match="scheduler:DeleteSchedule on"):
        mine.delete_schedule_group(Name="a-group")
    scheduled.allow("maker", "scheduler:DeleteScheduleGroup", "scheduler:DeleteSchedule")
    mine.delete_schedule_group(Name="a-group")
    assert scheduled.schedules.list_schedules()["Schedules"] == []
