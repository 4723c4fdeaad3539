"""Call a sandbox with an event from a file; print its answer, and its log beside it."""

import base64
import sys
from pathlib import Path

from botocore.config import Config

import triggers
from operations.repository import ACCOUNTS, ANSWERS
from operations.sandbox import ENVIRONMENT, client, sandbox

SECONDS = 900  # that Lambda gives a function at most


def event(file: str) -> bytes:
    """Return the event in a file, or exit if there is none."""
    if not Path(file).is_file():
        sys.exit(f"EVENT={file}: there is no such file; make events lists those that there are")
    return Path(file).read_bytes()


def main(name: str, file: str) -> None:
    """Print the answer; exit with 1 if it is an error."""
    mine, payload = sandbox(name), event(file)
    # The SDK would wait for a minute, and then call again a function that runs already.
    patient = Config(read_timeout=SECONDS + 30, retries={"total_max_attempts": 1}, tcp_keepalive=True)
    with mine.used():
        answer = client("lambda", patient).invoke(
            FunctionName=mine.full_name, Qualifier="live", LogType="Tail", Payload=payload
        )
        said = answer["Payload"].read().decode()
        where = (mine.full_name, ENVIRONMENT["id"], ACCOUNTS["region"])
        address = triggers.address(ANSWERS["trigger"], client, *where)
    print(base64.b64decode(answer["LogResult"]).decode(), file=sys.stderr)
    if address:
        print(f"requests reach it at {address}", file=sys.stderr)
    print(said)
    sys.exit(1 if "FunctionError" in answer else 0)
