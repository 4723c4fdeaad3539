"""Sources: a commit of GitHub, an object of S3."""

import json

from emulator.connections import told_of_use
from hooks.git import GitError, git
from rehearsal.actions.action import Action, ActionError


class Source(Action):
    """An action that begins a pipeline."""

    def unseen(self) -> list[tuple[str, str]]:
        """Return what CodePipeline does in the pipeline's role, whatever the source.

        An access control list and tags go with what it uploads: https://github.com/aws/aws-cdk/issues/13557,
        https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-S3.html.
        """
        places = (self.place(artifact["name"]) for artifact in self.action["outputArtifacts"])
        artifacts = [f"arn:aws:s3:::{self.store['location']}/{place}" for place in places]
        return [
            (f"s3:{put}", artifact) for put in ("PutObjectAcl", "PutObjectTagging") for artifact in artifacts
        ]

    def note_revision(self, revision: str, summary: str) -> None:
        """Note what the execution runs on, as CodePipeline shows it."""
        facts = {"actionName": self.action["name"], "revisionId": revision, "revisionSummary": summary[:2048]}
        self.world.ask("add_revision", execution=self.execution["id"], revision=facts)


class Commit(Source):
    """Takes a commit of a repository; what is passed on is a reference, which CodeBuild clones."""

    def unseen(self) -> list[tuple[str, str]]:
        """Return what CodePipeline does in the pipeline's role."""
        uses = ("codestar-connections:UseConnection", self.configuration["ConnectionArn"])
        return [*super().unseen(), uses]

    def told(self) -> dict[str, str]:
        """Return the condition keys of the connection's use.

        What CodePipeline does at GitHub, and whether it asks for more than to read, AWS does not say.
        """
        return told_of_use(
            self.configuration["FullRepositoryId"], BranchName=self.configuration["BranchName"]
        )

    def perform(self) -> str:
        """Take the commit that started the execution, else the latest."""
        name, branch = self.configuration["FullRepositoryId"], self.configuration["BranchName"]
        if name not in self.walk.repositories:
            raise ActionError(
                f"there is no repository {name}; the connection reaches {', '.join(self.walk.repositories)}"
            )
        folder = self.walk.repositories[name]
        pinned = self.execution["pinned"].get(self.action["name"], {}).get("revisionValue")
        try:
            commit = git(folder, "rev-parse", "--verify", f"{pinned or f'refs/heads/{branch}'}^{{commit}}")
        except GitError:
            raise ActionError(
                f"{name} has no branch {branch}" if not pinned else f"{name} has no commit {pinned}"
            ) from None
        subject = git(folder, "log", "-1", "--format=%s", commit)
        reference = {"repository": name, "branch": branch, "commit": commit}
        self.keep(json.dumps(reference | {"connection": self.configuration["ConnectionArn"]}).encode())
        self.export(
            {"CommitId": commit, "BranchName": branch, "CommitMessage": subject, "FullRepositoryName": name}
        )
        self.note_revision(commit, subject)
        return f"{commit[:12]} {subject}"


class StoredObject(Source):
    """Takes an object of S3."""

    def unseen(self) -> list[tuple[str, str]]:
        """Return what CodePipeline does in the pipeline's role."""
        bucket = f"arn:aws:s3:::{self.configuration['S3Bucket']}"
        key = f"{bucket}/{self.configuration['S3ObjectKey']}"
        return [
            *super().unseen(),
            ("s3:GetBucketAcl", bucket),
            ("s3:GetBucketLocation", bucket),
            ("s3:ListBucket", bucket),
            ("s3:GetObjectTagging", key),
            ("s3:GetObjectVersionTagging", key),
        ]

    def perform(self) -> str:
        """Take the version that started the execution, else the latest."""
        bucket, key = self.configuration["S3Bucket"], self.configuration["S3ObjectKey"]
        pinned = self.execution["pinned"].get(self.action["name"], {}).get("revisionValue")
        version = {"VersionId": pinned} if pinned else {}
        s3 = self.client("s3")
        s3.get_bucket_versioning(Bucket=bucket)
        try:
            found = s3.get_object(Bucket=bucket, Key=key, **version)
        except s3.exceptions.NoSuchKey:
            raise ActionError(f"s3://{bucket}/{key} is not there: nothing has been promoted yet") from None
        self.keep(found["Body"].read())
        self.export(
            {
                "BucketName": bucket,
                "ObjectKey": key,
                "VersionId": found["VersionId"],
                "ETag": found["ETag"].strip('"'),
            }
        )
        summary = found["Metadata"].get("codepipeline-artifact-revision-summary", "")
        self.note_revision(found["VersionId"], summary)
        return summary or f"version {found['VersionId']}"
