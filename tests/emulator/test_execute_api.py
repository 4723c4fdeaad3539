"""Requests to HTTP APIs: who may send them, how functions get them, how they are answered and logged."""

import base64
import io
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from zipfile import ZipFile

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from emulator.accounts import EmulatedAccounts
from emulator.apigateway import LOGGING

ACCOUNT, REGION = "222222222222", "us-east-1"
HERE = f"{REGION}:{ACCOUNT}"
GROUP = "/aws/vendedlogs/apis/it"
ISSUER = "https://login.example.com/"
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
ECHO = "return {'statusCode': 201, 'body': json.dumps(event)}"


class Api:
    """An HTTP API whose requests, all of them, invoke a function's alias."""

    def __init__(self, accounts: EmulatedAccounts, code: str = ECHO, authorization: str = "NONE") -> None:
        """Make them; code: the function's last line."""
        accounts.ask("pace", minute=0)
        self.accounts = accounts
        self.functions, self.logs, self.iam, self.apis = (
            accounts.client(service, ACCOUNT, REGION) for service in ("lambda", "logs", "iam", "apigatewayv2")
        )
        trust = json.dumps({"Version": "2012-10-17", "Statement": TRUST})
        role = self.iam.create_role(RoleName="a-role", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        package = io.BytesIO()
        with ZipFile(package, "w") as archive:
            lines = f"import json, time\ndef handle(event, context):\n    {code}\n"
            archive.writestr("app.py", lines)
        settings = {
            "Runtime": "python3.13",
            "Handler": "app.handle",
            "Role": role,
            "Publish": True,
            "Timeout": 1,
        }
        self.functions.create_function(FunctionName="it", Code={"ZipFile": package.getvalue()}, **settings)
        self.functions.create_alias(FunctionName="it", Name="live", FunctionVersion="1")
        self.logs.create_log_group(logGroupName=GROUP)
        self.id = self.apis.create_api(Name="it", ProtocolType="HTTP", Tags={"function": "it"})["ApiId"]
        alias = f"arn:aws:lambda:{HERE}:function:it:live"
        target = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{alias}/invocations"
        self.integration = self.apis.create_integration(
            ApiId=self.id, IntegrationType="AWS_PROXY", IntegrationUri=target, PayloadFormatVersion="2.0"
        )["IntegrationId"]
        self.route = self.add_route("$default", AuthorizationType=authorization)
        log = {"DestinationArn": f"arn:aws:logs:{HERE}:log-group:{GROUP}", "Format": FORMAT}
        self.apis.create_stage(ApiId=self.id, StageName="$default", AutoDeploy=True, AccessLogSettings=log)
        self.functions.add_permission(
            FunctionName="it",
            Qualifier="live",
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:{HERE}:{self.id}/$default/$default",
        )

    def add_route(self, key: str, **settings: Any) -> str:
        """Add a route to the function; return its identifier."""
        target = f"integrations/{self.integration}"
        added = self.apis.create_route(ApiId=self.id, RouteKey=key, Target=target, **settings)
        return str(added["RouteId"])

    def allow(self, *actions: str) -> None:
        """Let the role do actions and nothing else."""
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.iam.put_role_policy(RoleName="a-role", PolicyName="p", PolicyDocument=document)

    def send(
        self,
        target: str = "/",
        method: str = "GET",
        body: bytes = b"",
        secret: str | None = None,
        **headers: str,
    ) -> Any:
        """Send a request, signed as the role by a secret key, if there is one; return the answer."""
        headers = {name.replace("_", "-"): text for name, text in headers.items()}
        headers["host"] = f"{self.id}.execute-api.{REGION}.amazonaws.com"
        request = AWSRequest(method, f"{self.accounts.url}{target}", headers, body)
        if secret is not None:
            mine = self.accounts.environment(ACCOUNT, REGION, "a-role")
            keys = mine["AWS_ACCESS_KEY_ID"], secret or mine["AWS_SECRET_ACCESS_KEY"]
            token = mine["AWS_SESSION_TOKEN"]
            SigV4Auth(Credentials(*keys, token), "execute-api", REGION).add_auth(request)
        return URLLib3Session().send(request.prepare())

    def event(self, *given: Any, **named: Any) -> dict[str, Any]:
        """Send a request to a function that answers by its event; return that."""
        event: dict[str, Any] = json.loads(self.send(*given, **named).text)
        return event

    def lines(self) -> list[str]:
        """Return what has been logged of requests."""
        found = self.logs.filter_log_events(logGroupName=GROUP)["events"]
        return [event["message"] for event in found]


FORMAT = "$context.httpMethod $context.path $context.status $context.identity.caller $context.error.message"


def test_a_request_comes_as_api_gateway_s_documentation_shows_it(accounts: EmulatedAccounts) -> None:
    event = Api(accounts).event(
        "/my/path?a=1&a=2&b=%20",
        "POST",
        b'{"x": 1}',
        content_type="application/json",
        cookie="c=1; d=2",
        X_One="1",
    )

    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "$default", "/my/path")
    assert event["rawQueryString"] == "a=1&a=2&b=%20"
    assert event["queryStringParameters"] == {"a": "1,2", "b": " "}
    assert (event["body"], event["isBase64Encoded"]) == ('{"x": 1}', False)
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["headers"]["x-one"] == "1"
    assert not {"cookie", "Cookie"} & event["headers"].keys()
    context = event["requestContext"]
    assert context["http"].items() >= {"method": "POST", "path": "/my/path", "protocol": "HTTP/1.1"}.items()
    assert (context["accountId"], context["stage"], context["routeKey"]) == (ACCOUNT, "$default", "$default")
    assert (
        context["domainName"]
        == event["headers"]["host"]
        == f"{context['apiId']}.execute-api.{REGION}.amazonaws.com"
    )
    assert "authorizer" not in context


