"""The emulated AWS accounts, as whoever uses them sees them: a server of its own on this machine."""

import functools
import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from emulator.calls import PERSON, Caller, Check

CONTROL = "/_emulator/"


@dataclass(frozen=True)
class JournalEntry:
    """A recorded call.

    time: seconds since the epoch; ms: how long it took. principal: the caller's ARN, a session's for a role;
    role: that role's ARN. parameters: as the SDKs name them, without what the service's model calls
    sensitive, and with long values cut. checks: what was checked of it, as long as calls are judged. error:
    the error's code. note: what else there is to know.
    """

    time: float
    ms: float
    service: str
    operation: str
    region: str
    account: str
    principal: str
    role: str | None
    parameters: dict[str, Any]
    checks: list[Check]
    status: int
    error: str | None
    note: str | None


class EmulatedAccounts:
    """A world of AWS accounts for as long as the `with` statement lasts; url is where it is served."""

    url: str

    def __init__(self, origin: "EmulatedAccounts | None" = None) -> None:
        """Prepare an empty world, or a copy of another one."""
        self._origin = origin
        self._making = threading.Lock()  # a session of the SDK makes one client at a time
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "EmulatedAccounts":
        """Start the server; it ends with us, however we end, since it holds the other end of a pipe."""
        if self._origin:
            self.url = self._origin.ask("fork")
            return self
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
        path = [str(Path(__file__).parents[1]), *filter(None, [kept.get("PYTHONPATH")])]
        self._server = subprocess.Popen(
            [sys.executable, "-m", "emulator.front"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Objects in S3 stay in memory: copies of a world would share the files of moto's larger ones.
            env=kept | {"PYTHONPATH": os.pathsep.join(path), "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": "0"},
            start_new_session=True,
        )
        assert self._server.stdout  # noqa: S101
        with self._server.stdout as announcement:
            self.url = announcement.readline().decode().strip()
        if not self.url:
            raise RuntimeError("the emulated accounts did not start; what they printed stands above")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server, and with it every function that it runs; of a copy, the copy's alone."""
        if self._server:
            assert self._server.stdin  # noqa: S101
            self._server.stdin.close()
            self._server.wait()
        else:
            with suppress(ConnectionError):  # it ends instead of answering
                self.ask("end")

    def ask(self, command: str, **arguments: Any) -> Any:
        """Have the server do a control command: of the world itself, or of calls.COMMANDS."""
        connection = HTTPConnection(self.url.removeprefix("http://"))
        connection.request("POST", CONTROL + command, json.dumps(arguments))
        with connection.getresponse() as response:
            return json.load(response)

    def fork(self) -> "EmulatedAccounts":
        """Return a context manager that copies this world, its journal aside, into one of its own."""
        return EmulatedAccounts(self)

    def keep(self, file: Path) -> None:
        """Write this world and its journal into a file, all of it or nothing; what runs in it is left out."""
        with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
            draft = Path(scratch) / file.name
            self.ask("keep", file=str(draft))
            draft.replace(file)

    def restore(self, file: Path) -> bool:
        """Fill this world, which must be empty, from a file; return whether that was there, and whole."""
        return bool(self.ask("restore", file=str(file)))

    def environment(self, account: str, region: str, role: str = PERSON) -> dict[str, str]:
        """Return the variables with which the AWS CLI, boto3 and Terraform are a role of an account.

        role: its name; it need not exist, since somebody has to create the first one. The variables keep the
        user's own AWS configuration out, if merged into an environment without AWS_* variables of its own.
        """
        variables: dict[str, str] = self.ask("environment", account=account, region=region, role=role)
        own = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        no_proxy = ",".join(filter(None, [own, "127.0.0.1"]))
        return variables | {"NO_PROXY": no_proxy, "no_proxy": no_proxy}

    def client(self, service: str, account: str, region: str, role: str = PERSON) -> Any:
        """Return a boto3 client that is a role of an account; the user's AWS configuration is kept out."""
        return self.connect(service, self.environment(account, region, role))

    def connect(self, service: str, variables: dict[str, str]) -> Any:
        """Return a boto3 client that is whom variables such as those of `environment` say."""
        with self._making:
            return sdk().client(
                service,
                endpoint_url=self.url,
                region_name=variables["AWS_REGION"],
                aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=variables["AWS_SESSION_TOKEN"],
                config=Config(proxies={}),
            )

    def journal(self) -> list[JournalEntry]:
        """Return the calls made so far, in the order in which they were answered."""
        return [
            JournalEntry(**entry | {"checks": [check_of(check) for check in entry["checks"]]})
            for entry in self.ask("journal")
        ]


def check_of(facts: dict[str, Any]) -> Check:
    """Return a check from what the server tells of it."""
    return Check(**facts | {"caller": Caller(**facts["caller"])})


@functools.cache
def sdk() -> Any:
    """Return a boto3 session that knows nothing of the user's AWS configuration."""
    nothing = {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=nothing))
