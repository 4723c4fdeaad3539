"""What roles are granted: all of it used, each statement needed, none of it wider than its purpose."""

import io
import json
import re
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import botocore.session
import pytest
from botocore.model import Shape
from moto.core.exceptions import ServiceException

from emulator import front
from emulator.accounts import EmulatedAccounts
from emulator.calls import Call, Check
from emulator.judge import grants
from emulator.judge.bases import BASES
from emulator.judge.checks import AWS, RENAMED, asked
from emulator.judge.grants import Grant
from emulator.judge.policies import UnknownError, applies, listed, name
from hooks.git import git
from rehearsal import demo
from rehearsal.rehearse import apply_pipelines
from tests.conftest import needs
from tests.lives import OF_DEVELOPERS
from tests.tools import provider
from tests.worlds import (
    DEV,
    FACTS,
    PROD,
    QUEUE,
    REGION,
    STAGE,
    TEMPLATE,
    TOOL,
    People,
    Rehearsed,
    World,
    terraform_of,
)
from triggers.sqs.trigger import Trigger

PAGE = (TEMPLATE / "docs/permissions.md").read_text("utf-8")
BOOTSTRAP = "lambda-template-bootstrap"


@dataclass
class Life:
    """All that is done for a function, from its first commit to its removal, and what is granted for it."""

    granted: list[Grant]
    checks: list[Check]
    policies: dict[str, str]
    left: list[str]


@pytest.fixture(scope="module")
def life(queued: Rehearsed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    folder = tmp_path_factory.mktemp("life")
    with queued.world.fork() as accounts:
        world = World(queued, accounts, folder)
        clients = (
            accounts.client("iam", each["id"], REGION) for each in (FACTS["ops"], *FACTS["environments"])
        )
        elsewhere = set().union(*OF_DEVELOPERS.values())  # tests/lives.py, by trigger
        granted = [
            each
            for each in grants.granted(clients)
            if name(each.role) != BOOTSTRAP
            and not (name(each.role) in ("acme-developer", "acme-reader") and each.sid in elsewhere)
        ]
        policies = documents(world)
        run = People(world)
        change_pipelines(world)
        keep_secret(world, STAGE, PROD)
        change_deployment(world)
        drift(world)
        fail_to_promote(world)
        operate(world)
        go_back(world, run, queued.result.revision)
        play(world, run)
        look(run)
        remove_deployment(world)
        remove_secret(world, STAGE, PROD)
        remove_pipelines(world)
        calls = [*queued.result.journal, *accounts.journal()]
        yield Life(granted, [check for call in calls for check in call.checks], policies, what_is_left(world))


def documents(world: World) -> dict[str, str]:
    """Return all policies of all roles, by account, role and name."""
    found = {}
    for account in FACTS["ops"], *FACTS["environments"]:
        iam = world.client("iam", account)
        for role in iam.list_roles()["Roles"]:
            for policy in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
                answer = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=policy)
                found[f"{role['Arn']}/{policy}"] = json.dumps(answer["PolicyDocument"])
        for policy in iam.list_policies(Scope="Local")["Policies"]:
            version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
            found[policy["Arn"]] = json.dumps(version["PolicyVersion"]["Document"])
    return found


