"""The foundation, applied as `make foundation` applies it: real Terraform against emulated accounts."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from foundation.apply import next_steps, write_package
from hooks.accounts_file import check
from rehearsal import foundation
from tests.conftest import needs
from tests.organizations import environment, organization_of, run
from tests.worlds import FACTS, TEMPLATE

NAMES = ["ops", *(environment["name"] for environment in FACTS["environments"])]
OPS = FACTS["ops"]["id"]


def buckets(world: EmulatedAccounts, account: str) -> set[str]:
    """Return the names of an account's buckets."""
    listed = world.client("s3", account, FACTS["region"]).list_buckets()["Buckets"]
    return {bucket["Name"] for bucket in listed}


def test_it_is_formatted_and_valid(tmp_path: Path) -> None:
    needs("terraform")
    variables = os.environ | terraform.environment(tmp_path) | {"TF_DATA_DIR": str(tmp_path / "data")}
    for command in (
        ["fmt", "-check", "-diff"],
        ["init", "-backend=false", "-lockfile=readonly"],
        ["validate", "-json"],
    ):
        done = subprocess.run(
            ["terraform", *command],
            cwd=TEMPLATE / "foundation",
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    assert json.loads(done.stdout)["diagnostics"] == []


# Applying


def test_a_second_run_changes_nothing_and_says_what_people_must_do(
    organization: EmulatedAccounts, tmp_path: Path
) -> None:
    done = run(organization, FACTS, tmp_path, answer="no")

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("No changes.") == len(NAMES)
    assert "Complete the GitHub connection acme-github, once, in dev (222222222222)" in done.stdout
    assert "Add people to the groups of ops: acme-operators, acme-developers, acme-readers.\n" in done.stdout
    assert "console.aws.amazon.com/codesuite/settings/connections?region=us-east-1" in done.stdout
    assert "[profile acme-prod-reader]\nrole_arn = arn:aws:iam::444444444444:role/acme-reader" in done.stdout
    assert "switchrole?account=222222222222&roleName=acme-developer&displayName=dev-developer" in done.stdout
    steps = [line.split()[:3] for line in done.stdout.splitlines() if line.startswith("dev    ")]
    assert steps[:4] == [["dev", step, status] for step in ("init", "plan") for status in ("...", "ok")]
    assert done.stdout.endswith("The foundation stands in ops, dev, stage, prod.\n")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (
            ["operators"],
            [
                "2. Add people to the groups of ops: acme-developers, acme-readers.",
                "   accounts.yaml names the operators: there is no group of them.",
                "   Give them, by policies of their own in ops, sts:AssumeRole on their roles.",
            ],
        ),
        (
            ["operators", "developers", "readers"],
            [
                "2. accounts.yaml names the operators, developers, readers: there is no group of them.",
                "   Give them, by policies of their own in ops, sts:AssumeRole on their roles.",
            ],
        ),
    ],
)
def test_people_whom_the_accounts_file_names_are_in_no_group(
    tmp_path: Path, named: list[str], said: list[str]
) -> None:
    people = {role: [f"arn:aws:iam::{OPS}:role/{role}-*"] for role in named}
    file = tmp_path / "accounts.yaml"
    file.write_text(json.dumps(FACTS | {"people": people | {"mfa": True}}))
    faults, facts = check(str(file))

    lines = next_steps(facts).splitlines()

    assert faults == []
    start = next(number for number, line in enumerate(lines) if line.startswith("2. "))
    assert [*said, "3. Subscribe"] == [*lines[start : start + len(said)], lines[start + len(said)][:12]]
    assert f"mfa_serial = arn:aws:iam::{OPS}:mfa/YOURS" in lines


def test_the_state_of_all_accounts_lies_in_ops_and_none_is_left_on_disk(
    organization: EmulatedAccounts, shared: Path
) -> None:
    s3 = organization.client("s3", OPS, FACTS["region"])
    kept = s3.list_objects_v2(Bucket=FACTS["ops"]["state_bucket"])["Contents"]

    assert {found["Key"] for found in kept} == {f"foundation/{name}.tfstate" for name in NAMES}
    assert list(shared.glob("*/foundation/build/*.tfstate*")) == []
    head = s3.head_object(Bucket=FACTS["ops"]["state_bucket"], Key="foundation/dev.tfstate")
    assert head["ServerSideEncryption"] == "aws:kms"


