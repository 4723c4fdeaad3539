"""Terraform reads of an accounts file what generation reads, or generation refuses it."""

import json
import os
import random
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundation import terraform
from hooks.accounts_file import AccountsFile, check
from tests.conftest import needs
from tests.worlds import TEMPLATE

PLAIN = (TEMPLATE / "accounts.yaml").read_text("utf-8")
# As an organization that asks for MFA, names its operators, adopts and shares writes them, in styles of YAML.
STYLED = """\
organization: acme
region: &region us-east-1
github_owner: 'acme'
template: git@example.com:a/b.git
bootstrap_role: AWSControlTowerExecution
people:
  mfa: yes
  operators: [ "arn:aws:iam::111111111111:user/ada", arn:aws:iam::111111111111:role/AWSReservedSSO_* ]
ops:
  id: "111111111111"
  state_bucket: >-
    acme-ops
  adopt:
  - key
environments:
- name: dev
  id: '222222222222'
  state_bucket: acme-dev-terraform-state
  artifacts_bucket: acme-dev-artifacts
  shared:
    - "arn:aws:s3:::acme-lake/*"
- {"name":"prod", "id": '333333333333', "state_bucket": 2026-acme, artifacts_bucket: acme-p, "approval": on}
"""
OWNER = "github_owner: 'acme'"

