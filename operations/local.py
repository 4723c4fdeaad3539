"""Run the handler on this machine, without AWS, as Lambda runs it: by its runtime interface client.

Usage: python scripts/local.py HANDLER FILE (of an event)
"""

import os
import runpy
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import ClassVar

from invoke import event

SECONDS = 900  # that Lambda gives a function at most


class RuntimeApi(BaseHTTPRequestHandler):
    """The Runtime API, for one event: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""

    event: ClassVar[bytes]
    answers: ClassVar[list[tuple[str, str]]] = []
    process: ClassVar[subprocess.Popen[bytes]]

    def do_GET(self) -> None:
        """Hand out the event, once; whoever asks for another has answered it."""
        if self.answers:
            self.process.kill()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "local")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + SECONDS) * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "local")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.event)))
        self.end_headers()
        self.wfile.write(self.event)

    def do_POST(self) -> None:
        """Take the answer, or the error."""
        content = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answers.append((self.path.rpartition("/")[2], content))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def main(handler: str, file: str) -> None:
    """Print the answer, and the log beside it; exit with 1 if it is an error."""
    RuntimeApi.event = event(file)
    if find_spec("awslambdaric") is None:
        sys.exit("AWS's runtime interface client runs on Linux alone; use make test or a sandbox")
    runpy.run_path("tests/conftest.py")  # sets what deployment/ sets
    server = ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        **os.environ,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "0",
        "AWS_LAMBDA_FUNCTION_NAME": "local",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "PYTHONPATH": str(Path("src").resolve()),
    }
    command = [sys.executable, "-m", "awslambdaric", handler]
    RuntimeApi.process = subprocess.Popen(command, env=environment, stdout=sys.stderr)
    RuntimeApi.process.wait()
    for kind, content in RuntimeApi.answers[:1]:
        print(content)
        sys.exit(0 if kind == "response" else 1)
    sys.exit(f"the handler ended its process, with exit code {RuntimeApi.process.returncode}")


if __name__ == "__main__":
    main(*sys.argv[1:])
