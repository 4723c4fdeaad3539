"""Approvals: what people are asked before an execution goes on."""

import uuid

from rehearsal.actions.action import Action, ActionError, Approval


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
        given, comment = self.walk.decide(Approval(self.account, self.pipeline["name"], text, link))
        self.world.client("codepipeline", self.account, self.region).put_approval_result(
            pipelineName=self.pipeline["name"],
            stageName=self.record.stage,
            actionName=self.record.action,
            token=token,
            result={"status": "Approved" if given else "Rejected", "summary": comment},
        )
        if not given:
            raise ActionError(f"rejected: {comment}")
        return text
