"""The rule by which events of EventBridge invoke a function."""

import json
from typing import Any

from triggers.asynchronous import Asynchronous


class Trigger(Asynchronous):
    """The rule of a function on its account's default event bus: deployment/trigger.tf."""

    def send(self, event: Any) -> list[str]:
        """Put an event, for a sandbox under its own name; return its identifier."""
        entry = {
            "Source": self.function if "--sandbox-" in self.function else event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event["resources"],
        }
        self.client("events").describe_rule(Name=self.function)  # an event that none matches is no error
        (answer,) = self.client("events").put_events(Entries=[entry])["Entries"]
        if "EventId" not in answer:
            raise ValueError(f"{answer['ErrorCode']}: {answer['ErrorMessage']}")
        return [answer["EventId"]]
