"""The front of the emulated accounts: moto, mended, behind a judge, served.

A call reaches the account that its credentials belong to. Each is read with botocore's model of its service,
shown to a judge who may refuse it, answered by a service's file here or by moto, and recorded in a journal.
"""

import json
import os
import re
import subprocess
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from stat import S_ISSOCK
from typing import Any, NoReturn

from botocore.exceptions import UnknownServiceError
from moto.core.exceptions import JsonRESTError
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sts.models import sts_backends
from werkzeug.exceptions import NotFound
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from emulator import (
    apigateway,
    asynchronous,
    calls,
    cloudwatch,
    codebuild,
    codepipeline,
    connections,
    dynamodb,
    execute_api,
    iam,
    kinesis,
    logs,
    mends,
    notifications,
    s3,
    scheduler,
    secretsmanager,
    servicequotas,
    snapshot,
    sqs,
    ssm,
    streams,
    tags,
)
from emulator.accounts import CONTROL, EmulatedAccounts, JournalEntry
from emulator.calls import AwsError, Call, Caller, Check, owner
from emulator.codedeploy import Traffic
from emulator.event_sources import Poller
from emulator.judge import verdict
from emulator.judge.bases import basis
from emulator.judge.verdict import SignedCall
from emulator.lambda_ import Functions, check_rate

# For what they answer and check.
SERVICES = (
    *(apigateway, codebuild, connections, dynamodb, iam, kinesis, logs, notifications, scheduler),
    *(secretsmanager, servicequotas, sqs, ssm, streams, tags),
)
ANSWERS_KEPT, LARGEST_KEPT = 200, 100_000  # in bytes

Judge = Callable[[SignedCall], list[Check]]


