"""A deployed package, run as Lambda runs it: under its runtime interface client.

Memory, disk and processor architecture are this machine's own; nothing limits them.
"""

import io
import json
import shutil
import subprocess
import threading
import time
import uuid
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from emulator.interpreters import command

INIT_SECONDS = 10  # that Lambda gives a runtime to start, beside the function's timeout


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended: payload, whether the function failed, log lines, whether the process lives."""

    payload: bytes
    failed: bool
    log: list[str]
    warm: bool


class ExecutionEnvironment:
    """A process that runs one version of a function, one event at a time, and the Runtime API it talks to."""

    def __init__(
        self, folder: Path, code: bytes, configuration: dict[str, Any], variables: dict[str, str]
    ) -> None:
        """Start it.

        code: the package, a zip. configuration: as Lambda's GetFunctionConfiguration gives it. variables:
        the AWS_* variables of a session of the function's role.
        """
        self.configuration = configuration
        logging = configuration["LoggingConfig"]
        name, version = configuration["FunctionName"], configuration["Version"]
        of_function = "" if logging["LogGroup"] == f"/aws/lambda/{name}" else name
        self.log_stream = f"{datetime.now(UTC):%Y/%m/%d}/{of_function}[{version}]{uuid.uuid4().hex}"
        runtime, self.interpreter = command(configuration["Runtime"], configuration["Handler"])

        self._folder = folder
        with zipfile.ZipFile(io.BytesIO(code)) as package:
            package.extractall(folder / "task")
        self._cold = True
        self._events: SimpleQueue[tuple[bytes, dict[str, str]] | None] = SimpleQueue()
        self._signals: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
        self._api = make_server(
            "127.0.0.1",
            0,
            Request.application(self._runtime_api),
            threaded=True,
            request_handler=SilentHandler,
        )
        threading.Thread(target=self._api.serve_forever, daemon=True).start()

        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "HOME": str(folder),
            **configuration.get("Environment", {}).get("Variables", {}),
            **variables,
            "_HANDLER": configuration["Handler"],
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration['Runtime']}",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
            "AWS_LAMBDA_FUNCTION_VERSION": version,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
            "AWS_LAMBDA_LOG_GROUP_NAME": logging["LogGroup"],
            "AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel", ""),
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_port}",
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "LAMBDA_TASK_ROOT": str(folder / "task"),
        }
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                runtime,
                cwd=folder / "task",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._log = (folder / "log").open("rb")
        threading.Thread(target=self._wait_for_exit, daemon=True).start()

    def invoke(self, event: bytes, function_arn: str, request_id: str) -> Outcome:
        """Run one event, for as long as the function's timeout allows.

        event: JSON. function_arn: the one invoked, with its qualifier if there is one.
        """
        timeout = self.configuration["Timeout"]
        log: list[str] = []
        if self._cold:
            version = f"{self.configuration['Runtime']} run by {self.interpreter}"
            log.append(
                self._platform("initStart", f"INIT_START Runtime Version: {version}", runtimeVersion=version)
            )
        signal, body = self._signal(INIT_SECONDS + timeout if self._cold else INIT_SECONDS)
        self._cold = False
        log += self._output()
        version = self.configuration["Version"]
        start = f"START RequestId: {request_id} Version: {version}"
        log.append(self._platform("start", start, requestId=request_id, version=version))
        began = time.perf_counter()
        if signal == "next":
            trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=1"
            headers = {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + timeout) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": function_arn,
                "Lambda-Runtime-Trace-Id": trace,
            }
            self._events.put((event, headers))
            signal, body = self._signal(timeout)
        duration = (time.perf_counter() - began) * 1000
        log += self._output()
        if signal in ("timeout", "exit"):
            what = f"Task timed out after {timeout:.2f} seconds"
            if signal == "exit":
                what = f"Runtime exited with error: {body.decode()}"
            kind = {"timeout": "Sandbox.Timedout", "exit": "Runtime.ExitError"}[signal]
            message = f"RequestId: {request_id} Error: {what}"
            body = json.dumps({"errorType": kind, "errorMessage": message}).encode()
            if self.configuration["LoggingConfig"]["LogFormat"] == "Text":
                log.append(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z {request_id} {what}")
        log += self._report(request_id, duration, signal)
        return Outcome(body, signal != "response", log, signal in ("response", "error"))

    def close(self) -> None:
        """End the process and remove its files."""
        self._process.kill()
        self._events.put(None)
        self._api.shutdown()
        self._api.server_close()
        self._log.close()
        shutil.rmtree(self._folder)

    def _runtime_api(self, request: Request) -> Response:
        """Answer the runtime: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""
        match request.path.removeprefix("/2018-06-01/runtime/").split("/"):
            case ["invocation", "next"]:
                self._signals.put(("next", b""))
                if event := self._events.get():
                    return Response(event[0], headers=event[1], mimetype="application/json")
            case ["invocation", _, "response" | "error" as kind]:
                self._signals.put((kind, request.get_data()))
            case ["init", "error"]:
                self._signals.put(("init", request.get_data()))
        return Response(status=202)

    def _wait_for_exit(self) -> None:
        code = self._process.wait()
        self._signals.put(("exit", (f"exit status {code}" if code >= 0 else f"signal: {-code}").encode()))

    def _signal(self, seconds: float) -> tuple[str, bytes]:
        try:
            return self._signals.get(timeout=seconds)
        except Empty:
            return "timeout", b""

    def _output(self) -> list[str]:
        """Return the lines written since the last time; the runtime client ends those of one event by CR."""
        lines = self._log.read().decode(errors="replace").split("\n")
        return [line.replace("\r", "\n") for line in lines if line]

    def _report(self, request_id: str, duration: float, signal: str) -> list[str]:
        """Return the platform's last lines about an invocation; duration in milliseconds."""
        memory, billed = self.configuration["MemorySize"], int(duration) + 1
        status = {"response": "success", "error": "error", "timeout": "timeout"}.get(signal, "failure")
        parts = {
            "RequestId": request_id,
            "Duration": f"{duration:.2f} ms",
            "Billed Duration": f"{billed} ms",
            "Memory Size": f"{memory} MB",
        }
        metrics = {"durationMs": round(duration, 3), "billedDurationMs": billed, "memorySizeMB": memory}
        report = "REPORT " + "\t".join(f"{name}: {value}" for name, value in parts.items())
        line = self._platform("report", report, requestId=request_id, status=status, metrics=metrics)
        if self.configuration["LoggingConfig"]["LogFormat"] == "Text":
            return [f"END RequestId: {request_id}", line]
        return [line]

    def _platform(self, kind: str, text: str, **record: object) -> str:
        """Return a line of the platform's own log, in the format that the function has chosen."""
        if self.configuration["LoggingConfig"]["LogFormat"] == "Text":
            return text
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        return json.dumps({"time": now, "type": f"platform.{kind}", "record": record})


class SilentHandler(WSGIRequestHandler):
    """Logs nothing."""

    def log_request(self, *args: object) -> None:
        """Stay silent."""
