"""The TypeScript side of a generated repository: its targets, and the package that it builds for Lambda."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from cookiecutter.main import cookiecutter

from emulator.accounts import EmulatedAccounts
from emulator.execution_environment import ExecutionEnvironment, Outcome
from emulator.interpreters import interpreter
from tests.conftest import needs
from tests.faults.events import thrown
from tests.worlds import DEV, REGION, TEMPLATE

LAYER = TEMPLATE / "runtimes/typescript"
TRIGGERS = sorted(handler.name for handler in (LAYER / "handlers").iterdir())
LOCKED = [LAYER / "files", *(path.parent for path in sorted(LAYER.glob("handlers/*/package.json")))]
TOOL = Path(sys.executable).with_name("lambda-template")
LIVE = f"arn:aws:lambda:{REGION}:{DEV['id']}:function:hello-lambda:live"
NAMES = {
    "NODE_OPTIONS": "--enable-source-maps",
    "POWERTOOLS_METRICS_NAMESPACE": "acme",
    "POWERTOOLS_SERVICE_NAME": "hello-lambda",
}
THROWS = "must be a text that is not empty"

Generate = Callable[[str], Path]


@pytest.fixture(scope="session")
def path() -> str:
    """PATH with Node.js 22 first."""
    needs("npm")
    return f"{interpreter('nodejs', '22').path.parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def generate(tmp_path_factory: pytest.TempPathFactory, path: str) -> Generate:
    """Return a function that generates the repository of a trigger, once, and installs what its lock names."""
    made: dict[str, Path] = {}
    installed: dict[bytes, Path] = {}

    def generated(trigger: str) -> Path:
        if trigger not in made:
            answers = {"runtime": "nodejs22.x", "trigger": trigger}
            output = str(tmp_path_factory.mktemp("baked"))
            repository = Path(
                cookiecutter(
                    str(TEMPLATE),
                    no_input=True,
                    extra_context=answers,
                    output_dir=output,
                    default_config=True,
                )
            )
            lock = (repository / "package-lock.json").read_bytes()
            if lock in installed:
                copy(installed[lock] / "node_modules", repository / "node_modules")
                (repository / "node_modules/.package-lock.json").touch()
            else:
                assert make(repository, path, "install").returncode == 0
            made[trigger] = installed[lock] = repository
        return made[trigger]

    return generated


@pytest.fixture
def repository(generate: Generate, tmp_path: Path) -> Path:
    """A repository of the test's own, that nothing invokes."""
    return copy(generate("none"), tmp_path / "repository")


def copy(folder: Path, there: Path) -> Path:
    """Copy a folder; what is installed is linked, since it is large and stays as it is."""
    return shutil.copytree(folder, there, symlinks=True, copy_function=linked)


def linked(source: str, there: str) -> object:
    return (os.link if "/node_modules/" in source else shutil.copy2)(source, there)


def make(repository: Path, path: str, *targets: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("make") or "make", *targets],
        cwd=repository,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def package(repository: Path, path: str, **environment: str) -> bytes:
    """Build the package and return it."""
    done = make(repository, path, "package", **environment)
    assert done.returncode == 0, done.stderr
    return (repository / "build/package.zip").read_bytes()


def invoke(
    code: bytes, event: object, folder: Path, variables: dict[str, str] | None = None
) -> Outcome:
    """Run a package as the emulator runs a deployed one."""
    configuration = {
        "FunctionName": "hello-lambda",
        "Version": "1",
        "Runtime": "nodejs22.x",
        "Handler": "index.handler",
        "MemorySize": 256,
        "Timeout": 10,
        "LoggingConfig": {"LogGroup": "/aws/lambda/hello-lambda", "LogFormat": "JSON"},
        "Environment": {"Variables": NAMES},
    }
    folder.mkdir()
    running = ExecutionEnvironment(folder, code, configuration, variables or {})
    outcome = running.invoke(
        json.dumps(event).encode(), "arn:aws:lambda:us-east-1:1:function:hello-lambda", "8c1e"
    )
    running.close()
    return outcome


def depend(repository: Path, name: str, files: dict[str, str], use: str) -> None:
    """Have the handler use a dependency that holds these files."""
    folder = repository / "node_modules" / name
    for file, text in {"package.json": json.dumps({"name": name, "version": "1.0.0"}), **files}.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    handler = repository / "src/handler.ts"
    handler.write_text(f'// @ts-nocheck\nimport * as used from "{name}";\n{handler.read_text()}\n{use}\n')


