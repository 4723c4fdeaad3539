"""Draws docs/pictures: what `make demo` prints, as a terminal shows it, and the page that it writes.

Usage: python tests/tools/pictures.py

It runs the demo, and needs chromium for the page.
"""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs/pictures"
COLUMNS = 104
WIDE, HIGH = 1100, 615  # of the page, in pixels
# What has the length of a page and is left out: the steps of the second release, and the facts of the first.
LONG = r"(?s)(A second release[^\n]*\n|\nrelease: \{).*?(\nall|\})"


def terminal(lines: list[str], title: str) -> str:
    """Return what a terminal shows of coloured lines, as SVG that loads nothing from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True, overflow="ellipsis", crop=True)
    drawn = console.export_svg(title=title, unique_id="demo")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


def main() -> None:
    """Run the demo and draw it."""
    PICTURES.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "rehearsal.demo"],
        cwd=ROOT,
        env=os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    (page,) = re.findall(r"/\S+/rehearsal\.html", done.stdout)
    # A terminal takes the line of a step that begins away as the step ends.
    folder = str(Path(page).parent)
    said = done.stdout.replace(folder, folder.rpartition("-")[0])
    shown = re.sub(LONG, r"\1…\2", "\n".join(line for line in said.splitlines() if line[-4:] != " ..."))
    (PICTURES / "demo.svg").write_text(terminal(["$ make demo", *shown.splitlines()], "make demo"), "utf-8")
    shot = [f"--screenshot={PICTURES / 'page.png'}", f"--window-size={WIDE},{HIGH}", "--hide-scrollbars"]
    subprocess.run(["chromium", "--headless", "--no-sandbox", *shot, Path(page).as_uri()], check=True)


if __name__ == "__main__":
    main()
