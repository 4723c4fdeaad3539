import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from zipfile import ZipFile

import pytest

from rehearsal import buildspec
from tests.conftest import needs
from tests.worlds import TEMPLATE

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def run(folder: Path, text: str, seconds: float = 60, **environment: str) -> buildspec.Build:
    """Run a buildspec, of version 0.2 unless it says another."""
    version = "" if text.startswith("version:") else "version: 0.2\n"
    (folder / "buildspec.yml").write_text(f"{version}{text}\n")
    return buildspec.run(folder, "buildspec.yml", ENVIRONMENT | environment, seconds=seconds)


def printed(build: buildspec.Build) -> list[str]:
    """Return what each command has printed."""
    return [command.output.strip() for command in build.commands]


# As CodeBuild

REFERENCE = "https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html"
ONE_SHELL = f"{REFERENCE}#build-spec-ref-versions"
EXITS = "https://zenn.dev/faycute/articles/cde8ddcbced9a2"
UNMATCHED = "https://github.com/aws/copilot-cli/issues/5788"
TRANSITIONS = "https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html"


def build(*commands: str, more: str = "") -> str:
    """Return a buildspec of these commands; more: what its phase has besides."""
    return f"phases: {{build: {{commands: {json.dumps(commands)}{more}}}}}\n"


OUT = build("mkdir -p out-1/sub out-2", "touch out-1/a out-1/sub/b.txt out-2/c x.log")


@pytest.mark.parametrize(
    ("page", "text", "last"),
    [
        (ONE_SHELL, build("mkdir a; cd a; x=1", "echo $x; ls ..").strip(), "1\na\nbuildspec.yml"),
        (EXITS, build("mkdir a; cd a; export x=1", "exit 0", "echo $x; ls .."), "1\na\nbuildspec.yml"),
        (EXITS, build("sleep 60 & exit 0", "echo on"), "on"),
        (EXITS, build("(exit 3); echo on"), "on"),
        (EXITS, build("exec true", "echo on"), "on"),
        (f"{REFERENCE}#build-spec.version", 'version: "0.2"\n' + build("echo on"), "on"),
        (
            f"{REFERENCE}#build-spec.env.variables",
            f"env: {{variables: {{A: yes, B: 010}}}}\n{build('echo $A $B')}",
            "yes 010",
        ),
        (f"{REFERENCE}#build-spec.env.shell", f"env: {{shell: /bin/sh}}\n{build('echo on')}", "on"),
        (
            f"{REFERENCE}#build-spec.env.git-credential-helper",
            f"env: {{git-credential-helper: no}}\n{build('echo on')}",
            "on",
        ),
        (f"{REFERENCE}#build-spec.phases", "phases: {build: {commands: [true, echo on]}}", "on"),
        (
            f"{REFERENCE}#build-spec.phases.install",
            "phases: {install: {runtime-versions: {python: 3}}, build: {commands: [echo on]}}",
            "on",
        ),
        (
            f"{REFERENCE}#build-spec.phases.on-failure",
            "phases: {install: {commands: [exit 1], on-failure: CONTINUE}, build: {commands: [echo on]}}",
            "on",
        ),
    ],
)
def test_what_runs_on_codebuild_runs_here(tmp_path: Path, page: str, text: str, last: str) -> None:
    assert printed(run(tmp_path, text))[-1] == last, page


@pytest.mark.parametrize(
    ("page", "text", "failure", "last"),
    [
        (
            f"{REFERENCE}#build-spec.phases.finally",
            build("exit 1", "echo never", more=", finally: [echo at last]"),
            "build: exit 1: exit code 1",
            "at last",
        ),
        (
            f"{REFERENCE}#build-spec.phases.finally",
            build("x=1", more=", finally: [exit 2, echo at last]"),
            "build: exit 2: exit code 2",
            "at last",
        ),
        (
            EXITS,
            build("export x=1", "exit 3", more=", finally: [echo $x]"),
            "build: exit 3: exit code 3",
            "1",
        ),
        (EXITS, build("set -e; false; echo never"), "false; echo never: exit code 1", ""),
        (
            UNMATCHED,
            f"{build('echo on')}artifacts: {{files: [nowhere, '*.zip']}}",
            "artifacts: no matching artifact paths found",
            "on",
        ),
        (
            UNMATCHED,
            f"{build('echo on')}artifacts: {{files: '**/*', base-directory: nowhere}}",
            "artifacts: no matching artifact paths found",
            "on",
        ),
        (TRANSITIONS, f"{build('echo on; exit 4')}artifacts: {{files: nowhere}}", "exit code 4", "on"),
    ],
)
def test_what_fails_on_codebuild_fails_here(
    tmp_path: Path, page: str, text: str, failure: str, last: str
) -> None:
    with pytest.raises(buildspec.BuildError, match=re.escape(failure)) as failed:
        run(tmp_path, text)

    assert printed(failed.value.build)[-1] == last, page