class Front:
    """What stands before moto, as a WSGI application.

    judge: told of each call before anything is done; returns what was checked. enforcing: whether what is
    denied is refused, or done and only recorded.
    """

    def __init__(self, judge: Judge = lambda call: []) -> None:
        """Begin an empty world."""
        snapshot.note_places()
        self.judge, self.enforcing = judge, True
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.entries: list[JournalEntry] = []
        self.answers: dict[str, Response] = {}  # by the SDK's id of the call, the latest
        self.world = threading.RLock()  # whoever holds it may read or change moto's state

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        body = request.get_data()
        environ.update({"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))})
        if api := execute_api.named(request):
            return self.gateway.answer(request, api)(environ, start_response)
        answer = self.control if request.path.startswith(CONTROL) else self.answer
        return answer(request)(environ, start_response)

    def answer(self, request: Request) -> Response:
        """Answer a call and record it."""
        began, clock = time.time(), time.perf_counter()
        # An SDK that missed an answer asks again, under the same id; it gets the same answer.
        asked = request.headers.get("Amz-Sdk-Invocation-Id", "")
        if asked in self.answers:
            return self.answers[asked]
        call = SignedCall("", f"{request.method} {request.path}", "")
        try:
            read_operation(call, request)
            identify(call, request)
            response = self.serve(call, request.environ)
        except AwsError as error:
            response = serialize(call, error)
        except JsonRESTError as error:
            response = serialize(call, AwsError(error.error_type, error.message, error.code))
        except Exception as crash:  # moto's, or what moto lacks: an answer that no SDK retries
            place = traceback.extract_tb(crash.__traceback__)[-1]
            where = f"{type(crash).__name__} at {Path(place.filename).name}:{place.lineno}: {crash}"
            message = f"{call.service}:{call.operation}: {where}"
            response = serialize(call, AwsError("EmulatorNotImplemented", message))
        entry = self.record(call, response.status_code, error_code(response), began, clock)
        if asked and entry.error is None and len(response.data) < LARGEST_KEPT:
            self.answers[asked] = response
            for oldest in list(self.answers)[:-ANSWERS_KEPT]:
                self.answers.pop(oldest, None)
        return response

    def record(
        self, call: Call, status: int, error: str | None, began: float = 0, clock: float = 0
    ) -> JournalEntry:
        """Record a call; began: seconds since the epoch, clock: the performance counter's, both now if 0."""
        entry = JournalEntry(
            time=began or time.time(),
            ms=round((time.perf_counter() - clock) * 1000, 1) if clock else 0,
            service=call.service,
            operation=call.operation,
            region=call.region,
            account=call.account,
            principal=call.principal,
            role=call.role,
            parameters=presentable(call.parameters, call.model and call.model.input_shape),
            checks=call.checks,
            status=status,
            error=error,
            note=call.note,
        )
        self.entries.append(entry)
        return entry

    def judged(self, call: SignedCall) -> None:
        """Let the judge see a call. Raises AwsError if it is denied."""
        with self.world:
            call.checks = self.judge(call)
        denied = next((check for check in call.checks if check.denied), None)
        if denied and self.enforcing:
            raise verdict.refusal(call.service, denied)

    def admit(self, call: SignedCall, request: Request) -> None:
        """Judge a request to an API, once it is known who has signed it. Raises AwsError."""
        secret = identify(call, request)
        if not execute_api.is_signed(request, call.region, secret):
            raise AwsError("InvalidSignatureException", "the signature is another than the request's", 403)
        self.judged(call)

    def serve(self, call: SignedCall, environ: dict[str, Any]) -> Response:
        """Let the judge see a call; answer it ourselves if we can, else let moto."""
        self.judged(call)
        check_rate(call)
        if (call.service, call.operation) == ("lambda", "Invoke"):
            later = call.parameters.get("InvocationType") == "Event"
            answers = self.queue.take if later else self.functions.invoke
            return serialize(call, answers(call, owner(call)))
        if (call.service, call.operation) == ("codedeploy", "CreateDeployment"):
            return serialize(call, self.traffic.create(call))
        with self.world:
            mends.check_bucket_owner(call)
            if call.service == "cloudwatch":
                cloudwatch.evaluate(call.account, call.region)
            if operation := calls.OPERATIONS.get((call.service, call.operation)):
                return serialize(call, operation(call))
            calls.use(f"{call.service}:{call.operation}", calls.MOTO)
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = owner(call)
            response = Response.from_app(self.moto, environ, buffered=True)
            if response.data[:14].lower() == b"<!doctype html":  # Flask's own page
                raise NotImplementedError("moto has no such route")
            if response.status_code < 400:  # noqa: PLR2004
                codepipeline.start_created(call)
                s3.tell_of_put(call)
        return response

    def control(self, request: Request) -> Response:
        """Do what an EmulatedAccounts asks for."""
        arguments = json.loads(request.get_data())
        result: Any
        match request.path.removeprefix(CONTROL):
            case command if command in calls.COMMANDS:
                with self.world:
                    result = calls.COMMANDS[command](**arguments)
            case "environment":
                result = self.environment(**arguments)
            case "enforce" | "report" as mode:
                self.judge, self.enforcing, result = verdict.judge, mode == "enforce", None
            case "act":
                result = self.act(**arguments)
            case "journal":
                result = [asdict(entry) for entry in self.entries]
            case "fork":
                result = self.fork()
            case "keep":
                with self.world:
                    result = Path(arguments["file"]).write_bytes(snapshot.taken(self.entries))
            case "restore":
                result = False
                with self.world, suppress(FileNotFoundError):
                    kept = Path(arguments["file"]).read_bytes()
                    if result := snapshot.whole(kept):
                        self.entries = snapshot.restored(kept)
            case "end":
                os._exit(0)
        return Response(json.dumps(result), mimetype="application/json")

    def environment(
        self,
        account: str,
        region: str,
        role: str,
        session: str = "rehearsal",
        carried: dict[str, str] | None = None,
    ) -> dict[str, str]:
        """Return the AWS_* variables of a new session of a role. carried: the condition keys of its calls."""
        with self.world:
            roles = {known.name: known.arn for known in iam_backends[account]["aws"].get_roles()}
            arn = roles.get(role, f"arn:aws:iam::{account}:role/{role}")
            assumed = sts_backends[account]["aws"].assume_role(region, session, arn, "", 3600, "")
            assumed.carried = carried or {}  # type: ignore[attr-defined]
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": assumed.access_key_id,
            "AWS_SECRET_ACCESS_KEY": assumed.secret_access_key,
            "AWS_SESSION_TOKEN": assumed.session_token,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    def act(  # noqa: PLR0913
        self,
        service: str,
        account: str,
        region: str,
        actions: list[tuple[str, str] | tuple[str, str, dict[str, str]]],
        *,
        role: str = "",
        source: str = "",
        told: dict[str, str] | None = None,
    ) -> str | None:
        """Judge what a service of AWS does by itself in an account; return why it may not, or None if it may.

        actions: with the resource of each, and condition keys that it alone has. role: the ARN of the role
        that it takes, if it takes one. source: the ARN of that for which it acts, where the service tells
        IAM. told: condition keys beside these. A provider of tokens, by its ARN, is such a service, too.
        """
        if self.judge is not verdict.judge:
            return None
        call = Call(service.partition(".")[0], "by itself", region, account, service, role or None)
        itself = caller = Caller(service=service)
        context = {"aws:sourcearn": source, "aws:sourceaccount": account} if source else {}
        with self.world:
            if role:
                takes = "sts:AssumeRole" + ("WithWebIdentity" if ":oidc-provider/" in service else "")
                claimed = context | (told or {}) if takes.endswith("Identity") else context
                call.checks.append(verdict.check(itself, region, takes, role, claimed))
                # Without the path: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
                session = f"arn:aws:sts::{role.split(':')[4]}:assumed-role/{role.rpartition('/')[2]}"
                caller, context = Caller(role, f"{session}/{call.service}"), {}
            known = context | (told or {})
            call.checks += [
                verdict.check(caller, region, action, resource, known | dict(*more))
                for action, resource, *more in actions
            ]
            for check in call.checks:
                itself_asks = f"{call.service} by itself"
                calls.use(f"{itself_asks} asks for {check.action}", basis(itself_asks, check.action))
        denied = next((check for check in call.checks if check.denied and self.enforcing), None)
        self.record(call, status=403 if denied else 200, error="AccessDenied" if denied else None)
        return str(verdict.refusal(call.service, denied).message) if denied else None

    def fork(self) -> str:
        """Copy the world, between two calls, into a process of its own; return its URL."""
        reader, writer = os.pipe()
        with self.world:
            child = os.fork()
        if child == 0:
            os.setsid()
            self.reaper.stdin.close()  # type: ignore[union-attr]
            leave_connections()
            self.entries = []
            self.run(writer)
        os.close(writer)
        threading.Thread(target=os.waitpid, args=(child, 0), daemon=True).start()
        with os.fdopen(reader) as announcement:
            return announcement.readline().strip()  # not to its end: a copy made meanwhile holds it open

    def run(self, announcement: int) -> NoReturn:
        """Serve as the leader of a process group until standard input ends.

        announcement: a descriptor, to which the URL is written.
        """
        folder = tempfile.mkdtemp(prefix="emulated-accounts-")
        # Survives us, whatever ends us: then it ends the functions that we run, and removes their files.
        reap = 'read _; kill -s KILL -- "-$0"; rm -rf -- "$1"'
        self.reaper = subprocess.Popen(
            ["/bin/sh", "-c", reap, str(os.getpid()), folder],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        threading.Thread(target=lambda: os.read(0, 1) or os._exit(0), daemon=True).start()
        # An address in numbers, so that SDKs put the bucket into the path.
        server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=SilentHandler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.functions = Functions(Path(folder), self.world, self.environment)
        self.queue = asynchronous.Queue(self.world, self.functions, self.record)
        self.gateway = execute_api.Gateway(self.world, self.functions, self.admit, self.record)
        calls.act, calls.invoke = self.act, self.queue.ask
        threading.Thread(target=Poller(self.world, self.functions, self.record).run, daemon=True).start()
        threading.Thread(target=scheduler.Clock(self.world).run, daemon=True).start()
        itself = EmulatedAccounts()
        itself.url = self.url
        self.traffic = Traffic(self.world, itself.client)
        os.write(announcement, f"{self.url}\n".encode())
        os.close(announcement)
        server.serve_forever()
        raise AssertionError("a server ends with its process")


class SilentHandler(MotoRequestHandler):
    """Leaves requests to the journal."""

    def log_request(self, *args: object) -> None:
        """Stay silent."""


def read_operation(call: Call, request: Request) -> None:
    """Fill in which operation is called, where, and with what. Raises AwsError if the call is not signed."""
    signature = re.search(r"Credential=([^,\s]+)", request.headers.get("Authorization", ""))
    scope = signature[1] if signature else request.args.get("X-Amz-Credential", "")
    if scope.count("/") != 4:  # noqa: PLR2004  KEY/DATE/REGION/SERVICE/aws4_request
        raise AwsError("MissingAuthenticationToken", "the request is not signed", 403)
    call.region, signing_name = scope.split("/")[2:4]
    named = {"monitoring": "cloudwatch", "servicequotas": "service-quotas"}
    named["tagging"] = "resourcegroupstaggingapi"
    call.service = named.get(signing_name, signing_name)
    prefix, _, target = request.headers.get("X-Amz-Target", "").rpartition(".")
    call.operation = target or call.operation
    in_path: dict[str, Any] = {}
    v2 = call.service == "apigateway" and request.path.startswith("/v2/")
    model = "apigatewayv2" if v2 else call.service
    model = "dynamodbstreams" if prefix.startswith("DynamoDBStreams_") else model
    try:
        service = get_service_model(model)
        call.protocol = determine_request_protocol(service, request.content_type)
        call.model, in_path = get_service_router(model).match(request)
    except UnknownServiceError:
        return
    except NotFound:  # SDKs differ in how they prefix the target
        if target not in service.operation_names:
            return
        call.model = service.operation_model(target)
    call.operation = call.model.name
    call.parameters = PROTOCOL_PARSERS[call.protocol](call.model).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.get_data(),
            "url_path": request.path,
            "url_params": in_path,
        }
    )
    if call.service == "s3" and "Metadata" in call.parameters:  # WSGI capitalises headers, S3 lowers them
        call.parameters["Metadata"] = {k.lower(): v for k, v in call.parameters["Metadata"].items()}


def identify(call: SignedCall, request: Request) -> str:
    """Fill in who calls; return their secret key. Raises AwsError for credentials of elsewhere."""
    key = (request.headers.get("Authorization", "") + request.args.get("X-Amz-Credential", "")).split("/")[0]
    key = key.rpartition("=")[2]
    for account, partitions in list(iam_backends.items()):
        if key in partitions["aws"].access_keys:
            call.account = account
            if session := sts_backends[account]["aws"].get_assumed_role_from_access_key(key):
                call.principal, call.role = session.arn, session.role_arn
                call.carried = getattr(session, "carried", {})
            elif user := partitions["aws"].get_user_from_access_key_id(key):
                call.principal = user.arn
            return str(partitions["aws"].access_keys[key].secret_access_key)
    raise AwsError("InvalidClientTokenId", "these credentials are not of the emulated accounts", 403)


def serialize(call: Call, result: object) -> Response:
    """Return a result, or an AwsError, as the called service would send it."""
    try:
        model = call.model or OperationModel({}, get_service_model(call.service))
    except UnknownServiceError:
        code, status = getattr(result, "code", "EmulatorNotImplemented"), getattr(result, "status", None)
        return Response(json.dumps({"__type": code, "message": str(result)}), status or 400)
    protocol = call.protocol or model.service_model.protocol
    serializer = get_serializer_class(model.service_model.service_name, protocol)(operation_model=model)
    sent, status = serializer.serialize(result), getattr(result, "status", None)
    if isinstance(result, dict) and model.output_shape is not None:
        members = model.output_shape.members.items()
        of_status = [name for name, shape in members if shape.serialization.get("location") == "statusCode"]
        status = next((result.get(name) for name in of_status), None)
    return Response(sent["body"], status or sent["status_code"], sent["headers"])


def error_code(response: Response) -> str | None:
    """Return the error code in a service's answer, None if it is no error."""
    if response.status_code < 400:  # noqa: PLR2004
        return None
    named = re.search(rb'<Code>([^<]+)|"__type": *"([^"]+)', response.data)
    code = response.headers.get("X-Amzn-Errortype") or (named and (named[1] or named[2]).decode()) or ""
    return code.rpartition("#")[2] or str(response.status_code)


def presentable(value: Any, shape: Any) -> Any:
    """Return a parameter for the journal: nothing sensitive, nothing long, all of it JSON."""
    if shape is not None and shape.metadata.get("sensitive"):
        return "(sensitive)"
    if isinstance(value, dict):
        members = getattr(shape, "members", {})
        return {
            name: presentable(item, members.get(name, getattr(shape, "value", None)))
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [presentable(item, getattr(shape, "member", None)) for item in value[:100]]
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    if isinstance(value, str) and len(value) > 10_000:  # noqa: PLR2004
        return value[:10_000] + "…"
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def leave_connections() -> None:
    """Let go of the sockets that a fork inherits; their numbers stay taken until their owners close them."""
    null = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/dev/fd"):  # noqa: PTH208
        with suppress(OSError):
            if S_ISSOCK(os.fstat(int(name)).st_mode):
                os.dup2(null, int(name))
    os.close(null)


if __name__ == "__main__":
    url = os.dup(1)
    os.dup2(2, 1)  # what moto prints
    warnings.filterwarnings("ignore", r"Exception\(AwsError\)")  # moto's, about codes that no model has
    Front().run(url)
