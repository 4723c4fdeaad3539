"""The promoter, as the foundation deploys it: its code under its own role, asked as CodePipeline asks."""

import hashlib
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from zipfile import ZipFile

import pytest

from emulator.accounts import EmulatedAccounts
from tests.worlds import FACTS, TEMPLATE

DEV, STAGE, _ = FACTS["environments"]
REGION = FACTS["region"]
REVISION = "0123456789abcdef0123456789abcdef01234567"
PLACE = "hello-lambda/Release/abc1234"
SECRET = "the-job-s-own-secret"  # noqa: S105


def release_zip(package: bytes = b"a package", **facts: Any) -> bytes:
    """Return a release as a build makes it."""
    release = {
        "function": "hello-lambda",
        "revision": REVISION,
        "summary": f"{REVISION[:12]} Greet in Spanish (Ada)",
        "sha256": hashlib.sha256(package).hexdigest(),
    }
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("package.zip", package)
        archive.writestr("release.json", json.dumps(release | facts))
        archive.writestr("deployment/main.tf", "")
    return content.getvalue()


class Promotion:
    """A world in which releases are promoted from dev to stage."""

    def __init__(self, world: EmulatedAccounts) -> None:
        self.world = world
        self.dev, self.stage = (world.client("s3", e["id"], REGION) for e in (DEV, STAGE))

    def store(self, release: bytes, place: str = PLACE) -> None:
        """Put an artifact to where a pipeline keeps it."""
        self.dev.put_object(Bucket="acme-dev-artifacts-pipelines", Key=place, Body=release)

    def event(self, function: str = "hello-lambda", place: str = PLACE) -> dict[str, Any]:
        """Return a new job, as CodePipeline describes it."""
        location = {"bucketName": "acme-dev-artifacts-pipelines", "objectKey": place}
        configuration = {"FunctionName": "acme-promoter", "UserParameters": function}
        credentials = {"accessKeyId": "ASIAJOB", "secretAccessKey": SECRET, "sessionToken": SECRET}
        data = {
            "actionConfiguration": {"configuration": configuration},
            "inputArtifacts": [{"name": "Release", "location": {"type": "S3", "s3Location": location}}],
            "outputArtifacts": [],
            "artifactCredentials": credentials,
        }
        identifier = self.world.ask("open_job", account=DEV["id"])
        return {"CodePipeline.job": {"id": identifier, "accountId": DEV["id"], "data": data}}

    def deliver(self, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke the promoter and return what has become of the job."""
        client = self.world.client("lambda", DEV["id"], REGION)
        answer = client.invoke(FunctionName="acme-promoter", Payload=json.dumps(event).encode())
        assert "FunctionError" not in answer, answer["Payload"].read()
        job: dict[str, Any] = self.world.ask("read_job", identifier=event["CodePipeline.job"]["id"])
        return job

    def promoted(self, key: str = "promoted/hello-lambda.zip") -> list[dict[str, Any]]:
        """Return the versions of what has been promoted, the newest first."""
        listed = self.stage.list_object_versions(Bucket=STAGE["artifacts_bucket"], Prefix=key)
        versions: list[dict[str, Any]] = listed.get("Versions", [])
        return versions

    def log(self) -> str:
        """Return all that the promoter has logged."""
        client = self.world.client("logs", DEV["id"], REGION)
        events = client.filter_log_events(logGroupName="/aws/lambda/acme-promoter")["events"]
        return "\n".join(event["message"] for event in events)

    def configure(self, **variables: str) -> None:
        """Change the promoter's variables."""
        client = self.world.client("lambda", DEV["id"], REGION)
        known = client.get_function_configuration(FunctionName="acme-promoter")["Environment"]["Variables"]
        client.update_function_configuration(
            FunctionName="acme-promoter", Environment={"Variables": known | variables}
        )


@pytest.fixture
def promotion(organization: EmulatedAccounts) -> Promotion:
    organization.ask("enforce")  # what the promoter's role may, and nothing more
    return Promotion(organization)


def failure(job: dict[str, Any], kind: str) -> str:
    """Return the message of a job that has failed, and make sure that it is of a kind."""
    assert (job["status"], job["result"]["type"]) == ("Failed", kind)
    message: str = job["result"]["message"]
    return message


def test_a_release_is_promoted_only_as_the_commit_that_the_pipeline_has_built(promotion: Promotion) -> None:
    """A build runs the code of its commit, which may write anything into release.json."""
    promotion.store(release_zip())

    job = promotion.deliver(promotion.event(f"hello-lambda {'f' * 40}"))

    message = f"release.json says that it is of commit {REVISION}; this is {'f' * 40}"
    assert message in failure(job, "ConfigurationError")
    assert promotion.promoted() == []
    assert promotion.deliver(promotion.event(f"hello-lambda {REVISION}"))["status"] == "Succeeded"


def test_what_people_see_of_a_release_begins_with_its_revision(promotion: Promotion) -> None:
    promotion.store(release_zip(summary="fedcba987654 Mend a typo (Ada)"))

    job = promotion.deliver(promotion.event())

    said = "0123456789ab fedcba987654 Mend a typo (Ada)"
    assert job["result"]["executionDetails"]["summary"] == said


def test_a_release_arrives_unchanged_with_its_revision(promotion: Promotion) -> None:
    release = release_zip()
    promotion.store(release)

    job = promotion.deliver(promotion.event())

    (version,) = promotion.promoted()
    arrived = promotion.stage.get_object(Bucket=STAGE["artifacts_bucket"], Key=version["Key"])
    assert arrived["Body"].read() == release
    assert arrived["Metadata"] == {
        "codepipeline-artifact-revision-summary": "0123456789ab Greet in Spanish (Ada)",
        "revision": REVISION,
    }
    assert arrived["ServerSideEncryption"] == "aws:kms"
    assert job["status"] == "Succeeded"
    assert job["result"]["executionDetails"] == {
        "summary": "0123456789ab Greet in Spanish (Ada)",
        "externalExecutionId": version["VersionId"],
    }


def test_a_job_delivered_twice_is_promoted_and_answered_once(promotion: Promotion) -> None:
    promotion.store(release_zip())
    event = promotion.event()
    first = promotion.deliver(event)

    again = promotion.deliver(event)

    assert again == first
    assert len(promotion.promoted()) == 1
    assert "delivered before" in promotion.log()


def test_a_retry_is_another_job_and_promotes_again(promotion: Promotion) -> None:
    promotion.store(release_zip())
    for _ in range(2):
        assert promotion.deliver(promotion.event())["status"] == "Succeeded"

    assert len(promotion.promoted()) == 2


@pytest.mark.parametrize(
    ("release", "message"),
    [
        (release_zip(sha256="0" * 64), "package.zip is not what release.json describes"),
        (release_zip(function="other"), "is a release of 'other', not of hello-lambda"),
        (release_zip(revision="main"), "the revision is not a full commit id"),
        (release_zip(summary=7), "must have function, revision, sha256, summary as text"),
        (b"no zip", "is not a zip"),
        (b"PK\x05\x06" + bytes(18), "is not a release"),
    ],
)
def test_what_is_not_a_release_of_the_function_is_refused(
    promotion: Promotion, release: bytes, message: str
) -> None:
    promotion.store(release)

    assert message in failure(promotion.deliver(promotion.event()), "ConfigurationError")
    assert promotion.promoted() == []


def test_a_missing_artifact_is_named(promotion: Promotion) -> None:
    job = promotion.deliver(promotion.event())

    assert f"s3://acme-dev-artifacts-pipelines/{PLACE} is not there" in failure(job, "RevisionUnavailable")


def test_a_missing_destination_fails_the_job(promotion: Promotion) -> None:
    promotion.store(release_zip())
    promotion.stage.delete_bucket(Bucket=STAGE["artifacts_bucket"])

    assert "NoSuchBucket" in failure(promotion.deliver(promotion.event()), "JobFailed")


def test_a_destination_of_another_account_is_refused(promotion: Promotion) -> None:
    promotion.store(release_zip())
    promotion.configure(DESTINATION_ACCOUNT="999999999999")

    assert "AccessDenied" in failure(promotion.deliver(promotion.event()), "PermissionError")
    assert promotion.promoted() == []


def test_a_key_that_is_denied_is_named(promotion: Promotion) -> None:
    kms = promotion.world.client("kms", STAGE["id"], REGION)
    key = kms.describe_key(KeyId="alias/acme")["KeyMetadata"]
    document = json.loads(kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])
    document["Statement"] = [s for s in document["Statement"] if "Promoter" not in s["Sid"]]
    kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=json.dumps(document))
    promotion.store(release_zip())

    message = failure(promotion.deliver(promotion.event()), "PermissionError")

    assert f"kms:GenerateDataKey on resource: {key['Arn']}" in message
    assert promotion.promoted() == []


