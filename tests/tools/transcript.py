"""Writes docs/transcript*.md: the first day, in emulated accounts that are not empty, as a person sees it.

Usage: python tests/tools/transcript.py

Each command is run as it stands there, in a clone of what is committed. What Terraform says of each resource
is left out, and so are seconds.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import yaml

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from hooks.git import git
from rehearsal import foundation, people
from rehearsal.pipelines import Walker

ROOT = Path(__file__).parents[2]
MADE_BY = "Made by `python tests/tools/transcript.py` in emulated accounts that are not empty; "
NAME = "hello-lambda"
FACTS = yaml.safe_load((ROOT / "accounts.yaml").read_text("utf-8"))
OPS, ENVIRONMENTS, REGION = FACTS["ops"], FACTS["environments"], FACTS["region"]
OWN = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
# What is kept of what `make foundation`, `make rehearse` and `make pipeline` print.
OF_FOUNDATION = (
    r"Plan:|No changes|Apply complete|\w+ +(plan|apply) .*ok|What is left|\d\. |The foundation stands"
)
OF_REHEARSAL = r"environment +version|(dev|stage|prod) +\d|\w+ +Approve|prod runs"
OF_PIPELINE = r"Plan:|Apply complete|console ="
# What the doctor says of an environment after the first, with the lines that belong to it.
ALIKE = r"(?m)^(?:stage|prod) +(?:look|ok|warning|fault) .*\n(?:  .*\n)*"


class Day:
    """What is done, one step after another, and a page about it."""

    def __init__(self, title: str, about: str) -> None:
        self.page = [f"# {title}", "", MADE_BY + about]

    def write(self, name: str) -> None:
        """Write the page."""
        (ROOT / f"docs/{name}.md").write_text("\n".join(self.page) + "\n", "utf-8")

    def say(self, text: str) -> None:
        """Add a paragraph."""
        self.page += ["", text]

    def type(
        self, command: str, folder: Path, variables: Mapping[str, str], runs: str = "", only: str = ""
    ) -> None:
        """Run a command and add what it printed.

        runs: what is run for it, if the page has it shorter. only: how lines begin that are kept, if not all.
        """
        done = subprocess.run(
            ["sh", "-c", runs or command],
            cwd=folder,
            env=OWN | dict(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines = [line for line in done.stdout.splitlines() if re.match(only, line) and line[-4:] != " ..."]
        steps = re.sub(r"(?m)^(\w+ +(?:look|plan|apply) .*?) +[\d.]+ (?:s|min)\b", r"\1", "\n".join(lines))
        steps = re.sub(ALIKE, "", steps + "\n")
        text = steps.replace(str(folder), ".").strip("\n")
        code = f"(exit code {done.returncode})" if done.returncode else ""
        self.page += ["", "```console", f"$ {command}", *filter(None, [text, code]), "```"]


def furnish(world: EmulatedAccounts) -> None:
    """Make what others have in the accounts already."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    for account in ENVIRONMENTS:
        role = world.client("iam", account["id"], REGION).create_role(
            RoleName="jenkins", AssumeRolePolicyDocument=document
        )["Role"]["Arn"]
        world.client("lambda", account["id"], REGION).create_function(
            FunctionName="legacy", Role=role, Runtime="python3.13", Handler="a.b", Code={"ZipFile": b"x"}
        )
        world.client("s3", account["id"], REGION).create_bucket(Bucket=f"legacy-{account['name']}")
        world.client("sns", account["id"], REGION).create_topic(Name="legacy")


def main() -> None:
    """Live through the day."""
    day = Day(
        "The first day: the accounts",
        "[the first day on AWS](first-day-on-aws.md) is the list for real ones. Left out: what Terraform "
        "says of each resource, and what the doctor says of stage and prod, which is as of dev. It goes "
        "on with [the first function](transcript-function.md).",
    )
    with EmulatedAccounts() as world, TemporaryDirectory() as scratch:
        folder, checkout = Path(scratch), Path(scratch) / "lambda-template"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
        (checkout / ".venv").symlink_to(ROOT / ".venv")
        furnish(world)
        world.ask("enforce")
        ops = world.environment(OPS["id"], REGION) | terraform.environment(folder)

        installed = "make -s -o .venv/installed"
        day.say("With credentials of ops, before anything is there:")
        day.type("make doctor", checkout, ops, f"{installed} doctor")
        day.say(
            "So the management account rolls out `foundation/bootstrap.yaml`, "
            "as [the foundation](foundation.md#let-ops-in) says."
        )
        foundation.bootstrap(world, FACTS)
        day.type("make doctor", checkout, ops, f"{installed} doctor")
        founds = "AUTO_APPROVE=1 make foundation"
        day.type(founds, checkout, ops, founds.replace("make", installed), OF_FOUNDATION)
        day.say(
            "The connection to GitHub is completed in the console, which no emulator has. "
            "Somebody subscribes to alerts:"
        )
        for account in ENVIRONMENTS:
            topic = f"arn:aws:sns:{REGION}:{account['id']}:acme-alerts"
            topics = world.client("sns", account["id"], REGION, "acme-operator")
            topics.subscribe(TopicArn=topic, Protocol="email", Endpoint="on-call@example.com")
        day.type("make doctor", checkout, ops, f"{installed} doctor")

        day.write("transcript")

        day = Day(
            "The first day: the first function",
            "it follows [the accounts](transcript.md). Left out: most of what `make rehearse` prints, which "
            "[the README](../README.md#see-it-work) shows.",
        )
        bake = f"{sys.executable} -m cookiecutter --no-input {checkout} -o {folder}"
        day.type("cookiecutter --no-input gh:acme/lambda-template", folder, {}, bake)
        repository = folder / NAME
        identity = dict.fromkeys(["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"], "Ada")
        identity |= dict.fromkeys(["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"], "ada@example.com")
        commits = 'git init -b main && git add . && git commit -m "Generate from lambda-template"'
        day.type(commits, repository, identity, only=r"\[main")
        git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")  # as it is once pushed
        tool = f"make -s TOOL={Path(sys.executable).with_name('lambda-template')}"
        day.type("make rehearse", repository, {}, f"{tool} rehearse", OF_REHEARSAL)
        profiles = people.environment(world, FACTS, folder)
        applies = "make pipeline AUTO_APPROVE=1"
        day.type(applies, repository, profiles, only=OF_PIPELINE)
        day.say(
            "`gh repo create --push` makes the repository on GitHub. The rehearsal's walker takes the place "
            "of CodePipeline from there, until somebody is asked:"
        )
        owned = {f"{FACTS['github_owner']}/{NAME}": repository}
        asked = Event()
        walker = Walker(world, REGION, owned, lambda approval: asked.set())
        walks = Thread(target=walker.walk, args=[[each["id"] for each in ENVIRONMENTS]], daemon=True)
        walks.start()
        asked.wait()
        day.type("make status", repository, profiles, f"{tool} status")
        approves = "make approve ENV=prod YES=1 WHY='the plan is as expected'"
        day.type(approves, repository, profiles, approves.replace("make", tool, 1))
        walks.join()
        day.type("make status", repository, profiles, f"{tool} status")
    day.write("transcript-function")


if __name__ == "__main__":
    main()
