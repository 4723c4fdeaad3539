"""The page of a rehearsal: what it says, in which order, and that it can be read anywhere."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product

import pytest

from emulator.calls import Caller, Check
from rehearsal import report
from rehearsal.actions.action import Run
from rehearsal.buildspec import Command
from rehearsal.outcome import Rehearsal
from tests.worlds import DEV, FACTS, NAME, PROD, STAGE, Rehearsed

READABLE = 4.5  # contrast of text, as WCAG 2 asks for
NARROW = 400 - 2 * 16  # pixels of a narrow page, its margins aside


class Page(HTMLParser):
    """A page, read: its headings, what is to be seen without a click, and what is to be seen with."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        super().__init__()
        self.source = report.html(rehearsal)
        self.headings: list[str] = []
        self.seen = self.all = self.title = ""
        self.tags: list[tuple[str, bool]] = []
        self.feed(self.source)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.tags.append((tag, "open" in dict(attributes)))
        if tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.tags.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self.tags]
        if "style" in tags:
            return
        if "title" in tags:
            self.title += data
            return
        if {"h1", "h2", "h3"} & set(tags):
            self.headings[-1] = " ".join(f"{self.headings[-1]} {data}".split())
        self.all += data
        folded = [n for n, tag in enumerate(self.tags) if tag == ("details", False)]
        if not folded or (len(folded) == 1 and "summary" in tags[folded[0] :]):
            self.seen += data


def run(environment: dict[str, str], action: str, status: str = "Succeeded", **facts: object) -> Run:
    return replace(Run(environment["id"], NAME, "1", action, action, status), **facts)  # type: ignore[arg-type]


SUCCESS = Rehearsal(
    NAME,
    "0123456789ab" + "0" * 28,
    "Greet",
    FACTS,
    "prod",
    seconds={"foundation": 37.24, "walk": 100.04},
    total=140,
    runs=[
        run(STAGE, "Source", "Failed", message="F.zip is not there: nothing has been promoted yet"),
        run(DEV, "Source", message="0123456789ab Greet"),
        run(DEV, "Build", seconds=1.25, commands=[Command("build", "make test", 1.1, 0, "15 passed")]),
        run(STAGE, "Source"),
        run(PROD, "Source"),
    ],
    running=[
        {"environment": e["name"], "version": "1", "revision": "0123456789ab"} for e in (DEV, STAGE, PROD)
    ],
    unused=[
        (f"arn:aws:iam::{e['id']}:role/acme-reader", "SeeGroups", ["iam:GetGroup"]) for e in (DEV, STAGE)
    ],
)
OUTPUT = "aws_lambda_alias.live: Creating...\n\nError: creating\n\x1b[31mnot authorized\x1b[0m"
DENIED = Check(
    Caller(f"arn:aws:iam::{DEV['id']}:role/lambda-template/pipelines/{NAME}-deployer"),
    "sqs:CreateQueue",
    "arn:q",
    "1",
    {},
    "no",
)
FAILURE = replace(
    SUCCESS,
    problem=f"dev: Deploy: Deploy: buildspec.yml: terraform apply: exit code 1\n{OUTPUT}",
    runs=[
        SUCCESS.runs[0],
        run(DEV, "Source"),
        run(
            DEV,
            "Deploy",
            "Failed",
            message=f"buildspec.yml: terraform apply: exit code 1\n{OUTPUT}",
            commands=[
                Command("install", "make install", 1, 0, "installed everything"),
                Command("build", "terraform apply", 1, 1, OUTPUT),
            ],
        ),
    ],
    running=[{"environment": e["name"]} for e in (DEV, STAGE, PROD)],
    denied=[(DENIED, "pipeline/deployer.tf, a new statement")],
    to_paste={"pipeline/deployer.tf": "statement {\n}\n"},
)


# What it says


def test_the_title_and_the_first_line_are_the_verdict() -> None:
    good, bad = Page(SUCCESS), Page(FAILURE)

    assert (good.headings[0], bad.headings[0]) == (
        "✓ prod runs hello-lambda 0123456789ab",
        "✗ prod does not run hello-lambda 0123456789ab",
    )
    assert (good.title, bad.title) == (f"{good.headings[0]}, 140 s", f"{bad.headings[0]}, 140 s")


def test_the_verdict_is_about_the_environment_that_was_to_be_reached() -> None:
    assert Page(replace(SUCCESS, last="stage")).title.startswith("✓ stage runs")