def test_a_pipeline_cannot_promote_as_another_function(promotion: Promotion) -> None:
    promotion.store(release_zip(function="billing"))

    job = promotion.deliver(promotion.event(function="billing"))

    message = failure(job, "ConfigurationError")
    assert f"{PLACE} is not of the pipeline billing, which alone may promote billing" in message
    assert promotion.promoted("promoted/") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["actionConfiguration"].clear(), "'configuration' is missing"),
        (lambda data: data["actionConfiguration"]["configuration"].pop("UserParameters"), "UserParameters"),
        (
            lambda data: data["actionConfiguration"]["configuration"].update(UserParameters="../x"),
            "UserParameters",
        ),
        (lambda data: data["inputArtifacts"].clear(), "inputArtifacts: must be one, the release"),
        (lambda data: data["inputArtifacts"].append({}), "inputArtifacts: must be one, the release"),
        (lambda data: data["inputArtifacts"][0]["location"].update(type="GIT"), "the release must be in S3"),
        (lambda data: data["inputArtifacts"][0].update(location=None), "is missing or wrong"),
        (
            lambda data: data["inputArtifacts"][0]["location"]["s3Location"].update(
                bucketName="acme-prod-artifacts"
            ),
            "acme-prod-artifacts is not the bucket of our pipelines",
        ),
        (lambda data: data.update(continuationToken="1"), "continuationToken"),
    ],
)
def test_a_malformed_job_is_refused_by_the_field_at_fault(
    promotion: Promotion, change: Any, message: str
) -> None:
    promotion.store(release_zip())
    event = promotion.event()
    change(event["CodePipeline.job"]["data"])

    assert message in failure(promotion.deliver(event), "ConfigurationError")
    assert promotion.promoted("promoted/") == []


