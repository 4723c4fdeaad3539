"""The Python side of a generated repository: its targets, and the package that it builds for Lambda."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple
from zipfile import ZipFile, ZipInfo

import boto3
import pytest
from cookiecutter.main import cookiecutter
from hypothesis import example, given, settings
from hypothesis import strategies as st

TEMPLATE = Path(__file__).parents[2]
TARGET = ("python3.13", "aarch64-manylinux_2_34")
TOOLS = Path(sys.executable).parent
MAKE = shutil.which("make") or "make"


@dataclass(frozen=True)
class Builder:
    """A Python, and whether it finds uv or has to do with pip."""

    python: Path
    path: str

    def run(self, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Build the package of the repository in folder."""
        return subprocess.run(
            [self.python, "scripts/package.py", *TARGET],
            cwd=folder,
            env=os.environ | {"PATH": self.path} | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def build(self, folder: Path, **environment: str) -> bytes:
        """Build the package and return it."""
        done = self.run(folder, **environment)
        assert done.returncode == 0, done.stderr
        return (folder / "build/package.zip").read_bytes()


Builders = Callable[[str, str], Builder]
Bake = Callable[..., Path]


@pytest.fixture(scope="session")
def bake(tmp_path_factory: pytest.TempPathFactory) -> Bake:
    """Return a function that generates a repository; answers are those of cookiecutter.json unless given."""

    def generate(**answers: str) -> Path:
        folder = cookiecutter(
            str(TEMPLATE),
            no_input=True,
            extra_context=answers,
            output_dir=str(tmp_path_factory.mktemp("baked")),
            default_config=True,
        )
        return Path(folder)

    return generate


@pytest.fixture(scope="session")
def generated(bake: Bake) -> Path:
    return bake()


@pytest.fixture
def repository(generated: Path, tmp_path: Path) -> Path:
    """A repository of the test's own."""
    return shutil.copytree(generated, tmp_path / "repository")


@pytest.fixture(scope="session")
def builders(tmp_path_factory: pytest.TempPathFactory) -> Builders:
    """Return a function that gives the builder of a Python version and an installer, uv or pip.

    With uv there is no pip in the environment, and with pip no uv on PATH: it takes the one or fails.
    """
    folder = tmp_path_factory.mktemp("environments")
    path = os.environ["PATH"].split(os.pathsep)
    without_uv = os.pathsep.join(entry for entry in path if not Path(entry, "uv").exists())

    def builder(version: str, installer: str) -> Builder:
        environment = folder / f"{version}-{installer}"
        if not environment.exists():
            options = ["--without-pip"] if installer == "uv" else []
            subprocess.run([find_python(version), "-m", "venv", *options, environment], check=True)
        return Builder(
            python=environment / "bin/python",
            path=f"{TOOLS}{os.pathsep}{without_uv}" if installer == "uv" else without_uv,
        )

    return builder


def find_python(version: str) -> Path:
    """Return a Python of this version, from PATH or pyenv; without one skip the test, but not in CI."""
    folders = [Path(entry) for entry in os.environ["PATH"].split(os.pathsep)]
    folders += sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}*/bin"))
    for folder in folders:
        python = folder / f"python{version}"
        with suppress(OSError, subprocess.CalledProcessError):  # pyenv's shims are there, but may not run
            subprocess.run([python, "-c", ""], capture_output=True, check=True)
            return python
    if "CI" in os.environ:
        pytest.fail(f"there is no Python {version}: install it, on PATH or by pyenv")
    pytest.skip(f"there is no Python {version}")


