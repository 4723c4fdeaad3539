"""Lambda: invocations, aliases that share traffic, what it checks, and the policies of functions.

moto keeps the functions.
"""

import base64
import json
import tempfile
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from moto.awslambda.models import LambdaFunction, _s3_content, lambda_backends
from moto.awslambda.responses import LambdaResponse
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from emulator import calls, cloudwatch, network
from emulator.calls import MODEL, NOTHING, PERSON, AwsError, Call, claims, command, doc, operation, owner
from emulator.execution_environment import ExecutionEnvironment, Outcome
from emulator.judge.checks import RENAMED, Asked, derived, reads
from emulator.judge.policies import statements
from emulator.judge.verdict import Guarded, guards
from emulator.mends import replaces
from emulator.s3 import to_decrypt
from emulator.states import check_active

RENAMED["lambda", "Invoke"] = "InvokeFunction"
CREDIT: dict[str, float] = defaultdict(float)  # of an alias: what its second version is owed
IN_A_SECOND = {"GetFunction": 100, "GetPolicy": 15, "all others": 15}  # requests of an account
ASKED: dict[tuple[str, ...], list[float]] = defaultdict(list)  # when, by account, region and kind
# Executions at once and bytes of code, by account and region, where they are not those of
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LIMITS: dict[tuple[str, str], tuple[int, int]] = {}


@claims("Lambda refuses what is asked too often", doc("lambda/latest/dg/gettingstarted-limits.html"))
def check_rate(call: Call) -> None:
    """Refuse what is asked too often; who sets accounts up, as tests do, is not counted. Raises AwsError."""
    if call.service != "lambda" or call.operation == "Invoke" or str(call.role).endswith(f"/{PERSON}"):
        return
    kind = call.operation if call.operation in IN_A_SECOND else "all others"
    times, now = ASKED[call.account, call.region, kind], time.time()
    times[:] = [when for when in times if when > now - 1]
    if len(times) >= IN_A_SECOND[kind]:
        raise AwsError("TooManyRequestsException", "Rate exceeded", 429)
    times.append(now)


@command
@claims("the command set_lambda_limits", NOTHING)
def set_lambda_limits(account: str, region: str, concurrency: int, code_size: int) -> None:
    """Let an account run so many executions at once and keep so many bytes of code in a region."""
    LIMITS[account, region] = concurrency, code_size


@operation("lambda", "GetAccountSettings", rests=doc("lambda/latest/api/API_GetAccountSettings.html"))
def account_settings(call: Call) -> dict[str, Any]:
    """Return the account's limits, and what its functions use."""
    concurrency, code_size = LIMITS.get((call.account, call.region), (1000, 75 * 1024**3))
    functions = lambda_backends[call.account][call.region]._lambdas._functions.values()
    versions = [version for each in functions for version in (each["latest"], *each["versions"])]
    used = sum(version.code_size for version in versions)
    return {
        "AccountLimit": {"ConcurrentExecutions": concurrency, "TotalCodeSize": code_size},
        "AccountUsage": {"FunctionCount": len(functions), "TotalCodeSize": used},
    }


def check_event(event: bytes) -> None:
    """Refuse what is not JSON. Raises AwsError."""
    try:
        json.loads(event)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise AwsError("InvalidRequestContentException", message) from None


