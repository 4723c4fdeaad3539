"""What docs/security.md says, held against the code."""

import json
import re
import subprocess

from conftest import TEMPLATE, Bake, needs

PAGE = (TEMPLATE / "docs/security.md").read_text("utf-8")


def test_checkov_finds_nothing_but_what_the_page_accepts(bake: Bake) -> None:
    checkov = TEMPLATE / "build/checkov/bin/checkov"
    needs(str(checkov))
    accepted = {
        check for row in re.findall(r"^\| (CKV[^|]+)\|", PAGE, re.MULTILINE) for check in row.split(", ")
    }

    found = set()
    for root in bake(), TEMPLATE / "foundation":
        command = [
            str(checkov),
            "--directory",
            str(root),
            "--framework",
            "terraform",
            "--output",
            "json",
            "--skip-download",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found |= {check["check_id"] for check in json.loads(done.stdout)["results"]["failed_checks"]}

    assert found == {check.strip() for check in accepted}