def edit(text: str, *changes: tuple[str, str]) -> str:
    """Return a text with changes, all of which must find their place."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


A_NETWORK = ("settings ", 'vpc = { subnets = ["x"], security_groups = ["x"] }\nsettings ')
A_SECRET = ("settings ", 'secrets = ["token"]\nsettings ')
NO_TAGS = ("      environment  = var.environment\n", "")
FEWER_TAGS = (", environment = var.environment", "")
OTHER_TRUST = ('actions = ["sts:AssumeRole"]\n', 'sid = "Other"\n    actions = ["sts:AssumeRole"]\n')


def change_pipelines(world: World) -> None:
    """Change whatever of the pipelines can be changed, as an operator."""
    people = world.folder / "people"
    git(world.folder, "clone", "--quiet", str(world.repository), str(people))
    for file, changes in {
        "main.tf": [('"SUPERSEDED"', '"QUEUED"')],
        "roles.tf": [
            ('does    = "Deploys"', 'does    = "Puts"'),
            ("What ${var.function_name} may do", "What it may do"),
            OTHER_TRUST,
        ],
        "start.tf": [("A release of", "One release of"), ("cron(17 3", "cron(18 3")],
        "steps.tf": [("= 365", "= 400"), ('description    = "Step ', 'description    = "The step ')],
        "versions.tf": [NO_TAGS],
    }.items():
        path = people / "pipeline" / file
        path.write_text(edit(path.read_text(), *changes))
    stage = people / "deployment/environments/stage.tfvars"
    stage.write_text(edit(stage.read_text(), A_NETWORK))
    apply_pipelines(world.accounts, FACTS, people, world.folder)


def keep_secret(world: World, *places: dict[str, Any], role: str = "operator", of: str = QUEUE) -> None:
    """Put a secret of a function into environments."""
    secret = {"Name": f"/{of}/token", "Type": "SecureString", "KeyId": "alias/acme", "Value": "x"}
    for place in places:
        world.accounts.client("ssm", place["id"], REGION, f"acme-{role}").put_parameter(**secret)


def remove_secret(world: World, *places: dict[str, Any], role: str = "operator", of: str = QUEUE) -> None:
    """Remove a secret of a function from environments."""
    for place in places:
        store = world.accounts.client("ssm", place["id"], REGION, f"acme-{role}")
        store.delete_parameter(Name=f"/{of}/token")


def change_deployment(world: World) -> None:
    """Change whatever of the deployment can be changed, and the package, by promoting it to stage."""
    with ZipFile(io.BytesIO(world.release())) as archive:
        files = {name: archive.read(name).decode("latin-1") for name in archive.namelist()}
    folder = "deployment/"
    changed = {
        "permissions.tf": [('sid       = "WriteLog"', 'sid       = "WriteItsLog"')],
        "failures.tf": [("14 * 24", "13 * 24")],
        "trigger.tf": [('sid       = "TakeMessages"', 'sid       = "TakeItsMessages"'), ("= 10\n", "= 9\n")],
        "traffic.tf": [(', "DEPLOYMENT_STOP_ON_REQUEST"', "")],
        "versions.tf": [FEWER_TAGS],
        "environments/stage.tfvars": [
            ("256", "512"),
            ("365", "400"),
            ("= 10\n", "= 20\n"),
            ('"AllAtOnce"', '"Canary10Percent5Minutes"'),
            A_SECRET,
            ("settings ", "reserved_concurrency = 5\nsettings "),
            A_NETWORK,
        ],
        "environments/prod.tfvars": [("256", "512"), A_SECRET],
    }
    changes = {folder + file: edit(files[folder + file], *found) for file, found in changed.items()}
    world.send(world.another("changed", file="another.txt", **changes))

    assert [run.message for run in world.walk()] == []


def drift(world: World) -> None:
    """Have it told that prod has drifted."""
    world.client("lambda", PROD).update_function_configuration(FunctionName=QUEUE, MemorySize=1024)
    assert world.drift(PROD) == {"DRIFT": "aws_lambda_function.function (memory_size)"}


def fail_to_promote(world: World) -> None:
    """Ask the promoter of dev for a release that is not there."""
    job = world.accounts.ask("open_job", account=DEV["id"])
    place = {"bucketName": f"{DEV['artifacts_bucket']}-pipelines", "objectKey": f"{QUEUE}/Release/absent"}
    data = {
        "actionConfiguration": {"configuration": {"UserParameters": QUEUE}},
        "inputArtifacts": [{"location": {"type": "S3", "s3Location": place}}],
    }
    event = json.dumps({"CodePipeline.job": {"id": job, "data": data}}).encode()
    world.client("lambda", DEV).invoke(FunctionName="acme-promoter", Payload=event)

    assert world.accounts.ask("read_job", identifier=job)["status"] == "Failed"


def operate(world: World) -> None:
    """Do what an operator does in the console when a pipeline stands still."""
    client = world.accounts.client("codepipeline", PROD["id"], REGION, "acme-operator")
    started = client.start_pipeline_execution(name=QUEUE)["pipelineExecutionId"]
    of_execution = {"pipelineName": QUEUE, "pipelineExecutionId": started}
    client.stop_pipeline_execution(**of_execution)
    assert client.get_pipeline_execution(**of_execution)["pipelineExecution"]["status"] == "Stopped"
    assert client.get_pipeline_state(name=QUEUE)["stageStates"]
    assert client.list_pipeline_executions(pipelineName=QUEUE)["pipelineExecutionSummaries"]
    assert client.list_action_executions(pipelineName=QUEUE)["actionExecutionDetails"]
    with pytest.raises(client.exceptions.StageNotRetryableException):
        client.retry_stage_execution(**of_execution, stageName="Deploy", retryMode="FAILED_ACTIONS")
    answer = {"result": {"status": "Approved", "summary": ""}, "token": "0" * 32}
    with pytest.raises(client.exceptions.ClientError, match=r"is not of the latest approval|ActionNotFound"):
        client.put_approval_result(pipelineName=QUEUE, stageName="Deploy", actionName="Approve", **answer)
    freeze = {"pipelineName": QUEUE, "stageName": "Deploy", "transitionType": "Inbound"}
    with pytest.raises(client.exceptions.ClientError, match="EmulatorNotImplemented"):
        client.disable_stage_transition(**freeze, reason="frozen")
    with pytest.raises(client.exceptions.ClientError, match="EmulatorNotImplemented"):
        client.enable_stage_transition(**freeze)
    s3 = world.accounts.client("s3", PROD["id"], REGION, "acme-operator")
    s3.delete_object(Bucket=PROD["state_bucket"], Key=f"functions/{QUEUE}.tfstate.tflock")
    alerts = f"arn:aws:sns:{REGION}:{PROD['id']}:acme-alerts"
    topics = world.accounts.client("sns", PROD["id"], REGION, "acme-operator")
    topics.subscribe(TopicArn=alerts, Protocol="email", Endpoint="ada@example.com")
    assert topics.list_subscriptions_by_topic(TopicArn=alerts)["Subscriptions"]
    queues = world.accounts.client("sqs", PROD["id"], REGION, "acme-operator")
    queue = f"{world.accounts.url}/{PROD['id']}/acme-undelivered"
    assert queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    assert "Messages" not in queues.receive_message(QueueUrl=queue)
    with pytest.raises(queues.exceptions.ClientError, match="ReceiptHandle"):
        queues.delete_message(QueueUrl=queue, ReceiptHandle="x")
    failures = f"{world.accounts.url}/{PROD['id']}/{QUEUE}-failures"
    assert queues.get_queue_attributes(QueueUrl=failures, AttributeNames=["QueueArn"])["Attributes"]
    (kept,) = queues.receive_message(QueueUrl=failures)["Messages"]
    queues.delete_message(QueueUrl=failures, ReceiptHandle=kept["ReceiptHandle"])
    logs = world.accounts.client("logs", PROD["id"], REGION, "acme-operator")
    group = f"/aws/codebuild/{QUEUE}-deploy"
    (stream, *_) = world.client("logs", PROD).describe_log_streams(logGroupName=group)["logStreams"]
    assert logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]


def go_back(world: World, run: People, revision: str) -> None:
    """Go back in stage in every way, as an operator."""
    content = {"Name": QUEUE, "Alias": "live", "CurrentVersion": "2", "TargetVersion": "1"}
    resource = {QUEUE: {"Type": "AWS::Lambda::Function", "Properties": content}}
    specification = {"content": json.dumps({"version": 0.0, "Resources": [resource]})}
    world.client("codedeploy", STAGE).create_deployment(
        applicationName=QUEUE,
        deploymentGroupName="live",
        deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent30Minutes",
        revision={"revisionType": "AppSpecContent", "appSpecContent": specification},
    )
    for to in "", "", "changed":  # from what is being shifted, to the version before, to a revision
        run(TOOL, "rollback", "stage", to, "--yes")
    world.client("lambda", STAGE).delete_function(FunctionName=QUEUE, Qualifier="1")
    run(TOOL, "releases", "stage")
    run(TOOL, "rollback", "stage", revision, "--yes")


def play(world: World, run: People) -> None:
    """Create, change, use and remove a sandbox, as a developer."""
    demo.install(world.repository)
    run("make", f"TOOL={TOOL}", "sandbox", "NAME=ada")
    folder = world.repository / "deployment"
    sizes = [("256", "512"), ("365", "400"), ("= 10\n", "= 20\n"), A_SECRET, A_NETWORK]
    keep_secret(world, DEV, role="developer", of=f"{QUEUE}--sandbox-ada")
    words = [
        ('"What ${local.function_name} may do"', '"What it may do"'),
        ('sid       = "WriteLog"', 'sid       = "WriteItsLog"'),
    ]
    for path, changes in {
        world.repository / "src/hello_queue/greeting.py": [("Hello", "Hi")],
        folder / "environments/dev.tfvars": sizes,
        folder / "trigger.tf": [("= 10\n", "= 9\n")],
        folder / "permissions.tf": words,
        folder / "versions.tf": [FEWER_TAGS],
    }.items():
        path.write_text(edit(path.read_text(), *changes))
    run("make", f"TOOL={TOOL}", "sandbox", "NAME=ada")
    run(TOOL, "invoke", "ada", "events/greeting.json")
    run(TOOL, "invoke", "", "dev", "events/greeting.json")
    run(TOOL, "send", "ada", "events/greeting.json")
    queue = Trigger(partial(world.client, environment=DEV), f"{QUEUE}--sandbox-ada", DEV["id"], REGION)
    while not queue.became([]):
        time.sleep(0.2)
    run(TOOL, "sync", "ada")
    assert run.first_line(TOOL, "logs", "ada")
    run(TOOL, "sandboxes")
    run(TOOL, "sandbox-destroy", "ada")
    remove_secret(world, DEV, role="developer", of=f"{QUEUE}--sandbox-ada")


def look(run: People) -> None:
    """See what runs where, of all functions too, and its log, as a reader."""
    run(TOOL, "status")
    run(TOOL, "fleet", "--accounts", "accounts.json")
    assert run.first_line(TOOL, "logs", "", "stage")


def remove_deployment(world: World) -> None:
    """Destroy what stage has deployed, in the role that has deployed it."""
    folder = world.deployed(STAGE)
    deployer = world.accounts.environment(STAGE["id"], REGION, f"{QUEUE}-deployer")
    backend = {"bucket": STAGE["state_bucket"], "key": f"functions/{QUEUE}.tfstate", "region": REGION}
    inputs = ["-var=environment=stage", "-var-file=environments/stage.tfvars"]
    terraform_of(world, folder, deployer, "init", *(f"-backend-config={k}={v}" for k, v in backend.items()))
    terraform_of(world, folder, deployer, "destroy", "-auto-approve", *inputs)


def remove_pipelines(world: World) -> None:
    """Destroy all pipelines, as an operator."""
    operator = world.accounts.environment(FACTS["ops"]["id"], REGION, "acme-operator")
    folder = world.folder / "people/pipeline"
    for environment in FACTS["environments"]:
        backend = f"-backend-config=environments/{environment['name']}.tfbackend"
        terraform_of(world, folder, operator, "init", "-reconfigure", backend)
        inputs = [f"-var=function_name={QUEUE}", f"-var=environment={environment['name']}"]
        terraform_of(world, folder, operator, "destroy", "-auto-approve", *inputs)


def what_is_left(world: World) -> list[str]:
    """Return what is left of the pipelines, and of the function in stage."""
    left = []
    for environment in FACTS["environments"]:
        left += [p["name"] for p in world.client("codepipeline", environment).list_pipelines()["pipelines"]]
        builds = world.client("codebuild", environment)
        left += [*builds.list_projects()["projects"], *builds.list_report_groups()["reportGroups"]]
        roles = world.client("iam", environment).list_roles()["Roles"]
        left += [r["RoleName"] for r in roles if r["RoleName"].startswith(QUEUE)]
    functions = world.client("lambda", STAGE)
    left += [f["FunctionName"] for f in functions.list_functions()["Functions"]]
    left += [m["UUID"] for m in functions.list_event_source_mappings()["EventSourceMappings"]]
    left += world.client("sqs", STAGE).list_queues(QueueNamePrefix=QUEUE).get("QueueUrls", [])
    return left


def test_whoever_has_made_something_may_remove_it(life: Life) -> None:
    assert life.left == ["acme-promoter"]


def test_nothing_that_our_roles_do_is_denied(life: Life) -> None:
    assert [check for check in life.checks if check.denied] == []


# Nothing without need

ROWS = re.findall(r"^\| `([\w-]+)` \| ([\w:, -]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
WITH_A_REASON = {(role, action) for role, actions in ROWS for action in actions.split(", ")}
MACHINES = ("acme-drift-start", "acme-pipeline", "acme-pipeline-start", "acme-promoter")
PEOPLE = ("acme-developer", "acme-operator")
OWN = (QUEUE, *(f"{QUEUE}-{step}" for step in ("builder", "deployer", "planner", "traffic", "verifier")))


def test_what_nothing_uses_is_named_with_its_reason(life: Life) -> None:
    """Of roles that are in several accounts, what is used in one of them counts."""
    accounts = Counter((name(grant.role), grant.sid) for grant in life.granted)
    left: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for grant, actions in grants.unused(life.granted, life.checks):
        left[name(grant.role), grant.sid].update(actions)
    found = {
        (called(role), action)
        for (role, sid), actions in left.items()
        for action, count in actions.items()
        if count == accounts[role, sid]
    }

    assert found == WITH_A_REASON


def test_the_bootstrap_role_may_make_the_foundation_and_change_or_remove_what_it_has_made(
    founded: EmulatedAccounts,
) -> None:
    checks = [check for call in founded.journal() for check in call.checks]
    own = [
        grant
        for grant in grants.granted([founded.client("iam", DEV["id"], REGION)])
        if name(grant.role) == BOOTSTRAP
        and not grant.sid.startswith(("Look", "LetGitHub"))  # foundation/doctor; where it is asked for
    ]
    left = [action for _, actions in grants.unused(own, checks) for action in actions]
    changes = r"\w+:(Delete|Detach|Put|Remove|Set|Tag|Untag|Update)\w+|iam:(CreatePolicyVersion|List\w+)"
    other_prefix = r"(codeconnections|codestar-connections):\w+"  # AWS knows a connection by both

    assert len(own) > 10
    assert [action for action in left if not re.fullmatch(f"{changes}|{other_prefix}", action)] == []


def called(role: str) -> str:
    """Return a role as the page calls it."""
    return name(role).replace(QUEUE, "FUNCTION").replace("acme", "ORG")


def statements_of(life: Life, roles: Iterable[str]) -> list[Grant]:
    """Return the statements of roles."""
    return [grant for grant in life.granted if name(grant.role) in roles]


def test_without_any_single_statement_some_call_would_be_denied(life: Life) -> None:
    by_role: dict[str, list[Check]] = defaultdict(list)
    for check in life.checks:
        by_role[check.caller.role].append(check)
    needed = set()
    for role, checks in by_role.items():
        own = [grant for grant in life.granted if grant.role == role]
        for check in checks:
            using = [grant for grant in own if grants.uses(grant, check)]
            if len(using) == 1:
                needed.add((name(role), using[0].sid))

    statements = {
        (name(g.role), g.sid)
        for g in statements_of(life, (*MACHINES, *OWN, *PEOPLE))
        if not {(called(g.role), a) for a in listed(g.statement["Action"])} <= WITH_A_REASON
    }
    assert len(statements) > 60
    assert statements - needed == set()


# Nothing that the judge does not read

# The models of a service that has more than one, or another name than in policies.
MODELS = {
    "tag": ("resourcegroupstaggingapi",),
    "apigateway": ("apigatewayv2",),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "states": ("stepfunctions",),
}


def is_action(service: str, action: str) -> bool:
    """Return whether AWS has an action."""
    return bool(AWS.services.service_exists(service) and AWS.actions.action_exists(service, action))


def written() -> set[str]:
    """Return the actions that stand in Terraform, in whatever policy."""
    texts = [text.replace("${service}:", "codeconnections:") for text in provider.files().values()]
    found = {action for text in texts for action in re.findall(r'"([a-z0-9-]+:[A-Z]\w+)"', text)}
    return {action for action in found if is_action(*action.lower().split(":"))}


def given(shape: Shape, arn: str, depth: int, parameter: str = "") -> Any:
    """Return what a call may be given: down to a depth all that it may, below that what it must."""
    match shape.type_name:
        case "structure":
            names = shape.members if depth > 0 else shape.required_members
            return {each: given(shape.members[each], arn, depth - 1, each) for each in names}
        case "list":
            return [given(shape.member, arn, depth, parameter)]
        case "map":
            return {"x": given(shape.value, arn, depth)}
        case "string":
            is_arn = re.search("arns?$|^resource$|^secretid$", parameter, re.IGNORECASE)
            return shape.metadata.get("enum", [arn if is_arn else "x"])[0]
    return 1


def calls_of(action: str) -> Iterator[Call]:
    """Yield calls for which AWS checks an action, if there are any."""
    service, own = action.split(":")
    kinds = AWS.actions.get_action_details(service, own.lower())["resourceTypes"]
    patterns = [AWS.resources.get_resource_type_details(service, kind["name"])["arn"] for kind in kinds]
    here = {"Partition": "aws", "Region": REGION, "Account": DEV["id"]}
    arn = re.sub(r"\$\{(\w+)\}", lambda part: here.get(part[1], "x"), "".join(patterns[:1]))
    role = f"arn:aws:iam::{DEV['id']}:role/x"
    if service == "execute-api":  # a request to an API, of which there is no model
        yield Call(service, own, REGION, DEV["id"], "x", role, {"Resource": arn})
        return
    for model in map(botocore.session.Session().get_service_model, MODELS.get(service, (service,))):
        for each in model.operation_names:
            if RENAMED.get((service, each), each) == own:
                shape = model.operation_model(each).input_shape
                for depth in 0, 3:
                    parameters = given(shape, arn, depth) if shape else {}
                    yield Call(service, each, REGION, DEV["id"], "x", role, parameters)


def is_read(action: str) -> bool:
    """Return whether some call has the judge ask for an action; one that is about nothing there is, too."""
    for call in calls_of(action):
        try:
            if any(action == found for found, _, _ in asked(call)):
                return True
        except ServiceException:
            return True
        except UnknownError:
            continue
    return False


def test_the_judge_reads_whatever_is_granted_or_the_page_says_that_it_cannot() -> None:
    assert front.SERVICES
    by_itself = {action for _, action in BASES}
    unread = {action for action in written() - by_itself if not is_read(action)}
    told = set(re.findall(r"`([a-z0-9-]+:\w+)`", PAGE.partition("## What the judge cannot know")[2]))

    assert len(written()) > 150
    assert unread - {action for _, action in WITH_A_REASON} == told


# Nothing wider than its purpose


def too_wide(statement: dict[str, Any]) -> list[str]:
    """Return what of a statement is wider than ours may be.

    An action is named in full. The resource * stands where AWS takes no other for any of the actions; else
    a star stands for a whole part of a name.
    """
    actions, resources = listed(statement["Action"]), listed(statement["Resource"])
    found = [action for action in actions if "*" in action]
    for resource in resources:
        if resource == "*":
            details = [AWS.actions.get_action_details(*a.lower().split(":")) for a in actions if "*" not in a]
            found += [resource] if any(d["resourceTypes"] for d in details) else []
        elif re.search(r"[^-/:*]\*|\*\*|\*[^-/:.]", resource):
            found.append(resource)
    return found


def wider(statement: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a statement with a star more, in each place where one means more."""
    for action in listed(statement["Action"]):
        yield {**statement, "Action": action.split(":")[0] + ":*"}
    for resource in listed(statement["Resource"]):
        if resource != "*":
            yield {**statement, "Resource": "*"}
        if not resource.endswith("*"):
            yield {**statement, "Resource": f"{resource}*"}


