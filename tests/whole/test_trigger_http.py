"""A function that requests invoke, in production: how each is answered, whatever happens."""

import io
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.lives import Life, live
from tests.worlds import (
    DEV,
    FACTS,
    HTTP,
    PROD,
    REGION,
    STAGE,
    TEMPLATE,
    TOOL,
    People,
    Rehearsed,
    World,
    terraform_of,
)
from triggers.http.trigger import Trigger

ISSUER = "https://login.example.com/"
KEY = RSAKey.generate_key(2048, {"kid": "one"})


@pytest.fixture
def world(requested: Rehearsed, tmp_path: Path) -> Iterator[World]:
    with requested.world.fork() as accounts:
        yield World(requested, accounts, tmp_path)


def api_of(world: World, environment: dict[str, Any], function: str = HTTP) -> Trigger:
    return Trigger(partial(world.client, environment=environment), function, environment["id"], REGION)


@pytest.fixture
def api(world: World) -> Trigger:
    """The API in production."""
    return api_of(world, PROD)


def sample(world: World, name: str) -> Any:
    """Return a sample event of the function."""
    return json.loads((world.repository / "events" / f"{name}.json").read_text())


def status(world: World, api: Trigger, **headers: str) -> int:
    """Return how a request without a signature is answered."""
    connection = HTTPConnection(world.accounts.url.removeprefix("http://"))
    headers["Host"] = api.address().removeprefix("https://").rstrip("/")
    connection.request("GET", "/greeting?name=Ada", headers=headers)
    with connection.getresponse() as response:
        return response.status


def alarms(world: World) -> set[str]:
    """Return which alarms are on in production."""
    found = world.client("cloudwatch", PROD).describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM"}


def logged(world: World, group: str) -> list[str]:
    """Return what is in a log in production."""
    pages = world.client("logs", PROD).get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"]]


def test_a_rehearsal_tells_how_a_good_and_a_bad_request_were_answered(requested: Rehearsed) -> None:
    ends = {"greeting": "answered 200", "bad": "answered 400"}

    assert requested.result.problem == ""
    assert requested.result.sent == [(e, *end) for e in ("dev", "stage", "prod") for end in ends.items()]
    assert requested.result.denied == []


def test_who_may_call_it_is_changed_by_its_deployer_and_a_plan_says_where_all_may(world: World) -> None:
    deployer = world.accounts.environment(STAGE["id"], REGION, f"{HTTP}-deployer")
    run = partial(terraform_of, world, world.deployed(STAGE), deployer)
    backend = {"bucket": STAGE["state_bucket"], "key": f"functions/{HTTP}.tfstate", "region": REGION}
    inputs = ["-var=environment=stage", "-var-file=environments/stage.tfvars"]
    world.accounts.ask("set_issuer", issuer=ISSUER, keys=KeySet([KEY]).as_dict(private=False))
    run("init", *(f"-backend-config={k}={v}" for k, v in backend.items()))

    assert "Warning" not in run("plan", *inputs)
    assert f"{HTTP} is open in stage" in " ".join(run("plan", *inputs, "-var=authorization=none").split())
    answers = {}
    for audience in "orders", "payments":
        run("apply", "-auto-approve", *inputs, f"-var=authorization=jwt {ISSUER} {audience}")
        for of in "orders", "payments":
            claims = {"iss": ISSUER, "aud": of, "exp": int(time.time()) + 60, "sub": "ada"}
            bearer = f"Bearer {jwt.encode({'alg': 'RS256', 'kid': 'one'}, claims, KEY)}"
            answers[audience, of] = status(world, api_of(world, STAGE), Authorization=bearer)
    run("apply", "-auto-approve", *inputs)

    assert answers == {(wanted, of): 200 if wanted == of else 401 for wanted, of in answers}
    good = sample(world, "greeting")
    assert api_of(world, STAGE).became(api_of(world, STAGE).send(good)) == "answered 200"
    assert not [check for call in world.accounts.journal() for check in call.checks if check.denied]


# Faults


def test_a_client_without_credentials_or_without_the_right_is_answered_403(
    world: World, api: Trigger
) -> None:
    as_reader = Trigger(
        partial(world.accounts.client, account=PROD["id"], region=REGION, role="acme-reader"),
        HTTP,
        "",
        REGION,
    )

    answers = [status(world, api), status(world, api, Authorization="Bearer x.y.z")]
    answers += [int(as_reader.became(as_reader.send(sample(world, "greeting"))).removeprefix("answered "))]

    print(f"without credentials, with others, without the right: {answers}")
    assert answers == [403, 403, 403]
    assert alarms(world) == set()


