import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from zipfile import ZipFile

import pytest

from rehearsal import buildspec
from tests.conftest import Bake
from tests.worlds import TEMPLATE

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def run(folder: Path, text: str, seconds: float = 60, **environment: str) -> buildspec.Build:
    """Run a buildspec, its version aside."""
    (folder / "buildspec.yml").write_text(f"version: 0.2\n{text}\n")
    return buildspec.run(folder, "buildspec.yml", ENVIRONMENT | environment, seconds=seconds)


def printed(build: buildspec.Build) -> list[str]:
    """Return what each command has printed."""
    return [command.output.strip() for command in build.commands]


# Commands


def test_commands_share_one_shell_across_phases(tmp_path: Path) -> None:
    build = run(
        tmp_path,
        "phases: {install: {commands: [mkdir a, cd a, word=x]}, build: {commands: ['echo $word; pwd']}}",
    )

    assert printed(build)[-1] == f"x\n{tmp_path}/a"
    assert [command.phase for command in build.commands] == ["install"] * 3 + ["build"]


@pytest.mark.parametrize("failing", ["'false'", "exit 3", "ls nowhere"])
def test_a_failing_command_ends_the_build_and_is_named(tmp_path: Path, failing: str) -> None:
    with pytest.raises(buildspec.BuildError, match=f"build: {failing.strip(chr(39))}: exit code [123]\\n"):
        run(tmp_path, f"phases: {{build: {{commands: [echo before, {failing}, touch after]}}}}")

    assert not (tmp_path / "after").exists()


def test_what_a_failing_command_printed_is_shown_and_all_is_kept(tmp_path: Path) -> None:
    with pytest.raises(buildspec.BuildError, match="it broke") as failure:
        run(tmp_path, "phases: {build: {commands: [echo first, 'echo it broke; exit 1']}}")

    assert printed(failure.value.build) == ["first", "it broke"]


def test_finally_runs_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(buildspec.BuildError, match="build: exit 1") as failure:
        run(tmp_path, "phases: {build: {commands: [exit 1, echo never], finally: [echo at last]}}")

    assert printed(failure.value.build) == ["", "at last"]


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        ("install: {commands: [exit 1]}", []),
        ("pre_build: {commands: [exit 1]}", []),
        ("build: {commands: [exit 1]}", ["after, 0"]),  # as documented: post_build runs, and is told
        ("build: {commands: [exit 1], on-failure: ABORT}", []),
    ],
)
def test_what_follows_a_failure_is_as_documented(tmp_path: Path, phases: str, said: list[str]) -> None:
    with pytest.raises(buildspec.BuildError) as failure:
        run(
            tmp_path,
            f"phases: {{{phases}, post_build: {{commands: ['echo after, $CODEBUILD_BUILD_SUCCEEDING']}}}}",
        )

    assert printed(failure.value.build)[1:] == said


def test_a_phase_may_fail_where_the_buildspec_says_so(tmp_path: Path) -> None:
    build = run(
        tmp_path,
        "phases: {install: {commands: [exit 1], on-failure: CONTINUE}, build: {commands: [echo done]}}",
    )

    assert printed(build) == ["", "done"]


def test_a_build_ends_with_its_time_and_with_all_that_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(buildspec.BuildError, match="took longer than the build may"):
        run(tmp_path, "phases: {build: {commands: ['sleep 50 & sleep 50']}}", seconds=0.5)

    assert time.monotonic() - began < 40


def test_a_buildspec_that_a_project_has_itself_is_run_and_a_path_is_read(tmp_path: Path) -> None:
    text = "version: 0.2\nphases: {{build: {{commands: [echo of {}, {}]}}}}\n"
    (tmp_path / "buildspec.yml").write_text(text.format("the source", "exit 2"))

    done = buildspec.run(tmp_path, text.format("the project", "exit_code=0"), ENVIRONMENT)
    with pytest.raises(buildspec.BuildError, match=r"^buildspec\.yml: build: exit 2") as of_the_source:
        buildspec.run(tmp_path, "buildspec.yml", ENVIRONMENT)
    with pytest.raises(buildspec.BuildError, match=r"^the project's buildspec: build: exit 3"):
        buildspec.run(tmp_path, text.format("the project", "exit 3"), ENVIRONMENT)

    assert printed(done)[0] == "of the project"
    assert printed(of_the_source.value.build)[0] == "of the source"