def test_a_reader_gets_first_what_matters_most() -> None:
    assert Page(FAILURE).headings[1:] == [
        "The path",
        f"dev {DEV['id']}",
        f"stage {STAGE['id']}",
        f"prod {PROD['id']}",
        "Denied",
        "To paste into pipeline/deployer.tf",
        "Actions",
        "dev",
        "What runs where",
        "Time",
        "Granted, and used by nothing here",
    ]


def test_cause_and_fix_come_before_the_path() -> None:
    before = Page(FAILURE).seen.partition("The path")[0]

    assert "dev: Deploy: Deploy: buildspec.yml: terraform apply: exit code 1\nError: creating" in before
    assert "What to do: " in before
    assert "140 s in all" in before


def test_the_cause_leaves_out_what_terraform_did_before_its_error() -> None:
    assert report.cause(FAILURE.problem).splitlines()[1:] == [
        "Error: creating",
        "\x1b[31mnot authorized\x1b[0m",
    ]
    assert report.cause("dev: make test\n1 failed") == "dev: make test\n1 failed"
    assert report.cause("dev: rejected") == "dev: rejected"


def test_what_the_function_has_raised_comes_first() -> None:
    answer = json.dumps(
        {"errorMessage": "'name'", "errorType": "KeyError", "stackTrace": ['  File "handler.py"\n']}
    )
    output = f"terraform_data.first_check[0] (local-exec): {answer}\nVersion 1 failed its check."
    check = "dev: Deploy: Deploy: buildspec.yml: build: sh check.sh: exit code 1"
    page = Page(replace(FAILURE, problem=f"{check}\n{output}"))

    assert report.cause(f"{check}\n{output}").splitlines()[:3] == [
        "KeyError: 'name'",
        '  File "handler.py"',
        check,
    ]
    assert page.seen.index("KeyError: 'name'") < page.seen.index(check)


def test_a_second_release_is_told_apart_from_the_first() -> None:
    page = Page(replace(SUCCESS, again=[run(DEV, "Build"), run(DEV, "Deploy", "Failed", message="no :2")]))

    first, _, second = page.seen.partition("A second release")
    assert ("no :2" in first, "no :2" in second) == (False, True)
    assert second.index("Build") < second.index("no :2") < second.index("What runs where")


def test_what_was_denied_is_there_with_where_to_change_it_and_what_to_paste() -> None:
    page = Page(FAILURE)

    assert "hello-lambda-deployer may not sqs:CreateQueue on arn:q" in page.seen
    assert "To change: pipeline/deployer.tf, a new statement" in page.seen
    assert "statement {\n}" in page.seen
    assert "Denied" not in Page(SUCCESS).headings


def test_the_log_of_what_failed_is_open_and_all_else_is_folded() -> None:
    page = Page(FAILURE)

    log = page.seen.partition("Actions")[2]
    assert "$ terraform apply\naws_lambda_alias.live: Creating" in log
    assert "make install" in log
    assert "installed everything" not in page.seen
    assert "installed everything" in page.all
    assert "15 passed" not in Page(SUCCESS).seen
    assert "$ make test\n15 passed" in Page(SUCCESS).all


def test_what_the_emulated_aws_rests_on_is_counted_and_its_guesses_are_listed() -> None:
    claims = [
        {"claim": "a guess", "kind": "guess", "basis": "ask AWS", "used": True},
        {"claim": "another guess", "kind": "guess", "basis": "ask AWS", "used": False},
        {"claim": "a fact", "kind": "documentation", "basis": "https://docs.aws.amazon.com/", "used": True},
    ]
    page = Page(replace(SUCCESS, claims=claims))

    assert report.bases(replace(SUCCESS, claims=claims)) == [("guess", 2, 1), ("documentation", 1, 1)]
    assert "Guesses used: 1" in page.seen
    assert "a guess" in page.all
    assert "another guess" not in page.all
    assert "a guess" not in page.seen


def test_colours_of_a_terminal_are_left_out() -> None:
    assert "\x1b" not in Page(FAILURE).source
    assert "[31m" not in Page(FAILURE).source


def test_a_pipeline_that_waits_for_its_first_release_is_no_action_that_failed() -> None:
    good, bad = Page(SUCCESS), Page(FAILURE)

    assert "nothing has been promoted" not in good.all + bad.all
    assert "✗" not in good.all
    assert bad.seen.count("no release yet") == 5  # stage and prod in the path, all in what runs where


