"""The foundation, applied to emulated accounts as `make foundation` does, but side by side."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from foundation import terraform
from rehearsal.processes import started

TEMPLATE = Path(__file__).parents[1]
WORLDS_KEPT = 5


class FoundationError(Exception):
    """The foundation could not be applied to an account; the message ends with what was printed."""

    def __init__(self, account: str, printed: str) -> None:
        """Keep the account."""
        super().__init__(f"the foundation of {account} could not be applied:\n{printed}")
        self.account = account


def command(
    world: EmulatedAccounts, facts: dict[str, Any], folder: Path
) -> tuple[list[str], dict[str, str], Path]:
    """Prepare a copy of the foundation; return how to apply it: command, environment, working folder.

    facts: what an accounts file says. folder: where the copy is made; it may be there already.
    """
    shutil.copytree(
        TEMPLATE / "foundation",
        folder / "foundation",
        ignore=shutil.ignore_patterns("build", ".terraform", "__pycache__"),
        dirs_exist_ok=True,
    )
    terraform.trust_provider(folder)
    (folder / "accounts.yaml").write_text(json.dumps(facts, indent=2))  # YAML too, and all text in quotes
    bootstrap(world, facts)
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    credentials = world.environment(facts["ops"]["id"], facts["region"])
    told = {"AUTO_APPROVE": "1", "PYTHONPATH": str(TEMPLATE), "TF_CLI_ARGS_init": "-lockfile=readonly"}
    environment = own | credentials | told
    return [sys.executable, "-m", "foundation.apply"], environment, folder


def bootstrap(world: EmulatedAccounts, facts: dict[str, Any]) -> None:
    """Let the organization's StackSet make the role by which ops sets an account up."""
    template = (TEMPLATE / "foundation/bootstrap.yaml").read_text()
    for environment in facts["environments"]:
        place = {"account": environment["id"], "region": facts["region"], "name": "lambda-template-bootstrap"}
        parameters = {"Ops": facts["ops"]["id"], "Organization": facts["organization"]}
        world.ask("stack", **place, template=template, parameters=parameters)


def cached(facts: dict[str, Any]) -> Path:
    """Return where a world with the foundation is kept, by all that makes it.

    facts: what an accounts file says.
    """
    made_by = [TEMPLATE / room for room in ("emulator", "foundation", "hooks")]
    files = sorted(
        file
        for folder in made_by
        for file in folder.rglob("*")
        if file.is_file() and not {"build", ".terraform", "__pycache__"} & {*file.parts}
    )
    content = [hashlib.sha256(file.read_bytes()).hexdigest() for file in [*files, Path(__file__)]]
    installed = sorted(f"{each.name} {each.version}" for each in metadata.distributions())
    version = ["terraform", "version"]
    terraform_s = subprocess.check_output(version, stderr=subprocess.DEVNULL, text=True)
    names = [str(file.relative_to(TEMPLATE)) for file in files]
    key = repr((facts, names, content, installed, sys.version, terraform_s))
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lambda-template/worlds"
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()}.world"


def keep(world: EmulatedAccounts, file: Path) -> None:
    """Keep a world with the foundation, and of others those that have been kept or used last."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    world.keep(file)
    for oldest in sorted(file.parent.glob("*.world"), key=lambda each: -each.stat().st_mtime)[WORLDS_KEPT:]:
        oldest.unlink(missing_ok=True)


def restore(world: EmulatedAccounts, file: Path) -> bool:
    """Fill an empty world from what is kept; return whether there was anything to take."""
    if not file.exists() or not world.restore(file):
        return False
    file.touch()
    return True


class Applying:
    """The foundation, being applied to accounts of a world.

    Terraform's provider looks for most of a minute at lifecycle rules, and for half of one at queues, which
    nothing else waits for: so it is told when an account stands, and at the end one must wait for the rest.
    """

    def __init__(
        self, world: EmulatedAccounts, facts: dict[str, Any], folder: Path, names: list[str] | None = None
    ) -> None:
        """Prepare; facts: what an accounts file says. folder: to work in. names: of some environments."""
        self.world, self.facts, self.folder = world, facts, folder
        self.before: list[str] = []  # the command, such as nice
        self.names = names or [environment["name"] for environment in facts["environments"]]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._end = ExitStack()

    def __enter__(self) -> "Applying":
        """Take care that nothing that stand() starts outlasts us."""
        return self

    def __exit__(self, *error: object) -> None:
        """End what has not ended."""
        self._end.close()

    def _start(self, name: str) -> None:
        line, environment, place = command(self.world, self.facts, self.folder / name)
        with (place / "output").open("w") as output:
            process = started(
                [*self.before, *line, name], cwd=place, env=environment, stdout=output, stderr=output
            )
            self._processes[name] = self._end.enter_context(process)

    def stand(
        self,
        on_start: Callable[[str], object] = lambda name: None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Iterator[str]:
        """Begin, and yield the accounts, each when all of it stands, lifecycle rules aside.

        ops comes first, and the rest as soon as there is a bucket for their state. on_start: told of each
        account as it begins. meanwhile: called often. Raises FoundationError.
        """
        on_start("ops")
        self._start("ops")
        ops = self.facts["ops"]
        s3 = self.world.client("s3", ops["id"], self.facts["region"])
        while not self._ended("ops") and not exists(s3, ops["state_bucket"]):
            meanwhile()
            time.sleep(0.1)
        for name in self.names:
            on_start(name)
            self._start(name)
        waiting = set(self._processes)
        while waiting:
            for name in sorted(waiting):
                if self._ended(name) or stands(self.folder / name / "output"):
                    waiting.remove(name)
                    yield name
            meanwhile()
            time.sleep(0.1)

    def wait(self) -> None:
        """Wait for the end. Raises FoundationError."""
        while not all(self._ended(name) for name in self._processes):
            time.sleep(0.1)

    def _ended(self, name: str) -> bool:
        code = self._processes[name].poll()
        if code:
            printed = (self.folder / name / "output").read_text()
            raise FoundationError(name, printed[-4000:])
        return code == 0


def apply(world: EmulatedAccounts, facts: dict[str, Any], folder: Path) -> None:
    """Apply the foundation to all accounts, to its end. Raises FoundationError."""
    with Applying(world, facts, folder) as applying:
        list(applying.stand())
        applying.wait()


def stands(output: Path) -> bool:
    """Return whether all that Terraform creates is there, aside of what it looks at for long."""
    text = output.read_text() if output.exists() else ""
    planned = re.search(r"Plan: (\d+) to add", text)
    slow = len(re.findall(r"(lifecycle_configuration|sqs_queue)\.\S+ will be created", text))
    quick = re.findall(
        r"^(?!.*(?:lifecycle_configuration|sqs_queue)\.).*: Creation complete", text, re.MULTILINE
    )
    return planned is not None and len(quick) >= int(planned[1]) - slow


def exists(s3: Any, bucket: str) -> bool:
    """Return whether a bucket is there."""
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        return False
    return True
