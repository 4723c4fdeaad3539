"""Put an event from a file into the trigger of a sandbox, so that it comes as a real one does."""

import json
import sys

import triggers
from operations.invoke import event
from operations.repository import ACCOUNTS, ANSWERS, FUNCTION
from operations.sandbox import ENVIRONMENT, client, sandbox


def main(name: str, file: str) -> None:
    """Print what is called how from then on."""
    mine, sent = sandbox(name), json.loads(event(file))
    found = triggers.named(ANSWERS["trigger"])
    if found is None:
        sys.exit(f"nothing invokes {FUNCTION} but those who call it: make invoke")
    with mine.used():
        trigger = found(client, mine.full_name, ENVIRONMENT["id"], ACCOUNTS["region"])
        for identifier in trigger.send(sent):
            print(f"sent as {identifier}; make logs tells what becomes of it")
