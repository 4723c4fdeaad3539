"""`make foundation`: plans and applies the foundation of the accounts in accounts.yaml, ops first.

Usage: python -m foundation.apply [ACCOUNT]

Runs with credentials of the ops account. Each plan is shown and asked about; AUTO_APPROVE=1 answers yes.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from foundation import adopt, terraform
from foundation.doctor.account import absent, enter, status_of
from hooks.accounts_file import check
from hooks.people import entrances, profiles, switch_role_link
from screen import Screen, children_first

FOLDER = Path(__file__).parent
FORBIDDEN, CHANGES = 403, 2


class Foundation:
    """The Terraform of the foundation, applied to one account after another."""

    def __init__(self, accounts: dict[str, Any], screen: Screen, folder: Path = FOLDER) -> None:
        """Prepare to apply.

        accounts: what hooks/accounts_file.py reads. screen: where steps are shown. folder: this one or a
        copy, beside an accounts.yaml.
        """
        self.accounts, self.screen, self.folder = accounts, screen, folder
        self.bucket = accounts["ops"]["state_bucket"]
        self.adopts_bucket = "state_bucket" in accounts["ops"]["adopt"]
        self.build = folder / "build"
        self.build.mkdir(exist_ok=True)
        self.variables = {
            **terraform.clean(),
            **terraform.environment(self.build),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
        }
        write_package(self.build / "promoter.zip", folder / "promoter")

    def apply(self, account: str, approve: bool) -> None:
        """Plan and apply one account; ops brings its own state bucket along.

        approve: apply without asking. Raises SystemExit if Terraform fails or the answer is no.
        """
        local = self.build / "ops.tfstate"
        if account == "ops" and (local.exists() or not self.bucket_exists()):
            with self.local_state(local):
                self.terraform(account, "init", "-reconfigure")
                self.plan_and_apply(account, approve)
            self.terraform(account, "init", "-migrate-state", "-force-copy", *self.backend(account))
            local.unlink()
            local.with_suffix(".tfstate.backup").unlink(missing_ok=True)
        else:
            if account == "ops" and not self.adopts_bucket and "ops" not in self.applied():
                sys.exit(
                    f"foundation: ops.state_bucket: {self.bucket} is there already, without state of ops; "
                    "give it another name in accounts.yaml, or take it over: adopt: [state_bucket]"
                )
            self.terraform(account, "init", "-reconfigure", *self.backend(account))
            self.forget_connection(account)
            self.plan_and_apply(account, approve)

    def plan_and_apply(self, account: str, approve: bool) -> None:
        """Show an account's plan and apply that very plan."""
        chosen, plan = f"-var=account={account}", f"-out=build/{account}.tfplan"
        with self.imports(account):
            if approve:
                self.terraform(account, "apply", "-auto-approve", chosen)
                return
            changes = self.terraform(account, "plan", "-detailed-exitcode", chosen, plan)
        if changes != CHANGES:
            return
        number = self.accounts["ops"]["id"] if account == "ops" else self.environment(account)["id"]
        if input(f"\nApply this plan to {account} ({number})? Only yes goes on: ") != "yes":
            sys.exit(f"foundation: {account} was left as it is")
        self.terraform(account, "apply", f"build/{account}.tfplan")

    def terraform(self, account: str, subcommand: str, *arguments: str) -> int:
        """Run Terraform and return its exit code, 0 or (for a plan with changes) 2; else exit."""
        variables = self.variables | {"TF_DATA_DIR": f"build/{account}"}
        console = self.screen.console
        plain = ["-no-color"] if console.no_color or not console.is_interactive else []
        command = ["terraform", *subcommand.split(), *plain, *arguments]
        # What init prints is for those for whom it fails; the rest a person reads as it comes.
        output = subprocess.PIPE if subcommand == "init" else None
        with self.screen.step(account, subcommand) as step, children_first():
            try:
                with nullcontext() if output else self.screen.paused():
                    done = subprocess.run(
                        command,
                        cwd=self.folder,
                        env=variables,
                        stdout=output,
                        stderr=output and subprocess.STDOUT,
                        text=True,
                        check=False,
                    )
            except FileNotFoundError:
                sys.exit("foundation: terraform is not on PATH; install Terraform 1.11 or later")
            if done.returncode not in (0, CHANGES):
                step.text = f"exit code {done.returncode}\n{done.stdout or ''}"
                sys.exit(
                    f"foundation: {account}: terraform {subcommand} failed, see above; then run it again"
                )
        return done.returncode

    def backend(self, account: str) -> list[str]:
        """Return the arguments that tell Terraform where an account's state is."""
        region = self.accounts["region"]
        facts = {"bucket": self.bucket, "key": f"foundation/{account}.tfstate", "region": region}
        return [f"-backend-config={name}={value}" for name, value in facts.items()]

    @contextmanager
    def local_state(self, state: Path) -> Iterator[None]:
        """Keep state in a file meanwhile: the bucket for it is about to be created."""
        override = self.folder / "backend_override.tf"
        path = state.relative_to(self.folder).as_posix()
        override.write_text(f'terraform {{\n  backend "local" {{\n    path = "{path}"\n  }}\n}}\n')
        try:
            yield
        finally:
            override.unlink()

    @contextmanager
    def imports(self, account: str) -> Iterator[None]:
        """Have Terraform import meanwhile what is there already, or exit if that cannot be."""
        try:
            blocks = adopt.blocks(enter(self.accounts, account))
        except adopt.AdoptError as error:
            sys.exit(f"foundation: {error}")
        except (BotoCoreError, ClientError) as error:
            sys.exit(f"foundation: {account}: {error}; make doctor says more")
        file = self.folder / "imports.tf"
        file.write_text(blocks)
        try:
            yield
        finally:
            file.unlink()

    def forget_connection(self, account: str) -> None:
        """Take the connection of an account that is not first any more out of its state."""
        place = {"Bucket": self.bucket, "Key": f"foundation/{account}.tfstate"}
        state = self.s3().get_object(**place)["Body"].read() if account in self.applied() else b""
        if adopt.forgets_connection(self.accounts, account, state):
            self.terraform(account, "state rm", adopt.CONNECTION)
            self.screen.say(
                f"{account} is not the first environment any more: its connection to GitHub stays as it is, "
                "in nobody's state."
            )

    def environment(self, name: str) -> dict[str, Any]:
        """Return the facts of an environment."""
        return next(facts for facts in self.accounts["environments"] if facts["name"] == name)

    def s3(self) -> Any:
        """Return a client for S3 in ops."""
        return boto3.client("s3", region_name=self.accounts["region"])

    def bucket_exists(self) -> bool:
        """Return whether the ops state bucket is there, or exit if it is somebody else's."""
        try:
            self.s3().head_bucket(Bucket=self.bucket, ExpectedBucketOwner=self.accounts["ops"]["id"])
        except ClientError as error:
            if absent(error):
                return False
            if status_of(error) == FORBIDDEN:
                sys.exit(
                    f"foundation: ops.state_bucket: {self.bucket} is of another account, or you may not see "
                    "it; give it another name in accounts.yaml, or take credentials that may"
                )
            raise
        return True

    def applied(self) -> list[str]:
        """Return the accounts that have state."""
        pages = self.s3().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix="foundation/")
        keys = [Path(found["Key"]) for page in pages for found in page.get("Contents", [])]
        return [key.stem for key in keys if key.suffix == ".tfstate"]


