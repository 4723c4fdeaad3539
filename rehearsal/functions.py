"""A deployed package, invoked through its runtime interface client, as Lambda does it."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

REQUIREMENTS = Path(__file__).with_name("runtime-requirements.txt")


@dataclass(frozen=True)
class Answer:
    """What an invocation gave: a JSON payload, the error type if the function failed, its log, its Python."""

    payload: bytes
    error: str | None
    log: str
    interpreter: str


def candidates(runtime: str) -> Iterator[str]:
    """Yield interpreters that may be the runtime's (such as python3.13): on PATH, then pyenv's."""
    yield from filter(None, [shutil.which(runtime)])
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    yield from map(str, sorted(pyenv.glob(f"versions/{runtime.removeprefix('python')}.*/bin/{runtime}")))


def interpreter(runtime: str) -> str:
    """Return the runtime's own interpreter if one is found that runs, else this one's base."""
    for candidate in candidates(runtime):
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return str(Path(sys.base_prefix, "bin", "python3"))


def lambda_environment(python: str) -> Path:
    """Return a Python that has what Lambda's has: the runtime interface client and boto3.

    It lives in the user's cache folder, by interpreter and lock file, and is built on first use.
    """
    key = hashlib.sha256(python.encode() + REQUIREMENTS.read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "lambda-template"
    folder = cache / f"runtime-{key}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(dir=cache))
        subprocess.run([python, "-m", "venv", str(draft)], check=True, capture_output=True)
        pip = [str(draft / "bin/python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
        subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True, capture_output=True)
        try:
            draft.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(draft)
    return folder / "bin" / "python"


class RuntimeApi(ThreadingHTTPServer):
    """Lambda's Runtime API for one event: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""

    daemon_threads = True

    def __init__(self, event: bytes, function_arn: str, timeout: int) -> None:
        """Serve one event on a free port of this machine."""
        super().__init__(("127.0.0.1", 0), RuntimeApiHandler)
        self.event, self.function_arn, self.timeout_seconds = event, function_arn, timeout
        self.outcome: tuple[str, bytes] | None = None
        self.served = threading.Event()
        self.done = threading.Event()


class RuntimeApiHandler(BaseHTTPRequestHandler):
    """Answers the runtime interface client."""

    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        """Hand out the event once; then keep the client waiting."""
        if self.server.served.is_set():
            self.server.done.wait()
            return
        self.server.served.set()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", str(uuid.uuid4()))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", self.server.function_arn)
        deadline = int((time.time() + self.server.timeout_seconds) * 1000)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(deadline))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.event)))
        self.end_headers()
        self.wfile.write(self.server.event)

    def do_POST(self) -> None:
        """Take the response or the error."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.outcome = (self.path.rsplit("/", 1)[1], body)
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.done.set()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def invoke(
    code: bytes, event: bytes, configuration: Mapping[str, object], variables: Mapping[str, str]
) -> Answer:
    """Run one event through a package in a new process, as a cold start does.

    code: the package, a zip. configuration: FunctionName, FunctionArn, Version, Handler, Runtime, Timeout
    (seconds) and MemorySize as Lambda's GetFunctionConfiguration gives them. variables: credentials of the
    function's role and its own environment variables.
    """
    python = lambda_environment(interpreter(str(configuration["Runtime"])))
    timeout = int(str(configuration["Timeout"]))
    api = RuntimeApi(event, str(configuration["FunctionArn"]), timeout)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    with TemporaryDirectory() as folder:
        task = Path(folder, "task")
        with zipfile.ZipFile(io.BytesIO(code)) as package:
            package.extractall(task)
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": str(configuration["Handler"]),
            "LAMBDA_TASK_ROOT": str(task),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": str(configuration["FunctionName"]),
            "AWS_LAMBDA_FUNCTION_VERSION": str(configuration["Version"]),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            **variables,
        }
        with Path(folder, "log").open("w+b") as log:
            command = [str(python), "-m", "awslambdaric", str(configuration["Handler"])]
            with subprocess.Popen(command, cwd=task, env=environment, stdout=log, stderr=log) as process:
                deadline = time.monotonic() + timeout + 10  # Lambda gives a runtime 10 seconds to start
                while not api.done.wait(0.01) and process.poll() is None and time.monotonic() < deadline:
                    pass
                exit_code = process.poll()
                process.kill()
            log.seek(0)
            text = log.read().decode(errors="replace")
    api.done.set()
    api.shutdown()
    api.server_close()
    if api.outcome is None and exit_code is None:
        message = {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"Task timed out after {timeout}.00 seconds",
        }
        return Answer(json.dumps(message).encode(), "Unhandled", text, str(python))
    if api.outcome is None:
        message = {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"Runtime exited with exit status {exit_code}",
        }
        return Answer(json.dumps(message).encode(), "Unhandled", text, str(python))
    kind, payload = api.outcome
    return Answer(payload, None if kind == "response" else "Unhandled", text, str(python))
