"""API Gateway: what it checks of calls that make HTTP APIs, their tags and stages. moto keeps them.

Requests to these APIs: execute_api.py.
"""

import json
import re
from typing import Any
from urllib.parse import quote

from moto.apigatewayv2.models import ApiGatewayV2Backend, Stage, apigatewayv2_backends
from moto.core.utils import get_service_model
from moto.logs.models import logs_backends

from emulator.calls import MODEL, Call, claims, doc, guess, operation
from emulator.judge.checks import RENAMED, Asked, reads
from emulator.mends import replaces

MODEL_OF_APIS = get_service_model("apigatewayv2")
RENAMED.update(
    {
        ("apigateway", name): MODEL_OF_APIS.operation_model(name).http["method"]
        for name in MODEL_OF_APIS.operation_names
    }
)
LOGGING = (
    *("logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies"),
    *("logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"),
)


@reads(
    "apigateway",
    rests=doc("service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html"),
)
def asked(call: Call, action: str) -> Asked:
    """Yield what API Gateway checks: the method of a call on its path; to turn on a log takes more."""
    said, model = call.parameters, MODEL_OF_APIS.operation_model(call.operation)
    path = model.http["requestUri"].removeprefix("/v2")
    for name, member in model.input_shape.members.items():
        if member.serialization.get("location") == "uri":
            path = path.replace(f"{{{member.serialization['name']}}}", quote(str(said[name]), safe="$"))
    told = {
        "apigateway:request/apiname": said.get("Name") if path.count("/") < 3 else None,  # noqa: PLR2004
        "aws:tagkeys": "\n".join(said.get("Tags") or said.get("TagKeys") or []) or None,
    }
    yield action, f"arn:aws:apigateway:{call.region}::{path}", told | told_of_tags(call)
    if said.get("AccessLogSettings", {}).get("DestinationArn"):
        yield from ((each, "*", {}) for each in LOGGING)


@claims(
    "an API's tags are told for its parts, too", guess("create a route by a role that is allowed it by a tag")
)
def told_of_tags(call: Call) -> dict[str, str | None]:
    """Return the condition keys of the tags of the API that a call is about."""
    here = apigatewayv2_backends[call.account][call.region]
    api = here.apis.get(call.parameters.get("ApiId", ""))
    tags = here.get_tags(api.arn) if api else {}
    return {f"aws:resourcetag/{key}".lower(): value for key, value in tags.items()} | {
        "aws:resourcetag/*": None
    }


def wire(value: Any, shape: Any) -> Any:
    """Return what a call says as it was sent."""
    match shape.type_name:
        case "structure":
            members = shape.members
            return {
                members[name].serialization.get("name", name): wire(each, members[name])
                for name, each in value.items()
            }
        case "map":
            return {name: wire(each, shape.value) for name, each in value.items()}
    return value


@operation("apigateway", "UpdateStage", rests=MODEL)
def update_stage(call: Call) -> dict[str, Any]:
    """Change a stage. AWS does, moto has no such operation."""
    said = {name: value for name, value in call.parameters.items() if name != "ApiId"}
    api = apigatewayv2_backends[call.account][call.region].get_api(call.parameters["ApiId"])
    stage, shape = api.get_stage(said["StageName"]), MODEL_OF_APIS.operation_model("UpdateStage").input_shape
    changed = Stage(api, stage.config | wire(said, shape))
    changed.tags, changed.created = stage.tags, stage.created
    api.stages[stage.name] = changed
    let_logs_in(call.account, call.region, changed)
    return said


@replaces(ApiGatewayV2Backend, "create_stage", rests=MODEL)
def create_stage(backend: ApiGatewayV2Backend, original: Any, api: str, config: dict[str, Any]) -> Stage:
    """Let requests to a stage be logged. AWS does, moto does not."""
    stage: Stage = original(backend, api, config)
    let_logs_in(backend.account_id, backend.region_name, stage)
    return stage


@claims(
    "AWS writes the policy by which logs are delivered",
    doc("AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html"),
)
def let_logs_in(account: str, region: str, stage: Stage) -> None:
    """Write the policy by which the log of a stage may be delivered, as AWS does for who may do that."""
    group = (stage.access_log_settings or {}).get("destinationArn")
    if not group:
        return
    logs, name = logs_backends[account][region], "AWSLogDeliveryWrite20150319"
    known = logs.resource_policies.get(name)
    document: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
    document = json.loads(known.policy_document) if known else document
    resource = f"{group}:log-stream:*"
    if all(resource != each["Resource"] for each in document["Statement"]):
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "delivery.logs.amazonaws.com"},
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": resource,
            "Condition": {
                "StringEquals": {"AWS:SourceAccount": account},
                "ArnLike": {"AWS:SourceArn": f"arn:aws:logs:{region}:{account}:*"},
            },
        }
        document["Statement"].append(statement)
        logs.put_resource_policy(name, json.dumps(document))


def tagged(call: Call) -> tuple[ApiGatewayV2Backend, str, dict[str, str] | None]:
    """Return what keeps the tags of the API that a call names, its ARN, and of a stage its tags."""
    here, arn = apigatewayv2_backends[call.account][call.region], call.parameters["ResourceArn"]
    api, _, stage = re.sub("^.*?/apis/", "", arn).partition("/stages/")
    return here, arn, here.get_stage(api, stage).tags if stage else None


@operation("apigateway", "TagResource", rests=MODEL)
def tag(call: Call) -> dict[str, Any]:
    """Tag an API or a stage. AWS does, moto knows no stages here."""
    here, arn, of_stage = tagged(call)
    if of_stage is None:
        here.tag_resource(arn, call.parameters["Tags"])
    else:
        of_stage.update(call.parameters["Tags"])
    return {}


@operation("apigateway", "UntagResource", rests=MODEL)
def untag(call: Call) -> dict[str, Any]:
    """Take tags from an API or a stage. AWS does, moto knows no stages here."""
    here, arn, of_stage = tagged(call)
    if of_stage is None:
        here.untag_resource(arn, call.parameters["TagKeys"])
    else:
        for key in call.parameters["TagKeys"]:
            of_stage.pop(key, None)
    return {}
