"""The function as it is deployed, with its schedule."""

import json
import os
import uuid
from datetime import UTC, datetime, timedelta

import boto3
from logged import logged


def test_the_function_is_invoked_as_by_its_schedule() -> None:
    """By one of the same group, target, role and key, but for once and a minute from now; it then goes."""
    schedules, group, name = boto3.client("scheduler"), os.environ["FUNCTION"], f"deployment-{uuid.uuid4()}"
    own = schedules.get_schedule(GroupName=group, Name=group)
    event = {"schedule": "<aws.scheduler.schedule-arn>", "time": "<aws.scheduler.scheduled-time>"}
    soon = datetime.now(UTC) + timedelta(minutes=1)

    schedules.create_schedule(
        GroupName=group,
        Name=name,
        ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        ActionAfterCompletion="DELETE",
        FlexibleTimeWindow=own["FlexibleTimeWindow"],
        KmsKeyArn=own["KmsKeyArn"],
        Target=own["Target"] | {"Input": json.dumps(event | {"name": "deployment"})},
    )

    assert logged(name) == "greeted"
