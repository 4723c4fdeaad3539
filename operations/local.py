"""Run a handler on this machine, without AWS, as Lambda runs it: by its runtime interface client."""

import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

from operations.invoke import SECONDS, event
from operations.repository import ACCOUNTS, FUNCTION


class RuntimeApi(BaseHTTPRequestHandler):
    """The Runtime API, for one event: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""

    event: ClassVar[bytes]
    answers: ClassVar[list[tuple[str, str]]] = []
    process: ClassVar["subprocess.Popen[bytes]"]

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


def main(file: str, client: list[str]) -> None:
    """Print the answer to an event, and the log beside it; exit with 1 if it is an error.

    file: of the event. client: the command that runs the runtime interface client with the handler.
    """
    RuntimeApi.event = event(file)
    server = ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        **os.environ,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "0",
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
