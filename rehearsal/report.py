"""A rehearsal as one self-contained HTML page."""

import re
from collections import Counter
from contextlib import suppress
from json import JSONDecoder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from rehearsal.outcome import Rehearsal

DENIED = (
    "A role may not do what it has to: of the function, see deployment/permissions.tf; of its build, plan, "
    "deployment or test, pipeline/builder.tf, planner.tf, deployer.tf or verifier.tf; boundaries are in "
    "foundation/boundary.tf."
)
CHANGED = "The release was changed on its way. Promote again from the environment before."
ADVICE = {
    "Error acquiring the state lock": "A deployment before this one was ended by force. Make sure that none "
    "runs, then: terraform force-unlock ID, in deployment/.",
    "AccessDenied": DENIED,
    "is not authorized": DENIED,
    "failed its check": "The new version did not answer events/check.json and gets no traffic. "
    "Try it: make test, then rehearse again.",
    "taken traffic back": "An alarm went on while traffic moved to the new version, or CodeDeploy could not "
    "move it; the version before answers. See deployment/traffic.tf.",
    "tests/deployed/": "The new version answers, does not pass tests/deployed, and so is not promoted. Try "
    "the code by make test, or in a sandbox by make verify.",
    "rejected": "Nothing was changed. A new commit, or a retry of the stage, asks again.",
    "is not what release.json describes": CHANGED,
    "not the package that release.json describes": CHANGED,
    "NoSuchBucket": "A bucket is not there: has the foundation been applied to this account? "
    "(make foundation)",
}
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # what colours a terminal
LINES = 8

SENT = ("environment", "put into the trigger", "what has become of it")


def advice(problem: str) -> str:
    """Return what to do about a problem."""
    found = next(
        (text for sign, text in ADVICE.items() if sign in problem), "Fix it, commit, rehearse again."
    )
    return f"What to do: {found} Later environments are as they were."


def cause(problem: str) -> str:
    """Return a problem, what a function has raised first, without what Terraform did before its error."""
    place, _, output = problem.partition("\n")
    before, error, why = output.partition("\nError: ")
    return "\n".join(filter(None, [raised(output), place, f"Error: {why}" if error else before]))


def in_short(problem: str) -> str:
    """Return what a function has raised, where that was, and the first lines of what Terraform said."""
    place, _, output = problem.partition("\n")
    _, error, why = output.partition("\nError: ")
    return "\n".join(filter(None, [raised(output), place, *f"{error}{why}".strip().splitlines()[:LINES]]))


def raised(output: str) -> str:
    """Return the error that a function has answered, with its trace, if an output has one; else nothing."""
    for found in re.finditer(r'\{(?=.*"errorMessage")', output):
        with suppress(ValueError):
            answer, _ = JSONDecoder().raw_decode(output, found.start())
            trace = "".join(answer.get("stackTrace") or []).rstrip() or "\n".join(answer.get("trace") or [])
            said = f"{answer.get('errorType', 'error')}: {answer['errorMessage']}"
            return "\n".join(filter(None, [said, trace]))
    return ""


def denied(rehearsal: "Rehearsal") -> list[tuple[str, str, str, str]]:
    """Return what was denied: who may not do what on what, and where to change that."""
    return [
        (check.caller.role.rpartition("/")[2] or check.caller.service, check.action, check.resource, where)
        for check, where in rehearsal.denied
    ]


def running(rehearsal: "Rehearsal") -> list[tuple[str, str, str, str]]:
    """Return what runs where: environment, version, revision, and the commit's subject."""
    return [
        (
            runs["environment"],
            runs.get("version", "no release yet"),
            runs.get("revision", ""),
            runs.get("subject", ""),
        )
        for runs in rehearsal.running
    ]


def html(rehearsal: "Rehearsal") -> str:
    """Return the page: how it ended, what to do, the path, each action with its log, what took how long."""
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    pages.filters["plain"] = lambda text: ESCAPES.sub("", text)
    page: str = pages.get_template("report.html.j2").render(
        rehearsal=rehearsal,
        cause=cause(rehearsal.problem),
        advice=advice(rehearsal.problem),
        denied=denied(rehearsal),
        total=rehearsal.total,
        again=[*enumerate(rehearsal.again, len(rehearsal.runs))],
        accounts=[account(rehearsal, environment) for environment in rehearsal.facts["environments"]],
        running=running(rehearsal),
        of_sent=SENT,
        parts=[(part, f"{seconds:.1f} s") for part, seconds in rehearsal.seconds.items()],
        created=created(rehearsal),
        unused=unused(rehearsal),
        bases=bases(rehearsal),
        guesses=[(c["claim"], c["basis"]) for c in rehearsal.claims if c["kind"] == "guess" and c["used"]],
    )
    return page


def account(rehearsal: "Rehearsal", environment: dict[str, Any]) -> tuple[Any, ...]:
    """Return an environment, its numbered runs, and of these the latest of each action."""
    runs = [
        (number, run)
        for number, run in enumerate(rehearsal.runs)
        if run.account == environment["id"] and not run.waits
    ]
    return environment, runs, list({(run.stage, run.action): (n, run) for n, run in runs}.values())


def unused(rehearsal: "Rehearsal") -> list[tuple[str, ...]]:
    """Return what is granted and nothing has used: role, accounts, statement, actions; equal ones once."""
    accounts: dict[tuple[str, str, str], list[str]] = {}
    for role, sid, actions in rehearsal.unused:
        same = (role.rpartition("/")[2], sid, ", ".join(sorted(actions)))
        accounts.setdefault(same, []).append(rehearsal.name(role.split(":")[4]))
    return [(role, ", ".join(where), *rest) for (role, *rest), where in sorted(accounts.items())]


def bases(rehearsal: "Rehearsal") -> list[tuple[str, int, int]]:
    """Return on what the emulator's claims of AWS rest: the kind, how many claims, how many used here."""
    used = Counter(claim["kind"] for claim in rehearsal.claims if claim["used"])
    return [(kind, n, used[kind]) for kind, n in Counter(c["kind"] for c in rehearsal.claims).most_common()]


def created(rehearsal: "Rehearsal") -> list[tuple[str, ...]]:
    """Return what was created: account, role, and what with how many of it."""
    counted: dict[tuple[str, str], Counter[str]] = {}
    for call in rehearsal.journal:
        if call.operation.startswith("Create") and call.error is None:
            by = (rehearsal.name(call.account), (call.role or "").rpartition("/")[2])
            what = f"{call.service} {call.operation.removeprefix('Create')}"
            counted.setdefault(by, Counter())[what] += 1
    return [
        (*by, ", ".join(f"{count} × {what}" if count > 1 else what for what, count in sorted(found.items())))
        for by, found in sorted(counted.items())
    ]
