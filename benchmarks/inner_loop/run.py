"""The way from a saved file to the updated function, beside what one would use instead.

The emulated accounts answer at once: what is measured is what a developer's machine does. What others pack is
packed for them, but for `make package, then aws`.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from zipfile import ZipFile

from benchmarks.developer import GREETING, TOOL, Developer, at_work
from benchmarks.tools import Table, compare, timed, tool
from emulator.accounts import EmulatedAccounts

ROUNDS = 5
SANDBOX = "hello-lambda--sandbox-me"
WATCH = """
from operations import watch
watch.test = lambda why: True
watch.main("me")
"""
BOTO3 = f"""
import boto3
client = boto3.Session(profile_name="acme-dev-developer").client("lambda")
client.update_function_code(FunctionName="{SANDBOX}", ZipFile=open("build/package.zip", "rb").read())
"""
SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Metadata: {{ SkipBuild: true }}
    Properties: {{ CodeUri: code, Handler: {handler}, Runtime: {runtime} }}
"""
# By runtime: a source, how a comment begins in it, where it is in the package, and the handler.
RUNTIMES = {
    "python3.13": (GREETING, "#", "hello_lambda/greeting.py", "hello_lambda.handler.handle"),
    "nodejs22.x": ("src/greeting.ts", "//", "index.mjs", "index.handler"),
}

SAM_SYNC = "echo y | {} sync --code --stack-name sam --s3-bucket sam-bucket --no-dependency-layer"


def measure() -> Iterator[Table]:
    """Measure all, for each runtime."""
    return map(of, RUNTIMES)


def of(runtime: str) -> Table:
    """Measure all for a runtime."""
    greeting, comment, packed, handler = RUNTIMES[runtime]
    with at_work(runtime) as developer, sam_stack(developer, runtime, handler) as sam:
        developer.make("sandbox", "NAME=me")
        developer.world.ask("pace", minute=0)  # Lambda's own time to update a function is no machine's
        source, saves = developer.repository / greeting, count()

        def save(file: Path = source) -> None:
            with file.open("a") as text:
                text.write(f"{comment} {next(saves)}\n")

        def saved(*command: str) -> Callable[[], float]:
            def measure() -> float:
                save()
                return timed(list(command), developer.repository, developer.environment)

            return measure

        def watched() -> float:
            with subprocess.Popen(
                [sys.executable, "-c", WATCH],
                cwd=developer.repository,
                env=developer.environment,
                stdout=subprocess.PIPE,
                bufsize=0,
            ) as process:
                told = process.stdout or sys.exit()
                told.readline()  # that it watches, and the first turn
                told.readline()
                time.sleep(1)  # until it watches
                began = time.perf_counter()
                save()
                told.readline()
                seconds = time.perf_counter() - began
                process.kill()
            return seconds

        def synced_by_sam() -> float:
            save(developer.folder / "sam/code" / packed)
            return timed(["sh", "-c", SAM_SYNC.format(tool("sam"))], developer.folder / "sam", sam)

        aws = f"{Path(sys.executable).with_name('aws')} --profile acme-dev-developer lambda"
        update = f"{aws} update-function-code --function-name {SANDBOX} --zip-file fileb://build/package.zip"
        return compare(
            runtime,
            {
                "make sync": saved("make", f"TOOL={TOOL}", "sync", "NAME=me"),
                "make watch, tests aside": watched,
                "boto3": saved(sys.executable, "-c", BOTO3),
                "aws": saved("sh", "-c", update),
                "make package, then aws": saved("sh", "-ec", f"make package; {update}"),
                "sam sync --code": synced_by_sam,
                "make sandbox (terraform)": saved("make", f"TOOL={TOOL}", "sandbox", "NAME=me"),
            },
            ROUNDS,
        )


@contextmanager
def sam_stack(developer: Developer, runtime: str, handler: str) -> Iterator[dict[str, str]]:
    """Give the environment in which sam knows a stack, in accounts of its own, that has the same package."""
    developer.make("package")
    with EmulatedAccounts() as world:
        first, region = developer.facts["environments"][0]["id"], developer.facts["region"]
        trust = json.dumps({"Statement": []})
        role = world.client("iam", first, region).create_role(RoleName="sam", AssumeRolePolicyDocument=trust)
        world.client("s3", first, region).create_bucket(Bucket="sam-bucket")
        function = {
            "Code": {"ZipFile": ""},
            "Handler": handler,
            "Role": role["Role"]["Arn"],
            "Runtime": runtime,
        }
        template = {"Resources": {"Function": {"Type": "AWS::Lambda::Function", "Properties": function}}}
        stacks = world.client("cloudformation", first, region)
        stacks.create_stack(StackName="sam", TemplateBody=json.dumps(template))
        with ZipFile(developer.repository / "build/package.zip") as package:
            package.extractall(developer.folder / "sam/code")
        (developer.folder / "sam/template.yaml").write_text(SAM.format(handler=handler, runtime=runtime))
        yield os.environ | world.environment(first, region) | {"SAM_CLI_TELEMETRY": "0"}
