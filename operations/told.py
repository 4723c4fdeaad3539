"""How the state of a pipeline, and the age of a thing, are told."""

from datetime import UTC, datetime
from typing import Any

WORDS = {"InProgress": "in progress"}


def age(then: datetime) -> str:
    """Return how long ago a time was."""
    seconds = (datetime.now(UTC) - then).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "now"


def actions(stage: dict[str, Any], status: str) -> list[dict[str, Any]]:
    """Return the actions of a stage whose latest run has a status."""
    return [a for a in stage["actionStates"] if a.get("latestExecution", {}).get("status") == status]


def waiting(stage: dict[str, Any]) -> dict[str, Any] | None:
    """Return the action of a stage that waits for a person."""
    return next((a for a in actions(stage, "InProgress") if "token" in a["latestExecution"]), None)


def is_fresh(stages: list[dict[str, Any]], first: bool) -> bool:
    """Return whether nothing has been promoted to a pipeline yet: its first run has found no release.

    stages: as GetPipelineState has them. first: whether it is that of the first environment.
    """
    source, *others = [stage.get("latestExecution", {}).get("status") for stage in stages] or [None]
    return source == "Failed" and not any(others) and not first


def where(stages: list[dict[str, Any]], first: bool) -> tuple[str, str]:
    """Return where a pipeline is, as stage and status: that which runs, waits or has failed, else its end."""
    if is_fresh(stages, first):
        return "", "no release yet"
    for stage in stages:
        status = stage.get("latestExecution", {}).get("status", "Succeeded")
        if waiting(stage):
            status = "waits"
        if status != "Succeeded":
            return stage["stageName"], WORDS.get(status, status.lower())
    return "", "succeeded"
