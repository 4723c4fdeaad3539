"""`make demo`: a sample function, from the questions to an answer from its deployed package."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from cookiecutter.main import cookiecutter

from rehearsal import buildspec, standin, terraform
from rehearsal.accounts import EmulatedAccounts

TEMPLATE = Path(__file__).parents[1]


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is done next, and how long it took."""
    print(title, flush=True)
    began = time.monotonic()
    yield
    print(f"  {time.monotonic() - began:5.1f} s in all", flush=True)


def show(command: buildspec.Command) -> None:
    """Print a command that has succeeded, on one line."""
    text = " ".join(command.text.split())
    print(f"  {command.seconds:5.1f} s  {text[:90]}{'…' if len(text) > 90 else ''}", flush=True)  # noqa: PLR2004


def commit(repository: Path) -> None:
    """Make a repository of a folder, with one commit, whoever's machine it is."""
    identity = ["-c", "user.name=lambda-template", "-c", "user.email=demo@example.com"]
    message = ["commit", "--quiet", "--message", "Born from the template"]
    for arguments in (
        ["init", "--quiet"],
        ["add", "--all"],
        [*identity, "-c", "commit.gpgsign=false", *message],
    ):
        subprocess.run(["git", *arguments], cwd=repository, check=True)


def deploy(
    accounts: EmulatedAccounts, release: Path, facts: dict[str, Any], environment: dict[str, Any], home: Path
) -> None:
    """Deploy a release into an environment with its own buildspec, as the environment's pipeline will."""
    function = json.loads((release / "release.json").read_bytes())["function"]
    variables = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(home),
        **accounts.environment(environment["id"], facts["region"]),
        **terraform.environment(home),
        "ENVIRONMENT": environment["name"],
        "STATE_BUCKET": environment["state_bucket"],
        "STATE_KEY": f"functions/{function}.tfstate",
        "ARTIFACTS_BUCKET": environment["artifacts_bucket"],
    }
    buildspec.run(release, "deployment/buildspec.yml", variables, show)


def main() -> None:
    """Run the demo; where the generated repository lies is printed at the end."""
    folder = Path(mkdtemp(prefix="lambda-template-"))
    with TemporaryDirectory() as scratch, EmulatedAccounts() as accounts:
        with step("Generate"):
            repository = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(folder)))
            commit(repository)
        facts = json.loads((repository / "accounts.json").read_bytes())
        environment = facts["environments"][0]

        with step("Build: buildspec.yml"):
            own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            buildspec.run(repository, "buildspec.yml", own, show)
            release = repository / "build/release"

        with step(f"Deploy to {environment['name']} (emulated): deployment/buildspec.yml"):
            standin.create(accounts, facts, environment)
            deployed = Path(scratch, "release")
            shutil.copytree(release, deployed)
            deploy(accounts, deployed, facts, environment, Path(scratch))

        with step("Invoke"):
            client = accounts.client("lambda", environment["id"], facts["region"])
            name = json.loads((release / "release.json").read_bytes())["function"]
            answer = client.invoke(FunctionName=name, Qualifier="live", Payload=b'{"name": "Ada"}')

    print(f"\nAnswer      {answer['Payload'].read().decode()}")
    for fact, value in json.loads((release / "release.json").read_bytes()).items():
        print(f"{fact:<16}  {value}")
    print(f"\nThe generated repository lies in {repository}")


if __name__ == "__main__":
    try:
        main()
    except buildspec.BuildError as failure:
        sys.exit(f"\n{failure}")
