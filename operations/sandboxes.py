"""Create, update, destroy and list sandboxes, from the same deployment/ as the function itself."""

import base64
import getpass
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from hooks.git import GitError, git
from operations import accounts
from operations.package import PACKAGE
from operations.repository import ACCOUNTS, ANSWERS, FUNCTION
from operations.sandbox import ENVIRONMENT, Sandbox, client, sandbox
from operations.status import age
from screen import Screen, children_first

FACTS = Path("build/sandbox.json")  # scripts/release.py writes it


def terraform(of: Sandbox, facts: dict[str, str], change: str) -> None:
    """Have Terraform apply or destroy a sandbox, or exit. facts: as release.json has them, and the owner."""
    if shutil.which("terraform") is None:
        sys.exit("terraform is not on PATH; install it, such as by: sh deployment/install-terraform.sh ~/bin")
    FACTS.parent.mkdir(exist_ok=True)
    FACTS.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    name = ENVIRONMENT["name"]
    environment = {key: value for key, value in os.environ.items() if key != "AWS_PROFILE"}
    environment |= accounts.variables(name, "developer")
    environment |= {"TF_VAR_environment": name, "TF_VAR_sandbox": of.name, "TF_VAR_release": f"../{FACTS}"}
    environment |= {"TF_DATA_DIR": f".terraform/{of.name}"}
    where = {"bucket": ENVIRONMENT["state_bucket"], "key": of.state, "region": ACCOUNTS["region"]}
    backend = [f"-backend-config={key}={value}" for key, value in where.items()]
    screen = Screen()
    screen.expect([("terraform", "destroy")])
    for line in (
        ["init", "-reconfigure", "-lockfile=readonly", *backend],
        [change, "-auto-approve", f"-var-file=environments/{name}.tfvars"],
    ):
        with screen.step("terraform", line[0]) as step, children_first():
            command = ["terraform", "-chdir=deployment", *line, "-no-color"]
            done = subprocess.run(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            step.text = done.stdout
            if done.returncode:
                sys.exit(f"terraform {line[0]} failed, see above")
            step.text = next(
                iter(re.findall(r"^(?:Apply|Destroy) complete!.*", done.stdout, re.MULTILINE)), ""
            )


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
    return {**configuration, "owner": answer.get("Tags", {}).get("owner", "nobody")}


@accounts.explained()
def apply(name: str) -> None:
    """Create or update a sandbox; in the end it runs what is on disk, committed or not."""
    mine, me = sandbox(name), owner()
    facts = {**json.loads(FACTS.read_text("utf-8")), "owner": me}
    before = found(mine.full_name)
    if before and before["owner"] != me:
        sys.exit(f"{mine.full_name} is {before['owner']}'s; choose another name: make sandbox NAME=")
    package = PACKAGE.read_bytes()
    mine.upload(package)
    terraform(mine, facts, "apply")
    functions = client("lambda")
    running = functions.get_function_configuration(FunctionName=mine.full_name)["CodeSha256"]
    if base64.b64decode(running).hex() != facts["sha256"]:  # a make sync, of which Terraform knows nothing
        mine.sync(functions, package)
    print(f"{mine.full_name} runs {facts['summary']}; go on with make watch, or make sync and make invoke")


@accounts.explained()
def destroy(name: str) -> None:
    """Remove a sandbox and all that it has left in buckets."""
    gone = sandbox(name)
    there = found(gone.full_name)
    if there and there["owner"] != owner() and not name:
        sys.exit(
            f"{gone.full_name} is {there['owner']}'s; if you mean it: make sandbox-destroy NAME={gone.name}"
        )
    nothing = dict.fromkeys(("handler", "owner", "sha256", "summary"), "-")
    terraform(gone, {"function": FUNCTION, "runtime": ANSWERS["runtime"], **nothing}, "destroy")
    s3 = client("s3")
    for bucket, prefix in (("artifacts_bucket", gone.packages), ("state_bucket", gone.state)):
        where = {"Bucket": ENVIRONMENT[bucket]}
        for page in s3.get_paginator("list_objects_v2").paginate(**where, Prefix=prefix):
            for item in page.get("Contents", []):
                s3.delete_object(**where, Key=item["Key"])
    shutil.rmtree(f"deployment/.terraform/{gone.name}")
    print(f"{gone.full_name} is gone")


@accounts.explained()
def show() -> None:
    """List the function's sandboxes: whose, how old, and from which commit they were last created."""
    prefix = f"/aws/lambda/{Sandbox('').full_name}"
    rows = []
    for page in client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
        for group in page["logGroups"]:
            name = group["logGroupName"].removeprefix(prefix)
            of = found(Sandbox(name).full_name) or {"owner": "?", "Description": "no function"}
            created = datetime.fromtimestamp(group["creationTime"] / 1000, UTC)
            rows.append((name, of["owner"], age(created), of["Description"]))
    for row in rows:
        print("{:<12}  {:<24}  {:>8}  {}".format(*row))
    if not rows:
        print(f"{FUNCTION} has no sandbox in {ENVIRONMENT['name']}; create yours: make sandbox")