def test_requests_over_the_limit_are_answered_429_and_no_function_runs_for_them(
    world: World, api: Trigger
) -> None:
    apis = world.client("apigatewayv2", PROD)
    identifier = api.address().removeprefix("https://").partition(".")[0]
    limits = {"ThrottlingRateLimit": 1, "ThrottlingBurstLimit": 5}
    apis.update_stage(ApiId=identifier, StageName="$default", DefaultRouteSettings=limits)
    before = len(logged(world, f"/aws/lambda/{HTTP}"))

    answers = Counter(api.became(api.send(sample(world, "greeting"))) for _ in range(20))

    ran = [line for line in logged(world, f"/aws/lambda/{HTTP}")[before:] if '"greeted"' in line]
    print(f"20 requests at once, 5 let through: {dict(answers)}")
    assert answers.keys() == {"answered 200", "answered 429"}
    assert len(ran) == answers["answered 200"] < 10
    assert alarms(world) == set()


def test_a_throttled_function_is_unavailable_until_it_is_not_and_alarms_tell(
    world: World, api: Trigger
) -> None:
    functions, good = world.client("lambda", PROD), sample(world, "greeting")

    functions.put_function_concurrency(FunctionName=HTTP, ReservedConcurrentExecutions=0)
    assert api.became(api.send(good)) == "answered 503"
    assert alarms(world) == {f"{HTTP}-5xx", f"{HTTP}-throttles"}

    functions.delete_function_concurrency(FunctionName=HTTP)
    assert api.became(api.send(good)) == "answered 200"


def test_where_the_handler_raises_500_is_answered_and_alarms_see_it(world: World, api: Trigger) -> None:
    functions, package = world.client("lambda", PROD), io.BytesIO()
    with ZipFile(io.BytesIO(world.release())) as release:
        whole = io.BytesIO(release.read("package.zip"))
    with ZipFile(whole) as old, ZipFile(package, "w") as new:
        for entry in old.infolist():
            content = old.read(entry).replace(b"    return f", b"    raise ConnectionError\n    return f")
            if not re.search(r"/greeting\.[\w-]+\.pyc$", entry.filename):
                new.writestr(entry, content if entry.filename.endswith("/greeting.py") else old.read(entry))
    code = {"ZipFile": package.getvalue(), "Publish": True}
    version = functions.update_function_code(FunctionName=HTTP, **code)["Version"]
    functions.get_waiter("published_version_active").wait(FunctionName=HTTP, Qualifier=version)
    functions.update_alias(FunctionName=HTTP, Name="live", FunctionVersion=version)

    assert api.became(api.send(sample(world, "bad"))) == "answered 400"
    assert alarms(world) == set()
    assert api.became(api.send(sample(world, "greeting"))) == "answered 500"
    assert alarms(world) == {f"{HTTP}-5xx", f"{HTTP}-errors"}


def test_going_back_under_load_each_request_is_answered_by_a_version_that_is_known(
    world: World, api: Trigger
) -> None:
    world.send(world.another("changed", file="another.txt"), PROD)
    assert world.walk(PROD) == []
    good, done, answers, run = sample(world, "greeting"), threading.Event(), Counter[str](), People(world)
    group = f"/aws/lambda/{HTTP}"
    before = len(logged(world, group))

    def load() -> None:
        while not done.is_set():
            answers[api.became(api.send(good))] += 1

    sender = threading.Thread(target=load)
    sender.start()
    run(TOOL, "rollback", "prod", "", "--yes")
    time.sleep(0.5)
    done.set()
    sender.join()

    lines = [json.loads(line) for line in logged(world, group)[before:]]
    versions = Counter(line["record"]["version"] for line in lines if line.get("type") == "platform.start")
    print(
        f"{answers.total()} requests as an operator went back: {dict(answers)}, by version {dict(versions)}"
    )
    assert answers.keys() == {"answered 200"}
    assert versions.keys() == {"1", "2"}
    assert versions.total() == answers.total() > 10
    assert world.versions()[2] == "1"


