"""What is killed leaves nothing half done that is taken for whole, and the next run goes on."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults import cookies
from tests.worlds import TEMPLATE

COOKIECUTTER = str(Path(sys.executable).with_name("cookiecutter"))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.tries("kills", "while generating")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("during", ["wiring.json", "deployment", "src"])
def test_a_repository_is_whole_or_known_as_not_and_the_next_run_makes_it(
    tmp_path: Path, ending: signal.Signals, during: str
) -> None:
    whole = cookies.bake(tmp_path / "whole", {}).repository
    assert whole
    repository = tmp_path / "output/hello-lambda"
    command = [COOKIECUTTER, "--no-input", "--output-dir", str(repository.parent), str(TEMPLATE)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        while not (repository / during).exists() and process.poll() is None:
            time.sleep(0.001)
        os.killpg(process.pid, ending)

    left = tree(repository) if repository.exists() else {}
    if ending == signal.SIGINT:
        assert left in ({}, tree(whole))
        assert repository.exists() == bool(left)
    else:
        assert "wiring.json" in left or left == tree(whole)
        shutil.rmtree(repository)
    if not left or ending == signal.SIGKILL:
        subprocess.run(command, check=True, capture_output=True)
    assert tree(repository) == tree(whole)


@pytest.mark.tries("kills", "while installing")
@pytest.mark.parametrize("during", ["pyvenv.cfg", "bin/uv", "bin/mypy"])
def test_what_is_installed_half_is_not_taken_for_installed(tmp_path: Path, during: str) -> None:
    repository = cookies.bake(tmp_path, {}).repository
    assert repository
    environment = repository / ".venv"
    with subprocess.Popen(
        ["make", "install"],
        cwd=repository,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while not (environment / during).exists() and process.poll() is None:
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (environment / "installed").exists()
    assert (environment / "uv").exists() == (during == "bin/mypy")

    subprocess.run(["make", "install"], cwd=repository, check=True, capture_output=True)

    synced = [".venv/bin/uv", "pip", "sync", "--python", ".venv", "--dry-run", "--require-hashes"]
    done = subprocess.run(
        [*synced, "requirements-dev.txt"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert "Would make no changes" in done.stderr


@pytest.mark.tries("kills", "while packaging")
@pytest.mark.parametrize("seconds", [0, 0.2, 0.5])
def test_a_package_is_whole_or_not_there_and_the_next_run_builds_it(tmp_path: Path, seconds: float) -> None:
    repository = cookies.bake(tmp_path, {}).repository
    assert repository
    command = [sys.executable, "scripts/package.py", "python3.13", "aarch64-manylinux_2_34"]
    build, package = repository / "build", repository / "build/package.zip"
    with subprocess.Popen(
        command, cwd=repository, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        while not build.exists() and process.poll() is None:
            time.sleep(0.001)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
    left = package.read_bytes() if package.exists() else b""

    subprocess.run(command, cwd=repository, check=True, capture_output=True)

    after_a_kill = package.read_bytes()
    shutil.rmtree(build)
    subprocess.run(command, cwd=repository, check=True, capture_output=True)
    assert after_a_kill == package.read_bytes()
    assert left in (b"", after_a_kill)