# Variables


def test_the_project_s_variables_win_over_the_buildspec_s(tmp_path: Path) -> None:
    build = run(
        tmp_path,
        "env: {variables: {A: buildspec, B: buildspec}}\nphases: {build: {commands: ['echo $A $B']}}",
        A="project",
    )

    assert printed(build) == ["project buildspec"]


def test_nothing_of_our_own_environment_leaks_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")

    assert printed(run(tmp_path, "phases: {build: {commands: ['echo \"[$SECRET]\"']}}")) == ["[]"]


def test_exported_variables_come_back(tmp_path: Path) -> None:
    build = run(
        tmp_path,
        "env: {exported-variables: [A, B, C]}\n"
        "phases: {build: {commands: ['export A=\"two\nlines\"', B=not-exported, export D=1]}}",
    )

    assert build.exported == {"A": "two lines"}


def test_the_shell_is_the_one_asked_for(tmp_path: Path) -> None:
    build = run(tmp_path, "env: {shell: bash}\nphases: {build: {commands: ['echo ${BASH_VERSION:+bash}']}}")

    assert printed(build) == ["bash"]


def test_a_runtime_that_is_there_comes_first(tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    build = run(
        tmp_path,
        f"phases: {{install: {{runtime-versions: {{python: '{version}'}}, commands: [python3 --version]}}}}",
        PATH="/usr/bin:/bin",
    )

    assert printed(build)[0].startswith(f"Python {version}")
    assert build.notes == []


def test_a_runtime_that_is_missing_is_noted(tmp_path: Path) -> None:
    build = run(tmp_path, "phases: {install: {runtime-versions: {python: '3.4'}, commands: [echo]}}")

    assert build.notes == ["python 3.4 is not on this machine; the build took what is on PATH"]


# What is left


def test_artifacts_are_what_the_patterns_say_but_for_what_may_be_dropped(tmp_path: Path) -> None:
    build = run(
        tmp_path,
        "phases: {build: {commands: [mkdir -p out/sub, cd out, touch a .hidden sub/b.txt sub/c.log]}}\n"
        "artifacts: {base-directory: out, files: ['**/*'], exclude-paths: '**/*.log'}",
    )

    assert list(build.artifacts) == ["a", "sub/b.txt"]


def test_an_artifact_is_zipped_with_who_may_execute_it(tmp_path: Path) -> None:
    build = run(
        tmp_path,
        "phases: {build: {commands: [echo x > tool, chmod 755 tool]}}\nartifacts: {files: tool}",
    )
    buildspec.zipped(build.artifacts, tmp_path / "artifact.zip")

    with ZipFile(tmp_path / "artifact.zip") as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.external_attr >> 16 & 0o777) == ("tool", 0o755)


def test_test_reports_are_read_and_a_missing_one_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.xml").write_text("<testsuites><testsuite tests='3' failures='1'/></testsuites>")

    build = run(
        tmp_path,
        "phases: {build: {commands: [echo]}}\nreports: {unit: {files: t.xml}, other: {files: nowhere.xml}}",
    )

    assert build.reports == {
        "unit": "3 tests, 1 failures, 0 errors, 0 skipped",
        "other": "no report file was written",
    }


# What is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("phases: {build: {comands: [ls]}}", r"phases\.build: .*'commands' is a required property"),
        ("phases: {build: {commands: [ls]}}\nartifact: {}", "top level: .*'artifact' was unexpected"),
        ("phases: {build: {commands: [ls], on-failure: STOP}}", r"phases\.build\.on-failure: 'STOP'"),
        ("phases: {build: {commands: [ls], on-failure: RETRY-2}}", "RETRY is not run by the rehearsal"),
        ("phases: {build: {commands: [ls], runtime-versions: {python: 3}}}", "phases.build: "),
        (
            "phases: {build: {commands: [ls]}}\nenv: {parameter-store: {A: b}}",
            "env.parameter-store: is not run",
        ),
        ("phases: {build: {commands: [ls]}}\nenv: {exported-variables: [AWS_X]}", "env.exported-variables.0"),
        ("phases: {build: {commands: [ls]}}\ncache: {paths: x}", "cache: is not run by the rehearsal"),
    ],
)
def test_what_is_not_documented_or_not_run_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(tmp_path, text)