def write_package(package: Path, source: Path) -> None:
    """Zip a folder's Python files; the same bytes whenever and wherever."""
    with ZipFile(package, "w") as archive:
        for file in sorted(source.glob("*.py")):
            entry = ZipInfo(file.name)  # of 1980
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, file.read_bytes(), ZIP_DEFLATED)


def check_identity(accounts: dict[str, Any]) -> None:
    """Exit unless the caller is of the ops account."""
    ops = accounts["ops"]["id"]
    try:
        identity = boto3.client("sts", region_name=accounts["region"]).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"foundation: no credentials of ops ({ops}): {error}; log in, or set AWS_PROFILE")
    if identity["Account"] != ops:
        sys.exit(f"foundation: these are credentials of {identity['Arn']}; it takes those of ops ({ops})")


def who_enters(accounts: dict[str, Any]) -> str:
    """Return what lets people enter their roles: groups of ops, but for the roles whose people are named."""
    organization, people = accounts["organization"], accounts["people"]
    kinds = ("operators", "developers", "readers")
    groups = ", ".join(f"{organization}-{kind}" for kind in kinds if not people[kind])
    named = ", ".join(kind for kind in kinds if people[kind])
    return "\n   ".join(
        [
            *([f"Add people to the groups of ops: {groups}."] if groups else []),
            *([f"accounts.yaml names the {named}: there is no group of them."] if named else []),
            *(
                ["Give them, by policies of their own in ops, sts:AssumeRole on their roles."]
                if named
                else []
            ),
        ]
    )


