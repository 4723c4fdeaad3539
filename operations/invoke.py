"""Call a sandbox, or the function itself in the first environment, with an event from a file."""

import base64
import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from botocore.config import Config

import triggers
from operations import accounts
from operations.records import readable
from operations.repository import ACCOUNTS, ANSWERS, FUNCTION
from operations.sandbox import ENVIRONMENT, client, sandbox

TRACES = ("stackTrace", "trace")  # what Python and Node.js call it
SECONDS = 900  # that Lambda gives a function at most


def event(file: str) -> bytes:
    """Return the event in a file, or exit if there is none."""
    if not Path(file).is_file():
        sys.exit(f"EVENT={file}: there is no such file; make events lists those that there are")
    return Path(file).read_bytes()


def main(name: str, environment: str, file: str, raw: bool) -> None:
    """Print the answer, and the log beside it; exit with 1 if it is an error.

    environment: may be empty; then name is a sandbox's. raw: print the log, and an error's trace, as JSON.
    """
    payload = event(file)
    function, asking = deployed(environment) if environment else of_sandbox(name)
    # The SDK would wait for a minute, and then call again a function that runs already.
    patient = Config(read_timeout=SECONDS + 30, retries={"total_max_attempts": 1}, tcp_keepalive=True)
    with asking:
        answer = client("lambda", patient).invoke(
            FunctionName=function, Qualifier="live", LogType="Tail", Payload=payload
        )
        said = answer["Payload"].read().decode()
        address = "" if environment else address_of(function)
    for record in base64.b64decode(answer["LogResult"]).decode().splitlines():
        if shown := record if raw else readable(record):
            print(shown, file=sys.stderr)
    if address:
        print(f"requests reach it at {address}", file=sys.stderr)
    print(said if raw else without_trace(said))
    sys.exit(1 if "FunctionError" in answer else 0)


def address_of(sandbox: str) -> str:
    """Return where requests reach a sandbox, by its full name; empty if none do."""
    return triggers.address(ANSWERS["trigger"], client, sandbox, ENVIRONMENT["id"], ACCOUNTS["region"])


def without_trace(said: str) -> str:
    """Return an answer; of an error without its trace, which is in the log."""
    answer = json.loads(said) if said else None
    if isinstance(answer, dict) and answer.keys() >= {"errorType", "errorMessage"}:
        return json.dumps({name: value for name, value in answer.items() if name not in TRACES})
    return said


def of_sandbox(name: str) -> tuple[str, AbstractContextManager[None]]:
    """Return the function of a sandbox, and what tells whoever calls it what is wrong."""
    mine = sandbox(name)
    return mine.full_name, mine.used()


def deployed(environment: str) -> tuple[str, AbstractContextManager[None]]:
    """Return the same of an environment, or exit if people may not call the function there."""
    if accounts.environment(environment) != ENVIRONMENT:
        sys.exit(f"people may call the function in {ENVIRONMENT['name']} alone, and their sandboxes")
    return FUNCTION, accounts.explained()
