"""The bucket whose objects invoke a function."""

from typing import Any

from triggers.asynchronous import Asynchronous


class Trigger(Asynchronous):
    """The bucket of a function, of which EventBridge is told: deployment/trigger.tf."""

    def send(self, event: Any) -> list[str]:
        """Put the object that an event tells of, with the content beside it; return its version."""
        answer = self.client("s3").put_object(
            Bucket=f"{self.function}-{self.account}",
            Key=event["detail"]["object"]["key"],
            Body=event.get("content", "").encode(),
        )
        return [answer["VersionId"]]
