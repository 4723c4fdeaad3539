"""The HTTP API whose requests invoke a function."""

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies


class Trigger:
    """The API of a function: deployment/trigger.tf."""

    def __init__(self, client: Callable[[str], Any], function: str, account: str, region: str) -> None:
        """Take a function, by its name, where it is; client: returns a client of a service."""
        self.apis, self.function, self.region = client("apigatewayv2"), function, region

    def address(self) -> str:
        """Return where requests go, empty if there is no API yet."""
        pages = self.apis.get_paginator("get_apis").paginate()
        found = (api for page in pages for api in page["Items"])
        own = (api for api in found if api.get("Tags", {}).get("function") == self.function)
        return next((f"{api['ApiEndpoint']}/" for api in own), "")

    def send(self, event: Any) -> list[str]:
        """Send the request of an event, signed unless it brings credentials; return what became of it."""
        host, http = urlsplit(self.address()).netloc, event["requestContext"]["http"]
        if not host:
            why = {"Error": {"Code": "NotFoundException", "Message": f"{self.function} has no API"}}
            raise self.apis.exceptions.NotFoundException(why, "GetApis")
        # Where clients are told of another place than AWS's own, by AWS_ENDPOINT_URL, the API is there too.
        given = str(self.apis.meta.endpoint_url)
        place = f"https://{host}" if given.endswith(".amazonaws.com") else given
        query = f"?{event['rawQueryString']}" if event["rawQueryString"] else ""
        brought = {name: text for name, text in event["headers"].items() if not name.startswith("x-")}
        body = event.get("body", "").encode()
        body = base64.b64decode(body) if event["isBase64Encoded"] else body
        url = f"{place}{event['rawPath']}{query}"
        request = AWSRequest(http["method"], url, brought | {"host": host}, body)
        if "authorization" not in brought:
            self.apis._request_signer.get_auth_instance("execute-api", self.region, "v4").add_auth(request)
        answer = URLLib3Session(proxies=get_environ_proxies(place)).send(request.prepare())
        return [f"{answer.headers['apigw-requestid']}, answered {answer.status_code}: {answer.text}"]

    def became(self, sent: list[str]) -> str:
        """Return how requests were answered."""
        return ", ".join(each.partition(", ")[2].partition(":")[0] for each in sent)
