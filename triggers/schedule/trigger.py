"""The schedule by which a function is invoked."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from triggers.asynchronous import Asynchronous

SOON = timedelta(minutes=1)


class Trigger(Asynchronous):
    """The schedule of a function: deployment/trigger.tf."""

    def send(self, event: Any) -> list[str]:
        """Have an event come in a minute, by a schedule as the function's, but for once; return its name."""
        schedules, name = self.client("scheduler"), f"send-{uuid.uuid4()}"
        own = schedules.get_schedule(GroupName=self.function, Name=self.function)
        known = {"schedule": "<aws.scheduler.schedule-arn>", "time": "<aws.scheduler.scheduled-time>"}
        schedules.create_schedule(
            GroupName=self.function,
            Name=name,
            ScheduleExpression=f"at({datetime.now(UTC) + SOON:%Y-%m-%dT%H:%M:%S})",
            ActionAfterCompletion="DELETE",
            FlexibleTimeWindow=own["FlexibleTimeWindow"],
            KmsKeyArn=own["KmsKeyArn"],
            Target=own["Target"] | {"Input": json.dumps(event | known)},
        )
        return [name]