def next_steps(accounts: dict[str, Any]) -> str:
    """Return what is left for people to do."""
    organization, region = accounts["organization"], accounts["region"]
    first = accounts["environments"][0]
    links = "\n".join(
        f"  {name:<16} {role:<9} {switch_role_link(accounts, name, number, role)}"
        for name, number, role in entrances(accounts)
    )
    return f"""
What is left for people to do:

1. Complete the GitHub connection {organization}-github, once, in {first["name"]} ({first["id"]}):
   https://{region}.console.aws.amazon.com/codesuite/settings/connections?region={region}
   "Update pending connection" there; an owner of {accounts["github_owner"]} installs the app.
   Until then no push starts a pipeline.
2. {who_enters(accounts)}
3. Subscribe whoever is on call to the topic {organization}-alerts of each environment.

Profiles for ~/.aws/config; {organization}-ops is one's own login to ops:

{profiles(accounts)}
Links that switch role in the console:

{links}"""


def main(chosen: list[str]) -> None:
    """Apply the chosen accounts, or all."""
    faults, accounts = check(str(FOLDER.parent / "accounts.yaml"))
    if faults:
        sys.exit("\n".join(faults))
    names = ["ops", *(environment["name"] for environment in accounts["environments"])]
    if unknown := [name for name in chosen if name not in names]:
        sys.exit(f"foundation: {unknown[0]} is not in accounts.yaml; it has {', '.join(names)}")
    check_identity(accounts)
    began, screen, seconds = time.monotonic(), Screen(), dict[str, float]()
    screen.expect((name, "apply") for name in chosen or names)
    foundation = Foundation(accounts, screen)
    exists = foundation.bucket_exists()
    applied = foundation.applied() if exists else []
    if removed := sorted(set(applied) - set(names)):
        sys.exit(
            f"foundation: {', '.join(removed)} has been applied and is not in accounts.yaml any more. "
            "We never destroy its state and releases; docs/foundation.md says how to remove it."
        )
    waits = not exists or (foundation.adopts_bucket and "ops" not in applied)
    if waits and chosen and chosen[0] != "ops":
        sys.exit(f"foundation: ops keeps the state of {chosen[0]} and comes first: make foundation-ops")
    for name in chosen or names:
        account_began = time.monotonic()
        foundation.apply(name, approve=os.environ.get("AUTO_APPROVE") == "1")
        seconds[name] = time.monotonic() - account_began
    screen.say(next_steps(accounts))
    screen.parts(seconds, time.monotonic() - began)
    screen.verdict(True, f"The foundation stands in {', '.join(chosen or names)}.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        print("\nfoundation: stopped; run it again to go on", file=sys.stderr)
        sys.exit(130)