def test_what_a_request_does_not_have_the_event_does_not_have(accounts: EmulatedAccounts) -> None:
    event = Api(accounts).event()

    assert not {"body", "cookies", "queryStringParameters", "pathParameters"} & event.keys()


def test_a_body_that_is_no_text_comes_encoded(accounts: EmulatedAccounts) -> None:
    event = Api(accounts).event("/", "PUT", b"\xff\x00", content_type="image/png")

    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"\xff\x00", True)


def test_the_most_particular_route_is_taken(accounts: EmulatedAccounts) -> None:
    api = Api(accounts)
    for key in "ANY /pets/{proxy+}", "GET /pets/{id}", "ANY /pets/{id}":
        api.add_route(key)
    open_to_all = {"FunctionName": "it", "Qualifier": "live", "Principal": "apigateway.amazonaws.com"}
    api.functions.add_permission(**open_to_all, StatementId="all", Action="lambda:InvokeFunction")

    taken = {
        target: (event["routeKey"], event.get("pathParameters"))
        for target, method in (("/pets/1", "GET"), ("/pets/2", "PUT"), ("/pets/1/2", "GET"), ("/", "GET"))
        for event in [api.event(target, method)]
    }

    assert taken == {
        "/pets/1": ("GET /pets/{id}", {"id": "1"}),
        "/pets/2": ("ANY /pets/{id}", {"id": "2"}),
        "/pets/1/2": ("ANY /pets/{proxy+}", {"proxy": "1/2"}),
        "/": ("$default", None),
    }


@pytest.mark.parametrize(
    ("code", "status", "body", "kind"),
    [
        ("return {'statusCode': 404, 'body': 'no'}", 404, b"no", "text/plain; charset=utf-8"),
        ("return {'statusCode': 200, 'headers': {'content-type': 'x/y'}}", 200, b"", "x/y"),
        ("return {'statusCode': 200, 'body': '/w==', 'isBase64Encoded': True}", 200, b"\xff", "text/plain"),
        ("return {'a': 1}", 200, b'{"a": 1}', "application/json"),
        ("return 'text'", 200, b"text", "application/json"),
    ],
)
def test_a_function_s_answer_is_sent(
    accounts: EmulatedAccounts, code: str, status: int, body: bytes, kind: str
) -> None:
    answer = Api(accounts, code).send()

    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["apigw-requestid"]


