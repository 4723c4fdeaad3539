"""What runs functions on this machine: interpreters, each with AWS's runtime interface client.

What a machine does not have is installed into the user's cache folder on first use.
"""

import functools
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from emulator.calls import AwsError

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "runtime-requirements.txt"
NODEJS = HERE / "nodejs"
# The generated repositories' own, by which make local runs AWS's client too.
NODEJS_CLIENT = HERE.parent / "runtimes/typescript/files/scripts/runtime-client.cjs"


@dataclass(frozen=True)
class Interpreter:
    """A Python or Node.js on this machine: where it is, and its full version."""

    path: Path
    version: str


def pythons(version: str) -> Iterator[Path]:
    """Yield where a Python, such as 3.13, may be; ours, of any version, comes last."""
    name = f"python{version}"
    yield from (Path(folder, name) for folder in os.get_exec_path())
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"))
    uv = [find_uv_bin(), "python", "find", "--managed-python", "--offline", "--no-project", version]
    managed = subprocess.run(uv, capture_output=True, text=True, check=False).stdout.strip()
    yield from map(Path, filter(None, [managed]))
    yield Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")


def nodes(version: str) -> Iterator[Path]:
    """Yield where a Node.js of a major version, such as 22, is: on PATH, else npm's package of it."""
    for folder in os.get_exec_path():
        path = Path(folder, "node")
        if said(path, "process.version").startswith(f"v{version}."):
            yield path
    yield from (installed_by_npm() / "node_modules").glob("node-*/bin/node")


def said(path: Path, expression: str) -> str:
    """Return what an interpreter says of an expression, or nothing: one on PATH may be a shim that fails."""
    flag = ["-p", expression] if path.name == "node" else ["-c", f"import platform; print({expression})"]
    with suppress(OSError):
        ran = subprocess.run([path, *flag], capture_output=True, text=True, check=False)
        return "" if ran.returncode else ran.stdout.strip()
    return ""


@functools.cache
def interpreter(language: str, version: str) -> Interpreter:
    """Return what runs a language's version here, such as python 3.13 or nodejs 22."""
    node = language == "nodejs"
    for path in nodes(version) if node else pythons(version):
        if found := said(path, "process.versions.node" if node else "platform.python_version()"):
            return Interpreter(path, found)
    message = f"lambda:Invoke: nothing on this machine runs {language} {version}"
    raise AwsError("EmulatorNotImplemented", message)


def cached(name: str, key: bytes, commands: list[list[str]]) -> Path:
    """Return a folder in the user's cache, by what it is made of; if it is not there, commands make it.

    commands: {} in them stands for the folder.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lambda-template"
    built = cache / f"{name}-{hashlib.sha256(key).hexdigest()[:16]}"
    if not built.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            draft = Path(scratch, built.name)
            for command in commands:
                filled = [word.replace("{}", str(draft)) for word in command]
                try:
                    subprocess.run(filled, cwd=cache, capture_output=True, text=True, check=True)
                except (OSError, subprocess.CalledProcessError) as error:
                    reason = getattr(error, "stderr", None) or error
                    message = f"lambda:Invoke: {name} could not be installed here: {reason}"
                    raise AwsError("EmulatorNotImplemented", message) from None
            with suppress(OSError):  # another process may have been faster
                draft.rename(built)
    return built


def python_client(python: Interpreter) -> Path:
    """Return a Python that has what Lambda's has besides: the runtime interface client and boto3."""
    uv = [find_uv_bin(), "--quiet"]
    venv = [*uv, "venv", "--no-project", "--python", str(python.path), "{}"]
    install = [*uv, "pip", "install", "--python", "{}", "--require-hashes", "-r", str(REQUIREMENTS)]
    key = f"{python}".encode() + REQUIREMENTS.read_bytes()
    return cached(f"python{python.version}", key, [venv, install]) / "bin" / "python"


def installed_by_npm(*options: str) -> Path:
    """Return where npm has installed what nodejs/ locks: the runtime interface client, and a Node.js."""
    copy = [["mkdir", "{}"], ["cp", *map(str, NODEJS.glob("*.json")), "{}"]]
    npm = ["npm", "--prefix", "{}", "ci", "--ignore-scripts", "--no-audit", "--no-fund", *options]
    key = repr((platform.machine(), options)).encode() + (NODEJS / "package-lock.json").read_bytes()
    return cached("nodejs", key, [*copy, npm])


def command(runtime: str, handler: str) -> tuple[list[str], str]:
    """Return the command that runs a runtime's handlers, and the version of the interpreter."""
    if runtime.startswith("python"):
        python = interpreter("python", runtime.removeprefix("python"))
        return [str(python_client(python)), "-m", "awslambdaric", handler], f"python {python.version}"
    if runtime.startswith("nodejs"):
        node = interpreter("nodejs", runtime.removeprefix("nodejs").removesuffix(".x"))
        client = installed_by_npm("--omit=optional") / "node_modules/aws-lambda-ric"
        return [str(node.path), str(NODEJS_CLIENT), str(client)], f"node {node.version}"
    raise AwsError("EmulatorNotImplemented", f"lambda:Invoke: functions in {runtime} cannot be run yet")