@pytest.mark.parametrize(
    ("page", "artifacts", "names"),
    [
        ("files", "files: [nowhere, out-1/a]", ["out-1/a"]),
        ("files", "files: 'out-1/*'", ["out-1/a"]),
        ("files", "files: './out-1/**/*'", ["out-1/a", "out-1/sub/b.txt"]),
        ("files", "files: out-1", None),
        ("base-directory", "files: '**/*', base-directory: ./out-1", ["a", "sub/b.txt"]),
        ("base-directory", "files: '**/*', base-directory: 'out-*'", ["a", "c", "sub/b.txt"]),
        (
            "base-directory",
            "files: '**/*', base-directory: ., exclude-paths: 'out-1/**/*'",
            ["buildspec.yml", "out-2/c", "x.log"],
        ),
        ("exclude-paths", "files: '**/*', exclude-paths: [buildspec.yml, 'out-*/**/*']", ["x.log"]),
        ("discard-paths", "files: 'out-*/**/*', discard-paths: yes", ["a", "b.txt", "c"]),
        ("discard-paths", "files: 'out-2/*', discard-paths: no", ["out-2/c"]),
        ("name", "files: 'out-2/*', name: release-$(date +%s)", ["out-2/c"]),
    ],
)
def test_artifacts_are_those_of_codebuild(
    tmp_path: Path, page: str, artifacts: str, names: list[str] | None
) -> None:
    text = f"{OUT}artifacts: {{{artifacts}}}"
    if names is None:
        with pytest.raises(buildspec.BuildError, match="no matching artifact paths found"):
            run(tmp_path, text)
    else:
        assert list(run(tmp_path, text).artifacts) == names, f"{REFERENCE}#build-spec.artifacts.{page}"


@pytest.mark.parametrize(
    ("content", "settings", "said"),
    [
        ("<x><testsuite tests='3' failures='1'/></x>", "", "3 tests, 1 failures, 0 errors, 0 skipped"),
        ("<testsuites/>", "file-format: junitxml", "0 tests, 0 failures, 0 errors, 0 skipped"),
        ("<testsuites><testsuite tests='3'", "", "t.xml is no report of JUnit's: unclosed token"),
        ("<testsuite tests='x'/>", "", "t.xml is no report of JUnit's: invalid literal"),
        ("", "", "t.xml is no report of JUnit's: no element found"),
        ("{}", "file-format: SimpleCov", "1 files"),
        (None, "", "no report file was written"),
    ],
)
def test_a_report_fails_no_build(tmp_path: Path, content: str | None, settings: str, said: str) -> None:
    """https://docs.aws.amazon.com/codebuild/latest/userguide/test-report-group-create-buildspec.html."""
    if content is not None:
        (tmp_path / "t.xml").write_text(content)

    reports = run(tmp_path, f"{build('echo')}reports: {{unit: {{files: t.xml, {settings}}}}}").reports

    assert list(reports) == ["unit"]
    assert reports["unit"].startswith(said)


# Commands


def test_commands_share_one_shell_across_phases(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "phases: {install: {commands: [mkdir a, cd a, word=x]}, build: {commands: ['echo $word; pwd']}}",
    )

    assert printed(done)[-1] == f"x\n{tmp_path}/a"
    assert [command.phase for command in done.commands] == ["install"] * 3 + ["build"]


@pytest.mark.parametrize("failing", ["'false'", "exit 3", "ls nowhere"])
def test_a_failing_command_ends_the_build_and_is_named(tmp_path: Path, failing: str) -> None:
    with pytest.raises(buildspec.BuildError, match=f"build: {failing.strip(chr(39))}: exit code [123]\\n"):
        run(tmp_path, f"phases: {{build: {{commands: [echo before, {failing}, touch after]}}}}")

    assert not (tmp_path / "after").exists()


def test_what_a_failing_command_printed_is_shown_and_all_is_kept(tmp_path: Path) -> None:
    with pytest.raises(buildspec.BuildError, match="it broke") as failure:
        run(tmp_path, "phases: {build: {commands: [echo first, 'echo it broke; exit 1']}}")

    assert printed(failure.value.build) == ["first", "it broke"]


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


def test_a_build_ends_with_its_time_and_with_all_that_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(buildspec.BuildError, match="took longer than the build may"):
        run(tmp_path, "phases: {build: {commands: ['sleep 50 & sleep 50']}}", seconds=0.5)

    assert time.monotonic() - began < 40


def test_what_takes_too_long_may_clean_up_first(tmp_path: Path) -> None:
    (tmp_path / "slow.sh").write_text(
        "trap 'sleep 0.3; touch cleaned; exit' TERM\nwhile :; do sleep 0.1; done\n"
    )
    with pytest.raises(buildspec.BuildError, match="took longer than the build may"):
        run(tmp_path, "phases: {build: {commands: [sh slow.sh]}}", seconds=0.5)

    assert (tmp_path / "cleaned").exists()


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
    done = run(
        tmp_path,
        "env: {variables: {A: buildspec, B: buildspec}}\nphases: {build: {commands: ['echo $A $B']}}",
        A="project",
    )

    assert printed(done) == ["project buildspec"]