def test_a_function_s_cookies_are_sent_one_by_one(accounts: EmulatedAccounts) -> None:
    answer = Api(accounts, "return {'statusCode': 200, 'cookies': ['a=1', 'b=2']}").send()

    assert answer.raw.headers.getlist("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    "code", ["raise ValueError", "time.sleep(3)", "return {'statusCode': 200, 'body': {'a': 1}}"]
)
def test_where_a_function_fails_500_is_answered(accounts: EmulatedAccounts, code: str) -> None:
    api = Api(accounts, code)

    answer = api.send()

    assert (answer.status_code, answer.text) == (500, '{"message": "Internal Server Error"}')
    assert api.lines() == ["GET / 500 - Internal Server Error"]


def test_an_api_waits_no_longer_for_a_function_than_its_integration_says(accounts: EmulatedAccounts) -> None:
    api = Api(accounts, "time.sleep(0.2)")
    api.apis.update_integration(ApiId=api.id, IntegrationId=api.integration, TimeoutInMillis=50)

    assert api.send().status_code == 503


def test_a_function_that_is_throttled_is_unavailable(accounts: EmulatedAccounts) -> None:
    api = Api(accounts)
    api.functions.put_function_concurrency(FunctionName="it", ReservedConcurrentExecutions=0)

    assert (api.send().status_code, api.send().text) == (503, '{"message": "Service Unavailable"}')


def test_an_alarm_on_5xx_goes_on(accounts: EmulatedAccounts) -> None:
    api = Api(accounts, "raise ValueError")
    alarms = accounts.client("cloudwatch", ACCOUNT, REGION)
    accounts.ask("pace", minute=60)
    for stage in "$default", "other":
        alarms.put_metric_alarm(
            AlarmName=stage,
            Namespace="AWS/ApiGateway",
            MetricName="5xx",
            Dimensions=[{"Name": "ApiId", "Value": api.id}, {"Name": "Stage", "Value": stage}],
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            ComparisonOperator="GreaterThanThreshold",
            Threshold=0,
        )

    api.send()

    found = {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms.describe_alarms()["MetricAlarms"]}
    assert found == {"$default": "ALARM", "other": "OK"}


def test_an_api_invokes_by_the_function_s_policy_alone(accounts: EmulatedAccounts) -> None:
    api = Api(accounts)
    accounts.ask("enforce")
    assert api.send().status_code == 201

    api.functions.remove_permission(FunctionName="it", Qualifier="live", StatementId="api")

    assert api.send().status_code == 500


# Who may send a request


def test_of_signed_requests_those_are_let_in_whose_sender_may(accounts: EmulatedAccounts) -> None:
    api = Api(accounts, authorization="AWS_IAM")
    accounts.ask("enforce")
    api.allow("logs:*")
    assert api.send(secret="").status_code == 403

    api.allow("execute-api:Invoke")
    answer = api.send("/a%20b/c?x=1&y=%2F", "POST", b"body", secret="", X_More="1")

    assert answer.status_code == 201
    iam = json.loads(answer.text)["requestContext"]["authorizer"]["iam"]
    assert iam["accountId"] == ACCOUNT
    assert iam["userArn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/a-role/")
    asked = [
        check.resource
        for call in accounts.journal()
        for check in call.checks
        if "execute-api:" in check.action
    ]
    assert asked[-1] == f"arn:aws:execute-api:{HERE}:{api.id}/$default/POST/a b/c"