ALIKE = {
    "the template's own": PLAIN,
    "every style": STYLED,
    "JSON": json.dumps(yaml.safe_load(STYLED)),
    "JSON without spaces": json.dumps(yaml.safe_load(STYLED), separators=(",", ":")),
    "a mark at the start and line ends of Windows": "\ufeff" + STYLED.replace("\n", "\r\n"),
    "an alias": STYLED.replace("mfa: yes", "mfa: &yes true").replace('"approval": on', '"approval": *yes'),
    "a document's start and end": f"---\n{STYLED}...\n",
}
# By what another has reported of it: what stands in the file, and in place of what.
REFUSED = [
    ("https://github.com/hashicorp/terraform/issues/29012", OWNER, "github_owner: 0123"),
    ("https://github.com/hashicorp/terraform/issues/23770", OWNER, "github_owner: 0b11"),
    ("https://github.com/cloudposse/atmos/issues/410", OWNER, "github_owner: 08989"),
    ("https://github.com/hashicorp/terraform/issues/34301", OWNER, "github_owner: n"),
    ("https://github.com/hashicorp/terraform/issues/34611", OWNER, "github_owner: on"),
    ("https://github.com/yaml/pyyaml/issues/613", "organization: acme", "organization: no"),
    ("https://github.com/yaml/pyyaml/issues/173", OWNER, "github_owner: 1e3"),
    ("https://github.com/yaml/pyyaml/issues/860", OWNER, "github_owner: 25921e05"),
    ("https://github.com/yaml/pyyaml/issues/608", OWNER, "github_owner: 0o17"),
    ("https://github.com/yaml/go-yaml/issues/376", OWNER, "github_owner: 2026-1-1"),
    ("https://github.com/yaml/go-yaml/issues/376", OWNER, "github_owner: |-\n  2026-01-01"),
    ("https://github.com/yaml/pyyaml/issues/860", "AWSControlTowerExecution", "1.5"),
    ("https://github.com/yaml/pyyaml/issues/860", "AWSControlTowerExecution", ".5"),
    ("https://github.com/yaml/pyyaml/issues/860", "AWSControlTowerExecution", "="),
    ("https://github.com/goccy/go-yaml/issues/214", "mfa: yes", "mfa: !!bool Yes"),
    ("https://github.com/goccy/go-yaml/issues/214", "mfa: yes", "mfa: !!bool maybe"),
    ("https://github.com/yaml/pyyaml/issues/613", "mfa: yes", "mfa: y"),
    ("https://github.com/kislyuk/yq/issues/201", OWNER, "github_owner: !!str 0123"),
    ("https://github.com/hashicorp/terraform/issues/34824", "ops:\n", "ops:\n  !!merge <<: {}\n"),
    ("https://github.com/opentofu/opentofu/issues/3283", "ops:\n", "ops:\n  <<: []\n"),
    ("https://github.com/yaml/pyyaml/issues/165", OWNER, f"{OWNER}\n{OWNER}"),
    ("https://github.com/hashicorp/terraform/issues/29729", "people:", "---\npeople:"),
    ("https://github.com/yaml/pyyaml/issues/608", "organization: acme", "%YAML 1.2\n---\norganization: acme"),
    ("found by this test", "ops:\n", "&ops ops:\n"),
    ("found by this test", '{"name"', "{name:{}, x"),
    ("found by this test", "user/ada", "user\\/ada"),
    ("found by this test", "ops:\n", "# \ufeff\nops:\n"),
]
FRAGMENTS = [
    *("!", "!!str ", "!x ", "&a ", "*a", "*region ", "? ", "?", ": ", ":", "- ", "-", "#", " #", "|", "|-\n"),
    *(
        ">",
        "'",
        '"',
        "{",
        "}",
        "[",
        "]",
        ", ",
        ",",
        "\\",
        "\\/",
        "\\u0041",
        "\\\n",
        "%",
        "@",
        "`",
        "<<",
        "<<: ",
    ),
    *("---\n", "--- ", "\n---\n", "...\n", "%YAML 1.1\n---\n", "%YAML 1.2\n---\n", "%TAG ! x:\n---\n"),
    *(
        "=",
        "~",
        "null",
        "yes",
        "y",
        "no",
        "0123",
        "0o17",
        "0x1f",
        "0b1",
        "1_0",
        "1:30",
        "1.5",
        "1e3",
        ".5",
        "+1",
    ),
    *(
        ".inf",
        "2026-1-1",
        "\t",
        " ",
        "  ",
        "\n",
        "\n  ",
        "\n\n",
        "\r",
        "\r\n",
        "\x85",
        "\u2028",
        "\ufeff",
        "\xa0",
    ),
]
# Whole values and keys, in place of others.
ODD = [
    *(
        "011111111111",
        "0o17",
        "222222222222",
        '"22222222222"',
        '"022222222222"',
        "2222222222",
        "0b1",
        "1.5",
        ".inf",
    ),
    *(
        "~",
        "",
        "yes",
        "maybe",
        "[]",
        "{}",
        "[a]",
        "{ a: b }",
        "{ <<: *region }",
        "!!str a",
        "!x a",
        "&a b",
        "*region",
    ),
    *(
        "2026-01-01",
        "' '",
        '"\\u0041"',
        '"é"',
        "us-east-1",
        "acme",
        "dev",
        "ops",
        "a" * 70,
        "\t x",
        "x # y",
        "x: y",
        "'",
    ),
    *(
        "[" * 2000,
        "=",
        "%x",
        "@x",
        "`x`",
        '"a\\/b"',
        "arn:aws:iam::222222222222:role/x",
        "https://x:y@example.com/a",
    ),
]
KEYS = [
    "name",
    "id",
    "<<",
    "regoin",
    "? region",
    "&k region",
    "1",
    "true",
    "~",
    '"region"',
    "'id'",
    "[a]",
    "é",
    "-",
]
COUNT = 300
ALL = 'jsonencode({for f in fileset(".", "texts/*"): basename(f) => try(yamldecode(file(f)), null)})'


