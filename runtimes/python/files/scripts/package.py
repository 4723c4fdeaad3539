"""Build build/package.zip for Lambda: src/ and what requirements.txt locks.

Usage: python scripts/package.py RUNTIME PLATFORM [--standby] (such as python3.13 aarch64-manylinux_2_34)

--standby: be ready, and build once a line comes by standard input; not if that ends. make watch has it so.

The same files give the same bytes, in any folder and at any time, by uv or by pip. Byte code goes in where
this Python is the runtime's, since no other version can use it; without it the function starts slower.
"""

import compileall
import hashlib
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from py_compile import PycInvalidationMode
from zipfile import ZipFile

from archive import BUILD, add, build, files

TASK_ROOT = "/var/task"  # where Lambda unzips a package
NO_WHEEL = re.compile(  # as uv and as pip say it
    r"(\S+)==(\S+) has no (?:usable )?wheels|No matching distribution found for (\S+)==(\S+)"
)
LICENCE = re.compile("licen[cs]e|copying|notice", re.IGNORECASE)


def installer(runtime: str, platform: str) -> list[str]:
    """Return the command that installs wheels for the target: uv, beside this Python or on PATH, else pip.

    Both go through the same platforms in the same order, so that of several wheels both take the same.
    """
    if uv := shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"):
        return [uv, "pip", "install", "--python", sys.executable, "--python-platform", platform]
    machine, glibc = platform.split("-manylinux_2_")
    # From the newest down to manylinux2014, which is glibc 2.17: https://peps.python.org/pep-0600/
    platforms = [*(f"manylinux_2_{minor}" for minor in range(int(glibc), 16, -1)), "manylinux2014"]
    abi = runtime.replace("python", "cp").replace(".", "")
    pip = [sys.executable, "-m", "pip", "install", "--implementation", "cp", "--abi", abi]
    return [*pip, *(f"--platform={older}_{machine}" for older in platforms)]


def install(runtime: str, platform: str, folder: Path) -> None:
    """Install what requirements.txt locks into a folder, or exit and say what stands in the way."""
    command = [
        *installer(runtime, platform),
        f"--python-version={runtime.removeprefix('python')}",
        *("--requirement=requirements.txt", "--require-hashes", "--no-deps", "--only-binary=:all:"),
        *("--no-compile", f"--target={folder}"),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if missing := NO_WHEEL.search(done.stdout):
        name, version = filter(None, missing.groups())
        sys.exit(
            f"package: {name} {version} has no wheel for {runtime} on {platform}. In pyproject.toml, "
            "ask for a version that has one or for another package; then run make lock."
        )
    if done.returncode:
        sys.exit(f"{done.stdout}\npackage: requirements.txt cannot be installed, see above")


def belongs(path: Path) -> bool:
    """Return whether an installed file goes into the package.

    Commands do not, nor what installers note for themselves: of a dependency's metadata, what a program can
    ask for stays (version, entry points), and its licence. Byte code is ours to add.
    """
    if path.parts[0].endswith(".dist-info"):
        return path.name in ("METADATA", "entry_points.txt") or LICENCE.match(path.parts[1]) is not None
    return path.parts[0] not in ("bin", ".lock") and "__pycache__" not in path.parts


def add_byte_code(runtime: str, folder: Path) -> None:
    """Compile a folder if this Python is the runtime's; the same bytes wherever and whenever that is done."""
    if runtime == f"python{sys.version_info.major}.{sys.version_info.minor}":
        compileall.compile_dir(
            folder,
            quiet=2,  # a dependency may have files for other versions
            stripdir=folder,
            prependdir=TASK_ROOT,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
            optimize=0,
        )


def dependencies(runtime: str, platform: str, scratch: Path) -> Path:
    """Return a zip of what is installed; it is made again only when what it is made from changes."""
    read = [Path("requirements.txt"), Path(__file__), Path(__file__).with_name("archive.py")]
    made_from = ([path.read_bytes() for path in read], runtime, platform, sys.version)
    archive = BUILD / f"dependencies-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]}.zip"
    if not archive.exists():
        folder, draft = scratch / "dependencies", scratch / archive.name
        folder.mkdir()
        install(runtime, platform, folder)
        for file in files(folder):
            if not belongs(file.relative_to(folder)):
                file.unlink()
        add_byte_code(runtime, folder)
        with ZipFile(draft, "w") as content:
            add(content, folder)
        for outdated in BUILD.glob("dependencies-*.zip"):
            outdated.unlink()
        draft.replace(archive)
    return archive


def sources(runtime: str, scratch: Path) -> Path:
    """Return a copy of src/ without hidden files."""
    folder = shutil.copytree("src", scratch / "src", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    add_byte_code(runtime, folder)
    return folder


def make(runtime: str, platform: str, draft: Path, scratch: Path) -> None:
    """Make the package at a path."""
    shutil.copyfile(dependencies(runtime, platform, scratch), draft)
    with ZipFile(draft, "a") as archive:
        add(archive, sources(runtime, scratch))


def main(runtime: str, platform: str, *standby: str) -> None:
    """Build the package."""
    if standby and not sys.stdin.readline():
        return
    build(partial(make, runtime, platform))


if __name__ == "__main__":
    main(*sys.argv[1:])
