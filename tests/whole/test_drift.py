"""What stands in an account otherwise than it was deployed is told daily, by a role that changes nothing."""

import io
import threading
from typing import Any
from zipfile import ZipFile

from tests.worlds import NAME, PROD, STAGE, World

WHAT = 'aws_cloudwatch_metric_alarm.function["errors"] (is gone); aws_lambda_function.function (memory_size)'
BUILDS = "https://us-east-1.console.aws.amazon.com/codesuite/codebuild/333333333333/projects/"


def told(world: World, environment: dict[str, Any]) -> list[str]:
    """Return what the alerts topic of an environment has been sent about drift."""
    texts = world.accounts.ask("published", account=environment["id"])
    return [text for text in texts if "as it was deployed" in text or "has drifted" in text]


def kept(environment: dict[str, Any], what: str) -> dict[str, str]:
    """Return where something is that belongs to the function's state."""
    return {"Bucket": environment["state_bucket"], "Key": f"functions/{NAME}.{what}"}


def change(world: World, environment: dict[str, Any]) -> None:
    """Change the function behind Terraform's back."""
    world.client("lambda", environment).update_function_configuration(FunctionName=NAME, MemorySize=512)


def test_what_is_planned_and_waits_and_what_people_go_back_to_is_no_drift(world: World) -> None:
    tfvars = ZipFile(world.stored()).read("deployment/environments/prod.tfvars").decode()
    changed = {"deployment/environments/prod.tfvars": tfvars.replace("256", "512")}
    world.send(world.another("is rejected", **changed), PROD)
    assert len(world.walk(PROD, decide=lambda approval: (False, "no"))) == 1
    with ZipFile(io.BytesIO(world.another("before", file="before.txt"))) as release:
        package = release.read("package.zip")
    functions = world.client("lambda", PROD)
    functions.update_function_code(FunctionName=NAME, ZipFile=package)
    functions.get_waiter("function_updated_v2").wait(FunctionName=NAME)
    version = functions.publish_version(FunctionName=NAME)["Version"]
    back = {"FunctionVersion": version, "Description": "back"}
    functions.update_alias(FunctionName=NAME, Name="live", **back)

    assert world.drift(PROD) == {"DRIFT": ""}, world.said
    assert told(world, PROD) == []


def test_what_somebody_has_changed_or_removed_is_told(world: World) -> None:
    """With no false alarm while it is deployed: what was planned meanwhile is planned again."""
    s3 = world.client("s3", STAGE)
    state = s3.get_object(**kept(STAGE, "tfstate"))["ETag"]
    change(world, STAGE)
    world.client("cloudwatch", STAGE).delete_alarms(AlarmNames=[f"{NAME}-errors"])
    builds = world.client("codebuild", STAGE)
    (project,) = builds.batch_get_projects(names=[f"{NAME}-drift"])["projects"]
    faster = {**project["source"], "buildspec": project["source"]["buildspec"].replace("sleep 30", "sleep 1")}
    builds.update_project(name=f"{NAME}-drift", source=faster)
    s3.put_object(**kept(STAGE, "tfstate.tflock"), Body=b"{}")
    unlock = threading.Timer(12, s3.delete_object, kwargs=kept(STAGE, "tfstate.tflock"))
    unlock.start()

    assert world.drift(STAGE) == {"DRIFT": WHAT}, world.said
    unlock.join()
    assert world.said.count("Terraform will perform the following actions") > 1
    assert told(world, STAGE) == [f"{NAME} in stage is not as it was deployed. {WHAT}"]
    assert s3.get_object(**kept(STAGE, "tfstate"))["ETag"] == state


def test_what_was_never_deployed_has_no_drift_and_what_cannot_be_planned_is_told(world: World) -> None:
    s3 = world.client("s3", STAGE)
    change(world, STAGE)

    s3.delete_object(**kept(STAGE, "zip"))
    assert world.drift(STAGE) == {"DRIFT": ""}
    assert told(world, STAGE) == []

    s3.put_object(**kept(STAGE, "zip"), Body=b"no zip")
    assert world.drift(STAGE) is None
    (text,) = told(world, STAGE)
    assert text.startswith(f'"{NAME}-drift failed in stage, so nobody knows what has drifted: {BUILDS}')
