"""What `make doctor` says of accounts in which something is missing, taken or different."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from foundation.doctor import access, changes, resources, services
from foundation.doctor.__main__ import examine
from foundation.doctor.account import Account, Check, Finding, enter, guarded
from foundation.doctor.changes import Change, Planner, applying
from hooks.accounts_file import check
from rehearsal import foundation
from tests.conftest import needs
from tests.organizations import environment, organization_of, run
from tests.worlds import DEV, FACTS, REGION, TEMPLATE

OPS = FACTS["ops"]["id"]
FAULTS, ACCOUNTS = check(str(TEMPLATE / "accounts.yaml"))
NOBODY = {"Version": "2012-10-17", "Statement": []}
NOTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
BUILDS, RULES = (("codebuild", "L-5ED1D25B"), ("events", "L-244521F2"))

Look = Callable[..., list[Finding]]
Enter = Callable[..., Account]


def become(monkeypatch: pytest.MonkeyPatch, world: EmulatedAccounts, **role: str) -> None:
    """Take credentials of ops."""
    for name, value in world.environment(OPS, REGION, **role).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Enter:
    """Enter an account of a world as the doctor does."""

    def of(world: EmulatedAccounts, name: str, accounts: dict[str, Any] = ACCOUNTS) -> Account:
        become(monkeypatch, world)
        foundation.bootstrap(world, FACTS)
        return enter(accounts, name)

    return of


@pytest.fixture
def look(inside: Enter) -> Look:
    """Have one check look into an account of a world."""

    def at(world: EmulatedAccounts, name: str, one: Check, **more: Any) -> list[Finding]:
        return list(guarded("it", one, inside(world, name, **more)))

    return at


def kinds(findings: list[Finding]) -> list[str]:
    return [finding.status for finding in findings]


# Access


def test_an_account_that_ops_may_not_enter_is_a_fault_and_all_that_is_said_of_it(
    accounts: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    accounts.ask("enforce")
    become(monkeypatch, accounts)

    (found,) = examine(ACCOUNTS, "dev", Planner(ACCOUNTS, tmp_path))

    assert found.status == "fault"
    assert found.text.startswith("ops may not enter by the role lambda-template-bootstrap: ")
    assert found.remedy.endswith('docs/foundation.md, "Let ops in"')


def test_it_says_whom_the_bootstrap_role_trusts_and_warns_if_that_is_anybody(
    accounts: EmulatedAccounts, look: Look
) -> None:
    trusted = look(accounts, "dev", access.trust)
    anybody = NOBODY | {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
    accounts.client("iam", DEV["id"], REGION).update_assume_role_policy(
        RoleName="lambda-template-bootstrap", PolicyDocument=json.dumps(anybody)
    )

    (warning,) = look(accounts, "dev", access.trust)

    text = f"ops enters by lambda-template-bootstrap, which trusts arn:aws:iam::{OPS}:root"
    assert trusted == [Finding("ok", text)]
    assert (warning.status, warning.text[-8:]) == ("warning", "trusts *")
    assert warning.remedy == f"have it trust arn:aws:iam::{OPS}:root alone"


def test_it_warns_of_a_group_that_nobody_is_in(accounts: EmulatedAccounts, look: Look) -> None:
    iam = accounts.client("iam", OPS, REGION)
    for group in "acme-operators", "acme-readers":
        iam.create_group(GroupName=group)
    iam.create_user(UserName="ada")
    iam.add_user_to_group(GroupName="acme-readers", UserName="ada")

    operators, readers = look(accounts, "ops", access.people)

    assert (operators.status, operators.text) == ("warning", "nobody is in the group acme-operators")
    assert operators.command == "aws iam add-user-to-group --group-name acme-operators --user-name NAME"
    assert readers == Finding("ok", "group acme-readers: ada")


def test_it_warns_of_people_in_the_accounts_file_who_are_not_in_ops(
    accounts: EmulatedAccounts, look: Look
) -> None:
    accounts.client("iam", OPS, REGION).create_role(
        RoleName="Operators_1", Path="/sso/", AssumeRolePolicyDocument=json.dumps(NOBODY)
    )
    arn = f"arn:aws:iam::{OPS}:role/sso/"
    people = {"operators": [f"{arn}Operators_*", f"{arn}Operator_*"], "developers": [], "readers": []}

    known, unknown = look(accounts, "ops", access.people, accounts=ACCOUNTS | {"people": people})

    assert known == Finding("ok", "people.operators: Operators_1")
    assert unknown.status == "warning"
    assert unknown.text == f"people.operators: ops has no role or user {arn}Operator_*"


def test_what_it_may_not_ask_is_a_line_and_no_traceback(
    accounts: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = accounts.client("iam", OPS, REGION)
    iam.create_role(RoleName="guest", AssumeRolePolicyDocument=json.dumps(NOBODY))
    accounts.ask("enforce")
    become(monkeypatch, accounts, role="guest")

    (found,) = guarded("people", access.people, enter(ACCOUNTS, "ops"))

    assert (found.status, found.text) == ("warning", "cannot tell about people: you may not iam:GetGroup")


# Services and quotas


def test_services_that_answer_are_one_line(accounts: EmulatedAccounts, look: Look) -> None:
    (found,) = look(accounts, "dev", services.services)

    names = "CodePipeline, CodeBuild, CodeConnections, CodeDeploy, EventBridge, Lambda"
    assert found == Finding("ok", f"in us-east-1 answer {names}")


def test_a_service_without_an_endpoint_is_a_fault(
    accounts: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch, inside: Enter
) -> None:
    account = inside(accounts, "dev")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEPIPELINE", "http://127.0.0.1:1")

    fault, others = services.services(account)

    assert fault.status == "fault"
    assert fault.text.startswith("CodePipeline does not answer in us-east-1: Could not connect")
    assert fault.remedy.startswith("name another region in accounts.yaml")
    assert "CodePipeline" not in others.text


@pytest.fixture
def denying() -> Iterator[str]:
    """An endpoint that answers as where the organization denies a service."""
    message = "User: x is not authorized to perform: y with an explicit deny in a service control policy"
    answer = Response(json.dumps({"__type": "AccessDeniedException", "message": message}), 400)
    server = make_server("127.0.0.1", 0, answer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_service_that_the_organization_denies_is_a_fault(
    accounts: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch, inside: Enter, denying: str
) -> None:
    account = inside(accounts, "dev")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CODEBUILD", denying)

    fault, _ = services.services(account)

    assert (fault.status, fault.text[:26]) == ("fault", "CodeBuild does not answer ")
    assert "have the organization allow the service" in fault.remedy


def test_one_build_at_once_is_a_warning_and_two_are_not(accounts: EmulatedAccounts, look: Look) -> None:
    (one,) = look(accounts, "dev", services.builds)
    accounts.ask("set_quota", account=DEV["id"], region=REGION, service=BUILDS[0], code=BUILDS[1], value=2)
    (two,) = look(accounts, "dev", services.builds)
    accounts.ask("set_quota", account=DEV["id"], region=REGION, service=BUILDS[0], code=BUILDS[1], value=None)
    (none,) = look(accounts, "dev", services.builds)

    assert one.status == "warning"
    assert one.text.startswith("small builds on Arm at once: 1;")
    assert "--service-code codebuild --quota-code L-5ED1D25B --desired-value 10" in one.command
    assert two == Finding("ok", "small builds on Arm at once: 2")
    assert (none.status, none.text[:42]) == ("warning", "us-east-1 has no quota of small builds on ")


def test_rules_that_nearly_fill_the_bus_are_a_warning(accounts: EmulatedAccounts, look: Look) -> None:
    events = accounts.client("events", DEV["id"], REGION)
    for number in range(4):
        events.put_rule(Name=f"rule-{number}", ScheduleExpression="rate(1 day)")

    (few,) = look(accounts, "dev", services.rules)
    accounts.ask("set_quota", account=DEV["id"], region=REGION, service=RULES[0], code=RULES[1], value=5)
    (nearly_all,) = look(accounts, "dev", services.rules)

    assert few == Finding("ok", "rules on the default bus: 4 of 300; each function takes one")
    assert nearly_all.status == "warning"
    assert nearly_all.command.endswith("--quota-code L-244521F2 --desired-value 10")


def test_little_of_lambda_is_a_warning(organization: EmulatedAccounts, look: Look) -> None:
    enough = look(organization, "dev", services.lambda_)
    limits = {"concurrency": 10, "code_size": 2000}  # the promoter is larger
    organization.ask("set_lambda_limits", account=DEV["id"], region=REGION, **limits)

    code, concurrency = look(organization, "dev", services.lambda_)

    assert enough == [
        Finding("ok", "code in Lambda: 0.0 of 75 GB"),
        Finding("ok", "executions of all functions at once: 1000"),
    ]
    assert (code.status, concurrency.status) == ("warning", "warning")
    assert code.remedy.startswith("delete versions and functions that nobody needs")
    assert concurrency.text == "executions of all functions at once: 10"


# Buckets, key, connection, alerts


def test_a_bucket_of_another_account_or_region_is_a_fault(accounts: EmulatedAccounts, look: Look) -> None:
    accounts.client("s3", "999999999999", REGION).create_bucket(Bucket=DEV["state_bucket"])
    accounts.client("s3", DEV["id"], "eu-west-1").create_bucket(
        Bucket=DEV["artifacts_bucket"], CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )

    state, artifacts, pipelines = look(accounts, "dev", resources.buckets)

    assert state.status == "fault"
    assert state.text == "bucket acme-dev-terraform-state is of another account, or you may not see it"
    assert "another name in accounts.yaml" in state.remedy
    assert artifacts.text == "bucket acme-dev-artifacts is in eu-west-1, not in us-east-1"
    assert artifacts.status == "fault"
    assert pipelines == Finding("ok", "bucket acme-dev-artifacts-pipelines is free")


def test_a_bucket_that_is_there_and_lacks_what_matters_is_a_warning(
    organization: EmulatedAccounts, look: Look
) -> None:
    before = look(organization, "dev", resources.buckets)
    s3 = organization.client("s3", DEV["id"], REGION)
    s3.put_bucket_versioning(Bucket=DEV["state_bucket"], VersioningConfiguration={"Status": "Suspended"})
    s3.put_public_access_block(
        Bucket=DEV["artifacts_bucket"], PublicAccessBlockConfiguration={"BlockPublicAcls": True}
    )
    aes = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(
        Bucket=f"{DEV['artifacts_bucket']}-pipelines", ServerSideEncryptionConfiguration={"Rules": [aes]}
    )

    found = look(organization, "dev", resources.buckets)

    assert kinds(before) == ["ok"] * 3
    assert kinds(found) == ["warning"] * 3
    assert [finding.text.partition(": ")[2] for finding in found] == [
        "it is not versioned",
        "public access to it is not blocked",
        "it is not encrypted by the account's key",
    ]
    assert found[0].command == "make foundation-dev"


def test_a_key_whose_policy_lacks_the_account_is_a_fault(organization: EmulatedAccounts, look: Look) -> None:
    kms = organization.client("kms", DEV["id"], REGION)
    number = kms.describe_key(KeyId="alias/acme")["KeyMetadata"]["KeyId"]
    whole = look(organization, "dev", resources.key)
    role = f"arn:aws:iam::{DEV['id']}:role/lambda-template-bootstrap"
    alone = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [alone]})
    kms.put_key_policy(KeyId=number, PolicyName="default", Policy=policy)

    (fault,) = look(organization, "dev", resources.key)

    assert whole == [Finding("ok", "key alias/acme is enabled and heeds the account's policies")]
    assert fault.status == "fault"
    assert fault.text.startswith("the policy of key alias/acme lacks the account")
    assert fault.command == f"aws kms put-key-policy --key-id {number} --policy file://POLICY.json"


def test_a_key_that_is_disabled_or_about_to_be_deleted_is_a_fault(
    organization: EmulatedAccounts, look: Look
) -> None:
    kms = organization.client("kms", DEV["id"], REGION)
    number = kms.describe_key(KeyId="alias/acme")["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=number)
    (disabled,) = look(organization, "dev", resources.key)
    kms.schedule_key_deletion(KeyId=number)
    (deleted,) = look(organization, "dev", resources.key)

    assert disabled == Finding(
        "fault", "key alias/acme is Disabled", "take it back", f"aws kms enable-key --key-id {number}"
    )
    assert deleted.command == f"aws kms cancel-key-deletion --key-id {number}"


def test_a_connection_that_nobody_has_completed_is_a_warning(
    organization: EmulatedAccounts, look: Look
) -> None:
    (pending,) = look(organization, "dev", resources.connection)
    listed = organization.client("codestar-connections", DEV["id"], REGION).list_connections()
    organization.ask("complete_connection", arn=listed["Connections"][0]["ConnectionArn"])
    (complete,) = look(organization, "dev", resources.connection)

    assert pending.status == "warning"
    assert pending.text == "the GitHub connection acme-github is PENDING: no push starts a pipeline"
    assert "who owns acme on GitHub" in pending.remedy
    assert pending.remedy.endswith(
        "us-east-1.console.aws.amazon.com/codesuite/settings/connections?region=us-east-1"
    )
    assert complete == Finding("ok", "the GitHub connection acme-github is complete")


def test_alerts_that_nobody_hears_are_a_warning_until_a_subscription_is_confirmed(
    organization: EmulatedAccounts, look: Look
) -> None:
    sns = organization.client("sns", DEV["id"], REGION)
    topic = f"arn:aws:sns:{REGION}:{DEV['id']}:acme-alerts"
    (nobody,) = look(organization, "dev", resources.alerts)
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.com")
    (asked,) = look(organization, "dev", resources.alerts)
    queue = f"arn:aws:sqs:{REGION}:{DEV['id']}:alerts"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    (heard,) = look(organization, "dev", resources.alerts)

    assert (nobody.status, nobody.text) == ("warning", "nobody hears alerts")
    assert nobody.command.startswith(
        f"aws sns subscribe --profile acme-dev-operator --topic-arn {topic} --protocol email "
    )
    assert asked.text == "nobody hears alerts; subscriptions not confirmed: 1"
    assert heard == Finding("ok", "subscriptions to alerts: 1")


def test_what_is_not_there_yet_is_no_finding(accounts: EmulatedAccounts, look: Look) -> None:
    for of_dev in resources.key, resources.connection, resources.alerts:
        assert look(accounts, "dev", of_dev) == []
    for of_ops in access.people, changes.removed:
        assert look(accounts, "ops", of_ops) == []


def test_an_environment_that_is_gone_from_the_accounts_file_is_a_fault(
    organization: EmulatedAccounts, look: Look
) -> None:
    two = ACCOUNTS | {"environments": ACCOUNTS["environments"][:2]}

    (fault,) = look(organization, "ops", changes.removed, accounts=two)

    assert look(organization, "ops", changes.removed) == []
    assert (fault.status, fault.text[:28]) == ("fault", "prod has been applied and is")


# Names


def planner_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Planner:
    """Return a planner, with the credentials that one has by now, which keeps away from this checkout."""
    needs("terraform")
    ignore = shutil.ignore_patterns("build", ".terraform", "__pycache__")
    shutil.copytree(TEMPLATE / "foundation", folder / "template/foundation", ignore=ignore)
    shutil.copy(TEMPLATE / "accounts.yaml", folder / "template")
    monkeypatch.setattr(changes, "FOLDER", folder / "template/foundation")
    return Planner(ACCOUNTS, folder / "copy")


@pytest.fixture(scope="module")
def planned(empty: EmulatedAccounts, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Change]]:
    """What applying to empty accounts would create in ops and dev."""
    with empty.fork() as world, pytest.MonkeyPatch.context() as monkeypatch:
        become(monkeypatch, world)
        foundation.bootstrap(world, FACTS)
        planner = planner_in(tmp_path_factory.mktemp("planned"), monkeypatch)
        return {name: planner.plan(name)[1] for name in ("ops", "dev")}


def test_names_that_nobody_has_are_free(
    accounts: EmulatedAccounts, inside: Enter, planned: dict[str, list[Change]]
) -> None:
    for name, new in planned.items():
        (found,) = changes.names(inside(accounts, name), new)
        number = sum(change.type in changes.NAMED for change in new)
        assert found == Finding("ok", f"of {number} names that it would take, {number} are free")
    assert {change.type for each in planned.values() for change in each} >= changes.NAMED.keys()


Taken = tuple[str, str, Callable[[Any], object]]
TAKEN: list[Taken] = [
    ("ops", "group acme-operators", lambda at: at("iam").create_group(GroupName="acme-operators")),
    (
        "ops",
        "bucket acme-ops-terraform-state",
        lambda at: at("s3").create_bucket(Bucket="acme-ops-terraform-state"),
    ),
    (
        "dev",
        "alias alias/acme",
        lambda at: at("kms").create_alias(
            AliasName="alias/acme", TargetKeyId=at("kms").create_key()["KeyMetadata"]["KeyId"]
        ),
    ),
    (
        "dev",
        "role acme-reader",
        lambda at: at("iam").create_role(RoleName="acme-reader", AssumeRolePolicyDocument=json.dumps(NOBODY)),
    ),
    (
        "dev",
        "policy acme-boundary",
        lambda at: at("iam").create_policy(PolicyName="acme-boundary", PolicyDocument=json.dumps(NOTHING)),
    ),
    (
        "dev",
        "function acme-promoter",
        lambda at: at("lambda").create_function(
            FunctionName="acme-promoter",
            Role=at("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(NOBODY))["Role"][
                "Arn"
            ],
            Code={"ZipFile": b"no zip"},
        ),
    ),
    (
        "dev",
        "log group /aws/lambda/acme-promoter",
        lambda at: at("logs").create_log_group(logGroupName="/aws/lambda/acme-promoter"),
    ),
    ("dev", "topic acme-alerts", lambda at: at("sns").create_topic(Name="acme-alerts")),
    ("dev", "queue acme-undelivered", lambda at: at("sqs").create_queue(QueueName="acme-undelivered")),
    (
        "dev",
        "rule acme-pipeline-failed",
        lambda at: at("events").put_rule(Name="acme-pipeline-failed", ScheduleExpression="rate(1 day)"),
    ),
    (
        "dev",
        "alarm acme-undelivered",
        lambda at: at("cloudwatch").put_metric_alarm(
            AlarmName="acme-undelivered",
            EvaluationPeriods=1,
            ComparisonOperator="GreaterThanThreshold",
            Threshold=0,
            MetricName="m",
            Namespace="n",
            Period=60,
            Statistic="Sum",
        ),
    ),
    (
        "dev",
        "connection acme-github",
        lambda at: at("codestar-connections").create_connection(
            ConnectionName="acme-github", ProviderType="GitHub"
        ),
    ),
]


@pytest.mark.parametrize("taken", TAKEN, ids=[what for _, what, _ in TAKEN])
def test_a_name_that_something_has_is_a_fault(
    accounts: EmulatedAccounts, inside: Enter, planned: dict[str, list[Change]], taken: Taken
) -> None:
    name, what, take = taken
    account = inside(accounts, name)
    take(lambda service: accounts.client(service, account.id, REGION))

    fault, rest = changes.names(account, planned[name])

    assert fault.status == "fault"
    assert fault.text == f"{what} is there already, made by something else, with no tags"
    adopt = r"adopt it: in accounts.yaml, \w+ gets adopt: \[(state_bucket|key|reader)\]"
    known = what.startswith(("bucket", "alias", "role"))
    how = adopt if known else "import it: type this, make foundation-.*"
    assert re.fullmatch(f"remove it, or {how}", fault.remedy)
    assert bool(fault.command) != known
    assert rest.status == "ok"


def test_a_bucket_of_another_account_is_not_free_and_told_of_once(
    accounts: EmulatedAccounts, inside: Enter, planned: dict[str, list[Change]]
) -> None:
    accounts.client("s3", "999999999999", REGION).create_bucket(Bucket=FACTS["ops"]["state_bucket"])

    (found,) = changes.names(inside(accounts, "ops"), planned["ops"])

    assert found == Finding("ok", "of 7 names that it would take, 6 are free")


@pytest.mark.parametrize(
    ("tags", "by"),
    [
        ({"Team": "payments"}, "something else, with Team=payments"),
        ({"foundation": "umbrella"}, "the foundation of umbrella"),
        ({"foundation": "acme"}, "this foundation, whose state does not have it"),
    ],
)
def test_it_says_by_what_a_name_is_taken(
    accounts: EmulatedAccounts,
    inside: Enter,
    planned: dict[str, list[Change]],
    tags: dict[str, str],
    by: str,
) -> None:
    accounts.client("iam", DEV["id"], REGION).create_role(
        RoleName="acme-operator",
        AssumeRolePolicyDocument=json.dumps(NOBODY),
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )

    fault, _ = changes.names(inside(accounts, "dev"), planned["dev"])

    assert fault.text == f"role acme-operator is there already, made by {by}"
    assert ("adopt: [operator]" in fault.remedy) == ("umbrella" not in by)


def test_what_is_imported_as_it_says_is_the_foundation_s(
    organization: EmulatedAccounts, inside: Enter, tmp_path: Path
) -> None:
    account = inside(organization, "dev")
    assert run(organization, FACTS, tmp_path, "dev", answer="no").returncode == 0
    _, own, place = foundation.command(organization, FACTS, tmp_path)
    own |= terraform.environment(tmp_path) | {"TF_DATA_DIR": "build/dev"}
    lost = [
        Change(
            "aws_cloudwatch_event_rule.pipeline_failed[0]",
            "aws_cloudwatch_event_rule",
            ["create"],
            {"name": "acme-pipeline-failed"},
        ),
        Change(
            'aws_iam_policy.boundary["functions"]', "aws_iam_policy", ["create"], {"name": "acme-boundary"}
        ),
        Change("aws_sns_topic.alerts[0]", "aws_sns_topic", ["create"], {"name": "acme-alerts"}),
    ]
    addresses = [change.address for change in lost]
    forget = ["terraform", "-chdir=foundation", "state", "rm", *addresses]
    subprocess.run(forget, cwd=place, env=own, check=True, stdout=subprocess.DEVNULL)

    *faults, _ = changes.names(account, lost)
    for fault in faults:
        subprocess.run(["sh", "-c", fault.command], cwd=place, check=True)
    imported = run(organization, FACTS, tmp_path, "dev").stdout
    (place / "foundation/import.tf").unlink()

    assert len(faults) == len(lost)
    assert "Plan: 3 to import, 0 to add, 0 to change, 0 to destroy." in imported
    assert "No changes." in run(organization, FACTS, tmp_path, "dev", answer="no").stdout


def test_the_foundation_of_another_organization_is_a_fault(
    accounts: EmulatedAccounts, inside: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = inside(accounts, "dev")
    accounts.client("iam", DEV["id"], REGION).create_role(
        RoleName="umbrella-promoter",
        Path="/lambda-template/services/",
        AssumeRolePolicyDocument=json.dumps(NOBODY),
    )

    (fault,) = applying(planner_in(tmp_path, monkeypatch), account)

    assert fault.status == "fault"
    assert "holds the foundation of another organization: umbrella-promoter" in fault.text


def test_without_terraform_there_is_a_fault(
    accounts: EmulatedAccounts, inside: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = inside(accounts, "dev")
    planner = planner_in(tmp_path, monkeypatch)
    planner.foundation.variables["PATH"] = str(tmp_path)

    (fault,) = applying(planner, account)

    text = "Terraform cannot plan: terraform is not on PATH; install Terraform 1.11 or later"
    assert fault.text == text


@pytest.mark.tries("kills", "while founding")
def test_where_the_first_run_was_interrupted_it_knows_what_that_has_made(
    accounts: EmulatedAccounts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    become(monkeypatch, accounts)
    planner = planner_in(tmp_path, monkeypatch)
    before = planner.state("ops")
    unfinished = tmp_path / "template/foundation/build/ops.tfstate"
    unfinished.parent.mkdir()
    unfinished.write_bytes(b"{}")

    assert (before, planner.state("ops"), planner.state("dev")) == (b"", b"{}", b"")


# All of it


def doctor(world: EmulatedAccounts, facts: dict[str, Any], folder: Path) -> tuple[int, str]:
    """Run it as `make doctor` does; return its exit code, and what it prints."""
    needs("terraform")
    _, own, place = foundation.command(world, facts, folder)
    done = subprocess.run(
        [sys.executable, "-m", "foundation.doctor"],
        cwd=place,
        env=own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_before_it_is_applied_to_an_account_that_is_not_empty_it_says_why_that_would_fail(
    accounts: EmulatedAccounts, tmp_path: Path
) -> None:
    accounts.ask("enforce")
    trust = json.dumps(NOBODY)
    accounts.client("iam", DEV["id"], REGION).create_role(
        RoleName="acme-reader", AssumeRolePolicyDocument=trust
    )

    code, said = doctor(accounts, organization_of(DEV), tmp_path)

    assert code == 1
    assert re.search(r"^ops  ok +credentials of arn:aws:sts::111111111111:assumed-role/", said, re.MULTILINE)
    assert re.search(r"^ops  ok +not applied yet; that would create \d+ resources$", said, re.MULTILINE)
    assert "\ndev  fault    role acme-reader is there already, made by something else, with no tags\n" in said
    assert said.endswith("\nThe foundation would fail: 1 fault, 1 warning.\n")
    assert accounts.client("s3", OPS, REGION).list_buckets()["Buckets"] == []


def test_after_it_is_applied_it_says_what_differs_and_has_only_read(
    organization: EmulatedAccounts, tmp_path: Path
) -> None:
    s3 = organization.client("s3", DEV["id"], REGION)
    s3.put_bucket_versioning(Bucket=DEV["state_bucket"], VersioningConfiguration={"Status": "Suspended"})
    started = len(organization.journal())

    code, said = doctor(organization, FACTS, tmp_path)

    assert code == 0, said
    assert said.count("the foundation is as this version makes it") == 3
    assert (
        "dev    warning  applying would change 1 resources (update 1): aws_s3_bucket_versioning.account["
        '"state"]\n                see what, and apply it\n                make foundation-dev\n'
    ) in said
    assert said.splitlines()[-1].startswith("The foundation can be applied: 0 faults, ")
    assert "cannot tell" not in said
    asked = {check.action for entry in organization.journal()[started:] for check in entry.checks}
    policy = json.loads(aws_managed_policies_data)["ReadOnlyAccess"]["Document"]
    read = [action for statement in policy["Statement"] for action in statement["Action"]]
    more = {action for action in asked if not any(fnmatchcase(action, pattern) for pattern in read)}
    page = (TEMPLATE / "docs/foundation.md").read_text("utf-8").partition("### Ask the doctor")[2]
    assert more == set(re.findall(r"`(\w+:\w+)`", page.partition("\n##")[0]))
    assert len(asked) > 50


def test_an_accounts_file_with_faults_is_refused(accounts: EmulatedAccounts, tmp_path: Path) -> None:
    code, said = doctor(accounts, organization_of(environment("dev", "12")), tmp_path)

    assert code == 1
    assert "'12' must be 12 digits" in said


def test_credentials_of_another_account_are_refused(
    accounts: EmulatedAccounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = FACTS | {"ops": FACTS["ops"] | {"id": "999999999999"}}
    _, own, place = foundation.command(accounts, FACTS, tmp_path)
    (place / "accounts.yaml").write_text(json.dumps(facts))

    line = [sys.executable, "-m", "foundation.doctor"]
    done = subprocess.run(line, cwd=place, env=own, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "it takes those of ops (999999999999)" in done.stderr
