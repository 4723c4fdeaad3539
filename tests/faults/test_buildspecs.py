"""Whatever a buildspec holds, it is run or refused by key; nothing else comes of it."""

import os
import random
import re
from collections import Counter
from pathlib import Path

from rehearsal import buildspec

GOOD = """\
version: 0.2
env:
  shell: bash
  variables: { A: b, C: "1" }
  exported-variables: [A, D]
phases:
  install:
    on-failure: CONTINUE
    commands:
      - export D=1
  build:
    on-failure: ABORT
    commands: [mkdir -p out, "echo x > out/a", cd out]
    finally: [echo last]
reports:
  tests: { files: "**/*.xml", file-format: JUNITXML }
artifacts:
  base-directory: out
  files: "**/*"
  exclude-paths: [b]
"""
FRAGMENTS = [
    *(
        "",
        " ",
        "\t",
        "\n",
        "\n  ",
        "- ",
        ": ",
        "? ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "'",
        '"',
        "|\n",
        ">\n",
        "#",
        "&a ",
        "*a",
    ),
    *(
        "!!str ",
        "!x ",
        "<<: {}",
        "<<: *a",
        "---\n",
        "%YAML 1.1\n",
        "null",
        "yes",
        "0",
        "0.1",
        "1e3",
        "2026-13-45",
        "[]",
    ),
    *(
        "{}",
        "''",
        "\0",
        '"\\0"',
        '"\\ud800"',
        "\ufeff",
        "\x85",
        "é",
        "😀",
        "$X",
        "../x",
        "/",
        "**.py",
        "a//b",
        "[!",
    ),
    *(
        "RETRY-3",
        "runtime-versions: {python: 3.13}",
        "runtime-versions: {ruby: 3}",
        "commands",
        "run-as: root",
        "finally",
    ),
    *(
        "A=b: c",
        '"": x',
        "batch: {}",
        "proxy: {}",
        "&a [*a]",
        "[" * 2000,
        "{a: " * 2000,
        "x" * 100_000,
        "exit 3",
        "exec false",
    ),
]
COUNT, RUN = 400, 60  # of those that are read, as many are run


def changed(chance: random.Random) -> str:
    """Return a buildspec in which something has been added, replaced or left out, or stands elsewhere."""
    lines = GOOD.splitlines(keepends=True)
    for _ in range(chance.randint(1, 3)):
        number = chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                lines.insert(chance.randrange(len(lines)), lines[number])
            case 1:
                lines[number] = ""
            case 2:
                lines[number] = re.sub(r": .*", lambda _: f": {chance.choice(FRAGMENTS)}", lines[number])
            case 3:
                place = chance.randrange(len(lines[number]) + 1)
                lines[number] = lines[number][:place] + chance.choice(FRAGMENTS) + lines[number][place:]
            case 4:
                lines[number] = lines[number].replace("  ", chance.choice(["", " ", "\t", "    "]), 1)
    return "".join(lines)


def became(source: Path, run: bool) -> str:
    """Return what becomes of a buildspec, b.yml in a folder; run: whether it is run if it can be."""
    try:
        buildspec.read(source / "b.yml")
        if not run:
            return "read"
        buildspec.run(source, "b.yml", {"PATH": os.environ["PATH"]}, seconds=20)
    except buildspec.BuildError as failed:
        said, end = str(failed), "failed by command"
    except ValueError as refused:
        said, end = str(refused), "refused by key"
    else:
        return "run to the end"
    assert re.match(r"[\w.-]+: .+", said), (source / "b.yml").read_bytes()
    return end


def test_any_buildspec_is_run_or_refused_by_key(tmp_path: Path, tried: Counter[tuple[str, str]]) -> None:
    chance = random.Random(20)  # noqa: S311
    for number in range(COUNT):
        source = tmp_path / f"{number}"
        source.mkdir()
        (source / "b.yml").write_bytes(changed(chance).encode())
        run = tried["buildspecs", "run to the end"] + tried["buildspecs", "failed by command"] < RUN
        tried["buildspecs", became(source, run)] += 1
