"""A rehearsal as one self-contained HTML page."""

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rehearsal.outcome import Rehearsal
    from rehearsal.pipelines import Run

STYLE = """
:root { color-scheme: light dark; --line: #8886; --good: #1a7f37; --bad: #cf222e; --wait: #9a6700; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.path { display: flex; flex-wrap: wrap; gap: .5rem 2rem; }
.account { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .9rem; flex: 1 1 14rem; position: relative; }
.account + .account::before { content: "→"; position: absolute; left: -1.6rem; top: .5rem; font-size: 1.2rem; }
.account h3 { margin: 0 0 .4rem; font-size: 1rem; }
.action { display: flex; justify-content: space-between; gap: 1rem; }
.Succeeded::before { content: "✓ "; color: var(--good); } .Failed::before { content: "✗ "; color: var(--bad); }
.waits::before { content: "· "; color: var(--wait); }
.seconds { opacity: .65; font-variant-numeric: tabular-nums; }
details { border-top: 1px solid var(--line); padding: .3rem 0; } summary { cursor: pointer; }
pre { overflow-x: auto; background: #8881; padding: .6rem; border-radius: .3rem; font-size: 13px; white-space: pre-wrap; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid var(--line); }
.problem { border-left: 4px solid var(--bad); padding-left: 1rem; } .fine { color: var(--good); }
"""

ADVICE = {
    "Error acquiring the state lock": "A deployment before this one was ended by force. Make sure that none runs, then: terraform force-unlock ID, in deployment/.",
    "AccessDenied": "A role may not do what it has to: of the function, see deployment/permissions.tf; of its deployment, pipeline/deployer.tf; of its build, pipeline/builder.tf.",
    "is not authorized": "A role may not do what it has to: of the function, see deployment/permissions.tf; of its deployment, pipeline/deployer.tf; of its build, pipeline/builder.tf.",
    "failed its check": "The new version did not answer events/check.json; the version before still answers. Try it: make test, then rehearse again.",
    "taken traffic back": "An alarm went on while traffic moved to the new version, or CodeDeploy could not move it; the version before answers. See deployment/traffic.tf.",
    "rejected": "Nothing was changed. A new commit, or a retry of the stage, asks again.",
    "is not what release.json describes": "The release was changed on its way. Promote again from the environment before.",
    "not the package that release.json describes": "The release was changed on its way. Promote again from the environment before.",
    "NoSuchBucket": "A bucket is not there: has the foundation been applied to this account? (make foundation)",
}


def advice(problem: str) -> str:
    """Return what to do about a problem."""
    found = next(
        (text for sign, text in ADVICE.items() if sign in problem), "Fix it, commit, rehearse again."
    )
    return f"What to do: {found} Later environments are as they were."