def test_a_missing_buildspec_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"deploy\.yml: cannot be read: No such file"):
        buildspec.run(tmp_path, "deploy.yml", ENVIRONMENT)


def test_a_generated_repository_s_buildspecs_are_as_documented(bake: Bake) -> None:
    repository = bake()
    found = {
        str(path.relative_to(repository)): buildspec.read(path)
        for path in [*repository.glob("*.yml"), *repository.glob("[!.]*/**/*.yml")]
    }

    assert found.keys() == {"buildspec.yml", "deployment/buildspec.yml", "pipeline/plan.yml"}


# Terraform's installer


def installer(
    folder: Path, fetch: str, terraform: str, tool: str = "curl"
) -> subprocess.CompletedProcess[str]:
    """Run the installer where Terraform and what fetches it, a tool, are scripts."""
    source = TEMPLATE / "{{cookiecutter.function_name}}/deployment/install-terraform.sh"
    (folder / "deployment").mkdir()
    shutil.copy(source, folder / "deployment")
    if not (folder / "terraform.sha256").exists():
        shutil.copy(source.with_name("terraform.sha256"), folder)
    (folder / "terraform.sha256").rename(folder / "deployment/terraform.sha256")
    (folder / ".terraform-version").write_text("1.11.4\n")
    tools = folder / "tools"
    tools.mkdir()
    for name in "cat", "chmod", "cp", "grep", "mkdir", "rm", "sha256sum", "tr", "uname":
        (tools / name).symlink_to(str(shutil.which(name)))
    (tools / "python3").symlink_to(sys.executable)
    for name, script in ((tool, fetch), ("terraform", terraform)):
        (tools / name).unlink(missing_ok=True)
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    return subprocess.run(
        [str(shutil.which("sh")), "deployment/install-terraform.sh", "bin"],
        cwd=folder,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )


OLD = "echo Terraform v1.0.0"


def test_the_installer_refuses_an_archive_with_another_checksum(tmp_path: Path) -> None:
    done = installer(tmp_path, 'while [ "$1" != --output ]; do shift; done; echo other >"$2"', OLD)

    assert done.returncode != 0
    assert "FAILED" in done.stdout
    assert list((tmp_path / "bin").iterdir()) == []


@pytest.mark.parametrize(
    ("tool", "fetch"),
    [
        ("curl", 'while [ "$1" != --output ]; do shift; done; cp {archive} "$2"'),
        (
            "python3",
            f'case "$2" in *urlretrieve*) cp {{archive}} "$4" ;; *) exec {sys.executable} "$@" ;; esac',
        ),
    ],
)
def test_the_installer_leaves_what_the_checksum_vouches_for(tmp_path: Path, tool: str, fetch: str) -> None:
    archive = tmp_path / "archive.zip"
    with ZipFile(archive, "w") as content:
        content.writestr("terraform", "#!/bin/sh\necho Terraform v1.11.4\n")
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    name = f"terraform_1.11.4_{os.uname().sysname.lower()}_{machine}.zip"
    (tmp_path / "terraform.sha256").write_text(f"{checksum}  {name}\n")

    done = installer(tmp_path, fetch.format(archive=archive), OLD, tool)

    assert done.returncode == 0, done.stderr
    assert subprocess.check_output([tmp_path / "bin/terraform"], text=True) == "Terraform v1.11.4\n"
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["terraform"]


def test_the_installer_does_nothing_where_the_version_is_there(tmp_path: Path) -> None:
    done = installer(tmp_path, "exit 1", "echo Terraform v1.11.4")

    assert done.returncode == 0
    assert not (tmp_path / "bin").exists()


def test_the_installer_names_a_machine_that_it_has_no_checksum_for(tmp_path: Path) -> None:
    (tmp_path / "terraform.sha256").write_text("")

    done = installer(tmp_path, "exit 1", OLD)

    assert done.returncode != 0
    assert "deployment/terraform.sha256 has no line for terraform_1.11.4_" in done.stderr
