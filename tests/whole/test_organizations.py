"""Organizations of other shapes than the default one, each founded from nothing."""

import os
from pathlib import Path
from typing import Any

from emulator.accounts import EmulatedAccounts
from rehearsal import foundation
from rehearsal.rehearse import apply_pipelines
from tests.conftest import needs
from tests.organizations import environment, organization_of, repository_of, run


def stored_actions(world: EmulatedAccounts, facts: dict[str, Any]) -> dict[str, str]:
    """Return the actions of each environment's pipeline as CodePipeline has them."""
    pipelines = {}
    for account in facts["environments"]:
        client = world.client("codepipeline", account["id"], facts["region"])
        stages = client.get_pipeline(name="hello-lambda")["pipeline"]["stages"]
        actions = [f"{a['name']}:{a['actionTypeId']['provider']}" for s in stages for a in s["actions"]]
        pipelines[account["name"]] = " ".join(actions)
    return pipelines


def test_an_organization_with_one_environment_recovers_from_an_interrupted_beginning(
    empty: EmulatedAccounts, tmp_path: Path
) -> None:
    facts = organization_of(environment("live", "012345678901")) | {
        "ops": {"id": "000000000007", "state_bucket": "acme-ops-state"},
        "region": "eu-central-1",
    }
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "terraform").write_text(
        '#!/bin/sh\ncase "$*" in *-migrate-state*) exit 1 ;; esac\nPATH="${PATH#*:}" exec terraform "$@"\n'
    )
    (tools / "terraform").chmod(0o755)
    with empty.fork() as world:
        path = {"PATH": f"{tools}:{os.environ['PATH']}"}
        interrupted = run(world, facts, tmp_path / "work", variables=path)
        assert interrupted.returncode == 1
        assert "ops: terraform init failed, see above; then run it again" in interrupted.stdout

        done = run(world, facts, tmp_path / "work")
        assert done.returncode == 0, done.stdout
        again = run(world, facts, tmp_path / "work")

        assert again.stdout.count("No changes.") == 2
        functions = world.client("lambda", "012345678901", "eu-central-1").list_functions()
        assert functions["Functions"] == []
        (_, *others) = world.client("s3", "000000000007", "eu-central-1").list_buckets()["Buckets"]
        assert others == []


def test_an_organization_with_four_environments_promotes_from_each_to_the_next(
    empty: EmulatedAccounts, tmp_path: Path
) -> None:
    names = {"dev": "000000000001", "qa": "000000000002", "stage": "000000000003", "prod": "000000000004"}
    facts = organization_of(*(environment(name, number) for name, number in names.items()))
    with empty.fork() as world:
        needs("terraform")
        foundation.apply(world, facts, tmp_path)
        again = run(world, facts, tmp_path)

        assert again.stdout.count("No changes.") == 5, again.stdout
        for (_name, number), (following, _) in zip(
            list(names.items())[:-1], list(names.items())[1:], strict=True
        ):
            promoter = world.client("lambda", number, "us-east-1").get_function(FunctionName="acme-promoter")
            variables = promoter["Configuration"]["Environment"]["Variables"]
            assert variables["DESTINATION_BUCKET"] == f"acme-{following}-artifacts"

        facts["environments"][3]["approval"] = True
        apply_pipelines(world, facts, repository_of(facts, tmp_path), tmp_path)

        between = "Source:S3 Deploy:CodeBuild Promote:Lambda"
        assert stored_actions(world, facts) == {
            "dev": "Source:CodeStarSourceConnection Build:CodeBuild Deploy:CodeBuild Promote:Lambda",
            "qa": between,
            "stage": between,
            "prod": "Source:S3 Plan:CodeBuild Approve:Manual Deploy:CodeBuild",
        }