def test_a_request_s_line_in_the_log_tells_who_but_no_secrets(world: World, api: Trigger) -> None:
    before = len(logged(world, f"/aws/vendedlogs/apis/{HTTP}"))

    api.send(sample(world, "greeting"))

    (line,) = map(json.loads, logged(world, f"/aws/vendedlogs/apis/{HTTP}")[before:])
    assert (line["method"], line["path"], line["status"]) == ("GET", "/greeting", "200")
    assert "OrganizationAccountAccessRole" in line["caller"]
    assert not re.search("Ada|Signature|Credential|AWS4", str(line))
    group = world.client("logs", PROD).describe_log_groups(logGroupNamePrefix="/aws/vendedlogs/")[
        "logGroups"
    ][0]
    assert (group["retentionInDays"], ":key/" in group["kmsKeyId"]) == (365, True)


def test_its_deployer_and_a_developer_reach_no_other_api_and_let_in_nobody_else(world: World) -> None:
    apis, arn = world.client("apigatewayv2", DEV), f"arn:aws:apigateway:{REGION}::/apis/"
    other = apis.create_api(Name="other", ProtocolType="HTTP", Tags={"function": "other"})["ApiId"]
    mine = api_of(world, DEV).address().removeprefix("https://").partition(".")[0]
    stranger = {"StatementId": "x", "Action": "lambda:InvokeFunction", "Principal": "999999999999"}

    for role, function in (f"{HTTP}-deployer", HTTP), ("acme-developer", f"{HTTP}--sandbox-ada"):
        as_role = partial(world.accounts.client, account=DEV["id"], region=REGION, role=role)
        gateway, functions = as_role("apigatewayv2"), as_role("lambda")
        for call, said in (
            (gateway.create_api, {"Name": "third", "ProtocolType": "HTTP", "Tags": {"function": function}}),
            (gateway.create_api, {"Name": function, "ProtocolType": "HTTP", "Tags": {"function": "third"}}),
            (gateway.create_route, {"ApiId": other, "RouteKey": "GET /"}),
            (gateway.delete_api, {"ApiId": other}),
            (gateway.tag_resource, {"ResourceArn": arn + other, "Tags": {"function": function}}),
            (gateway.untag_resource, {"ResourceArn": arn + mine, "TagKeys": ["function"]}),
            (functions.add_permission, {"FunctionName": function, "Qualifier": "live", **stranger}),
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                call(**said)


# All that is done for it, from its first commit to its removal


@pytest.fixture(scope="module")
def life(requested: Rehearsed, tmp_path_factory: pytest.TempPathFactory) -> Life:
    cors = '{ allow_origins = ["https://www.example.com"] }'
    edits = (
        ("trigger.tf", '"Requests to', '"All to'),
        ("trigger.tf", "default     = 200", "default     = 300"),
        ("trigger.tf", "default = null", f"default = {cors}"),
        ("versions.tf", ", environment = var.environment", ", more = var.environment"),
        *((f"environments/{name}.tfvars", "365", "400") for name in ("dev", "stage")),
    )
    return live(requested, tmp_path_factory.mktemp("life"), "http", *edits)


def test_nothing_that_is_done_for_it_is_denied_and_nothing_is_left_of_it(life: Life) -> None:
    assert life.denied == []
    assert life.left == []


def test_nothing_is_granted_for_it_that_it_does_not_use_but_what_the_page_names(life: Life) -> None:
    page = (TEMPLATE / "docs/permissions.md").read_text("utf-8")
    rows = re.findall(r"^\| http \| `([^`]+)` \| ([\w:]+) \| [^|]+ \|$", page, re.MULTILINE)
    unused = {(role.replace(HTTP, "FUNCTION").replace("acme", "ORG"), what) for role, _, what in life.unused}

    assert len(life.granted) > 20
    assert unused == set(rows)


def test_a_sandbox_s_address_is_told_and_a_request_sent_there_is_answered(life: Life) -> None:
    address = r"https://\w+\.execute-api\.us-east-1\.amazonaws\.com/"

    assert re.search(f"^requests reach it at {address}$", life.said, re.MULTILINE)
    assert 'answered 200: {"message": "Hola, Ada!"}' in life.said
    told = re.findall(f"^(\\w+): {address}$", life.said, re.MULTILINE)
    assert told == [environment["name"] for environment in FACTS["environments"]]
