"""The package of a function with Powertools and pydantic, for arm64, beside pip --target and sam build.

Caches are warm; what was built before is removed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from cookiecutter.main import cookiecutter
from uv import find_uv_bin

from benchmarks.tools import Table, compare, timed, tool
from emulator.interpreters import interpreter

TEMPLATE = Path(__file__).parents[2]
ROUNDS = 5
REQUIREMENTS = ("aws-lambda-powertools", "pydantic")
RUNTIME, PLATFORM = "python3.13", "aarch64-manylinux_2_34"
SAM = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Architectures: [arm64]
      CodeUri: src
      Handler: hello_lambda.handler.handle
      Runtime: python3.13
"""
PIP = """
{python} -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
  --only-binary=:all: --platform=manylinux_2_28_aarch64 --platform=manylinux2014_aarch64 \
  --implementation=cp --python-version=3.13 \
  --target=pip-target -r requirements.txt
cp -r src/* pip-target
cd pip-target && {python} -m zipfile -c ../pip.zip *
"""


def measure() -> Iterator[Table]:
    """Measure all three."""
    with TemporaryDirectory() as folder:
        repository = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=folder))
        lock = ["pip", "compile", "--quiet", "--generate-hashes", "--python-version=3.13", "-"]
        for_lambda = [
            f"--python-platform={PLATFORM}",
            "--only-binary=:all:",
            "--output-file=requirements.txt",
        ]
        subprocess.run(
            [find_uv_bin(), *lock, *for_lambda],
            input="\n".join(REQUIREMENTS),
            text=True,
            cwd=repository,
            check=True,
        )
        shutil.copy(repository / "requirements.txt", repository / "src")
        (repository / "template.yaml").write_text(SAM)
        python = interpreter("python", RUNTIME.removeprefix("python"))
        if not python.version.startswith("3.13."):
            raise SystemExit("sam build needs Python 3.13, which is not on this machine")
        path = f"{python.path.parent}{os.pathsep}{os.environ['PATH']}"
        quiet = os.environ | {"SAM_CLI_TELEMETRY": "0", "PATH": path}
        ours = [sys.executable, "scripts/package.py", RUNTIME, PLATFORM]
        pip, sam = ["sh", "-ec", PIP.format(python=sys.executable)], [tool("sam"), "build"]
        yield compare(
            "a package",
            {
                "ours, by uv, zipped": lambda: timed(ours, repository, fresh=(repository / "build",)),
                "pip --target, zipped": lambda: timed(pip, repository, fresh=(repository / "pip-target",)),
                "sam build, not zipped": lambda: timed(sam, repository, quiet, (repository / ".aws-sam",)),
            },
            ROUNDS,
        )
