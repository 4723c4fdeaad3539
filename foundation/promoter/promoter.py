"""Promotes releases: copies one, unchanged, from this account's artifacts to those of the next environment.

CodePipeline invokes it with a job: see "AWS Lambda invoke action reference" in its user guide. The event
holds the job's temporary credentials, which are never used and never logged.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
import uuid
from dataclasses import dataclass
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger()
logger.setLevel(logging.INFO)

FUNCTION = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
REVISION = re.compile(r"[0-9a-f]{40}")
FOLDER_LENGTH = 20  # CodePipeline's folder in the artifact store is the start of the pipeline's name
LIMITS = {"release.json": 1_000_000, "package.zip": 262_144_000}  # bytes, of which Lambda takes no more
LONGEST_SUMMARY = 500  # bytes of the 2,000 that S3 gives to an object's metadata
LONGEST_MESSAGE = 4000  # characters of the 5,000 that CodePipeline takes
PAUSES = (0.1, 0.3, 1, 3, 0)  # seconds after each of the claims that S3 cannot decide

CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 6}, connect_timeout=5)
s3 = boto3.client("s3", config=CONFIG)
codepipeline = boto3.client("codepipeline", config=CONFIG)


class RefusedError(Exception):
    """A promotion that is refused: why, and as which of CodePipeline's failure types."""

    def __init__(self, message: str, kind: str = "ConfigurationError") -> None:
        """Say what is wrong with what."""
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Job:
    """What a pipeline asks for: the release of a function, at a place of the artifact store.

    commit: of which it must be; empty where the pipeline takes what was promoted to it.
    """

    id: str
    function: str
    commit: str
    bucket: str
    key: str

    @staticmethod
    def read(event: dict[str, Any]) -> "Job":
        """Read a job from CodePipeline's event. Raises RefusedError, which names the field at fault."""
        job = event["CodePipeline.job"]
        data = job["data"]
        try:
            parameters = data["actionConfiguration"]["configuration"]["UserParameters"]
            function, _, commit = parameters.partition(" ")
            if not FUNCTION.fullmatch(function) or (commit and not REVISION.fullmatch(commit)):
                raise RefusedError(
                    "UserParameters: must be the name of the function, which is the pipeline's, "
                    "and after a space the commit that it has built, if it builds"
                )
            if "continuationToken" in data:
                raise RefusedError("continuationToken: a promotion is never continued")
            (artifact,) = data["inputArtifacts"]
            location = artifact["location"]
            if location["type"] != "S3":
                raise RefusedError("inputArtifacts: the release must be in S3")
            place = location["s3Location"]
            found = Job(job["id"], function, commit, place["bucketName"], place["objectKey"])
        except (KeyError, TypeError) as error:
            raise RefusedError(f"the job is not one of CodePipeline's: {error} is missing or wrong") from None
        except ValueError:
            raise RefusedError("inputArtifacts: must be one, the release") from None
        if found.bucket != os.environ["PIPELINES_BUCKET"]:
            raise RefusedError(f"inputArtifacts: {found.bucket} is not the bucket of our pipelines")
        if not found.key.startswith(f"{function[:FOLDER_LENGTH]}/"):
            raise RefusedError(
                f"{found.key} is not of the pipeline {function}, which alone may promote {function}"
            )
        return found


def handle(event: dict[str, Any], context: object) -> None:
    """Promote what a job asks for and answer CodePipeline, once."""
    job_id = event["CodePipeline.job"]["id"]
    try:
        job = Job.read(event)
        if not claim(job):
            logger.warning("delivered before: %s", job_id)
            return
        with tempfile.TemporaryFile() as package:
            release = fetch(job, package)
            version = put(job, release, package)
    except RefusedError as error:
        fail(job_id, error.kind, str(error))
    except ClientError as error:
        denied = error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException", "403")
        fail(job_id, "PermissionError" if denied else "JobFailed", str(error))
    except (BotoCoreError, OSError) as error:
        fail(job_id, "JobFailed", f"{error}; retry the stage")
    except Exception as error:
        logger.exception("a fault of the promoter")
        fail(job_id, "JobFailed", f"a fault of the promoter, {type(error).__name__}; its log says where")
    else:
        logger.info("promoted %s: %s", job.function, summary(release))
        details = {"summary": summary(release), "externalExecutionId": version}
        codepipeline.put_job_success_result(jobId=job_id, executionDetails=details)