def test_retries_are_all_among_the_actions_and_the_last_is_in_the_path() -> None:
    first, second = run(DEV, "Build", "Failed", seconds=11), run(DEV, "Build", seconds=22)
    path, _, actions = Page(replace(SUCCESS, runs=[first, second])).seen.partition("Actions")

    assert ("11.0 s" in path, "22.0 s" in path) == (False, True)
    assert ("11.0 s" in actions, "22.0 s" in actions) == (True, True)


def test_each_action_of_the_path_leads_to_its_log() -> None:
    source = Page(FAILURE).source
    leads = re.findall(r'href="#(run-\d+)"', source)

    assert len(leads) == 2
    assert [source.count(f'id="{lead}"') for lead in leads] == [1, 1]


def test_a_real_rehearsal_is_all_there(rehearsed: Rehearsed) -> None:
    page = Page(rehearsed.result)

    assert page.title.startswith("✓ prod runs hello-lambda ")
    for said in "make test", "terraform apply", "11 to add", "lambda Function":
        assert said in page.all
    assert "✗" not in page.all


def test_what_others_wrote_is_data() -> None:
    evil = "<script>alert(1)</script>{{ 7 * 7 }}"
    page = report.html(
        replace(
            FAILURE,
            subject=evil,
            problem=evil,
            runs=[
                run(
                    DEV,
                    "Build",
                    "Failed",
                    message=evil,
                    notes=[evil],
                    commands=[Command(evil, evil, 1, 1, evil)],
                )
            ],
            running=[{"environment": evil, "version": "1", "subject": evil}],
            to_paste={evil: evil},
        )
    )

    assert "<script>" not in page
    assert "{{ 7 * 7 }}" in page


def test_a_page_needs_nothing_from_elsewhere() -> None:
    page = report.html(FAILURE)

    assert re.findall(r'(?:src|href)="(?!#)', page) == []
    assert "url(" not in page
    assert "@import" not in page


# How it reads


def style() -> str:
    return report.html(SUCCESS).partition("<style>")[2].partition("</style>")[0]


def schemes() -> Iterator[dict[str, str]]:
    """Yield the colours of the light page and of the dark one."""
    for block in re.findall(r":root \{(.*?)\}", style(), re.DOTALL):
        yield dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    """Return what https://www.w3.org/TR/WCAG22/#dfn-relative-luminance says."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_all_text_stands_out_in_light_and_in_dark() -> None:
    light, dark = schemes()
    assert light.keys() == dark.keys()
    assert luminance(light["page"]) > luminance(dark["page"])

    for colours, text, ground in product((light, dark), ("text", "quiet", "good", "bad"), ("page", "log")):
        darker, lighter = sorted(map(luminance, (colours[text], colours[ground])))
        assert (lighter + 0.05) / (darker + 0.05) >= READABLE, (text, ground, colours)


def test_text_has_no_other_colours_than_those() -> None:
    rules = re.sub(r"--\w+: #[0-9a-f]{6};", "", style())

    assert "#" not in rules
    assert "opacity" not in rules
    used = set(re.findall(r"(?<![\w-])color: ([^;]+);", rules))
    assert used == {"inherit", *(f"var(--{name})" for name in ("text", "quiet", "good", "bad"))}


def test_nothing_is_wider_than_a_narrow_page() -> None:
    rules = style()
    widths = [float(rem) * 16 for rem in re.findall(r"(?:[^x]-width|[^-]width): ([\d.]+)rem", rules)]
    widths += [float(rem) * 16 for rem in re.findall(r"minmax\(([\d.]+)rem", rules)]

    assert widths
    assert max(widths) < NARROW
    assert "nowrap" not in rules
    assert re.search(r"body \{[^}]*overflow-wrap: anywhere", rules)
    assert re.search(r"pre \{[^}]*white-space: pre-wrap", rules)
    assert 'content="width=device-width' in report.html(SUCCESS)


@pytest.mark.parametrize("rehearsal", [SUCCESS, FAILURE])
def test_on_a_narrow_page_rows_of_many_cells_stand_below_each_other(rehearsal: Rehearsal) -> None:
    assert re.search(r"@media \(max-width: 50rem\) \{[^@]*\.wide td \{ border: 0", style(), re.DOTALL)
    for attributes, table in re.findall(r"<table(.*?)>(.*?)</table>", report.html(rehearsal), re.DOTALL):
        assert (table.count("<th ") > 2) == (attributes == " class=wide")
        assert table.count("<td ") == table.count("<td data-name=")