def test_who_does_not_sign_or_signs_by_another_key_is_not_let_in(accounts: EmulatedAccounts) -> None:
    api = Api(accounts, authorization="AWS_IAM")

    for secret in None, "another":
        answer = api.send(secret=secret)
        assert (answer.status_code, answer.text) == (403, '{"message": "Forbidden"}')
    assert {line.split(" - ")[0] for line in api.lines()} == {"GET / 403"}


KEY = RSAKey.generate_key(2048, {"kid": "one"})
CLAIMS = {"iss": ISSUER, "aud": "orders", "sub": "ada", "scope": "read write"}


def bearer(key: RSAKey = KEY, header: Any = None, **claims: Any) -> str:
    """Return a token that is good for ten seconds, if nothing else is said."""
    said = {"exp": int(time.time()) + 10, **CLAIMS, **claims}
    return jwt.encode(header or {"alg": "RS256", "kid": "one"}, said, key)


def closed(accounts: EmulatedAccounts, issuer: str = ISSUER, **route: Any) -> Api:
    """Return an API that asks for tokens of an issuer."""
    api = Api(accounts)
    authorizer = api.apis.create_authorizer(
        ApiId=api.id,
        Name="jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer, "Audience": ["orders", "invoices"]},
    )["AuthorizerId"]
    token = {"AuthorizationType": "JWT", "AuthorizerId": authorizer}
    api.apis.update_route(ApiId=api.id, RouteId=api.route, **token, **route)
    return api


@pytest.fixture
def asking(accounts: EmulatedAccounts) -> Api:
    accounts.ask("set_issuer", issuer=ISSUER, keys=KeySet([KEY]).as_dict(private=False))
    return closed(accounts)


@pytest.mark.parametrize("prefix", ["Bearer ", ""])
def test_a_request_with_a_good_token_is_let_in_and_tells_its_claims(asking: Api, prefix: str) -> None:
    event = asking.event(authorization=prefix + bearer(aud=["invoices", "others"]))

    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    assert claims.items() >= {"sub": "ada", "iss": ISSUER, "aud": "[invoices others]"}.items()
    assert not any("Bearer" in line for line in asking.lines())


BAD_TOKENS: dict[str, Callable[[], str]] = {
    "none": lambda: "",
    "no token": lambda: "Bearer x.y.z",
    "of another audience": lambda: bearer(aud="payments"),
    "of another issuer": lambda: bearer(iss="https://evil.example.com/"),
    "expired": lambda: bearer(exp=int(time.time()) - 1),
    "not valid yet": lambda: bearer(nbf=int(time.time()) + 60),
    "issued later": lambda: bearer(iat=int(time.time()) + 60),
    "signed by another key": lambda: bearer(RSAKey.generate_key(2048, {"kid": "one"})),
    "of an unknown key": lambda: bearer(header={"alg": "RS256", "kid": "two"}),
    "without a key's name": lambda: bearer(header={"alg": "RS256"}),
}


def test_a_request_with_another_token_is_not_let_in(asking: Api) -> None:
    answers = {token: asking.send(authorization=made()) for token, made in BAD_TOKENS.items()}

    assert {token: answer.status_code for token, answer in answers.items()} == dict.fromkeys(BAD_TOKENS, 401)
    assert {answer.text for answer in answers.values()} == {'{"message": "Unauthorized"}'}


def test_a_client_is_its_own_audience_where_the_token_names_none(asking: Api) -> None:
    said = {"alg": "RS256", "kid": "one"}
    claims = {"iss": ISSUER, "client_id": "orders", "exp": int(time.time()) + 10}

    assert asking.send(authorization=jwt.encode(said, claims, KEY)).status_code == 201


@pytest.mark.parametrize(("scopes", "status"), [(["write", "admin"], 201), (["admin"], 403)])
def test_a_route_may_ask_for_scopes(accounts: EmulatedAccounts, scopes: list[str], status: int) -> None:
    accounts.ask("set_issuer", issuer=ISSUER, keys=KeySet([KEY]).as_dict(private=False))

    assert closed(accounts, AuthorizationScopes=scopes).send(authorization=bearer()).status_code == status


