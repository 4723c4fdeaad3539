"""A cold start in TypeScript: import and first answer, beside AWS's starter with Powertools, and sizes.

Both are bundled as they come, the starter minified and without a source map, and run in Lambda's own Node.js,
ours with the map that its deployment turns on. An import comes after what Lambda's client has loaded; a first
answer begins with Node.js itself, as an empty handler's shows.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from cookiecutter.main import cookiecutter

from benchmarks.tools import Table, medians
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
# As Lambda's client does, which loads what is no ES module by require, in half the time.
TIMED = """
import "node:http";
import { createRequire } from "node:module";
const [, place] = process.argv, require = createRequire(import.meta.url), began = performance.now();
await (place.endsWith(".mjs") ? import(place) : require(place));
process.stdout.write(String(performance.now() - began));
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


def imported(package: Path, folder: Path, variables: dict[str, str]) -> Callable[[], float]:
    """Return a function that tells how long the import of a package takes, in a process of its own."""
    code = folder / f"{package.stem} unpacked"
    with ZipFile(package) as archive:
        archive.extractall(code)
        (module,) = (name for name in archive.namelist() if not name.endswith(".map"))
    node = str(interpreter("nodejs", "22").path)
    command = [node, "--input-type=module", "--eval", TIMED, str(code / module)]
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


def measure() -> Iterator[Table]:
    """Measure both, and a handler that does nothing."""
    node = interpreter("nodejs", "22").path
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        own, starter = built(folder, node)
        empty = folder / "empty.zip"
        with ZipFile(empty, "w") as archive:
            archive.writestr("index.mjs", "export const handler = async () => ({});")
        packages = {"ours": (own, MAPPED), "the starter": (starter, {}), "an empty handler": (empty, {})}
        rows = []
        for what, how in ("import", imported), ("first answer", answered):
            found = medians(
                {name: how(place, folder, its) for name, (place, its) in packages.items()}, ROUNDS
            )
            ours, theirs, _ = found.values()
            rows.append((what, *(f"{each:.1f} ms" for each in found.values()), f"{ours / theirs:.2f}"))
        sizes = [place.stat().st_size for place, _ in packages.values()]
        rows.append(("zipped", *(f"{size:,} bytes" for size in sizes), f"{sizes[0] / sizes[1]:.2f}"))
    yield Table(("", *packages, "ours / the starter"), rows)
