"""The function as it is deployed, with its API."""

import json
import os

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session


def address() -> str:
    """Return where the function's API is reached."""
    pages = boto3.client("apigatewayv2").get_paginator("get_apis").paginate()
    found = [api for page in pages for api in page["Items"]]
    (own,) = (api for api in found if api.get("Tags", {}).get("function") == os.environ["FUNCTION"])
    return str(own["ApiEndpoint"])


def test_a_signed_request_is_answered_with_a_greeting() -> None:
    session, api = boto3.Session(), address()
    place = os.environ.get("AWS_ENDPOINT_URL", api)  # another than AWS's own, as in a rehearsal
    host = {"Host": api.removeprefix("https://")}
    request = AWSRequest("GET", f"{place}/greeting?language=es&name=deployment", host)
    SigV4Auth(session.get_credentials(), "execute-api", session.region_name).add_auth(request)

    answer = URLLib3Session().send(request.prepare())

    if answer.status_code == 401:
        pytest.skip("the API asks for a token, which its issuer alone gives")
    assert (answer.status_code, json.loads(answer.text)) == (200, {"message": "Hola, deployment!"})