def test_an_issuer_s_keys_are_found_where_it_publishes_them(accounts: EmulatedAccounts) -> None:
    class Issuer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said: Any = {"jwks_uri": f"{issuer}/keys"}
            said = (
                said
                if self.path == "/.well-known/openid-configuration"
                else KeySet([KEY]).as_dict(private=False)
            )
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Issuer)
    issuer = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()

    assert closed(accounts, issuer).send(authorization=bearer(iss=issuer)).status_code == 201
    server.shutdown()


# Limits


def test_more_requests_than_the_stage_lets_through_are_answered_429(accounts: EmulatedAccounts) -> None:
    api = Api(accounts)
    limits = {"ThrottlingRateLimit": 0.5, "ThrottlingBurstLimit": 2}
    api.apis.update_stage(ApiId=api.id, StageName="$default", DefaultRouteSettings=limits)

    answers = [api.send() for _ in range(4)]

    assert [answer.status_code for answer in answers] == [201, 201, 429, 429]
    assert answers[-1].text == '{"message": "Too Many Requests"}'
    time.sleep(2.1)
    assert api.send().status_code == 201


def test_a_request_over_10_mb_is_answered_413(accounts: EmulatedAccounts) -> None:
    api = Api(accounts, "return len(event['body'])")

    assert api.send("/", "POST", b"x" * 10 * 1024**2, content_type="text/plain").text == str(10 * 1024**2)
    assert api.send("/", "POST", b"x" * (10 * 1024**2 + 1), content_type="text/plain").status_code == 413


# Logs, browsers


def test_a_line_is_logged_of_each_request_if_the_log_s_policy_lets_it_in(accounts: EmulatedAccounts) -> None:
    api = Api(accounts, authorization="AWS_IAM")
    accounts.ask("enforce")
    api.allow("execute-api:Invoke")
    api.send("/path?secret=1", secret="")
    (line,) = api.lines()
    assert line.startswith(f"GET /path 201 arn:aws:sts::{ACCOUNT}:assumed-role/a-role/")

    (policy,) = api.logs.describe_resource_policies()["resourcePolicies"]
    api.logs.delete_resource_policy(policyName=policy["policyName"])
    api.send(secret="")

    assert api.lines() == [line]


ORIGIN = "https://www.example.com"


def test_browsers_are_told_whose_pages_may_call_an_api_that_allows_it(accounts: EmulatedAccounts) -> None:
    api = Api(accounts, authorization="AWS_IAM")
    asks: dict[str, Any] = {"origin": ORIGIN, "Access_Control_Request_Method": "PUT"}
    assert api.send("/x", "OPTIONS", **asks).status_code == 403

    allowed = {
        "AllowOrigins": [ORIGIN],
        "AllowMethods": ["PUT"],
        "AllowHeaders": ["authorization"],
        "MaxAge": 9,
    }
    api.apis.update_api(ApiId=api.id, CorsConfiguration=allowed)

    told = {
        name: text for name, text in api.send("/x", "OPTIONS", **asks).headers.items() if "-allow-" in name
    }
    assert told == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-methods": "PUT",
        "access-control-allow-headers": "authorization",
    }
    api.allow("execute-api:Invoke")
    assert api.send(secret="", origin=ORIGIN).headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in api.send(secret="", origin="https://evil.example.com").headers


# Who may make an API