class Functions:
    """The functions of a world, as far as they run. Of each version, one environment is kept warm."""

    def __init__(
        self,
        folder: Path,
        world: threading.RLock,
        environment: Callable[[str, str, str, str, dict[str, str]], dict[str, str]],
    ) -> None:
        """Run them in a folder.

        world: held while moto's state is read or changed. environment: returns the AWS_* variables of a new
        session, given account, region, role name, session name and the condition keys that come with it.
        """
        self._folder, self._world, self._environment = folder, world, environment
        self._warm: dict[str, ExecutionEnvironment] = {}
        self._running = Counter[str]()

    @claims("lambda:Invoke", doc("lambda/latest/api/API_Invoke.html"))
    def invoke(self, call: Call, account: str, identifier: str = "") -> dict[str, Any]:
        """Answer lambda:Invoke of a function of an account with the response that Lambda would give.

        identifier: the request's, if it has one already. For type Event, asynchronous.py answers.
        """
        parameters = call.parameters
        name, qualifier = parameters["FunctionName"], parameters.get("Qualifier")
        event = parameters.get("Payload") or b"{}"
        with self._world:
            function = answering(account, call.region, name, qualifier)
            check_active(function)
            configuration = function.get_configuration()
        check_event(event)
        function_arn = ":".join(configuration["FunctionArn"].split(":")[:7])
        qualifier = qualifier or ":".join(name.rpartition(":function:")[2].split(":")[1:])
        invoked = function_arn + (f":{qualifier}" if qualifier else "")
        if parameters.get("InvocationType") == "DryRun":
            return {"StatusCode": 204}
        counted = account, call.region, invoked.partition(":function:")[2]
        with self._execution(*counted):
            environment = self._take(account, call.region, configuration, function.code_bytes)
            call.note = f"ran under {environment.interpreter}"
            outcome = environment.invoke(event, invoked, identifier or str(uuid.uuid4()))
            self._write(account, call.region, environment, outcome.log)
            self._keep(configuration["FunctionArn"], environment, outcome)
        answer = {"StatusCode": 200, "Payload": outcome.payload, "ExecutedVersion": configuration["Version"]}
        if outcome.failed:
            answer["FunctionError"] = "Unhandled"
            with self._world:
                cloudwatch.count_of_function("Errors", *counted, configuration["Version"])
        if parameters.get("LogType") == "Tail":
            tail = "\n".join([*outcome.log, ""]).encode()[-4096:]
            answer["LogResult"] = base64.b64encode(tail).decode()
        return answer

    @claims("lambda throttles", doc("lambda/latest/dg/configuration-concurrency.html"))
    @contextmanager
    def _execution(self, account: str, region: str, invoked: str) -> Iterator[None]:
        """Count an execution of a function. Raises AwsError if as many run as are reserved for it."""
        with self._world:
            function = lambda_backends[account][region].get_function(invoked.partition(":")[0])
            running, reserved = self._running[function.function_arn], function.reserved_concurrency
            if reserved is not None and running >= reserved:
                cloudwatch.count_of_function("Throttles", account, region, invoked)
                raise AwsError("TooManyRequestsException", "Rate Exceeded.", 429)
            self._running[function.function_arn] += 1
        try:
            yield
        finally:
            with self._world:
                self._running[function.function_arn] -= 1

    def _take(
        self, account: str, region: str, configuration: dict[str, Any], code: bytes
    ) -> ExecutionEnvironment:
        environment = self._warm.pop(configuration["FunctionArn"], None)
        if environment and environment.configuration == configuration:
            return environment
        if environment:
            environment.close()
        if why := calls.act("lambda.amazonaws.com", account, region, [], role=configuration["Role"]):
            raise AwsError(
                "AccessDeniedException", f"The function's role cannot be assumed by Lambda. {why}", 403
            )
        role, name = configuration["Role"].rpartition("/")[2], configuration["FunctionName"]
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        variables = self._environment(account, region, role, name, told_of_source(configuration))
        return ExecutionEnvironment(folder, code, configuration, variables)

    def _keep(self, version_arn: str, environment: ExecutionEnvironment, outcome: Outcome) -> None:
        if not outcome.warm or self._warm.setdefault(version_arn, environment) is not environment:
            environment.close()

    @claims("lambda writes a function's log", doc("lambda/latest/dg/monitoring-cloudwatchlogs.html"))
    def _write(self, account: str, region: str, environment: ExecutionEnvironment, lines: list[str]) -> None:
        """Put lines into the function's log group and send traces, in its role; AWS drops what it may not."""
        configuration = environment.configuration
        group, stream = configuration["LoggingConfig"]["LogGroup"], environment.log_stream
        arn = f"arn:aws:logs:{region}:{account}:log-group:{group}"
        told = told_of_source(configuration)
        actions: list[tuple[str, str, dict[str, str]]] = [
            ("logs:CreateLogStream", f"{arn}:*", told),
            ("logs:PutLogEvents", f"{arn}:log-stream:{stream}", told),
        ]
        if configuration.get("TracingConfig", {}).get("Mode") == "Active":
            actions += [("xray:PutTraceSegments", "*", told), ("xray:PutTelemetryRecords", "*", {})]
        if calls.act("lambda.amazonaws.com", account, region, actions, role=configuration["Role"]):
            return
        now = int(time.time() * 1000)
        with self._world:
            logs = logs_backends[account][region]
            logs.ensure_log_group(group)
            logs.ensure_log_stream(group, stream)
            logs.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in lines])


