"""What becomes of events that are put into a function's trigger, wherever the function has been deployed."""

import json
import time
from functools import partial
from pathlib import Path

import triggers
from emulator.accounts import EmulatedAccounts
from rehearsal.outcome import Rehearsal, Sent

SAMPLES = ("greeting", "bad")  # of events/: one that is handled, and one that fails each time
LONGEST = 60  # seconds that events get to come to an end
LOOK = 0.5  # seconds between two looks


def chosen(repository: Path) -> type[triggers.Trigger] | None:
    """Return the trigger of a repository's function, None if nothing can be put into it."""
    answers = json.loads((repository / "template.json").read_text("utf-8"))["answers"]
    return triggers.named(answers["trigger"])


def use(
    trigger: type[triggers.Trigger], rehearsal: Rehearsal, world: EmulatedAccounts, repository: Path
) -> list[Sent]:
    """Put a repository's samples into the trigger where the function runs; return what became of each."""
    running = {each["environment"] for each in rehearsal.running if "version" in each}
    files = [repository / "events" / f"{name}.json" for name in SAMPLES]
    events = {file.stem: json.loads(file.read_text("utf-8")) for file in files if file.is_file()}
    region, under_way = rehearsal.facts["region"], []
    for environment in rehearsal.facts["environments"]:
        name, account = environment["name"], environment["id"]
        client = partial(world.client, account=account, region=region)
        there = trigger(client, rehearsal.function, account, region)
        left = partial(world.ask, "under_way", account=account, function=rehearsal.function)
        under_way += [
            (name, event, left, there, there.send(said)) for event, said in events.items() if name in running
        ]
    deadline, ends = time.monotonic() + LONGEST, [""] * len(under_way)
    while not all(ends):
        late = f"still tried after {LONGEST} s" if time.monotonic() > deadline else ""
        ends = [
            end or (not left() and there.became(sent)) or late
            for end, (_, _, left, there, sent) in zip(ends, under_way, strict=True)
        ]
        time.sleep(LOOK)
    return [(name, event, end) for (name, event, *_), end in zip(under_way, ends, strict=True)]