def fail(job_id: str, kind: str, message: str) -> None:
    """Answer CodePipeline that a job has failed; kind: one of its failure types."""
    logger.error("%s: %s", kind, message)
    details = {"type": kind, "message": message[:LONGEST_MESSAGE]}
    codepipeline.put_job_failure_result(jobId=job_id, failureDetails=details)


def claim(job: Job) -> bool:
    """Return whether a job is new. Events may be delivered twice; the second must not promote again.

    A promotion that is broken off keeps its receipt, and its action times out; a retry is another job.
    """
    receipt = {"Bucket": os.environ["ARTIFACTS_BUCKET"], "Key": f"promotions/{job.function}/{job.id}"}
    mine = f"{uuid.uuid4()} {job.key}".encode()
    for pause in PAUSES:
        try:
            s3.put_object(**receipt, Body=mine, IfNoneMatch="*")
        except ClientError as error:
            code, undecided = error.response["Error"]["Code"], error
            if code == "PreconditionFailed":  # also where we were not told that it is ours, and asked again
                found: bytes = s3.get_object(**receipt)["Body"].read()
                return found == mine
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html: "On a 409 failure, retry"
            if code != "ConditionalRequestConflict":
                raise
            time.sleep(pause)
        else:
            return True
    raise undecided


def fetch(job: Job, package: IO[bytes]) -> dict[str, str]:
    """Copy a job's release into a file and return what its release.json says. Raises RefusedError."""
    where = f"s3://{job.bucket}/{job.key}"
    try:
        shutil.copyfileobj(s3.get_object(Bucket=job.bucket, Key=job.key)["Body"], package)
    except s3.exceptions.NoSuchKey:
        raise RefusedError(f"{where} is not there", "RevisionUnavailable") from None
    try:
        with ZipFile(package) as archive:
            for name, limit in LIMITS.items():
                if archive.getinfo(name).file_size > limit:
                    raise RefusedError(f"{where}: {name} is larger than {limit:,} bytes")
            release = json.loads(archive.read("release.json"))
            with archive.open("package.zip") as content:
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    except BadZipFile:
        raise RefusedError(f"{where} is not a zip") from None
    except KeyError as error:
        raise RefusedError(f"{where} is not a release: {error.args[0]}") from None
    except ValueError:
        raise RefusedError(f"{where}: release.json is not JSON") from None
    fields = ("function", "revision", "sha256", "summary")
    if not isinstance(release, dict) or not all(isinstance(release.get(field), str) for field in fields):
        raise RefusedError(f"{where}: release.json must have {', '.join(fields)} as text")
    if release["function"] != job.function:
        raise RefusedError(f"{where} is a release of {release['function'][:64]!r}, not of {job.function}")
    if not REVISION.fullmatch(release["revision"]):
        raise RefusedError(f"{where}: the revision is not a full commit id")
    if job.commit and release["revision"] != job.commit:
        raise RefusedError(
            f"{where}: release.json says that it is of commit {release['revision']}; this is {job.commit}"
        )
    if release["sha256"] != sha256:
        raise RefusedError(f"{where}: package.zip is not what release.json describes; its sha256 is {sha256}")
    return release


def summary(release: dict[str, str]) -> str:
    """Return a release's summary as one line that S3 and CodePipeline take, whatever a build wrote there.

    It begins with the revision.
    """
    revision = release["revision"][:12]
    said = f"{revision} {release['summary'].removeprefix(revision).strip()}"
    return "".join(c if " " <= c <= "~" else "?" for c in said)[:LONGEST_SUMMARY]


def put(job: Job, release: dict[str, str], package: IO[bytes]) -> str:
    """Put a release to where the next pipeline takes it from; return the object's version.

    The bucket's own encryption applies: a header that asks for KMS would mean AWS's key, not the account's.
    """
    package.seek(0)
    answer = s3.put_object(
        Bucket=os.environ["DESTINATION_BUCKET"],
        ExpectedBucketOwner=os.environ["DESTINATION_ACCOUNT"],
        Key=f"promoted/{job.function}.zip",
        Body=package,
        ContentType="application/zip",
        # The key under which CodePipeline looks for what it shows as the source's revision.
        Metadata={
            "codepipeline-artifact-revision-summary": summary(release),
            "revision": release["revision"],
        },
    )
    version: str = answer["VersionId"]
    return version