# The generated repository's targets


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_whatever_invokes_it_a_function_is_tested_linted_and_packaged(
    trigger: str, generate: Generate, path: str
) -> None:
    repository = generate(trigger)

    done = make(repository, path, "lint", "test", "package")

    assert done.returncode == 0, done.stdout + done.stderr
    said = (repository / "build/tests.xml").read_text()
    assert re.search(r'<testsuite name="handler" [^>]*failures="0"', said)
    assert (repository / "build/package.zip").exists()


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_handler_does_with_any_event_what_its_contract_says(
    trigger: str,
    generate: Generate,
    path: str,
    accounts: EmulatedAccounts,
    tried: Counter[tuple[str, str]],
) -> None:
    repository = generate(trigger)
    sample, code = repository / "events/greeting.json", package(repository, path)
    configuration = {"Runtime": "nodejs22.x", "Handler": "index.handler"}
    for became in thrown(trigger, code, sample, configuration, accounts):
        tried["events", f"{became} in TypeScript"] += 1


def test_every_trigger_has_a_handler() -> None:
    answers = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))

    assert sorted(answers["trigger"]) == TRIGGERS


def test_a_fault_fails_the_target_that_looks_for_it(repository: Path, path: str) -> None:
    logic = repository / "src/greeting.ts"
    sound = logic.read_text()

    logic.write_text(sound.replace("Bonjour", "Salut"))
    assert make(repository, path, "test").returncode != 0
    logic.write_text(sound + '\nexport const wrong: number = "text";\n')
    assert "TS2322" in make(repository, path, "lint").stdout
    logic.write_text(sound + "\nasync function later() {}\nexport function now() {\n  later();\n}\n")
    assert "noFloatingPromises" in make(repository, path, "lint").stderr
    logic.write_text(sound.replace("  return", "return"))
    assert make(repository, path, "lint").returncode != 0
    assert make(repository, path, "format").returncode == 0
    assert logic.read_text() == sound


def test_the_handler_can_be_called_without_aws(repository: Path, path: str) -> None:
    good = make(repository, path, "-s", "local", f"TOOL={TOOL}")
    (repository / "events/bad.json").write_text("{}")
    bad = make(repository, path, "-s", "local", f"TOOL={TOOL}", "EVENT=events/bad.json")

    assert json.loads(good.stdout) == {"message": "Hola, Ada!"}
    assert '"message":"greeted"' in good.stderr
    assert json.loads(bad.stdout)["errorType"] == "BadRequestError"
    assert bad.returncode != 0


def test_without_npm_install_says_what_is_needed(repository: Path, tmp_path: Path) -> None:
    shutil.rmtree(repository / "node_modules")
    (tmp_path / "sh").symlink_to(shutil.which("sh") or "/bin/sh")

    done = make(repository, str(tmp_path), "install")

    assert done.returncode != 0
    assert "Node.js 22.18 or later is needed, with npm" in done.stderr


def test_an_older_node_is_refused(repository: Path, path: str) -> None:
    shutil.rmtree(repository / "node_modules")
    project = repository / "package.json"
    project.write_text(project.read_text().replace(">=22.18", ">=99"))

    done = make(repository, path, "install")

    assert done.returncode != 0
    assert 'Required: {"node":">=99"}' in done.stderr


def test_nothing_is_python_s_but_what_zips_and_releases(generate: Generate) -> None:
    repository = generate("none")
    ours = [file for file in repository.rglob("*") if "node_modules" not in file.parts]

    assert {file.name for file in ours if file.suffix in (".py", ".toml", ".txt")} == {
        *("archive.py", "package.py", "release.py")
    }
    assert not re.search("venv|pytest|ruff|mypy", (repository / ".gitignore").read_text())


# The lock


@pytest.mark.parametrize("folder", LOCKED, ids=lambda folder: folder.name)
def test_a_lock_holds_all_to_a_digest_and_names_no_registry(folder: Path) -> None:
    lock = json.loads((folder / "package-lock.json").read_text())
    packages: dict[str, dict[str, Any]] = lock["packages"]
    project = json.loads((folder / "package.json").read_text())

    assert packages.pop("") == {key: project[key] for key in ("dependencies", "devDependencies", "engines")}
    assert packages
    assert [name for name, locked in packages.items() if not locked["integrity"].startswith("sha512-")] == []
    assert [name for name, locked in packages.items() if "resolved" in locked] == []