@pytest.mark.tries("kills", "while founding")
def test_an_interrupt_lets_terraform_free_its_lock_and_says_one_line(
    organization: EmulatedAccounts, tmp_path: Path
) -> None:
    command, own, place = foundation.command(organization, FACTS, tmp_path)
    s3 = organization.client("s3", OPS, FACTS["region"])
    locks = {"Bucket": FACTS["ops"]["state_bucket"], "Prefix": "foundation/stage.tfstate.tflock"}
    with subprocess.Popen(
        [*command, "stage"],
        cwd=place,
        env=own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        while "Contents" not in s3.list_objects_v2(**locks):
            assert process.poll() is None
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate()[0]

    assert process.returncode == 130
    assert "Contents" not in s3.list_objects_v2(**locks)
    assert "Traceback" not in said
    assert said.endswith("\nfoundation: stopped; run it again to go on\n")


# Refusing


def test_without_a_yes_an_account_is_left_as_it_is(accounts: EmulatedAccounts, tmp_path: Path) -> None:
    done = run(accounts, FACTS, tmp_path, answer="no")

    assert done.returncode == 1
    assert "Apply this plan to ops (111111111111)? Only yes goes on:" in done.stdout
    assert "foundation: ops was left as it is" in done.stdout
    assert buckets(accounts, OPS) == set()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_ours_destroys_what_holds_state_or_releases(
    organization: EmulatedAccounts, tmp_path: Path, name: str
) -> None:
    _, own, place = foundation.command(organization, FACTS, tmp_path)
    folder = place / "foundation"
    (folder / "build").mkdir()
    write_package(folder / "build/promoter.zip", folder / "promoter")
    own |= terraform.environment(tmp_path) | {"TF_DATA_DIR": f"build/{name}"}
    state = {"bucket": FACTS["ops"]["state_bucket"], "key": f"foundation/{name}.tfstate"}
    backend = (f"-backend-config={k}={v}" for k, v in (state | {"region": FACTS["region"]}).items())
    subprocess.run(
        ["terraform", "init", *backend], cwd=folder, env=own, stdout=subprocess.DEVNULL, check=True
    )

    line = ["terraform", "plan", "-destroy", "-no-color", f"-var=account={name}"]
    done = subprocess.run(line, cwd=folder, env=own, capture_output=True, text=True, check=False)

    protected = set(re.findall(r"Resource (\w+\.\w+)", done.stderr))
    assert done.returncode == 1
    assert protected == {"aws_kms_key.account", "aws_s3_bucket.account"}


def test_an_accounts_file_with_faults_is_refused(accounts: EmulatedAccounts, tmp_path: Path) -> None:
    done = run(accounts, organization_of(environment("dev", "12")), tmp_path)

    assert done.returncode == 1
    assert "'12' must be 12 digits" in done.stdout


def test_an_account_that_is_not_there_is_refused(accounts: EmulatedAccounts, tmp_path: Path) -> None:
    done = run(accounts, FACTS, tmp_path, "qa")

    assert done.stdout == "foundation: qa is not in accounts.yaml; it has ops, dev, stage, prod\n"


def test_an_environment_before_ops_is_refused(accounts: EmulatedAccounts, tmp_path: Path) -> None:
    done = run(accounts, FACTS, tmp_path, "dev")

    assert done.returncode == 1
    assert "ops keeps the state of dev and comes first: make foundation-ops" in done.stdout


def test_credentials_of_another_account_are_refused(accounts: EmulatedAccounts, tmp_path: Path) -> None:
    done = run(accounts, FACTS, tmp_path, variables=accounts.environment("222222222222", "us-east-1"))

    assert done.returncode == 1
    assert "it takes those of ops (111111111111)" in done.stdout


def test_a_state_bucket_of_somebody_else_is_refused(accounts: EmulatedAccounts, tmp_path: Path) -> None:
    stranger = accounts.client("s3", "999999999999", "us-east-1")
    stranger.create_bucket(Bucket=FACTS["ops"]["state_bucket"])

    done = run(accounts, FACTS, tmp_path)

    assert done.returncode == 1
    assert "acme-ops-terraform-state is of another account" in done.stdout


# Expiring


def test_what_pipelines_pass_on_expires_and_releases_and_promotions_stay(
    organization: EmulatedAccounts,
) -> None:
    stage = FACTS["environments"][1]
    s3 = organization.client("s3", stage["id"], FACTS["region"])
    rules = [
        rule
        for bucket in (stage["artifacts_bucket"], f"{stage['artifacts_bucket']}-pipelines")
        for rule in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    ]

    expiring = {rule.get("Filter", {}).get("Prefix", ""): rule["Expiration"] for rule in rules}
    assert expiring == {"promotions/": {"Days": 30}, "sandboxes/": {"Days": 30}, "": {"Days": 30}}
    assert [
        rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules
        if not rule.get("Filter", {}).get("Prefix")
    ] == [365, 1]


# Reaching


def test_ops_sets_an_account_up_by_the_role_of_bootstrap_yaml_and_could_not_by_that_of_aws_organizations(
    organization: EmulatedAccounts,
) -> None:
    sts = organization.client("sts", OPS, FACTS["region"])
    role = f"arn:aws:iam::{FACTS['environments'][0]['id']}:role"

    sts.assume_role(RoleArn=f"{role}/lambda-template-bootstrap", RoleSessionName="ada")
    with pytest.raises(sts.exceptions.ClientError, match="no resource-based policy allows"):
        sts.assume_role(RoleArn=f"{role}/OrganizationAccountAccessRole", RoleSessionName="ada")


def test_the_previous_environment_puts_promoted_releases_under_the_account_s_key(
    organization: EmulatedAccounts,
) -> None:
    dev, stage, _ = FACTS["environments"]
    put = {"Bucket": stage["artifacts_bucket"], "Body": b"a release", "ExpectedBucketOwner": stage["id"]}
    promoter = organization.client("s3", dev["id"], FACTS["region"], "acme-promoter")

    answer = promoter.put_object(Key="promoted/hello-lambda.zip", **put)

    alias = organization.client("kms", stage["id"], FACTS["region"]).describe_key(KeyId="alias/acme")
    assert answer["SSEKMSKeyId"] == alias["KeyMetadata"]["Arn"]
    assert answer["VersionId"]
