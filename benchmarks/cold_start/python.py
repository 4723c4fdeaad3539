"""What a cold start in Python imports: the packaged handler of each trigger, beside that of a starter.

Both have byte code, and run in Lambda's own Python. AWS's starter with Powertools is for HTTP; for another
trigger, its imports stand here with the utility that Powertools' documentation shows for that trigger.
"""

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from cookiecutter.main import cookiecutter
from uv import find_uv_bin

from benchmarks.tools import Table, medians
from emulator.interpreters import interpreter

TEMPLATE = Path(__file__).parents[2]
ROUNDS = 15
RUNTIME, PLATFORM, VERSION = "python3.13", "aarch64-manylinux_2_34", "3.13"
# https://github.com/aws/aws-sam-cli-app-templates/tree/master/python3.13/hello-pt
STARTER = """
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
{utility}
logger, metrics, tracer = Logger(), Metrics(namespace="Powertools"), Tracer()
"""
CLASS = "from aws_lambda_powertools.utilities.data_classes import {0}, event_source"
BATCH = (
    "from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response"
)
HTTP = (
    "from aws_lambda_powertools.event_handler import APIGatewayRestResolver\napp = APIGatewayRestResolver()"
)
# https://docs.powertools.aws.dev/lambda/python/latest/utilities/
UTILITIES = {
    "events": CLASS.format("EventBridgeEvent"),
    "http": HTTP,
    "kinesis": BATCH,
    "s3": CLASS.format("S3EventBridgeNotificationEvent"),
    "sns": CLASS.format("SNSEvent"),
    "sqs": BATCH,
    "stream": BATCH,
}
TIMED = "import time; began = time.perf_counter(); import {module}; print(time.perf_counter() - began)"


def packaged(trigger: str, folder: Path) -> Path:
    """Return a folder with what the package of a function has in it."""
    answers = {"function_name": f"hello-{trigger}", "trigger": trigger}
    repository = Path(
        cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder))
    )
    python = str(interpreter("python", VERSION).path)
    subprocess.run([python, "scripts/package.py", RUNTIME, PLATFORM], cwd=repository, check=True)
    code = folder / trigger
    with zipfile.ZipFile(repository / "build/package.zip") as package:
        package.extractall(code)
    return code


def starter(trigger: str, folder: Path) -> Path:
    """Return a folder with a starter for a trigger."""
    code = folder / f"starter-{trigger}"
    code.mkdir()
    (code / "app.py").write_text(STARTER.format(utility=UTILITIES.get(trigger, "")))
    return code


def seconds(module: str, *paths: Path) -> float:
    """Return how long an import takes, in a process of its own."""
    command = [str(interpreter("python", VERSION).path), "-c", TIMED.format(module=module)]
    own = {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "AWS_LAMBDA_FUNCTION_NAME": "hello",
        "AWS_XRAY_SDK_ENABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "hello",
        "POWERTOOLS_METRICS_NAMESPACE": "hello",
    }
    return float(subprocess.run(command, env=own, capture_output=True, text=True, check=True).stdout)


def measure() -> Iterator[Table]:
    """Measure all triggers."""
    if not interpreter("python", VERSION).version.startswith("3.13."):
        raise SystemExit("cold starts are measured under Python 3.13, which is not on this machine")
    triggers = json.loads((TEMPLATE / "cookiecutter.json").read_text())["trigger"]
    with TemporaryDirectory() as scratch:
        folder, installed = Path(scratch), Path(scratch) / "installed"
        wanted = ["aws-lambda-powertools[tracer]", "requests"]
        install: list[str] = [find_uv_bin(), "pip", "install", "--quiet", "--compile-bytecode"]
        install += ["--python", str(interpreter("python", VERSION).path), "--target", str(installed)]
        subprocess.run([*install, *wanted], check=True)
        own = {trigger: packaged(trigger, folder) for trigger in triggers}
        starters = {trigger: starter(trigger, folder) for trigger in triggers}
        rows = []
        for trigger in triggers:
            ours, theirs = medians(
                {
                    "ours": partial(seconds, f"hello_{trigger}.handler", own[trigger]),
                    "the starter": partial(seconds, "app", starters[trigger], installed),
                },
                ROUNDS,
            ).values()
            rows.append((trigger, f"{ours * 1000:.1f} ms", f"{theirs * 1000:.1f} ms", f"{ours / theirs:.2f}"))
    yield Table(("import", "ours", "the starter", "ours / the starter"), rows)
