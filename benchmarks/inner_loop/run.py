"""Time the way from a saved file to the updated function, beside what one would use instead.

The emulated accounts answer at once, so what is measured is what happens on the developer's machine. Run from the
repository's root: python -m benchmarks.inner_loop.run
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from benchmarks.developer import GREETING, Developer, at_work
from benchmarks.tools import compare, timed, tool
from rehearsal.functions import interpreter

ROUNDS = 5
SANDBOX = "hello-lambda-sandbox-me"
WATCH = """
import sys
sys.path.insert(0, "scripts")
import watch
watch.test = lambda: True
watch.main("hello-lambda", "me", "python3.13", "aarch64-manylinux_2_34")
"""
BOTO3 = f"""
import boto3
package = open("build/package.zip", "rb").read()
client = boto3.Session(profile_name="acme-dev-developer").client("lambda")
client.update_function_code(FunctionName="{SANDBOX}", ZipFile=package)
"""
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


def main() -> None:
    """Measure all."""
    with at_work() as developer:
        developer.make("sandbox", "NAME=me")
        saves = count()

        def save() -> None:
            with (developer.repository / GREETING).open("a") as file:
                file.write(f"# {next(saves)}\n")

        def saved(*command: str) -> Callable[[], float]:
            def measure() -> float:
                save()
                return timed(list(command), developer.repository, developer.environment)

            return measure

        def watched() -> float:
            with subprocess.Popen(
                [developer.repository / ".venv/bin/python", "-c", WATCH],
                cwd=developer.repository,
                env=developer.environment,
                stdout=subprocess.PIPE,
            ) as process:
                assert process.stdout
                process.stdout.readline()  # the first turn
                time.sleep(1)  # until it watches
                began = time.perf_counter()
                save()
                process.stdout.readline()
                seconds = time.perf_counter() - began
                process.kill()
            return seconds

        aws = f"{Path(sys.executable).with_name('aws')} --profile acme-dev-developer lambda"
        update = f"{aws} update-function-code --function-name {SANDBOX} --zip-file fileb://build/package.zip"
        compare(
            {
                "make sync": saved("make", "sync", "NAME=me"),
                "make watch, tests aside": watched,
                "boto3, packed before": saved(sys.executable, "-c", BOTO3),
                "aws, packed before": saved("sh", "-c", update),
                "make package, then aws": saved("sh", "-ec", f"make package; {update}"),
                "make sandbox (terraform)": saved("make", "sandbox", "NAME=me"),
            },
            ROUNDS,
        )


if __name__ == "__main__":
    main()
