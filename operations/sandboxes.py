"""Create, update, destroy and list sandboxes, from the same deployment/ as the function itself."""

import base64
import getpass
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from hooks.git import GitError, git
from operations import accounts, package
from operations.answer import confirm
from operations.repository import ACCOUNTS, ANSWERS, FUNCTION
from operations.sandbox import ENVIRONMENT, Sandbox, client, sandbox
from operations.told import age
from screen import Screen, children_first

# What names other credentials, or another root's workspace or variables.
OF_OTHERS = re.compile(r"AWS_(DEFAULT_)?PROFILE|TF_WORKSPACE|TF_VAR_\w+")
FACTS = Path("build/sandbox.json")  # scripts/release.py writes it


def check(name: str) -> Sandbox:
    """Return a sandbox that Terraform can change, or exit."""
    mine = sandbox(name)
    if shutil.which("terraform") is None:
        sys.exit("terraform is not on PATH; install it, such as by: sh deployment/install-terraform.sh ~/bin")
    return mine


def terraform(of: Sandbox, facts: dict[str, str], change: str, screen: Screen, verbose: bool) -> None:
    """Have Terraform apply or destroy a sandbox, or exit.

    facts: as release.json has them, and the owner. verbose: show what it says, also if it does not fail.
    """
    FACTS.parent.mkdir(exist_ok=True)
    FACTS.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    name = ENVIRONMENT["name"]
    environment = {key: value for key, value in os.environ.items() if not OF_OTHERS.fullmatch(key)}
    environment |= accounts.variables(name, "developer")
    environment |= {"TF_VAR_environment": name, "TF_VAR_sandbox": of.name, "TF_VAR_release": f"../{FACTS}"}
    environment |= {"TF_DATA_DIR": f".terraform/{of.name}"}
    where = {"bucket": ENVIRONMENT["state_bucket"], "key": of.state, "region": ACCOUNTS["region"]}
    backend = [f"-backend-config={key}={value}" for key, value in where.items()]
    for line in (
        ["init", "-reconfigure", "-lockfile=readonly", *backend],
        [change, "-auto-approve", f"-var-file=environments/{name}.tfvars"],
    ):
        with screen.step("terraform", line[0]) as step, children_first():
            command = ["terraform", "-chdir=deployment", *line, "-no-color"]
            if verbose:
                with screen.paused():
                    done = subprocess.run(command, env=environment, text=True, check=False)
            else:
                done = subprocess.run(
                    command,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
            said = step.text = done.stdout or ""
            if done.returncode:
                known = change == "destroy" or not re.search("already ?exist", said, re.IGNORECASE)
                hint = "" if known else f"; make sandbox-destroy NAME={of.name} removes what is there already"
                sys.exit(f"terraform {line[0]} failed, see above{hint}")
            ends = re.findall(r"^(?:Apply|Destroy) complete!.*", said, re.MULTILINE)
            step.text = next(iter(ends), "")


def owner() -> str:
    """Return whose sandboxes are created here, in characters that a tag may have."""
    try:
        email = git(".", "config", "user.email")
    except GitError:  # nobody has said it
        email = ""
    return re.sub("[^A-Za-z0-9 +=._:/@-]", "", email or getpass.getuser())


def found(full_name: str) -> dict[str, Any] | None:
    """Return a function's configuration, with its tags, or None if it is not there."""
    try:
        answer = client("lambda").get_function(FunctionName=full_name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return None
    configuration: dict[str, Any] = answer["Configuration"]
    return {**configuration, "owner": "nobody", **answer.get("Tags", {})}


@accounts.explained()
def apply(name: str, verbose: bool) -> None:
    """Create or update a sandbox; in the end it runs what is on disk, committed or not."""
    mine, me = check(name), owner()
    before = found(mine.full_name)
    if before and before["owner"] != me:
        sys.exit(f"{mine.full_name} is {before['owner']}'s; choose another name: make sandbox NAME=")
    screen = Screen()
    screen.expect([("terraform", "apply")])
    with screen.step("package"):
        content = package.built(package.make("sandbox-package"))
    facts = {**json.loads(FACTS.read_text("utf-8")), "owner": me}
    mine.upload(content)
    functions = client("lambda")
    if before and before["Description"] != facts["summary"]:  # Terraform leaves it; deployment/prepare.sh
        functions.update_function_configuration(FunctionName=mine.full_name, Description=facts["summary"])
        functions.get_waiter("function_updated_v2").wait(FunctionName=mine.full_name)
    terraform(mine, facts, "apply", screen, verbose)
    running = functions.get_function_configuration(FunctionName=mine.full_name)["CodeSha256"]
    if base64.b64decode(running).hex() != facts["sha256"]:  # a make sync, of which Terraform knows nothing
        mine.sync(functions, content)
    print(f"{mine.full_name} runs {facts['summary']}; go on with make watch, or make sync and make invoke")


def left(of: Sandbox) -> Iterator[dict[str, str]]:
    """Yield where in buckets a sandbox's state and packages are."""
    for bucket, prefix in (("artifacts_bucket", of.packages), ("state_bucket", of.state)):
        place = {"Bucket": ENVIRONMENT[bucket]}
        for page in client("s3").get_paginator("list_objects_v2").paginate(**place, Prefix=prefix):
            yield from ({**place, "Key": item["Key"]} for item in page.get("Contents", []))


def remove_role(name: str) -> None:
    """Remove a role with its policies, if it is there."""
    iam = client("iam")
    with suppress(iam.exceptions.NoSuchEntityException):
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)


@accounts.explained()
def destroy(name: str, verbose: bool, yes: bool) -> None:
    """Remove a sandbox and all that it has left, once a person has said so if it is another's."""
    gone = check(name)
    there, logs = found(gone.full_name), client("logs")
    group = f"/aws/lambda/{gone.full_name}"
    groups = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    if not (there or any(left(gone)) or group in (each["logGroupName"] for each in groups)):
        sys.exit(f"there is no sandbox {gone.name}; make sandboxes lists those that there are")
    if there and there["owner"] != owner() and not yes:
        confirm(f"{gone.full_name} is {there['owner']}'s. Remove it?")
    screen = Screen()
    screen.expect([("terraform", "destroy")])
    nothing = dict.fromkeys(("handler", "owner", "sha256", "summary", "template"), "-")
    facts = {"function": FUNCTION, "runtime": ANSWERS["runtime"], **nothing}
    if there or any(left(gone)):
        terraform(gone, facts, "destroy", screen, verbose)
    for place in left(gone):
        client("s3").delete_object(**place)
    # What Terraform knew nothing of.
    if orphan := there and found(gone.full_name):
        client("lambda").delete_function(FunctionName=gone.full_name)
        remove_role(orphan["Role"].rpartition("/")[2])
    with suppress(logs.exceptions.ResourceNotFoundException):
        logs.delete_log_group(logGroupName=group)
    shutil.rmtree(f"deployment/.terraform/{gone.name}", ignore_errors=True)
    print(f"{gone.full_name} is gone")


@accounts.explained()
def show() -> None:
    """List the function's sandboxes: whose, how old, and what runs in them."""
    prefix = f"/aws/lambda/{Sandbox('').full_name}"
    rows = []
    for page in client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
        for group in page["logGroups"]:
            name = group["logGroupName"].removeprefix(prefix)
            of = found(Sandbox(name).full_name) or {"owner": "?", "Description": "no function"}
            created = datetime.fromtimestamp(group["creationTime"] / 1000, UTC)
            runs = of["Description"]
            if "synced" in of:
                when, _, commit = of["synced"].partition(" ")
                runs = f"{commit}, synced {age(datetime.fromisoformat(when))}"
            rows.append((name, of["owner"], age(created), runs))
    for row in rows:
        print("{:<12}  {:<24}  {:>8}  {}".format(*row))
    if not rows:
        print(f"{FUNCTION} has no sandbox in {ENVIRONMENT['name']}; create yours: make sandbox")