@claims("lambda tells which function calls", doc("lambda/latest/dg/permissions-source-function-arn.html"))
def told_of_source(configuration: dict[str, Any]) -> dict[str, str]:
    """Return the condition keys of what a function's code calls, or Lambda for its log and its traces."""
    return {"lambda:sourcefunctionarn": ":".join(configuration["FunctionArn"].split(":")[:7])}


@claims("an alias's second version gets its share", doc("lambda/latest/dg/configuring-alias-routing.html"))
def answering(account: str, region: str, name: str, qualifier: str | None) -> Any:
    """Return the version that answers an invocation. Raises moto's error if there is none.

    Of an alias with weights, the second version gets exactly its share: at 0.1, each tenth invocation.
    """
    backend = lambda_backends[account][region]
    function = backend.get_function(name, qualifier)
    qualifier = qualifier or name.rpartition(":function:")[2].partition(":")[2]
    for alias in backend.list_aliases(function.function_name):
        weights: Any = alias.routing_config or {}
        for version, weight in weights.get("AdditionalVersionWeights", {}).items():
            if alias.name == qualifier:
                CREDIT[alias.arn] += weight
                if CREDIT[alias.arn] > 1 - 1e-9:  # tenths add up to it almost
                    CREDIT[alias.arn] -= 1
                    return backend.get_function(function.function_name, version)
    return function


@replaces(LambdaFunction, "_set_function_code", rests=MODEL)
def set_function_code(function: Any, original: Any, code: dict[str, Any]) -> None:
    """Take the version of an object that is named. AWS does, moto takes the latest."""
    original(function, code)
    version = code.get("S3ObjectVersion")
    if version and not code.get("DryRun"):
        stored = s3_backends[function.account_id]["aws"].get_object(code["S3Bucket"], code["S3Key"], version)
        if stored is None:
            message = "Error occurred while GetObject. S3 Error Code: NoSuchVersion. "
            message += "S3 Error Message: The specified version does not exist."
            raise AwsError("InvalidParameterValueException", message)
        taken = _s3_content(stored)
        function.code_bytes, function.code_size, function.code_sha_256, function.code_digest = taken


@replaces(LambdaResponse, "publish_version", rests=doc("lambda/latest/api/API_PublishVersion.html"))
def publish_version(response: Any, original: Any) -> Any:
    """Publish only the code whose checksum is given. AWS does, moto does not look.

    In AWS's words: https://github.com/justinram11/serverless-aws-batch/issues/22
    """
    function = response.backend.get_function(unquote(response.path.rsplit("/", 2)[-2]))
    wanted, found = response._get_param("CodeSha256"), function.code_sha_256
    if wanted and wanted != found:
        message = f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({found}). "
        message += "Please try again with the CodeSHA256 in $LATEST."
        raise AwsError("InvalidParameterValueException", message)
    return original(response)


