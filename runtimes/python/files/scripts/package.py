"""Build build/package.zip for Lambda: src/ and what requirements.txt locks.

Usage: python scripts/package.py RUNTIME PLATFORM [--standby] (such as python3.13 aarch64-manylinux_2_34)

--standby: be ready, and build once a line comes by standard input; not if that ends. make watch has it so.

The same files give the same bytes, in any folder, at any time and under any variables, by uv or by pip. Byte
code goes in where this Python is the runtime's, since no other version can use it; without it the function
starts slower.
"""

import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from zipfile import ZipFile
from zlib import ZLIB_RUNTIME_VERSION

sys.path.insert(0, str(Path(__file__).parent))  # which PYTHONSAFEPATH leaves out
from archive import BUILD, add, build, files

# As it is where Lambda unzips a package. A dependency may have files for other versions of Python.
COMPILE = """
import os, sys
from compileall import compile_dir
from py_compile import PycInvalidationMode
if folder := os.fsdecode(sys.stdin.buffer.read()):
    as_there = {"stripdir": folder, "prependdir": "/var/task", "optimize": 0}
    compile_dir(folder, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH, **as_there)
"""
NO_WHEEL = re.compile(  # as uv and as pip say it
    r"(\S+)==(\S+) has no (?:usable )?wheels|No matching distribution found for (\S+)==(\S+)"
)
LICENCE = re.compile("licen[cs]e|copying|notice", re.IGNORECASE)
# Of the variables of uv and pip, those that say where packages come from, and how to get there.
SOURCE = re.compile(
    "CACHE|CERT|CONFIG_FILE|CREDENTIAL|FEATURE|FIND_LINKS|HOST|INDEX|KEYRING|OFFLINE|PROXY|RETRIES|TIMEOUT|TLS"
)
# https://packaging.python.org/en/latest/specifications/binary-distribution-format/#the-data-directory
DATA = re.compile(r"^[^/]+\.data/(\w+)/")
PLACES = {"scripts": "bin/", "headers": "include/"}  # the others: where modules are


def installer(runtime: str, platform: str, folder: Path, wheels: Path) -> list[str]:
    """Return the command by which uv, beside this Python or on PATH, installs wheels, or pip downloads them.

    Both go through the same platforms in the same order, so that of several wheels both take the same. Into a
    folder, pip would not install all that a wheel has beside its modules.
    """
    if uv := shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"):
        target = ["--python-platform", platform, "--no-compile", f"--target={folder}"]
        return [uv, "pip", "install", "--python", sys.executable, *target]
    machine, glibc = platform.split("-manylinux_2_")
    # From the newest down to manylinux2014, which is glibc 2.17: https://peps.python.org/pep-0600/
    platforms = [*(f"manylinux_2_{minor}" for minor in range(int(glibc), 16, -1)), "manylinux2014"]
    abi = runtime.replace("python", "cp").replace(".", "")
    pip = [sys.executable, "-I", "-m", "pip", "download", f"--dest={wheels}", "--implementation=cp"]
    return [*pip, f"--abi={abi}", *(f"--platform={older}_{machine}" for older in platforms)]


def install(runtime: str, platform: str, folder: Path) -> None:
    """Install what requirements.txt locks into a folder, or exit and say what stands in the way."""
    wheels = folder.with_name("wheels")
    command = [
        *installer(runtime, platform, folder, wheels),
        f"--python-version={runtime.removeprefix('python')}",
        *("--requirement=requirements.txt", "--require-hashes", "--no-deps", "--only-binary=:all:"),
    ]
    done = run(command)
    if missing := NO_WHEEL.search(done.stdout):
        name, version = filter(None, missing.groups())
        sys.exit(
            f"package: {name} {version} has no wheel for {runtime} on {platform}. In pyproject.toml, "
            "ask for a version that has one or for another package; then run make lock."
        )
    refused = done.stdout if done.returncode else ""
    try:
        for wheel in sorted(wheels.glob("*.whl")):
            unpack(wheel, folder)
    except OSError as error:
        refused = str(error)
    check_paths(folder)
    if refused:
        sys.exit(f"{refused}\npackage: requirements.txt cannot be installed, see above")
    # Of an environment that uv has made, files are links to its cache: who changes the one changes the other.
    if not intact(folder):
        shutil.rmtree(folder)
        if (done := run([*command, "--no-cache"])).returncode:
            sys.exit(f"{done.stdout}\npackage: uv's cache was changed, and cannot be done without, see above")


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run uv or pip, without what it would ask for."""
    return subprocess.run(
        command,
        env={name: value for name, value in os.environ.items() if kept(name)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def kept(variable: str) -> bool:
    """Return whether uv and pip are told a variable: not if it is theirs and would change what they do."""
    return not variable.startswith(("PIP_", "UV_")) or SOURCE.search(variable) is not None


def place(name: str) -> str:
    """Return where uv puts a file that has this name in a wheel."""
    return DATA.sub(lambda data: PLACES.get(data[1], ""), name)


def unpack(wheel: Path, folder: Path) -> None:
    """Unpack a wheel into a folder, as uv would install it; its RECORD first, to tell what was in the way."""
    with ZipFile(wheel) as content:
        for entry in sorted(content.infolist(), key=lambda entry: not entry.filename.endswith("/RECORD")):
            if not entry.is_dir():
                entry.filename = place(entry.filename)
                executable = entry.external_attr >> 16 & 0o111
                Path(content.extract(entry, folder)).chmod(0o755 if executable else 0o644)


def recorded(folder: Path) -> Iterator[tuple[str, PurePosixPath, str]]:
    """Return what each dependency says of its files: its name, where it is, a digest."""
    for record in sorted(folder.glob("*.dist-info/RECORD")):
        owner = record.parent.name.removesuffix(".dist-info").replace("-", " ")
        for name, digest, *_ in csv.reader(record.read_text("utf-8").splitlines()):
            yield owner, PurePosixPath(place(name)), digest


def check_paths(folder: Path) -> None:
    """Exit if two dependencies have different files in one place; it is chance which would be there."""
    owners: dict[PurePosixPath, tuple[str, str]] = {}
    for owner, path, digest in recorded(folder):
        other, its = owners.setdefault(path, (owner, digest))
        if belongs(path) and other != owner and digest != its:
            sys.exit(f"package: {other} and {owner} both have a file {path}; depend on one of them")


def intact(folder: Path) -> bool:
    """Return whether the files of dependencies are as they were in their wheels."""
    for _, path, recorded_digest in recorded(folder):
        algorithm, _, expected = recorded_digest.partition("=")
        if algorithm and belongs(path):
            digest = hashlib.new(algorithm, (folder / path).read_bytes()).digest()
            if urlsafe_b64encode(digest).decode().rstrip("=") != expected:
                return False
    return True


def belongs(path: PurePath) -> bool:
    """Return whether an installed file goes into the package.

    Commands and headers do not, nor what installers note for themselves: of a dependency's metadata, what a
    program can ask for stays (version, entry points), and its licence. Byte code is ours to add.
    """
    if path.parts[0].endswith(".dist-info"):
        return path.name in ("METADATA", "entry_points.txt") or LICENCE.match(path.parts[1]) is not None
    return path.parts[0] not in ("bin", "include", ".lock") and "__pycache__" not in path.parts


def native(runtime: str) -> bool:
    """Return whether this Python is the runtime's."""
    return runtime == f"python{sys.version_info.major}.{sys.version_info.minor}"