@pytest.mark.parametrize(
    ("written", "arrives"),
    [
        ("Say \"hi\" to 'all'", "Say \"hi\" to 'all'"),
        ("first\nsecond\r\n\x00", "first?second???"),
        ("Grüße 😀", "Gr??e ?"),
        ("x" * 4000, "x" * 487),
    ],
)
def test_whatever_a_build_wrote_as_summary_arrives_as_one_line(
    promotion: Promotion, written: str, arrives: str
) -> None:
    promotion.store(release_zip(summary=written))

    job = promotion.deliver(promotion.event())

    head = promotion.stage.head_object(Bucket=STAGE["artifacts_bucket"], Key="promoted/hello-lambda.zip")
    assert head["Metadata"]["codepipeline-artifact-revision-summary"] == f"{REVISION[:12]} {arrives}"
    assert job["result"]["executionDetails"]["summary"] == f"{REVISION[:12]} {arrives}"


def test_the_job_s_credentials_are_in_no_log_and_no_answer(promotion: Promotion) -> None:
    promotion.store(release_zip())
    jobs = [promotion.deliver(promotion.event()), promotion.deliver(promotion.event(function="billing"))]

    assert "promoted hello-lambda" in promotion.log()
    assert SECRET not in promotion.log() + str(jobs)


