"""What a function is told from outside: settings, secrets."""

import hashlib
import io
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from zipfile import ZipFile

from emulator.accounts import EmulatedAccounts
from rehearsal import secrets
from tests.worlds import FACTS, NAME, PROD, REGION, STAGE, TOOL, People, World

VALUE = "correct-horse-battery-staple"
READER = """
from hello_lambda.greeting import Request, greet
from hello_lambda.settings import secret


def handle(event, context):
    return {"secret": len(secret("token")), "greeting": greet(Request("Ada"))}
"""

DEPLOYED = f"""
import json
import os

import boto3


def test_the_secret_is_read():
    function = os.environ["FUNCTION"]
    answer = boto3.client("lambda").invoke(FunctionName=function, Qualifier="live", Payload=b"{{}}")
    assert json.load(answer["Payload"])["secret"] == {len(VALUE)}
"""


def sized(**more: str) -> str:
    """Return the variables of an environment; more: others than it has, as Terraform writes them."""
    written = {"timeout": "10", "memory_size": "256", "log_retention_days": "365", "traffic": '"AllAtOnce"'}
    return "\n".join(f"{name} = {value}" for name, value in (written | more).items())


def release(world: World) -> bytes:
    """Return a release whose function reads a secret in stage and in production, and a setting in stage."""
    with ZipFile(world.stored()) as archive:
        facts, package = json.loads(archive.read("release.json")), io.BytesIO(archive.read("package.zip"))
    with ZipFile(package, "a") as archive:
        archive.writestr("reader.py", READER)
    facts |= {"summary": "reads a secret", "handler": "reader.handle"}
    facts["sha256"] = hashlib.sha256(package.getvalue()).hexdigest()
    spanish = {"secrets": '["token"]', "settings": '{ DEFAULT_LANGUAGE = "es" }'}
    return world.release(
        **{"package.zip": package.getvalue().decode("latin-1"), "release.json": json.dumps(facts)},
        **{"tests/deployed/test_deployed.py": DEPLOYED},
        **{"deployment/environments/stage.tfvars": sized(**spanish)},
        **{"deployment/environments/prod.tfvars": sized(secrets=spanish["secrets"])},
    )


def put(world: World, *environments: dict[str, Any]) -> None:
    """Put the secret into environments, as the README tells an operator to."""
    readme = (world.repository / "README.md").read_text()
    (command,) = re.findall(r"^```bash\n(read .*?)^```$", readme, re.MULTILINE | re.DOTALL)
    variables = People(world).variables
    tools = os.pathsep.join([str(TOOL.parent), variables["PATH"]])
    for environment in environments:
        subprocess.run(
            ["bash", "-c", command.replace("ENVIRONMENT", environment["name"])],
            env=variables | {"PATH": tools},
            input=f"{VALUE}\n",
            stdout=subprocess.DEVNULL,
            text=True,
            check=True,
        )


def kept(world: World, environment: dict[str, Any]) -> Iterator[str]:
    """Yield all that an environment keeps of a deployment: state, plans, logs."""
    s3, logs = world.client("s3", environment), world.client("logs", environment)
    for bucket in environment["state_bucket"], f"{environment['artifacts_bucket']}-pipelines":
        for found in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
            yield body.decode("latin-1")
            if body.startswith(b"PK"):
                with ZipFile(io.BytesIO(body)) as archive:
                    yield from (archive.read(name).decode("latin-1") for name in archive.namelist())
    for group in logs.describe_log_groups()["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        yield from (event["message"] for page in pages for event in page["events"])


def test_a_missing_secret_fails_the_plan_by_its_name(world: World) -> None:
    world.send(release(world))

    (run,) = world.walk()

    assert (run.account, run.stage) == (STAGE["id"], "Deploy")
    assert f"parameter/{NAME}/token" in run.message
    assert world.versions() == world.before


def test_a_secret_is_kept_nowhere_else_and_a_setting_is_one_environment_s_own(
    world: World,
) -> None:
    put(world, STAGE, PROD)
    world.send(release(world))

    assert world.walk() == []

    for environment, greeting in (STAGE, "Hola, Ada!"), (PROD, "Hello, Ada!"):
        functions = world.client("lambda", environment)
        answer = functions.invoke(FunctionName=NAME, Qualifier="live", Payload=b"{}")
        assert json.load(answer["Payload"]) == {"secret": len(VALUE), "greeting": greeting}
        texts = list(kept(world, environment))
        assert any("reads a secret" in text for text in texts)
        assert [text for text in texts if VALUE in text] == []
    journal = world.accounts.journal()
    assert VALUE not in json.dumps([asdict(call) for call in journal])
    checks = [check for call in journal for check in call.checks]
    decrypting = {
        c.caller.role.rpartition("/")[2] for c in checks if c.action == "kms:Decrypt" and of(c.context)
    }
    assert decrypting == {NAME}
    assert [check for check in checks if check.denied] == []


def of(context: dict[str, str | None]) -> bool:
    """Return whether a key is used for a secret."""
    return context.get("kms:encryptioncontext:parameter_arn") is not None


def test_a_rehearsal_puts_placeholders_where_secrets_are_missing(world: World) -> None:
    put(world, PROD)
    for environment in "stage", "prod":
        path = world.repository / f"deployment/environments/{environment}.tfvars"
        path.write_text(sized(secrets='[\n  "token", # "other"\n]'))

    said = list(secrets.put_placeholders(world.accounts, FACTS, world.repository, NAME))

    assert said == [f"/{NAME}/token in stage"]
    found = [secret_of(world.accounts, environment) for environment in (STAGE, PROD)]
    assert found == ["a placeholder", VALUE]


def secret_of(accounts: EmulatedAccounts, environment: dict[str, Any]) -> str:
    """Return the secret that an environment has."""
    store = accounts.client("ssm", environment["id"], REGION)
    return str(store.get_parameter(Name=f"/{NAME}/token", WithDecryption=True)["Parameter"]["Value"])