def compiler(runtime: str) -> "subprocess.Popen[bytes] | None":
    """Start what compiles a folder, once told of it, if this Python is the runtime's.

    A process compiles one folder: byte code depends on what else was imported and compiled, on variables
    and, by what is loaded for it, on the locale.
    """
    if not native(runtime):
        return None
    return subprocess.Popen([sys.executable, "-I", "-S", "-X", "utf8", "-c", COMPILE], stdin=subprocess.PIPE)


def add_byte_code(compiling: "subprocess.Popen[bytes] | None", folder: Path) -> None:
    """Have a folder compiled, or exit if nothing is."""
    if compiling:
        compiling.communicate(os.fsencode(folder))
        if compiling.returncode:
            sys.exit("package: byte code cannot be made, see above")


def dependencies(runtime: str, platform: str, scratch: Path) -> Path:
    """Return a zip of what is installed; it is made again only when what it is made from changes."""
    read = [Path("requirements.txt"), Path(__file__), Path(__file__).with_name("archive.py")]
    made_from = ([path.read_bytes() for path in read], runtime, platform, sys.version, ZLIB_RUNTIME_VERSION)
    archive = BUILD / f"dependencies-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]}.zip"
    if not archive.exists():
        folder, draft = scratch / "dependencies", scratch / archive.name
        folder.mkdir()
        install(runtime, platform, folder)
        for file in files(folder):
            if not belongs(file.relative_to(folder)):
                file.unlink()
        add_byte_code(compiler(runtime), folder)
        with ZipFile(draft, "w") as content:
            add(content, folder)
        for outdated in BUILD.glob("dependencies-*.zip"):
            outdated.unlink(missing_ok=True)
        draft.replace(archive)
    return archive


def sources(compiling: "subprocess.Popen[bytes] | None", scratch: Path) -> Path:
    """Return a copy of src/ without hidden files."""
    try:
        folder = shutil.copytree("src", scratch / "src", ignore=left_out)
    except OSError as error:
        sys.exit(f"package: src cannot be copied: {error}")
    add_byte_code(compiling, folder)
    return folder


def left_out(folder: str, names: list[str]) -> set[str]:
    """Return what of a folder of src/ does not go into the package; exit if something cannot."""
    left = {name for name in names if name.startswith(".") or name == "__pycache__"}
    for path in sorted(Path(folder, name) for name in names if name not in left):
        if not (path.is_file() or path.is_dir()):
            what = "a link to nothing" if path.is_symlink() else "neither a file nor a folder"
            sys.exit(f"package: {path} is {what}; remove it")
        if path.resolve() in [above.resolve() for above in path.parents]:
            sys.exit(f"package: {path} is a link to a folder that it is in; remove it")
        try:
            os.fsencode(path.name).decode()
        except UnicodeDecodeError:
            sys.exit(f"package: {os.fsencode(path)!r} is not a name in UTF-8; rename it")
    return left


def make(
    runtime: str, platform: str, compiling: "subprocess.Popen[bytes] | None", draft: Path, scratch: Path
) -> None:
    """Make the package at a path."""
    shutil.copyfile(dependencies(runtime, platform, scratch), draft)
    with ZipFile(draft, "a") as archive:
        add(archive, sources(compiling, scratch))


def main(runtime: str, platform: str, *standby: str) -> None:
    """Build the package."""
    compiling = compiler(runtime)
    if standby and not sys.stdin.readline():
        return
    build(partial(make, runtime, platform, compiling))
    if not native(runtime):
        print(
            f"package: it has no byte code, which only {runtime} can make: it starts slower and is not the "
            f"same bytes as the pipeline's. Once {runtime} is on PATH: make clean package",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