def entries(package: bytes, folder: Path) -> dict[str, bytes]:
    """Return a package's files by name, in the package's order."""
    (folder / "package.zip").write_bytes(package)
    with ZipFile(folder / "package.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def wheel(folder: Path, name: str, tag: str, files: Mapping[str, bytes]) -> Path:
    """Write version 1.0 of a wheel with one compatibility tag; what is in a folder bin is executable."""
    folder.mkdir(parents=True, exist_ok=True)
    dist_info = f"{name}-1.0.dist-info"
    content = {
        **files,
        f"{dist_info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{dist_info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    record = "".join(f"{file},{record_hash(data)},{len(data)}\n" for file, data in content.items())
    path = folder / f"{name}-1.0-{tag}.whl"
    with ZipFile(path, "w") as archive:
        for file, data in content.items():
            entry = ZipInfo(file)
            entry.external_attr = (stat.S_IFREG | (0o755 if "/bin/" in file else 0o644)) << 16
            archive.writestr(entry, data)
        archive.writestr(f"{dist_info}/RECORD", f"{record}{dist_info}/RECORD,,\n")
    return path


USED = {
    "odd/__init__.py": b"VALUES = {'other', 'values'}, 1.5, b'bytes', ('a', 'tuple')\n",
    "odd/bin/tool": b"#!/bin/sh\n",
    "odd/tests/data.txt": b"data",
    "odd-1.0.data/data/lib/library.so": b"library",  # https://github.com/pypa/pip/issues/10399
    "odd-1.0.data/data/odd/data.txt": b"data beside modules",  # https://github.com/pypa/pip/issues/8799
    "odd-1.0.data/data/share/odd.txt": b"shared",
    "odd-1.0.data/platlib/odd/platform.py": b"PLATFORM = 'this'\n",
    "odd-1.0.data/purelib/odd/pure.py": b"def pure(): return 1000, 'other'\n",
    "odd-1.0.dist-info/entry_points.txt": b"[console_scripts]\nodd = odd:main\n",
    "odd-1.0.dist-info/licenses/vendored/COPYING": b"terms",
    "odd-1.0.dist-info/NOTICE": b"notice",
}
UNUSED = {
    "odd/__pycache__/__init__.cpython-310.pyc": b"old",
    "odd-1.0.data/headers/odd.h": b"",
    "odd-1.0.data/scripts/odd-script": b"#!python\n",
}


def record_hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def require(repository: Path, *distributions: Path) -> None:
    """Lock these files of one folder, and nothing else."""
    pins: dict[str, list[str]] = {}
    for file in distributions:
        pin = "{}=={}".format(*re.match(r"(\w+)-([\d.]+\d)", file.name).groups())  # type: ignore[union-attr]
        pins.setdefault(pin, []).append(f"--hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}")
    lines = ["--no-index", f"--find-links {distributions[0].parent}"]
    lines += [" ".join([pin, *hashes]) for pin, hashes in pins.items()]
    (repository / "requirements.txt").write_text("\n".join(lines) + "\n")


# The same bytes


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_the_same_files_give_the_same_package(
    version: str, generated: Path, tmp_path: Path, builders: Builders
) -> None:
    here = shutil.copytree(generated, tmp_path / "here")
    there = shutil.copytree(generated, tmp_path / "a folder that is elsewhere" / "and deeper")
    for file in there.rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    (there / "src/hello_lambda/__pycache__").mkdir()
    (there / "src/hello_lambda/__pycache__/handler.cpython-312.pyc").write_bytes(b"old")

    first = builders(version, "uv").build(here, PYTHONHASHSEED="1")

    assert builders(version, "uv").build(here, PYTHONHASHSEED="2") == first
    assert (
        builders(version, "pip").build(there, PYTHONHASHSEED="3", TZ="Asia/Tokyo", PYTHONOPTIMIZE="2")
        == first
    )


def test_pythons_differ_in_byte_code_alone_and_pack_it_only_for_the_runtime(
    repository: Path, tmp_path: Path, builders: Builders
) -> None:
    done = builders("3.11", "uv").run(repository)
    assert "package: it has no byte code, which only python3.13 can make" in done.stderr
    other = entries((repository / "build/package.zip").read_bytes(), tmp_path)
    done = builders("3.13", "uv").run(repository)
    assert (done.returncode, done.stderr) == (0, "")
    target = entries((repository / "build/package.zip").read_bytes(), tmp_path)

    byte_code = {name: data for name, data in target.items() if name.endswith(".pyc")}
    assert {name: data for name, data in target.items() if name not in byte_code} == other
    assert {source_of(name) for name in byte_code} == {name for name in other if name.endswith(".py")}
    for data in byte_code.values():
        assert data[4:8] == b"\x01\x00\x00\x00"  # unchecked hash: https://peps.python.org/pep-0552/
        assert b"/var/task/" in data
        assert str(tmp_path).encode() not in data


def source_of(byte_code: str) -> str:
    return byte_code.replace("__pycache__/", "").replace(".cpython-313.pyc", ".py")


@pytest.mark.parametrize(
    ("tags", "chosen"),
    [
        (["cp313-cp313-manylinux_2_17_aarch64", "cp313-cp313-manylinux_2_28_aarch64"], 1),
        (["cp313-cp313-manylinux_2_34_aarch64", "cp313-cp313-manylinux_2_35_aarch64"], 0),
        (["cp313-cp313-manylinux2014_aarch64", "py3-none-any"], 0),
        (["cp311-abi3-manylinux_2_34_aarch64", "cp313-cp313-manylinux_2_17_aarch64"], 1),
        (["cp311-abi3-manylinux_2_28_aarch64", "cp312-cp312-manylinux_2_28_aarch64"], 0),
        (["cp313-cp313-manylinux_2_28_x86_64", "cp313-cp313-musllinux_1_2_aarch64", "py3-none-any"], 2),
    ],
)
def test_of_several_wheels_pip_and_uv_take_the_same(
    tags: list[str], chosen: int, repository: Path, tmp_path: Path, builders: Builders
) -> None:
    wheels = [wheel(tmp_path / "wheels", "several", tag, {"several.py": tag.encode()}) for tag in tags]
    require(repository, *wheels)

    for installer in ("uv", "pip"):
        shutil.rmtree(repository / "build", ignore_errors=True)
        package = entries(builders("3.11", installer).build(repository), tmp_path)
        assert package["several.py"].decode() == tags[chosen], installer


def test_an_edit_packs_the_sources_alone_and_the_package_is_still_the_same(
    repository: Path, builders: Builders
) -> None:
    builder, source = builders("3.11", "uv"), repository / "src/hello_lambda/greeting.py"
    first, text = builder.build(repository), source.read_text()
    (dependencies,) = (repository / "build").glob("dependencies-*")
    packed = dependencies.stat().st_ino

    source.write_text(text + "# edited\n")
    edited = builder.build(repository)
    source.write_text(text)

    assert edited != first
    assert builder.build(repository) == first
    assert dependencies.stat().st_ino == packed


# What would have Python, pip, uv, make and others do something else. Byte code depends on more than the code:
# https://github.com/python/cpython/issues/129724, https://github.com/astral-sh/uv/issues/10619
VARIABLES = {
    "GIT_DIR": "/nowhere",
    "LC_ALL": "C",
    "PIP_CONSTRAINT": "/nowhere.txt",
    "PIP_DRY_RUN": "1",
    "PIP_NO_BINARY": ":all:",
    "PIP_PLATFORM": "win_amd64",
    "PIP_PREFIX": "elsewhere",
    "PIP_QUIET": "3",
    "PIP_REQUIREMENT": "requirements-dev.txt",
    "PIP_ROOT": "elsewhere",
    "PIP_TARGET": "elsewhere",
    "PIP_USER": "1",
    "PLATFORM": "x86_64-manylinux_2_34",
    "PYTHONDEVMODE": "1",
    "PYTHONHOME": "/nowhere",
    "PYTHONINSPECT": "1",
    "PYTHONNODEBUGRANGES": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONPATH": "src/hello_lambda",
    "PYTHONPYCACHEPREFIX": "byte-code",
    "PYTHONSAFEPATH": "1",
    "PYTHONWARNINGS": "error",
    "RUNTIME": "python3.8",
    "SOURCE_DATE_EPOCH": "1000000000",
    "STANDBY": "1",
    "TZ": "Asia/Tokyo",
    "UV_COMPILE_BYTECODE": "1",
    "UV_CONSTRAINT": "/nowhere.txt",
    "UV_EXCLUDE_NEWER": "2001-01-01",
    "UV_LINK_MODE": "symlink",
    "UV_NO_BINARY": "1",
    "UV_PYTHON": "3.8",
    "UV_SYSTEM_PYTHON": "1",
    "UV_WORKING_DIR": "/nowhere",
}


@pytest.fixture(scope="module")
def plain(
    generated: Path, builders: Builders, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, bytes]:
    """A repository with a dependency that has files of each kind, and its package."""
    folder = tmp_path_factory.mktemp("plain")
    repository = shutil.copytree(generated, folder / "repository")
    require(repository, wheel(folder / "wheels", "odd", "py3-none-any", USED | UNUSED))
    return repository, builders("3.13", "uv").build(repository)


COMMANDS = {
    "by hand": [".venv/bin/python", "scripts/package.py", *TARGET],
    "make": [MAKE, "-o", "install", "package"],
    "make watch": [MAKE, "-o", "install", "package", "STANDBY=1"],
}


class Way(NamedTuple):
    """A way to the package."""

    installer: str
    target: str
    afresh: bool = True


@settings(max_examples=6, deadline=None, database=None)
@given(
    variables=st.sets(st.sampled_from(sorted(VARIABLES))),
    way=st.builds(Way, st.sampled_from(["uv", "pip"]), st.sampled_from(sorted(COMMANDS)), st.booleans()),
)
@example(variables=set(VARIABLES), way=Way("uv", "make"))
@example(variables=set(VARIABLES), way=Way("pip", "make watch"))
@example(variables=set(VARIABLES), way=Way("uv", "by hand"))
@example(variables=set(VARIABLES), way=Way("pip", "by hand"))
@example(variables={"PYTHONNODEBUGRANGES"}, way=Way("uv", "make", afresh=False))
def test_a_commit_has_one_package_whatever_the_machine_is_set_to(
    variables: set[str], way: Way, plain: tuple[Path, bytes], builders: Builders
) -> None:
    repository, package = plain
    builder = builders("3.13", way.installer)
    (repository / ".venv").unlink(missing_ok=True)
    (repository / ".venv").symlink_to(builder.python.parents[1])
    if way.afresh:
        shutil.rmtree(repository / "build")

    unusable = {"PYTHONHOME"} if way.target == "by hand" else set()  # Python does not even start
    done = subprocess.run(
        COMMANDS[way.target],
        cwd=repository,
        env=os.environ | {"PATH": builder.path} | {name: VARIABLES[name] for name in variables - unusable},
        input="\n",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert (repository / "build/package.zip").read_bytes() == package
    assert not (repository / "elsewhere").exists()


def test_a_dependency_that_somebody_changed_in_uv_s_cache_is_packed_as_locked(
    repository: Path, tmp_path: Path, builders: Builders
) -> None:
    require(repository, wheel(tmp_path / "wheels", "odd", "py3-none-any", {"odd.py": b"locked"}))
    builder, cache = builders("3.11", "uv"), tmp_path / "cache"
    builder.build(repository, UV_CACHE_DIR=str(cache))
    (cached,) = cache.rglob("odd.py")
    cached.write_bytes(b"changed")  # as by an edit in .venv, whose files are links to it
    shutil.rmtree(repository / "build")

    package = builder.build(repository, UV_CACHE_DIR=str(cache))

    assert entries(package, tmp_path)["odd.py"] == b"locked"


# What is in it


def test_a_package_holds_the_sources_and_what_their_dependencies_need(
    repository: Path, tmp_path: Path, builders: Builders
) -> None:
    (repository / "src/hello_lambda/.secret").touch()

    package = builders("3.11", "uv").build(repository)

    names = list(entries(package, tmp_path))
    own = [name for name in names if name.startswith("hello_lambda/")]
    assert names == [*sorted(set(names) - set(own)), *sorted(own)]
    assert set(own) == {
        f"hello_lambda/{file}.py" for file in ("__init__", "greeting", "handler", "observability", "settings")
    }
    metadata = [name for name in names if ".dist-info/" in name]
    assert {name.split("/")[-1] for name in metadata} == {"METADATA", "LICENSE"}
    assert {name.split("/")[0] for name in set(names) - set(metadata)} == {
        *("aws_lambda_powertools", "hello_lambda", "jmespath", "typing_extensions.py")
    }
    with ZipFile(tmp_path / "package.zip") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {stat.S_IFREG | 0o644}


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_of_a_wheel_all_that_programs_use_is_packed(
    installer: str, repository: Path, tmp_path: Path, builders: Builders
) -> None:
    require(repository, wheel(tmp_path / "wheels", "odd", "py3-none-any", USED | UNUSED))

    package = entries(builders("3.11", installer).build(repository), tmp_path)

    found = {name: data for name, data in package.items() if not name.startswith("hello_lambda/")}
    assert found.pop("odd-1.0.dist-info/METADATA")
    assert found == {re.sub(r"^odd-1.0.data/\w+/", "", name): data for name, data in USED.items()}
    with ZipFile(tmp_path / "package.zip") as archive:
        executable = [
            entry.filename for entry in archive.infolist() if entry.external_attr >> 16 & stat.S_IXUSR
        ]
    assert executable == ["odd/bin/tool"]


def test_the_package_tells_its_size_and_digest(repository: Path, builders: Builders) -> None:
    done = builders("3.11", "uv").run(repository)

    package = (repository / "build/package.zip").read_bytes()
    assert f"{len(package):,} bytes" in done.stdout
    assert hashlib.sha256(package).hexdigest() in done.stdout


# What stops it


def an_sdist(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "lonely-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in {
            "PKG-INFO": "Metadata-Version: 2.1\nName: lonely\nVersion: 1.0\n",
            "pyproject.toml": '[project]\nname = "lonely"\nversion = "1.0"\n',
        }.items():
            entry = tarfile.TarInfo(f"lonely-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


def a_wheel_for_another_python(folder: Path) -> Path:
    return wheel(folder, "lonely", "cp312-cp312-manylinux_2_28_aarch64", {})


def a_wheel_for_another_machine(folder: Path) -> Path:
    return wheel(folder, "lonely", "cp313-cp313-manylinux_2_28_x86_64", {})


def a_wheel_for_a_newer_glibc(folder: Path) -> Path:
    return wheel(folder, "lonely", "cp313-cp313-manylinux_2_39_aarch64", {})


def leftovers(repository: Path) -> list[Path]:
    """Return what a build left, but for the dependencies of an earlier one."""
    return [path for path in (repository / "build").iterdir() if not path.name.startswith("dependencies-")]


@pytest.mark.parametrize("installer", ["uv", "pip"])
@pytest.mark.parametrize(
    "distribution",
    [an_sdist, a_wheel_for_another_python, a_wheel_for_another_machine, a_wheel_for_a_newer_glibc],
)
def test_a_dependency_without_a_wheel_for_the_target_is_named(
    installer: str,
    distribution: Callable[[Path], Path],
    repository: Path,
    tmp_path: Path,
    builders: Builders,
) -> None:
    common = wheel(tmp_path / "wheels", "common", "py3-none-any", {"common.py": b""})
    builder = builders("3.11", installer)
    require(repository, common)
    builder.build(repository)
    require(repository, common, distribution(tmp_path / "wheels"))

    done = builder.run(repository)

    assert done.returncode == 1
    assert done.stderr == (
        "package: lonely 1.0 has no wheel for python3.13 on aarch64-manylinux_2_34. "
        "In pyproject.toml, ask for a version that has one or for another package; then run make lock.\n"
    )
    assert leftovers(repository) == []


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_dependency_that_is_not_what_was_locked_is_refused(
    installer: str, repository: Path, tmp_path: Path, builders: Builders
) -> None:
    require(repository, wheel(tmp_path / "wheels", "common", "py3-none-any", {"common.py": b"locked"}))
    wheel(tmp_path / "wheels", "common", "py3-none-any", {"common.py": b"another"})

    done = builders("3.11", installer).run(repository)

    assert done.returncode == 1
    assert "common" in done.stderr
    assert "package: requirements.txt cannot be installed, see above" in done.stderr
    assert leftovers(repository) == []


def test_a_package_that_lambda_would_refuse_is_refused(repository: Path, builders: Builders) -> None:
    with (repository / "src/model.bin").open("wb") as file:
        file.truncate(262_144_000)

    done = builders("3.11", "uv").run(repository)

    assert done.returncode == 1
    assert (
        "Lambda takes 262,144,000. The largest: model.bin 262,144,000, aws_lambda_powertools " in done.stderr
    )
    assert leftovers(repository) == []


@pytest.mark.parametrize("name", ["typing_extensions.py", "jmespath"])
def test_a_source_in_the_place_of_a_dependency_is_refused(
    name: str, repository: Path, builders: Builders
) -> None:
    (repository / "src" / name).touch()

    done = builders("3.11", "uv").run(repository)

    assert done.returncode == 1
    assert done.stderr == f"package: src/{name} is also of a dependency; rename it\n"


# https://github.com/astral-sh/uv/issues/13435, and of those that agree https://github.com/astral-sh/uv/issues/15239
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_two_dependencies_with_one_path_are_refused_by_name_unless_they_agree(
    installer: str, repository: Path, tmp_path: Path, builders: Builders
) -> None:
    agreed = {"tests/__init__.py": b"", "bin/tool": b""}
    one = wheel(tmp_path / "wheels", "one", "py3-none-any", {**agreed, "both/data.txt": b"1"})
    builder = builders("3.11", installer)
    require(repository, one, wheel(tmp_path / "wheels", "two", "py3-none-any", agreed))
    builder.build(repository)
    moved = {"two-1.0.data/purelib/both/data.txt": b"2"}  # another name of the same place
    require(repository, one, wheel(tmp_path / "wheels", "two", "py3-none-any", agreed | moved))

    done = builder.run(repository)

    assert done.returncode == 1
    assert (
        done.stderr == "package: one 1.0 and two 1.0 both have a file both/data.txt; depend on one of them\n"
    )
    assert leftovers(repository) == []


ODD: dict[str, Callable[[Path], None]] = {
    "src/gone is a link to nothing": lambda src: (src / "gone").symlink_to("nowhere"),
    "src/self is a link to nothing": lambda src: (src / "self").symlink_to("self"),
    "src/hello_lambda/up is a link to a folder that it is in": lambda src: (
        src / "hello_lambda/up"
    ).symlink_to(".."),
    "src/pipe is neither a file nor a folder": lambda src: os.mkfifo(src / "pipe"),
    r"b'src/caf\xe9.txt' is not a name in UTF-8": lambda src: Path(
        os.fsdecode(b"%b/caf\xe9.txt" % os.fsencode(src))
    ).touch(),
}


@pytest.mark.parametrize("said", ODD)
def test_a_source_that_no_package_can_hold_is_named(said: str, repository: Path, builders: Builders) -> None:
    ODD[said](repository / "src")

    done = builders("3.11", "uv").run(repository)

    assert done.returncode == 1
    assert done.stderr.startswith(f"package: {said}; re")
    assert len(done.stderr.splitlines()) == 1
    assert leftovers(repository) == []


# What runs

INVOCATION = """
import json, sys
folder, sdk = sys.argv[1:]
sys.path[:0] = [folder]
sys.path.append(sdk)
from aws_lambda_powertools.utilities.typing import LambdaContext
from hello_lambda.handler import handle
class Context(LambdaContext):
    _aws_request_id = "8c1e"
    _function_name = _invoked_function_arn = "hello-lambda"
    _memory_limit_in_mb = 256
imported = list(sys.modules)
print(json.dumps({"answer": handle({"name": "Ada"}, Context()), "imported": imported}))
"""


@pytest.fixture
def invoked(repository: Path, tmp_path: Path, builders: Builders) -> list[dict[str, object]]:
    """What the packaged handler writes under the runtime's Python, and then what it answers and had imported.

    An SDK is there to be imported, as in Lambda. The sources are spoilt first, so that only byte code works.
    """
    builder = builders("3.13", "uv")
    builder.build(repository)
    folder = tmp_path / "task"
    shutil.unpack_archive(repository / "build/package.zip", folder)
    for source in folder.rglob("*.py"):
        source.write_text("raise SystemExit('not from byte code')")
    done = subprocess.run(
        [builder.python, "-I", "-c", INVOCATION, folder, Path(boto3.__file__).parents[1]],
        env={"POWERTOOLS_SERVICE_NAME": "hello-lambda", "POWERTOOLS_METRICS_NAMESPACE": "acme"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_packaged_handler_answers_logs_and_counts(invoked: list[dict[str, object]]) -> None:
    log, metrics, result = invoked
    assert result["answer"] == {"message": "Hello, Ada!"}
    assert (log["service"], log["function_request_id"]) == ("hello-lambda", "8c1e")
    assert metrics["Greetings"] == [1]


def test_a_cold_start_imports_no_sdk_and_no_tracer(invoked: list[dict[str, object]]) -> None:
    imported = invoked[-1]["imported"]
    assert isinstance(imported, list)
    packages = {name.split(".")[0] for name in imported}
    assert packages.isdisjoint({"aws_xray_sdk", "boto3", "pydantic", "requests", "s3transfer", "urllib3"})
    # Powertools looks at botocore/__init__.py, which imports nothing more.
    assert {name for name in imported if name.startswith("botocore")} <= {"botocore"}


# The generated repository's targets


def make(repository: Path, *targets: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MAKE, *targets],
        cwd=repository,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


# https://github.com/airspeed-velocity/asv/issues/522
MISLEADING = {name: VARIABLES[name] for name in VARIABLES if name.startswith(("PIP_", "PYTHON", "UV_"))}


def test_every_target_works_and_a_fault_fails_it(repository: Path) -> None:
    committed = contents(repository)
    done = make(repository, "test", "lint", "package", **MISLEADING)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'failures="0"' in (repository / "build/tests.xml").read_text()
    assert " ".join(["scripts/package.py", *TARGET]) in done.stdout
    assert (repository / "build/package.zip").exists()
    assert make(repository, "--question", ".venv/installed").returncode == 0

    logic = repository / "src/hello_lambda/greeting.py"
    sound = logic.read_text()
    logic.write_text(sound.replace("Bonjour", "Salut"))
    assert make(repository, "test").returncode != 0
    logic.write_text(sound + "\n\nwrong: int = 'text'\n")
    assert make(repository, "lint").returncode != 0
    assert make(repository, "format").returncode == 0
    assert "Incompatible types in assignment" in make(repository, "lint").stdout
    logic.write_text(sound)

    project = repository / "pyproject.toml"
    project.write_text(
        project.read_text().replace('"aws-lambda-powertools', '"boto3", "aws-lambda-powertools')
    )
    done = make(repository, "lock", **MISLEADING)
    assert done.returncode == 0, done.stderr
    assert {"boto3", "botocore", "s3transfer"}.isdisjoint(locked(repository / "requirements.txt"))
    assert "boto3" in locked(repository / "requirements-dev.txt")
    deployed = locked(repository / "tests/deployed/requirements.txt")
    assert {"boto3", "pytest"} <= deployed.keys()
    assert deployed["boto3"] == locked(repository / "requirements-dev.txt")["boto3"]
    assert make(repository, "--question", ".venv/installed").returncode == 1

    (repository / "deployment/.terraform/providers").mkdir(parents=True)
    assert make(repository, "clean").returncode == 0
    assert contents(repository) == committed


def contents(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.fixture
def lockable(repository: Path, tmp_path: Path) -> Path:
    """A repository whose locks cannot be installed, on a machine that has uv."""
    wheel(tmp_path / "simple/odd", "odd", "py3-none-any", {"odd.py": b""})
    depend(repository, "odd")
    (repository / "requirements-dev.txt").write_text("odd @ git+https://example.com/odd\n")
    subprocess.run([TOOLS / "uv", "venv", "--quiet", repository / ".venv"], check=True)
    (repository / ".venv/bin/uv").symlink_to(TOOLS / "uv")
    (repository / ".venv/uv").touch()
    return repository


def depend(repository: Path, requirement: str) -> None:
    """Have a repository depend on one thing, its tools on nothing."""
    project = repository / "pyproject.toml"
    text = re.sub(r"(?m)^dependencies = .*", f'dependencies = ["{requirement}"]', project.read_text())
    text = re.sub(r"(?m)^deployed = \[[^]]*\]", "deployed = []", text)
    project.write_text(re.sub(r"(?ms)^dev = \[.*?^\]", "dev = []", text))


def test_settings_by_which_pip_installs_elsewhere_are_told_of(repository: Path, tmp_path: Path) -> None:
    installer = wheel(tmp_path / "wheels", "uv", "py3-none-any", {"uv-1.0.data/scripts/uv": b"#!/bin/sh\n"})
    digest = hashlib.sha256(installer.read_bytes()).hexdigest()
    (repository / "requirements-dev.txt").write_text(f"uv==1.0 --hash=sha256:{digest}\n")
    config = tmp_path / "pip.conf"
    config.write_text(f"[install]\ntarget = {tmp_path / 'elsewhere'}\n")

    done = make(
        repository,
        "install",
        PIP_CONFIG_FILE=str(config),
        PIP_FIND_LINKS=str(installer.parent),
        PIP_NO_INDEX="1",
    )

    assert done.returncode != 0
    assert "pip has not installed into .venv; a line of .venv/bin/python -m pip config list says why" in done.stderr
    assert make(repository, "--question", ".venv/installed").returncode == 1


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of an index."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=tmp_path))
    Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}/simple/"
    server.shutdown()


@pytest.mark.parametrize("told", ["by pyproject.toml", "by a variable of pip"])
def test_an_index_of_ones_own_serves_lock_install_and_package(
    told: str, index: str, lockable: Path, tmp_path: Path
) -> None:
    if told == "by pyproject.toml":
        with (lockable / "pyproject.toml").open("a") as project:
            project.write(f'[[tool.uv.index]]\nname = "ours"\nurl = "{index}"\n')
    variables = {"PIP_INDEX_URL": index} if told == "by a variable of pip" else {}

    done = make(lockable, "lock", "install", "package", **variables)

    assert done.returncode == 0, done.stderr
    assert locked(lockable / "requirements.txt") == {"odd": "1.0"} == locked(lockable / "requirements-dev.txt")
    assert "odd.py" in entries((lockable / "build/package.zip").read_bytes(), tmp_path)


# https://github.com/pypa/pip/issues/9164
@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("odd @ git+file://{}/ours", "no hash holds this everywhere: odd @ git+file:///"),
        ("odd @ file://{}/ours", "no hash holds this everywhere: odd @ file:///"),
        ("odd @ file://{}/simple/odd/odd-1.0-py3-none-any.whl", "no hash holds this everywhere: odd @ file:///"),
        ("private", "README.md tells how uv is told of an index of your own"),
    ],
)
def test_a_lock_that_not_everybody_could_install_is_not_written(
    requirement: str, said: str, index: str, lockable: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "pyproject.toml").write_text('[project]\nname = "odd"\nversion = "1.0"\n')
    git = ["git", "-C", str(ours), "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "Ours"]):
        subprocess.run([*git, *arguments], check=True)
    depend(lockable, requirement.format(tmp_path))
    locks = [lockable / "requirements.txt", lockable / "requirements-dev.txt"]
    before = [lock.read_bytes() for lock in locks]

    done = make(lockable, "lock", PIP_INDEX_URL=index)

    assert done.returncode != 0
    assert "lock: nothing is changed" in done.stderr
    assert said in done.stderr
    assert [lock.read_bytes() for lock in locks] == before


def test_without_a_recent_python_install_says_so(repository: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    done = make(repository, "install", PATH=str(tmp_path))

    assert done.returncode != 0
    assert "Python 3.11 or later is needed" in done.stderr


def locked(file: Path) -> dict[str, str]:
    """Return the versions in a lock file, and check that each is held to hashes and to no index."""
    text = file.read_text()
    assert "://" not in text
    requirements = re.findall(r"^(\S+)==(\S+)(.*)$", text, re.MULTILINE)
    assert all(rest.endswith("\\") for *_, rest in requirements)
    return {name: version for name, version, _ in requirements}


def test_what_is_packed_is_what_is_tested(generated: Path) -> None:
    packed = locked(generated / "requirements.txt")
    assert packed.items() <= locked(generated / "requirements-dev.txt").items()
    assert "boto3" not in packed


@pytest.mark.parametrize(
    ("function_name", "description"),
    [
        ("hello-lambda", 'Says "hello", it\'s \\N{DASH} \\ ${x} %{y} $(z) #{z}'),
        ("hello-lambda", '"""; import os # noqa \\'),
        ("f", 'אבג \u202edef\u202c \u200b\u200d 👩🏽‍🚀 \u2013 \u2018quoted\u2019 "'),
        ("a-function-whose-name-is-as-long-as-can-be", "long " * 39 + "words"),
    ],
)
def test_no_description_and_no_name_breaks_lint(bake: Bake, function_name: str, description: str) -> None:
    repository = bake(function_name=function_name, description=description)

    assert (
        tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]["description"]
        == description
    )
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [TOOLS / "ruff", *command], cwd=repository, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