def test_a_trigger_s_lock_adds_to_the_one_that_all_have() -> None:
    common, *others = (
        json.loads((folder / "package-lock.json").read_text())["packages"] for folder in LOCKED
    )

    del common[""]
    for other in others:
        assert common.items() <= other.items()


def test_what_is_not_what_was_locked_is_refused(repository: Path, path: str) -> None:
    shutil.rmtree(repository / "node_modules")
    lock = repository / "package-lock.json"
    facts = json.loads(lock.read_text())
    facts["packages"]["node_modules/tslib"]["integrity"] = "sha512-" + "A" * 86 + "=="
    lock.write_text(json.dumps(facts))

    done = make(repository, path, "install")

    assert done.returncode != 0
    assert "EINTEGRITY" in done.stderr


@pytest.fixture
def lockable(generate: Generate, tmp_path: Path) -> Path:
    """A repository of the test's own that is quickly locked, since it depends on little."""
    repository = copy(generate("none"), tmp_path / "repository")
    depends(repository, {"tslib": "^2"})
    return repository


def depends(repository: Path, on: dict[str, str]) -> None:
    (repository / "package.json").write_text(json.dumps({"private": True, "dependencies": on}))


def test_what_is_locked_is_what_is_asked_for_and_tells_of_no_folder(lockable: Path, path: str) -> None:
    done = make(lockable, path, "lock")

    assert done.returncode == 0, done.stderr
    lock = json.loads((lockable / "package-lock.json").read_text())
    assert "name" not in lock
    assert list(lock["packages"]) == ["", "node_modules/tslib"]


@pytest.mark.parametrize("place", ["git+file://{}", "file:{}", "file:{}/odd-1.0.0.tgz", "file:odd.tgz"])
def test_a_lock_that_not_everybody_could_install_is_not_written(
    place: str, lockable: Path, tmp_path: Path, path: str
) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "package.json").write_text('{"name": "odd", "version": "1.0.0"}')
    git = ["git", "-C", str(ours), "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "Ours"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run(["npm", "pack", "--silent"], cwd=ours, check=True)
    depends(lockable, {"odd": place.format(ours)})
    before = (lockable / "package-lock.json").read_bytes()

    done = make(lockable, path, "lock")

    assert done.returncode != 0
    assert "lock: nothing is changed" in done.stderr
    assert "odd" in done.stderr
    assert (lockable / "package-lock.json").read_bytes() == before


# The package


def test_the_same_files_give_the_same_package(repository: Path, tmp_path: Path, path: str) -> None:
    there = copy(repository, tmp_path / "a folder that is elsewhere" / "and deeper")
    for file in (there / "src").iterdir():
        os.utime(file, (1_000_000_000, 1_000_000_000))
        file.chmod(0o600)

    first = package(repository, path)

    other = tmp_path / "modules/@aws-lambda-powertools/logger"
    other.mkdir(parents=True)
    (other / "index.js").write_text("export const Logger = Date;")
    set_otherwise = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "NODE_ENV": "production", "PYTHONSAFEPATH": "1"}
    assert package(there, path, NODE_PATH=str(tmp_path / "modules"), **set_otherwise) == first
    assert package(repository, path) == first


def test_a_package_is_one_module_and_its_map(repository: Path, path: str) -> None:
    done = make(repository, path, "package")

    content = (repository / "build/package.zip").read_bytes()
    assert f"{len(content):,} bytes" in done.stdout
    assert hashlib.sha256(content).hexdigest() in done.stdout
    with ZipFile(repository / "build/package.zip") as archive:
        assert archive.namelist() == ["index.mjs", "index.mjs.map"]
        sources = json.loads(archive.read("index.mjs.map"))["sources"]
    own = sorted(source.removeprefix("../../") for source in sources if "node_modules" not in source)
    assert own == [
        f"src/{name}.ts" for name in ("greeting", "handler", "observability", "request", "settings")
    ]
    # A cold start loads neither AWS's SDK nor a tracer.
    used = {source.split("node_modules/")[1].split("/")[0] for source in sources if "node_modules" in source}
    assert used == {"@aws", "@aws-lambda-powertools"}


