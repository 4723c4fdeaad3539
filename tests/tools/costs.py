"""Writes docs/costs.md: what a function costs, by what is there once it runs in emulated accounts.

Usage: python tests/tools/costs.py

Prices, and where they were read, are in prices.yaml.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from rehearsal import demo, foundation
from rehearsal.rehearse import Options, rehearse
from screen import Screen

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/costs.md"
FACTS = yaml.safe_load((ROOT / "accounts.yaml").read_text("utf-8"))
GIVEN = yaml.safe_load(Path(__file__).with_name("prices.yaml").read_text("utf-8"))
PRICE = {what: price["dollars"] for what, price in GIVEN["prices"].items()}
TRIGGERS = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))["trigger"]
HOURS = 730  # of a month
# What AWS charges while nothing happens, by Terraform's names; all else that is made is charged by use.
STANDING = {
    "aws_cloudwatch_metric_alarm": ("alarm", PRICE["alarm a month"]),
    "aws_kinesis_stream": ("Kinesis shard", HOURS * PRICE["shard an hour"]),
    "aws_kms_key": ("key", PRICE["key a month"]),
}


def standing(world: EmulatedAccounts, account: dict[str, Any], bucket: str, key: str) -> Counter[str]:
    """Return how many there are, in a state, of what is charged while nothing happens."""
    state = world.client("s3", account["id"], FACTS["region"]).get_object(Bucket=bucket, Key=key)["Body"]
    made: Counter[str] = Counter()
    for resource in json.load(state)["resources"]:
        if resource["mode"] == "managed" and resource["type"] in STANDING:
            instances = [each["attributes"] for each in resource["instances"]]
            made[resource["type"]] += sum(each.get("shard_count") or 1 for each in instances)
    return made


def of_foundation(world: EmulatedAccounts) -> Counter[str]:
    """Return the same of the foundation, in all accounts."""
    ops = FACTS["ops"]
    names = ["ops", *(each["name"] for each in FACTS["environments"])]
    states = [f"foundation/{name}.tfstate" for name in names]
    return sum((standing(world, ops, ops["state_bucket"], key) for key in states), Counter())


def of_function(
    world: EmulatedAccounts, name: str, environments: list[dict[str, Any]] = FACTS["environments"]
) -> Counter[str]:
    """Return the same of a function, in all environments unless some are named."""
    key = f"functions/{name}.tfstate"
    return sum((standing(world, each, each["state_bucket"], key) for each in environments), Counter())


def idle(trigger: str, made: Counter[str]) -> str:
    """Return the row of a trigger, or of the foundation: what is there, and what that costs a month."""
    listed = ", ".join(f"{n} {STANDING[kind][0]}{'s' * (n > 1)}" for kind, n in sorted(made.items()))
    return f"| {trigger} | {listed} | {sum(n * STANDING[kind][1] for kind, n in made.items()):.2f} |"


def deployment(world: EmulatedAccounts, name: str, repository: Path) -> list[str]:
    """Return the rows of what one release costs on its way."""
    rows, total = [], 0.0
    for environment in FACTS["environments"]:
        pipelines = world.client("codepipeline", environment["id"], FACTS["region"])
        stages = pipelines.get_pipeline(name=name)["pipeline"]["stages"]
        kinds = Counter(action["actionTypeId"]["provider"] for stage in stages for action in stage["actions"])
        settings = repository / f"deployment/environments/{environment['name']}.tfvars"
        shift = re.search(r'^traffic *= *"Canary\d+Percent(\d+)Minutes"', settings.read_text("utf-8"), re.M)
        waiting = int(shift[1]) if shift else 0
        builds = kinds["CodeBuild"] * GIVEN["minutes"]["build"] + waiting
        others = kinds.total() - kinds["CodeBuild"] - kinds["Manual"]
        actions = builds + others * GIVEN["minutes"]["other action"]
        dollars = actions * PRICE["minute of an action"] + builds * PRICE["minute of a build"]
        total += dollars
        rows.append(
            f"| {environment['name']} | {kinds['CodeBuild']} | {others} | {waiting} | {dollars:.3f} |"
        )
    return [*rows, f"| all | | | | {total:.2f} |"]


def page(idle_rows: list[str], deployed: list[str]) -> str:
    """Return the page."""
    nights = HOURS / 24 * len(FACTS["environments"])
    sources = [f"| {what} | {each['dollars']} | {each['source']} |" for what, each in GIVEN["prices"].items()]
    return "\n".join(
        [
            "# Costs",
            "",
            "Written by `python tests/tools/costs.py`. It takes a function with each trigger to production "
            f"in emulated accounts (ops, {', '.join(e['name'] for e in FACTS['environments'])}), counts what "
            f"Terraform has made, and multiplies by the prices of {GIVEN['region']} in US dollars, read on "
            f"{GIVEN['read']}. Free tiers are left out. It is an estimate: nothing has run on AWS yet.",
            "",
            "## A month in which nothing happens",
            "",
            "| | what is charged | dollars |",
            "| --- | --- | ---: |",
            *idle_rows,
            "",
            "The foundation exists once, for all functions. Each account's key is rotated once a year, and "
            "each of the first two rotations adds a dollar a month for each key. A function's row counts "
            "all its environments. Pipelines, builds, roles, rules, topics, tables, APIs, schedules, queues "
            "and parameters cost nothing while they are idle, with one exception: Lambda keeps polling an "
            "empty queue, which SQS charges as requests, so `sqs` has some that nobody sent. What is stored "
            "(releases, state, logs) is a few megabytes. A sandbox has no alarms; one with `kinesis` has "
            "its own shard.",
            "",
            "Each night a build in each environment "
            "[looks for drift](operating.md#what-somebody-has-changed-by-hand): "
            f"{nights * GIVEN['minutes']['build'] * PRICE['minute of a build']:.2f} dollars a month for a "
            "function.",
            "",
            "## One deployment",
            "",
            "| environment | builds | other actions | minutes of shifted traffic | dollars |",
            "| --- | ---: | ---: | ---: | ---: |",
            *deployed,
            "",
            f"Each build is counted as {GIVEN['minutes']['build']} minutes and each other action as "
            f"{GIVEN['minutes']['other action']}: guesses, until somebody measures them on AWS. The stage "
            "Deploy is a build that waits while traffic is shifted, so those minutes are charged too; an "
            "approval is not. CodePipeline charges each action by the minute, CodeBuild each build.",
            "",
            "## What use adds",
            "",
            "Invocations, log lines, requests, messages, events and records are charged as AWS charges them "
            "for any function. Two choices matter here: the account's own key is used for them, so KMS "
            "charges requests; and every failure is kept in a queue for up to 14 days.",
            "",
            "## Prices",
            "",
            "| | dollars | read on |",
            "| --- | ---: | --- |",
            *sources,
            "",
            "The minute of a build is that of a small Linux build on x86. Builds run on Arm, whose price no "
            "page that we found states.",
        ]
    )


def generate(trigger: str, folder: Path) -> Path:
    """Generate a repository with a trigger; return it, committed."""
    name = f"hello-{trigger}"
    answers = ["--no-input", "-o", str(folder), str(ROOT), f"function_name={name}", f"trigger={trigger}"]
    subprocess.run([sys.executable, "-m", "cookiecutter", *answers], check=True, capture_output=True)
    demo.commit(folder / name)
    return folder / name


def main() -> None:
    """Take each trigger to production, one after the other."""
    rows: list[str] = []
    deployed: list[str] = []
    with EmulatedAccounts() as founded, TemporaryDirectory() as scratch:
        os.environ |= terraform.environment(Path(scratch))
        if not foundation.restore(founded, foundation.cached(FACTS)):
            foundation.apply(founded, FACTS, Path(scratch))
        founded.ask("enforce")
        rows.append(idle("the foundation", of_foundation(founded)))
        for trigger in TRIGGERS:
            folder = Path(scratch) / trigger
            folder.mkdir()
            repository = generate(trigger, folder)
            with founded.fork() as world:
                result = rehearse(Options(repository, releases=1), Screen(), world, folder)
                if result.problem:
                    sys.exit(result.problem)
                rows.append(idle(f"a function, `{trigger}`", of_function(world, repository.name)))
                deployed = deployed or deployment(world, repository.name, repository)
    PAGE.write_text(page(rows, deployed) + "\n", "utf-8")


if __name__ == "__main__":
    main()