def html(rehearsal: "Rehearsal") -> str:
    """Return the page: the path as a picture, each action with its log, what was called, how long it took."""
    verdict = (
        f'<div class="problem"><pre>{escape(rehearsal.problem)}</pre><p>{escape(advice(rehearsal.problem))}</p></div>'
        if rehearsal.problem
        else f'<p class="fine">{escape(rehearsal.running[-1].get("environment", ""))} runs the package of this commit.</p>'
    )
    title = f"{rehearsal.function} {rehearsal.revision[:12]}"
    parts = "".join(row(name, f"{seconds:.1f} s") for name, seconds in rehearsal.seconds.items())
    running = "".join(
        row(*(runs.get(fact, "") for fact in ("environment", "version", "revision", "subject")))
        for runs in rehearsal.running
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{STYLE}</style>
<h1>{escape(title)}</h1>
<p>{escape(rehearsal.subject)}</p>
{verdict}
{lacking(rehearsal)}
<h2>The path</h2>
<div class="path">{"".join(account(rehearsal, e) for e in rehearsal.facts["environments"])}</div>
<h2>What runs where</h2>
<table><tr><th>environment<th>version<th>revision<th>commit</tr>{running}</table>
<h2>Actions</h2>
{"".join(action(rehearsal, run) for run in rehearsal.runs)}
<h2>What was created</h2>
<table><tr><th>account<th>by<th>created</tr>{created(rehearsal)}</table>
<h2>Granted, and used by nothing here</h2>
<p>A rehearsal neither changes nor removes what it has made, nor does what people do in the console.</p>
<details><summary>{len(rehearsal.unused)} statements</summary>
<table><tr><th>role<th>accounts<th>statement<th>actions</tr>{unused(rehearsal)}</table></details>
<h2>Time</h2>
<table>{parts}</table>
</html>
"""


def lacking(rehearsal: "Rehearsal") -> str:
    """Return what roles may not do and tried, where to change that, and what to paste there."""
    if not rehearsal.denied:
        return ""
    rows = "".join(
        row(check.caller.role or check.caller.service, check.action, check.resource, where)
        for check, where in rehearsal.denied
    )
    pasted = "".join(
        f"<h3>To paste into {escape(file)}</h3><pre>{escape(text)}</pre>"
        for file, text in rehearsal.to_paste.items()
    )
    return f"<h2>Denied</h2><table><tr><th>who<th>may not<th>on<th>to change</tr>{rows}</table>{pasted}"


def unused(rehearsal: "Rehearsal") -> str:
    """Return, by role and statement, what it is granted and nothing has used, accounts with the same together."""
    accounts: dict[tuple[str, str, str], list[str]] = {}
    for role, sid, actions in rehearsal.unused:
        same = (role.rpartition("/")[2], sid, ", ".join(sorted(actions)))
        accounts.setdefault(same, []).append(rehearsal.name(role.split(":")[4]))
    return "".join(row(role, ", ".join(where), *rest) for (role, *rest), where in sorted(accounts.items()))


def row(*cells: str) -> str:
    """Return a row of a table."""
    return f"<tr>{''.join(f'<td>{escape(cell)}' for cell in cells)}</tr>"


def look(run: "Run") -> str:
    """Return the class of a run."""
    return "waits" if run.message.endswith("nothing has been promoted yet") else run.status


def account(rehearsal: "Rehearsal", environment: dict[str, str]) -> str:
    """Return an environment in the picture, with its latest runs."""
    latest = {(run.stage, run.action): run for run in rehearsal.runs if run.account == environment["id"]}
    lines = "".join(
        f'<div class="action"><span class="{look(run)}">{escape(run.action)}</span>'
        f'<span class="seconds">{run.seconds:.1f} s</span></div>'
        for run in latest.values()
    )
    return f'<div class="account"><h3>{escape(environment["name"])} <span class="seconds">{environment["id"]}</span></h3>{lines}</div>'


def action(rehearsal: "Rehearsal", run: "Run") -> str:
    """Return a run with all that it said."""
    name = f"{rehearsal.name(run.account)} · {run.stage} · {run.action}"
    logs = "".join(
        f"<p><b>{escape(c.phase)}</b> <span class=seconds>{c.seconds:.1f} s, exit code {c.code}</span></p><pre>$ {escape(c.text)}\n{escape(c.output)}</pre>"
        for c in run.commands
    )
    notes = "".join(f"<p>{escape(note)}</p>" for note in run.notes)
    opened = " open" if look(run) == "Failed" else ""
    return f'<details{opened}><summary><span class="{look(run)}">{escape(name)}</span> <span class="seconds">{run.seconds:.1f} s</span></summary><pre>{escape(run.message)}</pre>{notes}{logs}</details>'


def created(rehearsal: "Rehearsal") -> str:
    """Return, by account and role, what was created."""
    counted: dict[tuple[str, str], Counter[str]] = {}
    for call in rehearsal.journal:
        if call.operation.startswith("Create") and call.error is None:
            by = (rehearsal.name(call.account), (call.role or "").rpartition("/")[2])
            what = f"{call.service} {call.operation.removeprefix('Create')}"
            counted.setdefault(by, Counter())[what] += 1
    return "".join(
        row(
            *by,
            ", ".join(f"{count} × {what}" if count > 1 else what for what, count in sorted(found.items())),
        )
        for by, found in sorted(counted.items())
    )