# Metrics have a resource, but none that names a function; of connections it was reported to be refused.
ON_EVERYTHING = {
    "cloudwatch:GetMetricData",
    "codeconnections:ListConnections",
    "codestar-connections:ListConnections",
}


def test_no_statement_is_wider_than_it_must_be_and_a_star_more_in_any_is_noticed(life: Life) -> None:
    for grant in life.granted:
        statement = dict(grant.statement)
        actions = [a for a in listed(statement["Action"]) if a not in ON_EVERYTHING]
        assert too_wide({**statement, "Action": actions}) == [], (grant.role, grant.sid)
        for mutant in wider(statement):
            assert too_wide(mutant), (grant.role, mutant)


def test_what_a_function_s_roles_do_they_may_do_for_that_function_alone(life: Life) -> None:
    own = {role: [g for g in life.granted if g.role == role] for role in {g.role for g in life.granted}}
    tried = 0
    for check in life.checks:
        if name(check.caller.role) in OWN and QUEUE in check.resource:
            for other in f"{QUEUE}-2", f"another-{QUEUE}":
                resource = check.resource.replace(QUEUE, other)
                request = Check(
                    check.caller, check.action, resource, check.owner, check.context, None
                ).request
                assert not any(applies(g.statement, request, "Allow") for g in own[check.caller.role]), (
                    resource
                )
                tried += 1
    assert tried > 100


