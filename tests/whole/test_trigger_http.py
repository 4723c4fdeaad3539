"""A function that requests invoke, in production: how each is answered, whatever happens."""

import io
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from emulator.calls import Check
from emulator.judge import grants
from emulator.judge.grants import Grant
from emulator.judge.policies import name
from rehearsal import demo
from tests.worlds import (
    DEV,
    FACTS,
    FOR_TRIGGERS,
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


def deployment(world: World, environment: dict[str, Any]) -> tuple[Path, dict[str, str], list[str]]:
    """Return the deployment that production runs, set up: folder, its deployer's credentials, its inputs."""
    with ZipFile(world.stored()) as archive:
        archive.extractall(world.folder / "release")
    folder = world.folder / "release/deployment"
    deployer = world.accounts.environment(environment["id"], REGION, f"{HTTP}-deployer")
    backend = {"bucket": environment["state_bucket"], "key": f"functions/{HTTP}.tfstate", "region": REGION}
    terraform_of(world, folder, deployer, "init", *(f"-backend-config={k}={v}" for k, v in backend.items()))
    called = environment["name"]
    return folder, deployer, [f"-var=environment={called}", f"-var-file=environments/{called}.tfvars"]


def test_a_plan_of_what_runs_is_empty_and_one_of_an_open_api_says_so(world: World) -> None:
    plan = partial(terraform_of, world, *deployment(world, PROD)[:2], "plan")
    inputs = ["-var=environment=prod", "-var-file=environments/prod.tfvars"]

    assert "Warning" not in plan("-detailed-exitcode", *inputs)  # 2, and so a failure, if it has changes
    assert f"{HTTP} is open in prod" in plan(*inputs, "-var=authorization=none").replace("\n", " ")


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
        whole = release.read("package.zip")
    with ZipFile(io.BytesIO(whole)) as old, ZipFile(package, "w") as new:
        for entry in old.infolist():
            raises = b"def greet(request):\n    raise ConnectionError\nGREETINGS = {'es'}\nclass Request:\n"
            raises += b"    language = 'es'\n    def __init__(self, *_): ...\n"
            is_logic = entry.filename.endswith("greeting.py")
            if not entry.filename.endswith("greeting.pyc"):
                new.writestr(entry, raises if is_logic else old.read(entry))
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


@dataclass
class Life:
    """What was granted for it, what was checked, what people saw, and how tokens were answered."""

    granted: list[Grant]
    checks: list[Check]
    said: dict[str, str]
    tokens: dict[str, int]


@pytest.fixture(scope="module")
def life(requested: Rehearsed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with requested.world.fork() as accounts:
        world = World(requested, accounts, tmp_path_factory.mktemp("life"))
        granted = grants.granted(world.client("iam", each) for each in (DEV, STAGE, PROD))
        tokens = change(world)
        said = play(world, People(world))
        terraform_of(world, *deployment_of_stage(world))
        calls = [*requested.result.journal, *accounts.journal()]
        yield Life(granted, [check for call in calls for check in call.checks], said, tokens)
        left = world.client("apigatewayv2", STAGE).get_apis()["Items"]
        left += world.client("logs", STAGE).describe_log_groups(logGroupNamePrefix="/aws/vendedlogs")[
            "logGroups"
        ]
        assert left == []


TAG = ("environment = var.environment }", "environment = var.environment, more = var.environment }")


def change(world: World) -> dict[str, int]:
    """Change what can be changed by promoting it to stage, twice; return how tokens are answered."""
    audience = f'authorization = "jwt {ISSUER} orders"\n'
    settings = (
        'throttling_rate = 9\nthrottling_burst = 9\ncors = { allow_origins = ["https://www.example.com"] }\n'
    )
    with ZipFile(io.BytesIO(world.release())) as archive:
        tfvars = archive.read("deployment/environments/stage.tfvars").decode()
        versions, trigger = (
            archive.read(f"deployment/{each}.tf").decode() for each in ("versions", "trigger")
        )
    world.accounts.ask("set_issuer", issuer=ISSUER, keys=KeySet([KEY]).as_dict(private=False))
    first = {"environments/stage.tfvars": tfvars.replace("365", "400") + audience + settings}
    first |= {"versions.tf": versions.replace(*TAG), "trigger.tf": trigger.replace('"Requests to', '"All to')}
    second = {"environments/stage.tfvars": tfvars + audience.replace("orders", "payments")}
    tokens = {}
    for summary, files in ("first", first), ("second", second):
        changed = {f"deployment/{name}": text for name, text in files.items()}
        world.send(world.another(summary, file=f"{summary}.txt", **changed))
        assert [run.message for run in world.walk(STAGE)] == []
        for whose in "orders", "payments":
            claims = {"iss": ISSUER, "aud": whose, "exp": int(time.time()) + 60, "sub": "ada"}
            bearer = f"Bearer {jwt.encode({'alg': 'RS256', 'kid': 'one'}, claims, KEY)}"
            tokens[f"{summary} {whose}"] = status(world, api_of(world, STAGE), Authorization=bearer)
    return tokens


def play(world: World, run: People) -> dict[str, str]:
    """Create, change, use and remove a sandbox, as a developer; look at all, as a reader."""
    demo.install(world.repository)
    folder = world.repository / "deployment"
    before = {
        each: (folder / each).read_text() for each in ("versions.tf", "trigger.tf", "environments/dev.tfvars")
    }
    more = before["versions.tf"].replace(*TAG).replace("more = var", "gone = var.environment, more = var")
    (folder / "versions.tf").write_text(more)
    (folder / "trigger.tf").write_text(before["trigger.tf"].replace('"Requests to', '"All to'))
    (folder / "environments/dev.tfvars").write_text(
        before["environments/dev.tfvars"] + 'authorization = "none"\n'
    )
    run("make", f"TOOL={TOOL}", "sandbox", "NAME=ada")
    for each, text in before.items():
        (folder / each).write_text(
            text.replace(TAG[0], TAG[1].replace("more = var.environment", "more = var.sandbox"))
        )
    with (folder / "environments/dev.tfvars").open("a") as file:
        file.write("throttling_rate = 9\n")
    run("make", f"TOOL={TOOL}", "sandbox", "NAME=ada")
    said = {
        "address": api_of(world, DEV, f"{HTTP}--sandbox-ada").address(),
        "invoke": run(TOOL, "invoke", "ada", "events/greeting.json"),
        "send": run(TOOL, "send", "ada", "events/greeting.json"),
        "refused": run(TOOL, "send", "ada", "events/bad.json"),
        "status": run(TOOL, "status"),
    }
    run(TOOL, "sandbox-destroy", "ada")
    return said


def deployment_of_stage(world: World) -> tuple[Any, ...]:
    """Return how stage's deployment is destroyed."""
    folder, deployer, inputs = deployment(world, STAGE)
    return folder, deployer, "destroy", "-auto-approve", *inputs


def test_nothing_that_is_done_for_it_is_denied(life: Life) -> None:
    assert [check for check in life.checks if check.denied] == []


def test_a_token_of_another_audience_is_answered_401_after_the_audience_has_changed_too(life: Life) -> None:
    assert life.tokens == {
        "first orders": 200,
        "first payments": 401,
        "second orders": 401,
        "second payments": 200,
    }


def test_a_sandbox_s_address_is_told_and_a_request_sent_there_is_answered(life: Life) -> None:
    assert life.said["address"].startswith("https://")
    assert f"requests reach it at {life.said['address']}" in life.said["invoke"]
    assert 'answered 200: {"message": "Hola, Ada!"}' in life.said["send"]
    assert "answered 400: " in life.said["refused"]


def test_status_tells_the_address_in_each_environment(life: Life) -> None:
    told = re.findall(
        r"^(\w+): https://\w+\.execute-api\.us-east-1\.amazonaws\.com/$", life.said["status"], re.M
    )

    assert told == [environment["name"] for environment in FACTS["environments"]]


def test_all_that_is_granted_for_it_is_used_but_what_the_page_names(life: Life) -> None:
    page = (TEMPLATE / "docs/security.md").read_text("utf-8")
    ((roles, reasons),) = re.findall(
        r"^\| `http` \| (`[^|]+`) \| ([\w:, -]+) \| [^|]+ \|$", page, re.MULTILINE
    )
    own = {f"{HTTP}-deployer", f"{HTTP}-planner"}
    granted = [
        each
        for each in life.granted
        if (name(each.role) in own and each.policy == "trigger") or each.sid in FOR_TRIGGERS["http"]
    ]
    accounts = Counter((name(grant.role), grant.sid) for grant in granted)
    left: dict[tuple[str, str], Counter[str]] = {}
    for grant, actions in grants.unused(granted, life.checks):
        left.setdefault((name(grant.role), grant.sid), Counter()).update(actions)
    unused = {
        (role.replace(HTTP, "FUNCTION").replace("acme", "ORG"), action)
        for (role, sid), actions in left.items()
        for action, count in actions.items()
        if count == accounts[role, sid]
    }

    assert {name(grant.role) for grant in granted} == own | {"acme-developer", "acme-reader"}
    assert unused == {
        (role, action) for role in re.findall(r"[A-Z][\w-]+", roles) for action in reasons.split(", ")
    }
