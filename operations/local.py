"""Run a handler on this machine, without AWS, as Lambda runs it: by its runtime interface client."""

import json
import os
import shutil
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, ClassVar

from operations.invoke import SECONDS, event
from operations.repository import ACCOUNTS, FUNCTION

# What is used of an environment's file; without Terraform, which reads it, the defaults.
DEFAULTS = {"memory_size": 128, "settings": {}, "timeout": SECONDS}


class RuntimeApi(BaseHTTPRequestHandler):
    """The Runtime API, for one event: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""

    event: ClassVar[bytes]
    timeout: ClassVar[int]
    answers: ClassVar[list[tuple[str, str]]] = []
    process: ClassVar["subprocess.Popen[bytes]"]

    def do_GET(self) -> None:
        """Hand out the event, once; whoever asks for another has answered it."""
        if self.answers:
            self.process.kill()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "local")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + self.timeout) * 1000)))
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


def configuration() -> dict[str, Any]:
    """Return what the first environment's file says of the function, as Terraform reads it."""
    if shutil.which("terraform") is None:
        print(
            "terraform is not on PATH, so the handler runs without the function's settings", file=sys.stderr
        )
        return DEFAULTS
    file = Path(f"deployment/environments/{ACCOUNTS['environments'][0]['name']}.tfvars").resolve()
    own = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    with TemporaryDirectory() as folder:
        variables = "".join(f'variable "{name}" {{ default = null }}\n' for name in DEFAULTS)
        Path(folder, "variables.tf").write_text(variables)
        asked = "jsonencode({{{}}})".format(", ".join(f"{name} = var.{name}" for name in DEFAULTS))
        command = ["terraform", f"-chdir={folder}", "console", f"-var-file={file}"]
        done = subprocess.run(command, input=asked, env=own, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    said = json.loads(json.loads(done.stdout.splitlines()[-1]))  # after what it warns of
    return DEFAULTS | {name: value for name, value in said.items() if value is not None}


def main(file: str, client: list[str]) -> None:
    """Print the answer to an event, and the log beside it; exit with 1 if it is an error.

    file: of the event. client: the command that runs the runtime interface client with the handler.
    """
    RuntimeApi.event, function = event(file), configuration()
    RuntimeApi.timeout = function["timeout"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        **os.environ,
        **function["settings"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function["memory_size"]),
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{FUNCTION}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        # As deployment/main.tf sets them.
        "POWERTOOLS_METRICS_NAMESPACE": ACCOUNTS["organization"],
        "POWERTOOLS_SERVICE_NAME": FUNCTION,
    }
    RuntimeApi.process = subprocess.Popen(client, env=environment, stdout=sys.stderr)
    RuntimeApi.process.wait()
    for kind, content in RuntimeApi.answers[:1]:
        print(content)
        sys.exit(0 if kind == "response" else 1)
    sys.exit(f"the handler ended its process, with exit code {RuntimeApi.process.returncode}")