def test_a_stage_is_changed_in_what_is_said_alone_and_keeps_its_tags(accounts: EmulatedAccounts) -> None:
    api = Api(accounts)
    stage = {"ApiId": api.id, "StageName": "$default"}
    arn = f"arn:aws:apigateway:{REGION}::/apis/{api.id}"
    for each in arn, f"{arn}/stages/$default":
        api.apis.tag_resource(ResourceArn=each, Tags={"a": "1", "b": "2"})
        api.apis.untag_resource(ResourceArn=each, TagKeys=["a"])

    api.apis.update_stage(
        **stage, DefaultRouteSettings={"ThrottlingBurstLimit": 3}, StageVariables={"Big": "x"}
    )

    found = api.apis.get_stage(**stage)
    assert found["DefaultRouteSettings"]["ThrottlingBurstLimit"] == 3
    assert (found["StageVariables"], found["AutoDeploy"]) == ({"Big": "x"}, True)
    assert found["AccessLogSettings"]["Format"] == FORMAT
    assert found["Tags"] == {"b": "2"}
    assert api.apis.get_api(ApiId=api.id)["Tags"] == {"function": "it", "b": "2"}


def allowed(api: Api, operation: str, **said: Any) -> bool:
    """Return whether the role may do a call."""
    try:
        getattr(api.accounts.client("apigatewayv2", ACCOUNT, REGION, "a-role"), operation)(**said)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


def write(api: Api, resource: str, **condition: Any) -> None:
    """Let the role change what is below a resource, under a condition."""
    actions = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": f"arn:aws:apigateway:{REGION}::{resource}"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement | {"Condition": condition}})
    api.iam.put_role_policy(RoleName="a-role", PolicyName="p", PolicyDocument=document)


def test_an_api_is_made_by_the_name_and_the_tag_that_a_policy_says(accounts: EmulatedAccounts) -> None:
    api = Api(accounts)
    accounts.ask("enforce")
    mine = {"apigateway:Request/ApiName": "it", "aws:RequestTag/function": "it"}
    write(api, "/apis", StringEquals=mine)

    made = {"Name": "it", "Tags": {"function": "it"}, "ProtocolType": "HTTP"}
    assert allowed(api, "create_api", **made)
    others: list[dict[str, Any]] = [{"Name": "other"}, {"Tags": {"function": "other"}}, {"Tags": {}}]
    for other in others:
        assert not allowed(api, "create_api", **made | other)


def test_what_belongs_to_an_api_is_changed_by_the_api_s_tag(accounts: EmulatedAccounts) -> None:
    api = Api(accounts)
    accounts.ask("enforce")
    change = {"ApiId": api.id, "RouteId": api.route, "AuthorizationType": "AWS_IAM"}

    for whose, may in ("other", False), ("it", True):
        write(api, "/apis/*", StringEquals={"aws:ResourceTag/function": whose})
        assert allowed(api, "update_route", **change) == may


def test_tags_are_changed_on_a_path_of_their_own(accounts: EmulatedAccounts) -> None:
    api = Api(accounts)
    accounts.ask("enforce")
    write(api, "/tags/*", **{"ForAllValues:StringNotEquals": {"aws:TagKeys": ["function"]}})
    arn = f"arn:aws:apigateway:{REGION}::/apis/{api.id}"

    for tag, may in ("other", True), ("function", False):
        assert allowed(api, "tag_resource", ResourceArn=arn, Tags={"one": "1", tag: "2"}) == may
        assert allowed(api, "untag_resource", ResourceArn=arn, TagKeys=["one", tag]) == may


def test_who_turns_on_a_log_needs_all_that_its_delivery_takes(accounts: EmulatedAccounts) -> None:
    api = Api(accounts)
    accounts.ask("enforce")
    log = {"DestinationArn": f"arn:aws:logs:{HERE}:log-group:{GROUP}", "Format": FORMAT}
    stage = {"ApiId": api.id, "StageName": "other"}

    for lost in LOGGING:
        api.allow("apigateway:POST", *({*LOGGING} - {lost}))
        assert not allowed(api, "create_stage", **stage, AccessLogSettings=log)
    assert allowed(api, "create_stage", **stage)
    api.allow("apigateway:PATCH", *LOGGING)
    assert allowed(api, "update_stage", **stage, AccessLogSettings=log)
