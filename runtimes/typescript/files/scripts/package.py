"""Build build/package.zip for Lambda: src/handler.ts and what it imports, as one module, and its source map.

Usage: python scripts/package.py [--standby]

--standby: be ready, and build once a line comes by standard input; not if that ends. make watch has it so.

The same files give the same bytes, in any folder, at any time and on any machine.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

sys.path.insert(0, str(Path(__file__).parent))  # which PYTHONSAFEPATH leaves out
from archive import BUILD, add, build

CODE = BUILD / "code"
# What CommonJS dependencies rely on; as properties of globalThis they are in no other module's way.
BANNER = (
    'globalThis.require??=process.getBuiltinModule("node:module").createRequire(import.meta.url);'
    "globalThis.__filename??=import.meta.filename;globalThis.__dirname??=import.meta.dirname;"
)
OPTIONS = (
    *("--bundle", "--platform=node", "--format=esm", "--target=node22", "--main-fields=module,main"),
    # Node.js goes through every character before the first line runs, for the map. Names stay, as traces have them.
    *("--minify-syntax", "--minify-whitespace", "--sourcemap", "--sources-content=false"),
    f"--banner:js={BANNER}",
    *("--loader:.node=empty", "--log-level=warning"),
)
DEPENDENCY = re.compile(r"(?:[\w./@-]*/)?node_modules/(?:@[\w.-]+/)?[\w.-]+")


def bundle(facts: Path) -> None:
    """Bundle into build/code, or exit and say what is in the way; facts: a file for what esbuild tells."""
    # Its launcher in .bin would start Node.js first, which takes longer than the rest.
    (esbuild,) = Path("node_modules/@esbuild").glob("*/bin/esbuild")
    command = [esbuild, "src/handler.ts", *OPTIONS, f"--outfile={CODE}/index.mjs", f"--metafile={facts}"]
    own = {name: value for name, value in os.environ.items() if name != "NODE_PATH"}
    done = subprocess.run(command, env=own, stderr=subprocess.PIPE, text=True, check=False)
    told = done.stderr if done.returncode else facts.read_text("utf-8")
    for folder in sorted(set(DEPENDENCY.findall(told))):
        if has_native_code(folder):
            sys.exit(
                f"package: {folder.rpartition('node_modules/')[2]} has native code, which is not packed. "
                "In package.json, ask for another package; then run make lock."
            )
    sys.stderr.write(done.stderr)
    if done.returncode:
        sys.exit("package: src/handler.ts cannot be bundled, see above")


def has_native_code(folder: str) -> bool:
    """Return whether a dependency has code to compile or compiled, itself or in a package for the machine."""
    if Path(folder, "binding.gyp").exists() or any(Path(folder).rglob("*.node")):
        return True
    locked = json.loads(Path("package-lock.json").read_text("utf-8"))["packages"]
    optional = locked.get(folder, {}).get("optionalDependencies", {})
    parts = [locked.get(f"node_modules/{name}", {}) for name in optional]
    return any("linux" in part.get("os", []) and "arm64" in part.get("cpu", []) for part in parts)


def make(draft: Path, scratch: Path) -> None:
    """Make the package at a path."""
    shutil.rmtree(CODE, ignore_errors=True)
    bundle(scratch / "facts.json")
    with ZipFile(draft, "w") as archive:
        add(archive, CODE)


def main(*standby: str) -> None:
    """Build the package."""
    if standby and not sys.stdin.readline():
        return
    build(make)


if __name__ == "__main__":
    main(*sys.argv[1:])
