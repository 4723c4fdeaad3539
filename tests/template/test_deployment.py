"""A generated repository, built and deployed by its own buildspecs into an emulated account."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from rehearsal import buildspec
from rehearsal.rehearse import apply_pipelines
from tests.organizations import organization_of, repository_of
from tests.worlds import DEV, aws_cli

ENVIRONMENT_VARIABLES = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


class World:
    """An emulated account with what a deployment stands on, its pipeline among that, and a built release."""

    def __init__(self, accounts: EmulatedAccounts, folder: Path) -> None:
        self.accounts, self.folder = accounts, folder
        self.repository = repository_of(organization_of(DEV), folder)
        self.build = buildspec.run(self.repository, "buildspec.yml", ENVIRONMENT_VARIABLES)
        self.built = self.repository / "build/release"
        self.facts = json.loads((self.repository / "accounts.json").read_bytes())
        self.environment = self.facts["environments"][0]
        apply_pipelines(accounts, self.facts, self.repository, folder)
        self.before, self.deployed = self.own(), 0

    def client(self, service: str) -> Any:
        return self.accounts.client(service, self.environment["id"], self.facts["region"])

    def own(self) -> list[str]:
        """Return what there is of the function in the account, by its names."""
        names = [f["FunctionName"] for f in self.client("lambda").list_functions()["Functions"]]
        names += [group["logGroupName"] for group in self.client("logs").describe_log_groups()["logGroups"]]
        names += [a["AlarmName"] for a in self.client("cloudwatch").describe_alarms()["MetricAlarms"]]
        names += self.client("codedeploy").list_applications()["applications"]
        for role in self.client("iam").list_roles()["Roles"]:
            inline = self.client("iam").list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
            names += [role["Arn"], *(f"{role['Arn']} {policy}" for policy in inline)]
        return [name for name in names if "hello" in name]

    def release(self) -> Path:
        """Return a copy of the release, as a pipeline unpacks it for each of its steps."""
        self.deployed += 1
        return Path(shutil.copytree(self.built, self.folder / f"release-{self.deployed}"))

    def deploy(self, release: Path, *tools: Path) -> None:
        """Deploy a release; tools: folders whose commands come before others."""
        home, own = self.folder / f"home-{self.deployed}", Path(sys.executable).parent
        home.mkdir(exist_ok=True)
        variables = {
            "PATH": os.pathsep.join(map(str, [*tools, *filter(None, [aws_cli()]), own, os.environ["PATH"]])),
            "HOME": str(home),
            **self.accounts.environment(self.environment["id"], self.facts["region"]),
            **terraform.environment(home),
            "ENVIRONMENT": self.environment["name"],
            "STATE_BUCKET": self.environment["state_bucket"],
            "STATE_KEY": "functions/hello-lambda.tfstate",
            "ARTIFACTS_BUCKET": self.environment["artifacts_bucket"],
        }
        buildspec.run(release, "deployment/buildspec.yml", variables)

    def terraform(self, release: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        variables = self.accounts.environment(self.environment["id"], self.facts["region"])
        inputs = ["-var=environment=dev", "-var-file=environments/dev.tfvars", "-input=false"]
        environment = ENVIRONMENT_VARIABLES | variables | terraform.environment(self.folder)
        command = ["terraform", arguments[0], *inputs, *arguments[1:]]
        place = release / "deployment"
        return subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, check=False
        )

    def another(self, summary: str) -> Path:
        """Return a release that becomes another version."""
        release = self.release()
        facts = json.loads((release / "release.json").read_bytes()) | {"summary": summary}
        (release / "release.json").write_text(json.dumps(facts, indent=2))
        return release

    def publish(self, description: str) -> str:
        """Publish another version and return it."""
        functions, soon = self.client("lambda"), {"Delay": 0.2}
        functions.update_function_configuration(FunctionName="hello-lambda", Description=description)
        functions.get_waiter("function_updated").wait(FunctionName="hello-lambda", WaiterConfig=soon)
        version: str = functions.publish_version(FunctionName="hello-lambda")["Version"]
        published = functions.get_waiter("published_version_active")
        published.wait(FunctionName="hello-lambda", Qualifier=version, WaiterConfig=soon)
        return version

    def live(self) -> str:
        version: str = self.client("lambda").get_alias(FunctionName="hello-lambda", Name="live")[
            "FunctionVersion"
        ]
        return version


@pytest.fixture(scope="module")
def world(founded: EmulatedAccounts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with founded.fork() as accounts:
        yield World(accounts, tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def first_failure(world: World) -> str:
    """A first release that fails its check; what that said."""
    release = world.release()
    (release / "events/check.json").write_text("{}")
    with pytest.raises(buildspec.BuildError) as failure:
        world.deploy(release)
    with pytest.raises(world.client("lambda").exceptions.ResourceNotFoundException):
        world.live()
    return str(failure.value)


@pytest.fixture(scope="module")
def deployed(world: World, first_failure: str) -> Path:
    release = world.release()
    world.deploy(release)
    return release


def test_a_release_says_where_it_comes_from(world: World) -> None:
    release = json.loads((world.built / "release.json").read_bytes())

    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=world.repository, text=True)
    assert release["revision"] == head.strip()
    assert release["summary"] == f"{release['revision'][:12]} Born from the template (lambda-template)"
    assert release["sha256"] == hashlib.sha256((world.built / "package.zip").read_bytes()).hexdigest()


def test_the_deployed_package_answers_and_carries_its_revision(world: World, deployed: Path) -> None:
    answer = world.client("lambda").invoke(
        FunctionName="hello-lambda", Qualifier="live", Payload=b'{"name": "Ada"}'
    )
    version = world.client("lambda").get_function(FunctionName="hello-lambda", Qualifier=world.live())[
        "Configuration"
    ]

    assert json.loads(answer["Payload"].read()) == {"message": "Hello, Ada!"}
    assert version["Description"] == json.loads((deployed / "release.json").read_bytes())["summary"]
    assert version["LoggingConfig"]["LogFormat"] == "JSON"


def test_a_function_that_raises_answers_with_its_error(world: World, deployed: Path) -> None:
    answer = world.client("lambda").invoke(FunctionName="hello-lambda", Qualifier="live", Payload=b"{}")

    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "BadEventError"


def test_the_same_release_again_changes_nothing(world: World, deployed: Path) -> None:
    before = world.live()

    assert world.terraform(deployed, "plan", "-detailed-exitcode").returncode == 0
    world.deploy(world.release())

    assert world.live() == before
    packages = world.client("s3").list_object_versions(
        Bucket="acme-dev-artifacts", Prefix="releases/hello-lambda/"
    )
    assert len(packages["Versions"]) == 1


def test_a_deployment_waits_while_another_holds_the_state(world: World, deployed: Path) -> None:
    lock = {"Bucket": world.environment["state_bucket"], "Key": "functions/hello-lambda.tfstate.tflock"}
    world.client("s3").put_object(**lock, Body=json.dumps({"ID": "of another"}).encode())

    def let_go() -> None:
        while not any(call.error == "PreconditionFailed" for call in world.accounts.journal()[before:]):
            time.sleep(0.2)
        world.client("s3").delete_object(**lock)

    before = len(world.accounts.journal())
    other = threading.Thread(target=let_go)
    other.start()
    world.deploy(world.release())
    other.join()


def test_values_that_aws_would_refuse_are_all_refused_before_it_is_asked(
    world: World, deployed: Path
) -> None:
    wrong = {
        "environment": "qa",
        "sandbox": "-ada",
        "memory_size": "127",
        "timeout": "901",
        "log_retention_days": "2",
        "reserved_concurrency": "-1",
        "secrets": '["a/b"]',
        "settings": '{ AWS_REGION = "x" }',
        "traffic": "Canary20Percent5Minutes",
        "vpc": '{ subnets = ["x"], security_groups = [] }',
    }

    inputs = [f"-var={name}={value}" for name, value in wrong.items()]
    said = world.terraform(deployed, "plan", "-no-color", *inputs).stderr

    assert sorted(re.findall(r'variable "(\w+)" \{', said)) == sorted(wrong)


def test_a_network_and_reserved_concurrency_come_and_go_and_leave_nothing_behind(
    world: World, deployed: Path
) -> None:
    def configuration() -> dict[str, Any]:
        found = world.client("lambda").get_function(FunctionName="hello-lambda")
        network = found["Configuration"].get("VpcConfig", {})
        return {"in": network.get("SubnetIds", []), "reserved": found.get("Concurrency")}

    before, own, seen = configuration(), world.own(), []
    for network in '["x"]', "[]":
        vpc = f"{{ subnets = {network}, security_groups = {network} }}"
        world.terraform(deployed, "apply", "-auto-approve", f"-var=vpc={vpc}", "-var=reserved_concurrency=5")
        seen.append((configuration()["in"], len(world.own())))
    world.terraform(deployed, "apply", "-auto-approve")

    assert seen == [(["x"], len(own) + 1), ([], len(own) + 1)]  # the permissions outlast it
    assert configuration() == before
    assert world.own() == own


def test_a_version_that_fails_its_check_gets_no_traffic(world: World, deployed: Path) -> None:
    before, release = world.live(), world.another("another revision")
    (release / "events/check.json").write_text("{}")

    with pytest.raises(buildspec.BuildError, match="failed its check and gets no traffic"):
        world.deploy(release)

    assert world.live() == before


def test_a_first_version_that_fails_its_check_is_not_reached_by_the_alias(first_failure: str) -> None:
    assert "failed its check and gets no traffic" in first_failure


def canary(release: Path) -> Path:
    """Have a release shift its traffic step by step."""
    settings = release / "deployment/environments/dev.tfvars"
    settings.write_text(settings.read_text().replace("AllAtOnce", "Canary10Percent5Minutes"))
    return release


def test_errors_that_the_version_before_has_anyhow_do_not_stop_a_fix(world: World, deployed: Path) -> None:
    before, functions = world.live(), world.client("lambda")
    world.accounts.ask("pace", minute=4)
    shift = threading.Thread(target=world.deploy, args=[canary(world.another("the fix"))])
    shift.start()
    while "RoutingConfig" not in functions.get_alias(FunctionName="hello-lambda", Name="live"):
        assert shift.is_alive()
        time.sleep(0.1)
    for _ in range(5):  # of ten, the last one would reach the new version
        answer = functions.invoke(FunctionName="hello-lambda", Qualifier="live", Payload=b"{}")
        assert (answer["ExecutedVersion"], answer["FunctionError"]) == (before, "Unhandled")
    alarms = world.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert [alarm["AlarmName"] for alarm in alarms] == ["hello-lambda-errors"]
    shift.join()
    world.accounts.ask("pace", minute=1)

    live = functions.get_function_configuration(FunctionName="hello-lambda", Qualifier="live")
    assert live["Description"] == "the fix"


def test_a_look_that_fails_is_not_the_end_of_a_shift(world: World, deployed: Path, tmp_path: Path) -> None:
    aws, failed = tmp_path / "aws", tmp_path / "failed"
    script = f"""\
