"""Time a cold start in TypeScript: import and first answer, beside AWS's starter with Powertools, and sizes.

Both are bundled as they come, the starter minified and without a source map, and run in Lambda's own Node.js,
ours with the map that its deployment turns on. Run from the repository's root:
python -m benchmarks.cold_start.typescript
"""

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from cookiecutter.main import cookiecutter

from emulator.execution_environment import ExecutionEnvironment
from emulator.interpreters import interpreter

TEMPLATE = Path(__file__).parents[2]
ROUNDS = 15
# Its dependencies, and how it is built:
# https://github.com/aws/aws-sam-cli-app-templates/tree/master/nodejs22.x/hello-ts-pt
STARTER = """
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics } from "@aws-lambda-powertools/metrics";
import { Tracer } from "@aws-lambda-powertools/tracer";
const logger = new Logger(), metrics = new Metrics(), tracer = new Tracer();
export const handler = async () => {
  logger.info("greeted");
  metrics.publishStoredMetrics();
  return { message: tracer.isTracingEnabled() };
};
"""
BUNDLED = "--bundle --minify --target=es2020 --platform=node --format=cjs --outfile=starter/index.js"
TIMED = """
const began = performance.now();
import(process.argv[1]).then(() => process.stdout.write(String(performance.now() - began)));
"""
NAMES = {
    "POWERTOOLS_SERVICE_NAME": "hello",
    "POWERTOOLS_METRICS_NAMESPACE": "hello",
    "AWS_LAMBDA_FUNCTION_NAME": "hello",
}
MAPPED = {"NODE_OPTIONS": "--enable-source-maps"}


def built(folder: Path, node: Path) -> tuple[Path, Path]:
    """Return the packages of a function and of the starter."""
    answers = {"runtime": "nodejs22.x"}
    repository = Path(
        cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder))
    )
    own = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
    (repository / "starter.ts").write_text(STARTER)
    for command in (
        "make install package",
        "npm install --no-save @aws-lambda-powertools/tracer",
        f"node_modules/.bin/esbuild starter.ts {BUNDLED}",
    ):
        subprocess.run(command.split(), cwd=repository, env=own, check=True, capture_output=True)
    starter = repository / "starter.zip"
    with ZipFile(starter, "w", ZIP_DEFLATED) as archive:
        archive.write(repository / "starter/index.js", "index.js")
    return repository / "build/package.zip", starter


def imported(package: Path, node: Path, variables: dict[str, str]) -> Callable[[], float]:
    """Return a function that tells how long the import of a package takes, in a process of its own."""
    code = package.with_suffix("")
    with ZipFile(package) as archive:
        archive.extractall(code)
        (module,) = (name for name in archive.namelist() if not name.endswith(".map"))
    command = [str(node), "-e", TIMED, str(code / module)]
    own = NAMES | variables

    def measure() -> float:
        return float(subprocess.run(command, env=own, check=True, capture_output=True, text=True).stdout)

    return measure


def answered(package: Path, folder: Path, variables: dict[str, str]) -> Callable[[], float]:
    """Return a function that tells after how long a package has answered, from the start of its process."""
    configuration: dict[str, Any] = {
        **{"FunctionName": "hello", "Version": "1", "Runtime": "nodejs22.x", "Handler": "index.handler"},
        **{"MemorySize": 256, "Timeout": 10, "Environment": {"Variables": NAMES | variables}},
        "LoggingConfig": {"LogGroup": "/aws/lambda/hello", "LogFormat": "JSON"},
    }

    def measure() -> float:
        place = folder / f"{time.monotonic_ns()}"
        place.mkdir()
        began = time.perf_counter()
        running = ExecutionEnvironment(place, package.read_bytes(), configuration, {})
        outcome = running.invoke(b'{"name": "Ada"}', "arn", "1")
        seconds = time.perf_counter() - began
        running.close()
        if outcome.failed:
            raise SystemExit(outcome.payload.decode())
        return seconds * 1000

    return measure


def main() -> None:
    """Measure both, in turns."""
    node = interpreter("nodejs", "22").path
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        own, starter = built(folder, node)
        for name, ours, theirs in (
            ("import", imported(own, node, MAPPED), imported(starter, node, {})),
            ("first answer", answered(own, folder, MAPPED), answered(starter, folder, {})),
        ):
            pairs = [(ours(), theirs()) for _ in range(ROUNDS + 1)][1:]
            mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"{name:<13} {mine:7.1f} ms  starter {other:7.1f} ms  ours {mine / other:4.2f} of it")
        sizes = own.stat().st_size, starter.stat().st_size
        print(f"{'zipped':<13} {sizes[0]:7,} bytes, its map included  starter {sizes[1]:7,} bytes")


if __name__ == "__main__":
    main()
