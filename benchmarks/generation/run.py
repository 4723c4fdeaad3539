"""A generation, hooks included, beside the same files from a bare cookiecutter, copier and sam init."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.tools import Table, compare, timed, tool

TEMPLATE = Path(__file__).parents[2]
ROUNDS = 15


def measure() -> Iterator[Table]:
    """Measure all four."""
    with TemporaryDirectory() as folder:
        output, bare, copier = Path(folder, "output"), Path(folder, "bare"), Path(folder, "copier")
        cookiecutter = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", str(output)]
        subprocess.run([*cookiecutter, str(TEMPLATE)], check=True)
        for file in filter(Path.is_file, output.rglob("*")):
            if "{{" in (text := file.read_text("utf-8")):
                file.write_text(f"{{% raw %}}{text}{{% endraw %}}", "utf-8")
        shutil.copytree(output / "hello-lambda", bare / "{{cookiecutter.name}}")
        (bare / "cookiecutter.json").write_text('{"name": "hello-lambda"}')
        shutil.copytree(output / "hello-lambda", copier / "{{name}}")
        (copier / "copier.yml").write_text(
            '_templates_suffix: ""\nname: {type: str, default: hello-lambda}\n'
        )
        init = ["init", "--no-input", "--location", str(bare), "--name", "hello-lambda"]
        quiet = os.environ | {"SAM_CLI_TELEMETRY": "0"}
        sam, copy = [tool("sam"), *init, "--output-dir", str(output)], [tool("copier"), "copy", "--defaults"]
        yield compare(
            "a repository",
            {
                "ours": lambda: timed([*cookiecutter, str(TEMPLATE)], fresh=(output,)),
                "bare cookiecutter": lambda: timed([*cookiecutter, str(bare)], fresh=(output,)),
                "copier": lambda: timed([*copy, "--quiet", str(copier), str(output)], fresh=(output,)),
                "sam init": lambda: timed(sam, env=quiet, fresh=(output,)),
            },
            ROUNDS,
        )