class Between(BaseHTTPRequestHandler):
    """Passes requests on to a world, but spoils the answers to the first puts below a place.

    done: whether the world is asked all the same, so that the put is done and only its answer lost. late: how
    many seconds that answer takes.
    """

    url: str
    place: str
    left: int
    status: int
    code: str
    done = False
    late = 0

    def relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        spoils = self.command == "PUT" and f"/{self.place}/" in self.path and self.left > 0
        if self.done or not spoils:
            # AWS does not know by it that it is asked again, as an emulated world does.
            del self.headers["Amz-Sdk-Invocation-Id"]
            passed = {"Content-Type": "binary/octet-stream", **self.headers}  # lest urllib call it a form
            request = Request(self.url + self.path, body or None, passed, method=self.command)  # noqa: S310
            try:
                response = urlopen(request)  # noqa: S310
            except HTTPError as error:
                response = error
            status, answer, headers = response.status, response.read(), dict(response.headers)
        if spoils:
            type(self).left -= 1
            time.sleep(self.late)
            status, headers = self.status, {"Content-Type": "application/xml"}
            answer = f"<Error><Code>{self.code}</Code><Message>Said by a test</Message></Error>".encode()
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST = do_HEAD = relay  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Stay silent."""


CONFLICT = {"status": 409, "code": "ConditionalRequestConflict"}


@contextmanager
def spoiled(promotion: Promotion, place: str, **how: Any) -> Iterator[None]:
    """Have the answers to the promoter's first puts below a place spoiled, as Between's attributes say."""
    handler = type("Handler", (Between,), {"url": promotion.world.url, "place": place, **how})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        promotion.configure(AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()


@pytest.mark.parametrize(("times", "status"), [(2, "Succeeded"), (99, "Failed")])
def test_a_throttled_put_is_retried_for_a_while(promotion: Promotion, times: int, status: str) -> None:
    promotion.store(release_zip())

    with spoiled(promotion, "promoted", left=times, status=503, code="SlowDown"):
        job = promotion.deliver(promotion.event())

    assert job["status"] == status
    assert len(promotion.promoted()) == (status == "Succeeded")
    if status == "Failed":
        assert "SlowDown" in failure(job, "JobFailed")


def test_a_job_whose_claim_s3_could_not_decide_is_claimed_again(promotion: Promotion) -> None:
    promotion.store(release_zip())

    with spoiled(promotion, "promotions", left=2, **CONFLICT):
        job = promotion.deliver(promotion.event())

    assert job["status"] == "Succeeded"
    assert len(promotion.promoted()) == 1


def test_a_job_is_ours_though_the_answer_to_our_claim_was_lost(promotion: Promotion) -> None:
    promotion.store(release_zip())
    event = promotion.event()

    with spoiled(promotion, "promotions", left=1, status=500, code="InternalError", done=True):
        job = promotion.deliver(event)
        again = promotion.deliver(event)

    assert job["status"] == "Succeeded"
    assert again == job
    assert len(promotion.promoted()) == 1
    assert "delivered before" in promotion.log()


@pytest.mark.tries("kills", "while promoting")
@pytest.mark.parametrize("done", [False, True])
def test_a_promoter_that_is_killed_leaves_a_whole_release_or_none_and_a_retry_promotes(
    promotion: Promotion, done: bool
) -> None:
    release = release_zip()
    promotion.store(release)
    functions = promotion.world.client("lambda", DEV["id"], REGION)
    event = promotion.event()
    promotion.world.ask("pace", minute=0)  # what is changed is so at once

    with spoiled(promotion, "promoted", left=1, status=500, code="InternalError", done=done, late=60):
        functions.update_function_configuration(FunctionName="acme-promoter", Timeout=8)
        answer = functions.invoke(FunctionName="acme-promoter", Payload=json.dumps(event).encode())
        assert "timed out" in answer["Payload"].read().decode()
        assert (
            promotion.world.ask("read_job", identifier=event["CodePipeline.job"]["id"])["status"] != "Failed"
        )
        assert len(promotion.promoted()) == done
        retried = promotion.deliver(promotion.event())

    assert retried["status"] == "Succeeded"
    for version in promotion.promoted():
        place = {"Key": version["Key"], "VersionId": version["VersionId"]}
        kept = promotion.stage.get_object(Bucket=STAGE["artifacts_bucket"], **place)
        assert kept["Body"].read() == release


def test_a_claim_that_s3_never_decides_fails_the_job(promotion: Promotion) -> None:
    promotion.store(release_zip())

    with spoiled(promotion, "promotions", left=99, **CONFLICT):
        job = promotion.deliver(promotion.event())

    assert "ConditionalRequestConflict" in failure(job, "JobFailed")
    assert promotion.promoted() == []


def test_the_promoter_s_code_needs_nothing_but_the_runtime(promotion: Promotion) -> None:
    source = TEMPLATE / "foundation/promoter"

    assert [path.name for path in source.iterdir() if path.name != "__pycache__"] == ["promoter.py"]