def test_a_deployed_package_answers_logs_and_counts(repository: Path, tmp_path: Path, path: str) -> None:
    outcome = invoke(package(repository, path), {"name": "Ada"}, tmp_path / "run")

    assert json.loads(outcome.payload) == {"message": "Hello, Ada!"}
    assert not outcome.failed
    lines = [json.loads(line) for line in outcome.log]
    (greeted,) = [line for line in lines if line.get("message") == "greeted"]
    assert (greeted["service"], greeted["function_request_id"]) == ("hello-lambda", "8c1e")
    assert [line["Greetings"] for line in lines if "Greetings" in line] == [1]
    assert "nodejs22.x run by node 22." in lines[0]["record"]["runtimeVersion"]


def test_a_stack_trace_names_the_lines_of_the_sources(repository: Path, tmp_path: Path, path: str) -> None:
    source = (repository / "src/request.ts").read_text().splitlines()
    (line,) = [number for number, text in enumerate(source, 1) if THROWS in text]

    outcome = invoke(package(repository, path), {}, tmp_path / "run")

    assert outcome.failed
    assert f"src/request.ts:{line}:" in "".join(json.loads(outcome.payload)["trace"])
    assert any(f"src/request.ts:{line}:" in said for said in outcome.log)


def test_a_secret_is_read_from_parameter_store(
    repository: Path, tmp_path: Path, path: str, accounts: EmulatedAccounts
) -> None:
    accounts.client("ssm", DEV["id"], REGION).put_parameter(
        Name="/hello-lambda/token", Value="s3cret", Type="SecureString"
    )
    (repository / "src/handler.ts").write_text(
        'import { secret } from "./settings.ts";\nexport const handler = () => secret("token");\n'
    )

    outcome = invoke(package(repository, path), {}, tmp_path / "run", accounts.environment(DEV["id"], REGION))

    assert json.loads(outcome.payload) == "s3cret"


def test_a_commonjs_dependency_finds_what_it_relies_on(repository: Path, tmp_path: Path, path: str) -> None:
    depend(
        repository,
        "common",
        {"index.js": 'const os = require("node:os");\nexports.seen = typeof os.arch + typeof __dirname;\n'},
        "export const handler2 = 0;\nconsole.log(used.seen);",
    )

    outcome = invoke(package(repository, path), {"name": "Ada"}, tmp_path / "run")

    assert any("functionstring" in line for line in outcome.log)


def test_a_module_may_make_its_own_require(repository: Path, tmp_path: Path, path: str) -> None:
    text = 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);\n'
    text += 'const __dirname = "x";\nexport const seen = require("node:os").EOL + __dirname;\n'
    depend(
        repository,
        "modern",
        {"index.mjs": text, "package.json": '{"module": "index.mjs"}'},
        "console.log(used.seen);",
    )

    outcome = invoke(package(repository, path), {"name": "Ada"}, tmp_path / "run")

    assert json.loads(outcome.payload) == {"message": "Hello, Ada!"}


@pytest.fixture(params=["to compile", "compiled", "beside"])
def native(request: pytest.FixtureRequest, repository: Path) -> Path:
    """A repository that depends on a package with native code."""
    files = {
        "to compile": {"index.js": 'module.exports = require("./build/x.node");', "binding.gyp": "{}"},
        "compiled": {"index.js": 'module.exports = require("./x.node");', "x.node": "ELF"},
        "beside": {"index.js": "module.exports = require(`@fast/${process.arch}`);"},
    }[request.param]
    depend(repository, "fast", files, "console.log(used);")
    if request.param == "beside":
        lock = repository / "package-lock.json"
        facts = json.loads(lock.read_text())
        facts["packages"]["node_modules/fast"] = {"optionalDependencies": {"@fast/arm64": "1.0.0"}}
        facts["packages"]["node_modules/@fast/arm64"] = {"os": ["linux"], "cpu": ["arm64"]}
        lock.write_text(json.dumps(facts))
        os.utime(repository / "node_modules/.package-lock.json")
    return repository