def terraform_reads(texts: Sequence[str], folder: Path) -> list[Any]:
    """Return what Terraform reads of each text, None of those that it does not take."""
    needs("terraform")
    (folder / "texts").mkdir()
    for number, text in enumerate(texts):
        (folder / f"texts/{number}").write_bytes(text.encode())
    done = subprocess.run(
        ["terraform", "console"],
        cwd=folder,
        env=os.environ | terraform.environment(folder),
        input=f"{ALL}\n",
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    read = json.loads(json.loads(done))
    return [read[str(number)] for number in range(len(texts))]


def of(facts: Any, shape: Any) -> Any:
    """Return of facts what is there in another reading too, which has no defaults."""
    if isinstance(shape, dict) and isinstance(facts, dict):
        return {key: of(facts.get(key), value) for key, value in shape.items()}
    if isinstance(shape, list) and isinstance(facts, list) and len(facts) == len(shape):
        return [of(*pair) for pair in zip(facts, shape, strict=True)]
    return facts


def changed(chance: random.Random) -> str:
    """Return an accounts file in which something between words has been added, replaced or left out."""
    text = chance.choice([STYLED, STYLED, PLAIN.partition("\n# bootstrap_role")[0]])
    for _ in range(chance.choice([1, 1, 2, 3])):
        borders = [i for i in range(1, len(text)) if not (text[i - 1].isalnum() and text[i].isalnum())]
        place = chance.choice(borders)
        end = place + chance.choice([0, 0, 0, 1, 1, 4])
        text = text[:place] + "".join(chance.choices(FRAGMENTS, k=chance.choice([0, 1, 1, 2]))) + text[end:]
    return text


def misshapen(chance: random.Random) -> tuple[str, range]:
    """Return an accounts file with another shape at one place, and the lines where that may be told."""
    lines = chance.choice([STYLED, PLAIN]).splitlines(keepends=True)
    number = chance.choice([n for n, line in enumerate(lines) if ":" in line.partition("#")[0]])
    line = lines[number]
    found, odd = re.search(r"[\w-]+(: *)([^,{}\[\]\n]+)", line), chance.choice(ODD)
    match chance.randrange(6):
        case 0:
            lines[number] = ""
            return "".join(lines), range(1, len(lines) + 1)  # where the mapping begins that lacks it
        case 1:
            lines.insert(number, line)
        case 2:
            lines[number] = line.replace("  ", chance.choice(["", " ", "\t"]), 1)
        case 3:
            lines[number] = re.sub(r"[\w]+(?=: )", lambda _: chance.choice(KEYS), line, count=1)
        case _ if found:
            lines[number] = line[: found.start(2)] + odd + line[found.end(2) :]
        case _:
            lines[number] = re.sub(r":.*", lambda _: f": {odd}", line)
    return "".join(lines), range(number + 1, len(lines) + 2)


def test_whatever_generation_takes_terraform_reads_alike(
    tmp_path: Path, tried: Counter[tuple[str, str]]
) -> None:
    chance, generated = random.Random(17), dict[str, str]()  # noqa: S311
    while len(generated) < COUNT:
        text = changed(chance)
        if not (faults := AccountsFile(text).faults):
            generated[repr(text)] = text
        else:
            check_faults(text, faults, range(1, len(text.splitlines()) + 2))
            tried["accounts files", "refused by line"] += 1
    for _ in range(COUNT):
        text, places = misshapen(chance)
        if not (faults := AccountsFile(text).faults):
            generated[repr(text)] = text
        else:
            check_faults(text, faults, places)
            tried["accounts files", "refused by line"] += 1
    taken = ALIKE | generated
    tried["accounts files", "read alike"] += len(taken)

    for (name, text), read in zip(taken.items(), terraform_reads([*taken.values()], tmp_path), strict=True):
        accounts = AccountsFile(text)
        assert accounts.faults == [], name
        assert isinstance(read, dict), name
        assert of(accounts.facts, read) == read, name


def check_faults(text: str, faults: list[tuple[int, str]], places: range) -> None:
    """Check that faults have words, and that one is told where the text has it."""
    assert all(message and "\n" not in message for _, message in faults), text
    assert any(number in places for number, _ in faults), (text, faults)


@pytest.mark.tries("accounts files", "refused by line")
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1", "cp037", "utf-7"])
def test_a_file_in_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "accounts.yaml"
    file.write_bytes(PLAIN.replace("# The", "# Thé").replace("name: dev", "name: dév").encode(encoding))

    faults, _ = check(str(file))

    assert any(re.match(r"accounts(\.yaml:\d+|_file): ", fault) for fault in faults), faults


@pytest.mark.tries("accounts files", "refused by line")
@pytest.mark.parametrize(("report", "good", "bad"), REFUSED)
def test_what_the_two_would_read_otherwise_is_refused_by_line(report: str, good: str, bad: str) -> None:
    assert good in STYLED
    faults = AccountsFile(STYLED.replace(good, bad, 1)).faults

    first = STYLED[: STYLED.index(good)].count("\n") + 1
    lines = range(first, first + 1 + bad.count("\n"))
    assert any(number in lines for number, _ in faults), (report, faults)
