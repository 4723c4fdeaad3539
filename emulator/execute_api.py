"""Requests to HTTP APIs: authorized, throttled, handed to functions, answered and logged as API Gateway does.

Whoever sends one to where the emulated accounts are served, with the API's own name as host, reaches it.
"""

import base64
import json
import re
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from joserfc import jwt
from joserfc.jwk import KeySet
from moto.apigatewayv2.models import apigatewayv2_backends
from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.logs.models import logs_backends
from werkzeug.wrappers import Response

from emulator import calls, cloudwatch
from emulator.calls import NOTHING, AwsError, Call, claims, command, doc, guess
from emulator.judge.checks import Asked, reads
from emulator.judge.verdict import SignedCall
from emulator.lambda_ import Functions

GUIDE = "apigateway/latest/developerguide/"
HOST = re.compile(r"(\w+)\.execute-api\.[\w-]+\.amazonaws\.com(:\d+)?")
APIS = "apigateway.amazonaws.com"
LARGEST = 10 * 1024 * 1024  # bytes of a request
SLOWEST = 1.5  # seconds that an issuer may take
UNLIMITED = (10000, 5000)  # requests in a second and at once, where a stage says nothing
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
MAY_NOT = "The IAM role configured on the integration or API Gateway doesn't have permissions to call the "
MAY_NOT += "integration. Check the permissions and try again."
ISSUERS: dict[str, Any] = {}


class RefusedError(Exception):
    """A request that is not answered by a function; why: what the log says of it."""

    def __init__(self, status: int, message: str, why: str = "-") -> None:
        """Make an error to raise."""
        super().__init__(message)
        self.status, self.why = status, why


@command
@claims("the command set_issuer", NOTHING)
def set_issuer(issuer: str, keys: dict[str, Any]) -> None:
    """Let an issuer of tokens publish keys, a JSON Web Key Set, as it would where there is an internet."""
    ISSUERS[issuer] = keys