#!/bin/sh
case "$*" in "deploy get-deployment "*) test -e {failed} || {{ touch {failed}; exit 254; }} ;; esac
exec {Path(sys.executable).with_name("aws")} "$@"
"""
    aws.write_text(script)
    aws.chmod(0o755)

    world.deploy(canary(world.another("looked at once more")), tmp_path)

    assert failed.exists()
    live = world.client("lambda").get_function_configuration(FunctionName="hello-lambda", Qualifier="live")
    assert live["Description"] == "looked at once more"


@pytest.mark.tries("kills", "while shifting")
def test_a_shift_that_a_stopped_build_has_left_behind_comes_to_its_end_first(
    world: World, deployed: Path
) -> None:
    properties = {"Name": "hello-lambda", "Alias": "live", "CurrentVersion": world.live()}
    properties["TargetVersion"] = world.publish("left behind")
    content = {
        "version": 0.0,
        "Resources": [{"x": {"Type": "AWS::Lambda::Function", "Properties": properties}}],
    }
    specification = {"content": json.dumps(content)}
    left = world.client("codedeploy").create_deployment(
        applicationName="hello-lambda",
        deploymentGroupName="live",
        deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent30Minutes",
        revision={"revisionType": "AppSpecContent", "appSpecContent": specification},
    )["deploymentId"]

    world.deploy(world.another("after what was left"))

    ended = world.client("codedeploy").get_deployment(deploymentId=left)["deploymentInfo"]["status"]
    live = world.client("lambda").get_function_configuration(FunctionName="hello-lambda", Qualifier="live")
    assert (ended, live["Description"]) == ("Succeeded", "after what was left")


@dataclass
class Many:
    """A release with more memory, of the same package, deployed where there are many versions.

    before: what answered until then. published: versions since, of which none has answered.
    """

    before: str
    published: list[str]
    release: Path


@pytest.fixture(scope="module")
def many(world: World, deployed: Path) -> Many:
    before, published = world.live(), [world.publish(f"version {number}") for number in range(12)]
    release = world.another("with more memory")
    settings = release / "deployment/environments/dev.tfvars"
    settings.write_text(settings.read_text().replace("= 256", "= 512"))
    world.deploy(release)
    return Many(before, published, release)


def test_of_old_versions_the_newest_and_the_one_before_are_kept(world: World, many: Many) -> None:
    listed = world.client("lambda").list_versions_by_function(FunctionName="hello-lambda")["Versions"]

    (_, *versions) = [version["Version"] for version in listed]
    assert sorted(map(int, versions)) == [int(many.before), *map(int, many.published[3:]), int(world.live())]


def test_a_release_of_the_same_package_is_a_version_of_its_own_that_the_canary_watches(
    world: World, many: Many
) -> None:
    live = world.client("lambda").get_function_configuration(FunctionName="hello-lambda", Qualifier="live")
    (alarm,) = world.client("cloudwatch").describe_alarms(AlarmNames=["hello-lambda-canary"])["MetricAlarms"]

    assert (live["Description"], live["MemorySize"]) == ("with more memory", 512)
    watched = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}["ExecutedVersion"]
    assert many.published[-1] != watched == live["Version"]
    assert world.terraform(many.release, "plan", "-detailed-exitcode").returncode == 0


def test_a_package_that_is_not_the_release_s_own_is_refused(world: World, deployed: Path) -> None:
    release = world.release()
    with (release / "package.zip").open("ab") as package:
        package.write(b"more")

    with pytest.raises(buildspec.BuildError, match=r"not the package that release\.json describes"):
        world.deploy(release)


def test_uncommitted_changes_are_not_released(world: World) -> None:
    handler = world.repository / "src/hello_lambda/handler.py"
    content = handler.read_text()
    handler.write_text(content + "\n# changed\n")
    try:
        done = subprocess.run(
            ["make", "release"], cwd=world.repository, capture_output=True, text=True, check=False
        )
    finally:
        handler.write_text(content)

    assert done.returncode != 0
    assert "src/hello_lambda/handler.py" in done.stderr


def test_destroy_leaves_nothing_behind_but_what_the_pipeline_has_made(world: World, deployed: Path) -> None:
    release = world.release()
    shutil.rmtree(release / "deployment")
    shutil.copytree(deployed / "deployment", release / "deployment", symlinks=True)

    assert world.terraform(release, "destroy", "-auto-approve").returncode == 0

    assert world.own() == world.before