ESCALATION = "RESOURCE_POLICY_PRIVILEGE_ESCALATION"  # of which the linter names the bucket, and any file
# Boundaries are ceilings. The bootstrap role writes policies of buckets, developers those of their sandboxes.
ACCEPTED = {
    ("acme-boundary", "RESOURCE_STAR"),
    ("acme-pipelines-boundary", "RESOURCE_STAR"),
    ("acme-verifiers-boundary", "RESOURCE_STAR"),
    *((bucket, ESCALATION) for bucket in ("arn:aws:s3:::*", f"arn:aws:s3:::*--sandbox-*-{DEV['id']}")),
    # One of the kinds that an action takes. Of subscriptions its list is old, too.
    *(
        (policy, "RESOURCE_MISMATCH")
        for policy in ("acme-developer-triggers", "acme-pipelines-boundary", "doctor", "keys")
    ),
}


def test_a_linter_of_policies_finds_nothing_but_what_is_accepted(life: Life, tmp_path: Path) -> None:
    linter = TEMPLATE / "build/linters/bin/parliament"
    needs(str(linter))
    for number, (policy, document) in enumerate(life.policies.items()):
        (tmp_path / f"{number}-{name(policy)}.json").write_text(document)

    command = [str(linter), "--directory", str(tmp_path), "--json"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()

    findings = {
        (
            re.split(" on | due ", each["detail"])[1]
            if each["issue"] == ESCALATION
            else Path(each["location"]["filepath"]).stem.partition("-")[2],
            each["issue"],
        )
        for each in map(json.loads, found)
        # Its lists are old; test_static.py asks AWS's own.
        if each["issue"] not in ("UNKNOWN_ACTION", "UNKNOWN_CONDITION_FOR_ACTION")
    }
    assert findings == ACCEPTED
