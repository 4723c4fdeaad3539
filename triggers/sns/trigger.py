"""The topic whose notifications invoke a function."""

from typing import Any

from triggers.asynchronous import Asynchronous


class Trigger(Asynchronous):
    """The topic of a function: deployment/trigger.tf."""

    def send(self, event: Any) -> list[str]:
        """Publish the messages of an event; return their identifiers."""
        topics, sent = self.client("sns"), []
        for notification in (record["Sns"] for record in event["Records"]):
            answer = topics.publish(
                TopicArn=f"arn:aws:sns:{topics.meta.region_name}:{self.account}:{self.function}",
                Message=notification["Message"],
                MessageAttributes={
                    name: {"DataType": each["Type"], "StringValue": each["Value"]}
                    for name, each in notification["MessageAttributes"].items()
                },
                **({"Subject": notification["Subject"]} if notification["Subject"] else {}),
            )
            sent.append(str(answer["MessageId"]))
        return sent