@reads("execute-api", rests=doc(f"{GUIDE}api-gateway-control-access-using-iam-policies-to-invoke-api.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what API Gateway checks of a request."""
    yield action, call.parameters["Resource"], {}


def named(request: Request) -> str | None:
    """Return the identifier of the API that a request is for, None if it is for none."""
    found = HOST.fullmatch(request.host)
    return found and found[1]


class Gateway:
    """What answers requests to the APIs of a world."""

    def __init__(
        self,
        world: threading.RLock,
        functions: Functions,
        admit: Callable[[SignedCall, Request], None],
        record: Callable[..., Any],
    ) -> None:
        """Hand requests to functions; world: held while moto's state is read or changed.

        admit: finds out who has signed a request, judges the call, and raises AwsError. record: keeps a call.
        """
        self._world, self._functions, self._admit, self._record = world, functions, admit, record
        self._tokens: dict[str, tuple[float, float]] = {}  # that an API has left, and when it had them

    def answer(self, request: Request, identifier: str) -> Response:
        """Answer a request to an API."""
        began, clock = time.time(), time.perf_counter()
        with self._world:
            found = [
                (account, region, backend.apis[identifier])
                for account, regions in apigatewayv2_backends.items()
                for region, backend in regions.items()
                if identifier in backend.apis
            ]
        if not found:
            return refusal(404, "Not Found")
        account, region, api = found[0]
        call = SignedCall("execute-api", "Invoke", region, account)
        resource = f"arn:aws:execute-api:{region}:{account}:{identifier}/$default/"
        call.parameters = {"Resource": f"{resource}{request.method}{request.path}"}
        told: dict[str, Any] = {
            "requestId": base64.b64encode(uuid.uuid4().bytes[:11]).decode(),
            "requestTime": f"{datetime.now(UTC):%d/%b/%Y:%H:%M:%S +0000}",
            "identity.sourceIp": request.remote_addr,
            "httpMethod": request.method,
            "path": request.path,
        }
        try:
            response = preflight(api, request) or self._through(api, request, call, told)
        except RefusedError as refused:
            response = refusal(refused.status, str(refused))
            told |= {"error.message": str(refused), "integrationErrorMessage": refused.why}
        response.headers.update(cors(api, request) | {"apigw-requestid": told["requestId"]})
        told |= {"status": response.status_code, "responseLatency": int((time.perf_counter() - clock) * 1000)}
        self._record(call, response.status_code, told.get("error.message"), began, clock)
        with self._world:
            log(account, region, api, told)
            if response.status_code >= 500:  # noqa: PLR2004
                of = {"ApiId": identifier, "Stage": "$default"}
                cloudwatch.count(account, region, "AWS/ApiGateway", "5xx", of)
        return response

    def _through(self, api: Any, request: Request, call: SignedCall, told: dict[str, Any]) -> Response:
        """Take a request to its function and back. Raises RefusedError."""
        stage = api.stages.get("$default")
        if not stage:
            raise RefusedError(404, "Not Found")
        if len(request.get_data()) > LARGEST:
            raise RefusedError(413, "Request Entity Too Large")
        self._throttle(api.api_id, stage.default_route_settings)
        route, in_path = matched(api, request)
        authorizer: dict[str, Any] = {}
        if route.authorization_type == "AWS_IAM":
            authorizer = {"iam": self._signed(request, call)}
            told["identity.caller"] = authorizer["iam"]["callerId"]
        elif route.authorization_type == "JWT":
            configuration = api.authorizers[route.authorizer_id].jwt_config
            authorizer = {"jwt": token(configuration, request, route.authorization_scopes or [])}
            told |= {f"authorizer.claims.{name}": text for name, text in authorizer["jwt"]["claims"].items()}
        here = {"accountId": call.account, "apiId": api.api_id, "domainPrefix": api.api_id}
        here |= {"domainName": f"{api.api_id}.execute-api.{call.region}.amazonaws.com"}
        here |= {"requestId": told["requestId"], "routeKey": route.route_key, "stage": stage.name}
        event = event_of(request, here | ({"authorizer": authorizer} if authorizer else {}), in_path)
        source = f"arn:aws:execute-api:{call.region}:{call.account}:{api.api_id}/{stage.name}/"
        source += route.route_key.replace(" ", "")
        return self._invoke(api.integrations[route.target.partition("/")[2]], event, source, call)

    @claims("an API throttles", doc(f"{GUIDE}http-api-throttling.html"))
    def _throttle(self, identifier: str, settings: dict[str, Any]) -> None:
        """Take a token out of an API's bucket. Raises RefusedError if it is empty."""
        rate = settings.get("throttlingRateLimit", UNLIMITED[0])
        burst = settings.get("throttlingBurstLimit", UNLIMITED[1])
        with self._world:
            now = time.monotonic()
            left, when = self._tokens.get(identifier, (burst, now))
            left = min(burst, left + (now - when) * rate)
            self._tokens[identifier] = max(left - 1, 0), now
        if left < 1:
            raise RefusedError(429, "Too Many Requests")

    @claims("an API asks who signed a request", doc(f"{GUIDE}http-api-access-control-iam.html"))
    def _signed(self, request: Request, call: SignedCall) -> dict[str, Any]:
        """Return who has signed a request and may send it. Raises RefusedError."""
        owner = call.account
        try:
            self._admit(call, request)
        except AwsError:
            raise RefusedError(403, "Forbidden") from None
        who = {"accountId": call.account, "callerId": call.principal, "userId": call.principal}
        call.account = owner
        return who | {
            "userArn": call.principal,
            "accessKey": "-",
            "cognitoIdentity": None,
            "principalOrgId": "-",
        }

    @claims("an API invokes a function", doc(f"{GUIDE}http-api-develop-integrations-lambda.html"))
    def _invoke(self, integration: Any, event: dict[str, Any], source: str, call: Call) -> Response:
        """Return what a function answers. Raises RefusedError."""
        arn = re.sub("^.*?/functions/|/invocations$", "", integration.integration_uri)
        invokes = [("lambda:InvokeFunction", arn)]
        if calls.act(APIS, call.account, call.region, invokes, source=source):
            raise RefusedError(500, "Internal Server Error", MAY_NOT)
        said = {"FunctionName": arn, "Payload": json.dumps(event).encode()}
        began = time.monotonic()
        try:
            invocation = Call("lambda", "Invoke", call.region, call.account, APIS, parameters=said)
            answer = self._functions.invoke(invocation, arn.split(":")[4])
        except ServiceException as refused:
            raise throttled(refused) from None
        if time.monotonic() - began > integration.timeout_in_millis / 1000:
            raise RefusedError(503, "Service Unavailable", "Integration timeout")
        if "FunctionError" in answer:
            raise RefusedError(500, "Internal Server Error", "the function raised an error")
        return answered(answer["Payload"])


@claims(
    "an API answers 503 where a function is throttled", guess("throttle a function that an HTTP API invokes")
)
def throttled(refused: ServiceException) -> RefusedError:
    """Return the error of a request whose function Lambda refuses to invoke."""
    if refused.code == "TooManyRequestsException":
        return RefusedError(503, "Service Unavailable", str(refused.message))
    return RefusedError(500, "Internal Server Error", str(refused.message))


def refusal(status: int, message: str) -> Response:
    """Return an answer of API Gateway's own."""
    return Response(json.dumps({"message": message}), status, content_type="application/json")


@claims("which route a request takes", doc(f"{GUIDE}http-api-develop-routes.html"))
def matched(api: Any, request: Request) -> tuple[Any, dict[str, str]]:
    """Return the route of a request and its variables. Raises RefusedError.

    A full match comes before one with a greedy variable, a method before ANY, $default last.
    """
    ranked: list[tuple[int, bool, Any, dict[str, str]]] = []
    for route in api.routes.values():
        verb, _, pattern = route.route_key.partition(" ")
        parts = [re.escape(part) for part in re.split(r"\{\w+\+?\}", pattern)]
        variables = re.findall(r"\{(\w+)(\+?)\}", pattern)
        expression = parts[0] + "".join(
            f"(?P<{name}>{'.+' if greedy else '[^/]+'}){part}"
            for (name, greedy), part in zip(variables, parts[1:], strict=True)
        )
        found = re.fullmatch(expression, request.path) if verb in (request.method, "ANY") else None
        if route.route_key == "$default":
            ranked.append((2, False, route, {}))
        elif found:
            ranked.append((int("+}" in pattern), verb == "ANY", route, found.groupdict()))
    if not ranked:
        raise RefusedError(404, "Not Found")
    _, _, route, in_path = min(ranked, key=lambda each: each[:2])
    return route, in_path


@claims("a signature is compared", doc("IAM/latest/UserGuide/reference_sigv-create-signed-request.html"))
def is_signed(request: Request, region: str, secret: str) -> bool:
    """Return whether a request is signed by a secret key, for API Gateway in a region, as SDKs sign."""
    said = dict(re.findall(r"(\w+)=([^,\s]+)", request.headers.get("Authorization", "")))
    headers = {name: request.headers.get(name, "") for name in said.get("SignedHeaders", "").split(";")}
    target = request.environ.get("RAW_URI", request.full_path)
    signed = AWSRequest(request.method, f"https://{request.host}{target}", headers, request.get_data())
    signed.context["timestamp"] = request.headers.get("X-Amz-Date", "")
    auth = SigV4Auth(Credentials(said.get("Credential", "").split("/")[0], secret), "execute-api", region)
    text = auth.string_to_sign(signed, auth.canonical_request(signed))
    return bool(auth.signature(text, signed) == said.get("Signature"))


@claims("an API checks tokens", doc(f"{GUIDE}http-api-jwt-authorizer.html"))
def token(configuration: dict[str, Any], request: Request, wanted: list[str]) -> dict[str, Any]:
    """Return the claims of a request's token; wanted: scopes of which it has one. Raises RefusedError."""
    text, now = request.headers.get("Authorization", "").removeprefix("Bearer "), time.time()
    try:
        keys = KeySet.import_key_set(published(configuration["issuer"]))
        found = jwt.decode(text, keys, algorithms=["RS256", "RS384", "RS512"])
        claimed = found.claims
        audience = claimed.get("aud", claimed.get("client_id"))
        right = "kid" in found.header and claimed["iss"] == configuration["issuer"]
        right = right and bool({*listed(audience)} & {*configuration["audience"]})
        right = right and claimed["exp"] > now >= max(claimed.get("nbf", 0), claimed.get("iat", 0))
    except Exception:  # whatever is wrong with it, or with its issuer
        raise RefusedError(401, "Unauthorized") from None
    if not right:
        raise RefusedError(401, "Unauthorized")
    scopes = str(claimed.get("scope") or claimed.get("scp") or "").split()
    if wanted and not {*wanted} & {*scopes}:
        raise RefusedError(403, "Forbidden")
    plain = {name: f"[{' '.join(v)}]" if isinstance(v, list) else str(v) for name, v in claimed.items()}
    return {"claims": plain, "scopes": [scope for scope in wanted if scope in scopes] or None}


def published(issuer: str) -> Any:
    """Return the keys that an issuer publishes: those that it was given here, else what is found there."""
    if issuer in ISSUERS:
        return ISSUERS[issuer]
    place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    with urllib.request.urlopen(place, timeout=SLOWEST) as configuration:  # noqa: S310
        place = json.load(configuration)["jwks_uri"]
    with urllib.request.urlopen(place, timeout=SLOWEST) as keys:  # noqa: S310
        return json.load(keys)


def listed(value: Any) -> list[Any]:
    """Return what may be a list or a single thing as a list."""
    return value if isinstance(value, list) else [value]


@claims("a request as a function gets it", doc(f"{GUIDE}http-api-develop-integrations-lambda.html"))
def event_of(request: Request, context: dict[str, Any], in_path: dict[str, str]) -> dict[str, Any]:
    """Return a request as an event of format 2.0."""
    body, query, at = request.get_data(), request.query_string.decode(), datetime.now(UTC)
    headers = joined((name.lower(), text) for name, text in request.headers if name.lower() != "cookie")
    headers |= {"host": context["domainName"], "x-forwarded-for": str(request.remote_addr)}
    headers |= {"x-forwarded-port": "443", "x-forwarded-proto": "https"}
    textual = re.match(
        r"text/|application/(json|javascript|xml|[\w.-]+\+(json|xml)|x-www-form-urlencoded)",
        request.content_type or "",
    )
    encoded = bool(body) and not textual
    http: dict[str, Any] = {"method": request.method, "path": request.path, "protocol": "HTTP/1.1"}
    http |= {"sourceIp": request.remote_addr, "userAgent": headers.get("user-agent", "")}
    times = {"time": f"{at:%d/%b/%Y:%H:%M:%S +0000}", "timeEpoch": int(at.timestamp() * 1000)}
    event = {
        "version": "2.0",
        "routeKey": context["routeKey"],
        "rawPath": request.path,
        "rawQueryString": query,
        "cookies": [each.strip() for each in request.headers.get("Cookie", "").split(";")],
        "headers": headers,
        "queryStringParameters": joined(parse_qsl(query, keep_blank_values=True)),
        "requestContext": context | {"http": http} | times,
        "pathParameters": in_path,
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }
    optional = ("cookies", "queryStringParameters", "pathParameters", "body")
    return {
        name: value for name, value in event.items() if name not in optional or value not in ({}, "", [""])
    }


def joined(pairs: Any) -> dict[str, str]:
    """Return pairs as a dictionary, values of the same name with a comma between them."""
    found: dict[str, str] = {}
    for name, text in pairs:
        found[name] = f"{found[name]},{text}" if name in found else text
    return found


@claims("what a function answers is sent", doc(f"{GUIDE}http-api-develop-integrations-lambda.html"))
def answered(payload: bytes) -> Response:
    """Return what a function's answer, of format 2.0, stands for. Raises RefusedError."""
    said = json.loads(payload or b"null")
    if not isinstance(said, dict) or "statusCode" not in said:  # the answer is the body
        return Response(said if isinstance(said, str) else payload, 200, content_type="application/json")
    body, headers = said.get("body") or "", said.get("headers") or {}
    if not isinstance(body, str):
        raise RefusedError(500, "Internal Server Error", "the function's answer is malformed")
    data = base64.b64decode(body) if said.get("isBase64Encoded") else body.encode()
    response = Response(data, int(said["statusCode"]))
    response.headers.update({name: str(text) for name, text in headers.items()})
    for cookie in said.get("cookies") or []:
        response.headers.add("Set-Cookie", cookie)
    return response


@claims("an API tells browsers whose pages may call it", doc(f"{GUIDE}http-api-cors.html"))
def cors(api: Any, request: Request) -> dict[str, str]:
    """Return the headers by which a browser learns that a page may call an API; none if it may not."""
    allowed, origin = api.cors_configuration or {}, request.headers.get("Origin", "")
    pattern = next((p for p in allowed.get("allowOrigins", []) if fnmatchcase(origin, p)), None)
    if not origin or pattern is None:
        return {}
    found = {"access-control-allow-origin": "*" if pattern == "*" else origin}
    if request.method == "OPTIONS":
        for name, header in {"allowMethods": "allow-methods", "allowHeaders": "allow-headers"}.items():
            found[f"access-control-{header}"] = ",".join(allowed.get(name) or [])
        found["access-control-max-age"] = str(allowed.get("maxAge") or 0)
    return found


def preflight(api: Any, request: Request) -> Response | None:
    """Return what a browser is answered that asks whether a page may call an API, None if none asks."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    return Response(status=204) if asks and cors(api, request) else None


@claims("requests are logged", doc(f"{GUIDE}http-api-logging.html"))
def log(account: str, region: str, api: Any, told: dict[str, Any]) -> None:
    """Write the line of a request into its stage's log, if it has one, and nothing if AWS may not."""
    settings = getattr(api.stages.get("$default"), "access_log_settings", None)
    if not settings:
        return
    group, backend = settings["destinationArn"].split(":")[6], logs_backends[account][region]
    stream = f"{settings['destinationArn']}:log-stream:{api.api_id}"
    delivers = [(f"logs:{action}", stream) for action in ("CreateLogStream", "PutLogEvents")]
    source = f"arn:aws:logs:{region}:{account}:*"
    if group in backend.groups and not calls.act(
        "delivery.logs.amazonaws.com", account, region, delivers, source=source
    ):
        line = re.sub(r"\$context\.([\w.]+)", lambda name: str(told.get(name[1], "-")), settings["format"])
        backend.ensure_log_stream(group, api.api_id)
        event = {"timestamp": int(time.time() * 1000), "message": line}
        backend.put_log_events(group, api.api_id, [event])