def test_a_dependency_with_native_code_is_refused_by_name(native: Path, path: str) -> None:
    done = make(native, path, "package")

    assert done.returncode != 0
    assert (
        "package: fast has native code, which is not packed. In package.json, ask for another" in done.stderr
    )
    assert not (native / "build/package.zip").exists()


def test_what_cannot_be_bundled_is_said_by_its_line(repository: Path, path: str) -> None:
    package(repository, path)
    (repository / "src/handler.ts").write_text('import "nowhere";\n')

    done = make(repository, path, "package")

    assert 'Could not resolve "nowhere"' in done.stderr
    assert "src/handler.ts:1:7" in done.stderr
    assert not (repository / "build/package.zip").exists()


# What is deployed


@pytest.fixture
def deployed(generate: Generate, path: str, accounts: EmulatedAccounts) -> Callable[[str], Path]:
    """Return a function that deploys that of a trigger, in no more than its tests see; it returns its repository."""
    functions, iam, logs = (accounts.client(service, DEV["id"], REGION) for service in ("lambda", "iam", "logs"))

    def deploy(trigger: str) -> Path:
        accounts.ask("pace", minute=0)
        repository = generate(trigger)
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName="tester", AssumeRolePolicyDocument=json.dumps({"Statement": trust}))
        actions = ["apigateway:GET", "execute-api:Invoke", "kms:Decrypt", "lambda:*", "logs:*", "sqs:*"]
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        iam.put_role_policy(RoleName="tester", PolicyName="all", PolicyDocument=document)
        logs.create_log_group(logGroupName="/aws/lambda/hello-lambda")
        functions.create_function(
            FunctionName="hello-lambda",
            Role=role["Role"]["Arn"],
            Runtime="nodejs22.x",
            Handler="index.handler",
            Code={"ZipFile": package(repository, path)},
            LoggingConfig={"LogFormat": "JSON"},
            Environment={"Variables": NAMES},
            Publish=True,
            Timeout=10,
        )
        functions.create_alias(FunctionName="hello-lambda", Name="live", FunctionVersion="1")
        return repository

    return deploy


def let_messages_invoke(accounts: EmulatedAccounts) -> None:
    accounts.client("sqs", DEV["id"], REGION).create_queue(QueueName="hello-lambda")
    accounts.client("lambda", DEV["id"], REGION).create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{DEV['id']}:hello-lambda", FunctionName=LIVE
    )


def let_requests_invoke(accounts: EmulatedAccounts) -> None:
    apis = accounts.client("apigatewayv2", DEV["id"], REGION)
    tags = {"function": "hello-lambda"}
    api = apis.create_api(Name="hello-lambda", ProtocolType="HTTP", Tags=tags)["ApiId"]
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{LIVE}/invocations"
    integration = apis.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=uri, PayloadFormatVersion="2.0"
    )
    target = f"integrations/{integration['IntegrationId']}"
    apis.create_route(ApiId=api, RouteKey="$default", Target=target, AuthorizationType="AWS_IAM")
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    accounts.client("lambda", DEV["id"], REGION).add_permission(
        FunctionName="hello-lambda",
        Qualifier="live",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{REGION}:{DEV['id']}:{api}/$default/$default",
    )


@pytest.mark.parametrize(
    ("trigger", "connect"),
    [("none", lambda _: None), ("http", let_requests_invoke), ("sqs", let_messages_invoke)],
)
def test_tests_of_what_is_deployed_pass_and_fail_where_it_is_not_there(
    trigger: str,
    connect: Callable[[EmulatedAccounts], None],
    deployed: Callable[[str], Path],
    accounts: EmulatedAccounts,
    path: str,
) -> None:
    repository = deployed(trigger)
    connect(accounts)
    told = {"ACCOUNT": DEV["id"], "FUNCTION": "hello-lambda", "PATH": f"{Path(sys.executable).parent}:{path}"}
    own = os.environ | accounts.environment(DEV["id"], REGION, "tester") | told

    def run(**changed: str) -> subprocess.CompletedProcess[str]:
        subprocess.run(["sh", "tests/deployed/install.sh"], cwd=repository, env=own, check=True)
        command = ["sh", "tests/deployed/run.sh"]
        return subprocess.run(
            command, cwd=repository, env=own | changed, check=False, capture_output=True, text=True
        )

    passed, failed = run(), run(FUNCTION="nowhere")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert failed.returncode != 0