def test_nothing_of_our_own_environment_leaks_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")

    assert printed(run(tmp_path, "phases: {build: {commands: ['echo \"[$SECRET]\"']}}")) == ["[]"]


def test_exported_variables_come_back(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "env: {exported-variables: [A, B, C]}\n"
        "phases: {build: {commands: ['export A=\"two\nlines\"', B=not-exported, export D=1]}}",
    )

    assert done.exported == {"A": "two lines"}


def test_the_shell_is_the_one_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path, "env: {shell: bash}\nphases: {build: {commands: ['echo ${BASH_VERSION:+bash}']}}")

    assert printed(done) == ["bash"]


def test_a_runtime_that_is_there_comes_first(tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    done = run(
        tmp_path,
        f"phases: {{install: {{runtime-versions: {{python: '{version}'}}, commands: [python3 --version]}}}}",
        PATH="/usr/bin:/bin",
    )

    assert printed(done)[0].startswith(f"Python {version}")
    assert done.notes == []


def test_node_js_comes_from_npm_where_the_machine_has_none(tmp_path: Path) -> None:
    needs("npm")

    build = run(
        tmp_path,
        "phases: {install: {runtime-versions: {nodejs: 22}, commands: [node --version]}}",
        PATH="/bin",
    )

    assert printed(build)[0].startswith("v22.")
    assert build.notes == []


def test_a_runtime_that_is_missing_is_noted(tmp_path: Path) -> None:
    done = run(tmp_path, "phases: {install: {runtime-versions: {python: '3.4'}, commands: [echo]}}")

    assert done.notes == ["python 3.4 is not on this machine; the build took what is on PATH"]


# What is left


def test_artifacts_are_what_the_patterns_say_but_for_what_may_be_dropped(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "phases: {build: {commands: [mkdir -p out/sub, cd out, touch a .hidden sub/b.txt sub/c.log]}}\n"
        "artifacts: {base-directory: out, files: ['**/*'], exclude-paths: '**/*.log'}",
    )

    assert list(done.artifacts) == ["a", "sub/b.txt"]


def test_an_artifact_is_zipped_with_who_may_execute_it(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "phases: {build: {commands: [echo x > tool, chmod 755 tool]}}\nartifacts: {files: tool}",
    )
    buildspec.zipped(done.artifacts, tmp_path / "artifact.zip")

    with ZipFile(tmp_path / "artifact.zip") as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.external_attr >> 16 & 0o777) == ("tool", 0o755)


# What is refused


@pytest.mark.tries("buildspecs", "refused by key")
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
        (
            "phases: {build: {commands: [ls]}}\nenv: {shell: powershell.exe}",
            "env.shell: powershell.exe is not run",
        ),
        ("phases: {build: {commands: [ls]}}\nproxy: {logs: yes}", "proxy: is not run by the rehearsal"),
        ("phases: {build: {runtime-versions: {python: 3}}}", r"phases\.build: "),
        ("phases: {build: {commands: ls}}", r"phases\.build\.commands: 'ls' is not of type 'array'"),
        ("phases: {build: {commands: [echo: x]}}", r"phases\.build\.commands\.0: "),
        ("phases:", "phases: '' is not of type 'object'"),
        ("phases: {build: {commands: [ls]}", "is not YAML: "),
        ("phases: {build: {commands: [!x ls]}}", "is not YAML: .*tag"),
        ("version: 0.1\nphases: {build: {commands: [ls]}}", "version: '0.2' was expected"),
        *(
            (f"phases: {{build: {{commands: [ls]}}}}\n{keys}: {{files: '{location}'}}{end}", message)
            for keys, end in {"artifacts": "", "reports: {unit": "}"}.items()
            for location, message in {
                "/tmp/x": "/tmp/x is not a path within the folder of the build",  # noqa: S108
                "../x": "x is not a path within",
                "": "files:  is not a path within",
                "$X/y": r"\$X/y is not run by the rehearsal",
                "**.py": r"\*\*\.py is not run by the rehearsal",
            }.items()
        ),
    ],
)
def test_what_is_not_documented_or_not_run_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        run(tmp_path, text)
    assert len(str(refused.value).splitlines()) == 1


def test_a_shell_that_this_machine_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^env\.shell: bash is not on this machine$"):
        run(tmp_path, f"env: {{shell: bash}}\n{build('ls')}", PATH=str(tmp_path))


def test_a_missing_buildspec_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"deploy\.yml: cannot be read: No such file"):
        buildspec.run(tmp_path, "deploy.yml", ENVIRONMENT)


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
