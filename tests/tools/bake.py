"""Shows at each save what a change of the template does to what users get, until interrupted.

Usage: python tests/tools/bake.py [ANSWER=VALUE ...]

Generates a repository from HEAD and one from the files on disk, and prints how they differ; at each save,
how the next one differs from the last. A refusal is printed, and the next save waited for.
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from watchfiles import DefaultFilter, watch

ROOT = Path(__file__).parents[2]
EDITED = DefaultFilter(ignore_paths=[ROOT / ".ruff_cache", ROOT / "build", ROOT / "foundation/build"])


def bake(template: Path, output: Path, answers: list[str]) -> bool:
    """Generate a repository into a new folder; print why if it is refused, and return whether it is there."""
    output.mkdir()
    # A process of its own: the hooks' modules may be what has changed.
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
    done = subprocess.run(
        [*command, f"--output-dir={output}", str(template), *answers], stderr=subprocess.STDOUT, check=False
    )
    return done.returncode == 0


def compare(folder: Path, answers: list[str], earlier: str) -> None:
    """Print how what is generated now differs from before/, and have it take its place unless refused."""
    print(f"Against {earlier}:", flush=True)
    if bake(ROOT, folder / "now", answers):
        command = [
            "git",
            "--no-pager",
            "diff",
            "--no-index",
            "--stat",
            "--patch",
            "--no-prefix",
            "before",
            "now",
        ]
        if subprocess.run(command, cwd=folder, check=False).returncode == 0:
            print("No difference.", flush=True)
        rmtree(folder / "before")
        (folder / "now").rename(folder / "before")
    else:
        rmtree(folder / "now")


def main(answers: list[str]) -> None:
    """Compare once, and at each save."""
    saves = watch(ROOT, watch_filter=EDITED, rust_timeout=100, yield_on_timeout=True)
    next(saves)  # from here on none is missed
    with TemporaryDirectory() as name:
        folder = Path(name)
        # A clone, not an archive: a repository records the commit of the template that it is from.
        subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, folder / "head"], check=True)
        bake(folder / "head", folder / "before", answers)
        compare(folder, answers, "HEAD")
        for changes in saves:
            if changes:
                compare(folder, answers, "the last one")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(sys.argv[1:])
