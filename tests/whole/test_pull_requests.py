"""A pull request is planned, where accounts.yaml asks for it, by a role for its token that only reads."""

import json
import os
import subprocess
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from foundation import terraform
from rehearsal.rehearse import apply_pipelines
from tests.worlds import FACTS, PROD, QUEUE, REGION, Rehearsed, World

GITHUB = "token.actions.githubusercontent.com"
REVIEWER = f"{QUEUE}-reviewer"
ARN = f"arn:aws:iam::{PROD['id']}:role/lambda-template/pipelines/{REVIEWER}"


def why_not(world: World, subject: str, audience: str = "sts.amazonaws.com") -> str:
    """Return why a token of GitHub's may not take the role in production; nothing if it may."""
    provider = f"arn:aws:iam::{PROD['id']}:oidc-provider/{GITHUB}"
    place = {"service": provider, "account": PROD["id"], "region": REGION, "role": ARN, "actions": []}
    told = {f"{GITHUB}:sub": subject, f"{GITHUB}:aud": audience}
    return world.accounts.ask("act", **place, told=told) or ""


def review(world: World) -> subprocess.CompletedProcess[str]:
    """Run what the workflow does for production, once GitHub's token has let it in."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    mine = world.accounts.environment(PROD["id"], REGION, REVIEWER)
    variables = own | mine | terraform.environment(world.folder)
    command = ["sh", "pipeline/review.sh", PROD["name"]]
    return subprocess.run(
        command, cwd=world.repository, env=variables, capture_output=True, text=True, check=False
    )


def test_a_pull_request_of_the_function_s_own_repository_is_planned_and_no_other(
    queued: Rehearsed, tmp_path: Any
) -> None:
    with queued.world.fork() as accounts:
        world = World(queued, accounts, tmp_path)
        facts = json.loads((world.repository / "accounts.json").read_text())
        (world.repository / "accounts.json").write_text(json.dumps(facts | {"plan_pull_requests": True}))
        apply_pipelines(accounts, FACTS, world.repository, tmp_path)
        tfvars = world.repository / "deployment/environments/prod.tfvars"
        tfvars.write_text(tfvars.read_text().replace("256", "512"))

        ours = f"repo:{FACTS['github_owner']}/{QUEUE}"
        assert not why_not(world, f"{ours}:pull_request")
        for other in (
            f"{ours}:ref:refs/heads/main",
            "repo:acme/other:pull_request",
            f"repo:x/{QUEUE}:pull_request",
        ):
            assert "sts:AssumeRoleWithWebIdentity" in why_not(world, other)
        assert "sts:AssumeRoleWithWebIdentity" in why_not(
            world, f"{ours}:pull_request", "https://github.com/acme"
        )

        done = review(world)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("### prod\nPlan: 0 to add, 2 to change, 0 to destroy.\n"), done.stdout
        assert "256 -> 512" in done.stdout

        tfvars.write_text("nonsense")
        broken = review(world)
        assert broken.returncode == 1
        assert broken.stdout.startswith("### prod\nIt cannot be planned.\n")

        s3 = accounts.client("s3", PROD["id"], REGION, REVIEWER)
        pipelines = f"{PROD['artifacts_bucket']}-pipelines"
        for bucket, key in (
            (pipelines, f"{QUEUE}/Plan/x"),
            (PROD["state_bucket"], f"functions/{QUEUE}.tfstate"),
        ):
            with pytest.raises(ClientError, match="not authorized to perform: s3:PutObject"):
                s3.put_object(Bucket=bucket, Key=key, Body=b"x")


def test_forks_and_dependabot_are_planned_nothing_and_get_no_token(queued: Rehearsed) -> None:
    jobs = yaml.safe_load((queued.repository / ".github/workflows/check.yml").read_text())["jobs"]

    assert "head.repo.full_name == github.repository" in jobs["plan"]["if"]
    assert "dependabot[bot]" in jobs["plan"]["if"]
    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})] == ["plan"]
