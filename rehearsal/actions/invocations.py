"""Invocations: a function, invoked with a job that it has to answer."""

import json

from rehearsal.actions.action import Action, ActionError


class Invocation(Action):
    """Invokes a function."""

    def unseen(self) -> list[tuple[str, str]]:
        """Return what CodePipeline does in the pipeline's role, as which the function may read artifacts."""
        places = (self.memory.artifacts[name] for name in self.inputs())
        artifacts = [f"arn:aws:s3:::{self.store['location']}/{place}" for place in places]
        reads = [(f"s3:Get{what}", each) for what in ("Object", "ObjectVersion") for each in artifacts]
        return [("lambda:ListFunctions", "*"), *reads]

    def perform(self) -> str:
        """Invoke a function with a job and wait for its answer."""
        job = self.world.ask("open_job", account=self.account)
        artifacts = [
            {
                "name": name,
                "revision": None,
                "location": {
                    "type": "S3",
                    "s3Location": {
                        "bucketName": self.store["location"],
                        "objectKey": self.memory.artifacts[name],
                    },
                },
            }
            for name in self.inputs()
        ]
        credentials = self.world.environment(self.account, self.region, self.role)
        data = {
            "actionConfiguration": {"configuration": self.configuration},
            "inputArtifacts": artifacts,
            "outputArtifacts": [],
            "artifactCredentials": {
                "accessKeyId": credentials["AWS_ACCESS_KEY_ID"],
                "secretAccessKey": credentials["AWS_SECRET_ACCESS_KEY"],
                "sessionToken": credentials["AWS_SESSION_TOKEN"],
            },
            "encryptionKey": {"id": self.store["encryptionKey"]["id"], "type": "KMS"},
        }
        event = {"CodePipeline.job": {"id": job, "accountId": self.account, "data": data}}
        name = self.configuration["FunctionName"]
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        result = self.world.ask("read_job", identifier=job)
        if result["status"] == "InProgress":
            raised = answer["Payload"].read().decode() if "FunctionError" in answer else "nothing"
            raise ActionError(f"{name} did not answer the job, which would time out; it returned {raised}")
        if result["status"] == "Failed":
            raise ActionError(f"{name}: {result['result']['type']}: {result['result']['message']}")
        self.export(result["result"].get("outputVariables", {}))
        return str(result["result"].get("executionDetails", {}).get("summary", ""))
