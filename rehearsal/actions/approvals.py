"""Approvals: what people are asked before an execution goes on."""

import time
import uuid

from rehearsal.actions.action import Action, ActionError, Approval

LOOK = 0.5  # seconds between two looks for an answer


class ManualApproval(Action):
    """Asks for approval."""

    def perform(self) -> str:
        """Tell the approvers and take their answer, as it is given in the console."""
        text, link = (
            self.configuration.get("CustomData", ""),
            self.configuration.get("ExternalEntityLink", ""),
        )
        token = uuid.uuid4().hex
        place = {"stage": self.record.stage, "name": self.record.action}
        asks = {"status": "InProgress", "token": token, "configuration": self.configuration}
        self.world.ask("record", execution=self.execution["id"], **place, **asks)
        if topic := self.configuration.get("NotificationArn"):
            subject = f"APPROVAL NEEDED: {self.pipeline['name']}"[:100]
            self.client("sns").publish(TopicArn=topic, Subject=subject, Message=f"{text}\n{link}")
        if answer := self.walk.decide(Approval(self.account, self.pipeline["name"], text, link)):
            given, comment = answer
            self.world.client("codepipeline", self.account, self.region).put_approval_result(
                pipelineName=self.pipeline["name"],
                stageName=self.record.stage,
                actionName=self.record.action,
                token=token,
                result={"status": "Approved" if given else "Rejected", "summary": comment},
            )
        while not (said := self.said(token)):
            time.sleep(LOOK)
        if said["status"] != "Approved":
            raise ActionError(f"rejected: {said['summary']}")
        return text

    def said(self, token: str) -> dict[str, str] | None:
        """Return what somebody has answered, or nothing as long as nobody has. Raises ActionError."""
        execution = next(e for e in self.world.ask("find") if e["id"] == self.execution["id"])
        if execution["status"] != "InProgress":
            raise ActionError("stopped while it waited for an answer")
        answer: dict[str, str] | None = next(a for a in execution["actions"] if a["token"] == token)[
            "approval"
        ]
        return answer