@reads("lambda", rests=doc("lambda/latest/dg/lambda-api-permissions-ref.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what Lambda checks; it takes a function's code with the caller's permissions."""
    said = call.parameters
    if "EventSourceMapping" in call.operation:
        yield from mapping(call, action)
        return
    if "Resource" in said:
        yield action, said["Resource"], {}
        return
    if "FunctionName" not in said:
        yield from derived(call, action)
        return
    name, _, qualifier = said["FunctionName"].rpartition(":function:")[2].partition(":")
    qualifier = f":{said.get('Qualifier') or qualifier}".rstrip(":")
    function = f"arn:aws:lambda:{call.region}:{owner(call)}:function:{name}{qualifier}"
    yield action, function, let_in(call, function) if "Permission" in call.operation else {}
    if call.operation == "CreateFunction" or (
        call.operation == "UpdateFunctionConfiguration" and said.get("Role")
    ):
        yield "iam:PassRole", said["Role"], {"iam:passedtoservice": "lambda.amazonaws.com"}
    yield from network.asked(call)
    code = said.get("Code", said)
    if call.operation in ("CreateFunction", "UpdateFunctionCode") and code.get("S3Bucket"):
        version = code.get("S3ObjectVersion")
        get = "s3:GetObjectVersion" if version else "s3:GetObject"
        yield get, f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}", {}
        yield from to_decrypt(code["S3Bucket"], code["S3Key"], call.region, version)
    if call.operation == "GetFunction":
        # Without, AWS answers but leaves the tags out, and Terraform would set them at every apply.
        yield "lambda:ListTags", f"arn:aws:lambda:{call.region}:{owner(call)}:function:{name}", {}
    if said.get("Tags") and call.operation == "CreateFunction":
        yield "lambda:TagResource", f"arn:aws:lambda:{call.region}:{call.account}:function:{name}", {}


@claims(
    "lambda tells whom a statement of a function's policy lets in",
    doc("service-authorization/latest/reference/list_awslambda.html"),
)
def let_in(call: Call, function: str) -> dict[str, Any]:
    """Return the condition key of whom the statement lets in that a call adds to a policy, or removes."""
    if call.operation == "AddPermission":
        return {"lambda:principal": call.parameters["Principal"]}
    of_function, _, _ = function_policy(call.region, function)
    known = [each for each in statements(of_function or {}) if each["Resource"] == function]
    named = (each["Principal"] for each in known if each["Sid"] == call.parameters.get("StatementId"))
    return {"lambda:principal": next((who for each in named for who in each.values()), None)}


@claims("lambda tells the function of a mapping", doc("lambda/latest/dg/lambda-api-permissions-ref.html"))
def mapping(call: Call, action: str) -> Asked:
    """Yield what Lambda checks of a mapping of an event source, which is named by a number."""
    said, numbered = call.parameters, f"arn:aws:lambda:{call.region}:{call.account}:event-source-mapping:"
    there = lambda_backends[call.account][call.region].get_event_source_mapping(said.get("UUID", ""))
    function = said.get("FunctionName") or (there and there.function_arn)
    if function and not function.startswith("arn:"):
        function = f"arn:aws:lambda:{call.region}:{call.account}:function:{function}"
    resource = numbered + said["UUID"] if "UUID" in said else "*"
    yield action, resource, {"lambda:functionarn": function}
    if said.get("Tags"):
        yield "lambda:TagResource", f"{numbered}*", {}


@guards("lambda", rests=doc("lambda/latest/dg/using-aliases.html"))
def function_policy(region: str, resource: str) -> Guarded:
    """Return the policy of a function; each of its statements names the alias that it is for."""
    account, kind, name = [*resource.split(":"), "", ""][4:7]
    if kind != "function" or not account:
        return None, account, False
    known = lambda_backends[account][region]._lambdas._functions.get(name)
    versions = [known["latest"], *known["versions"]] if known else []
    added = [dict(statement) for version in versions for statement in version.policy.statements]
    for statement in added:
        if isinstance(statement["Principal"], str):  # so that moto keeps who is no service
            statement["Principal"] = {"AWS": statement["Principal"]}
    return {"Version": "2012-10-17", "Statement": added} if added else None, account, False
