"""The emulated AWS accounts: moto, mended, as a server of its own on this machine.

An account is whatever account the credentials belong to; any role of any account can be assumed, since
nothing judges calls yet.
"""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import boto3


class EmulatedAccounts:
    """A world of AWS accounts for as long as the `with` statement lasts."""

    def __enter__(self) -> "EmulatedAccounts":
        """Start the server; it ends with us, however we end, since it reads our end of a pipe."""
        command = [sys.executable, "-m", "rehearsal.accounts"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout  # noqa: S101
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the emulated accounts did not start; what they printed stands above")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.process.communicate()

    def client(self, service: str, account: str, region: str) -> Any:
        """Return a boto3 client with an administrator's rights in an account."""
        variables = self.environment(account, region)
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=variables["AWS_SESSION_TOKEN"],
        )

    def environment(
        self, account: str, region: str, role: str = "OrganizationAccountAccessRole"
    ) -> dict[str, str]:
        """Return the variables with which the AWS CLI, boto3 and Terraform are that role of an account.

        The user's own AWS configuration is kept out.
        """
        sts = boto3.client(
            "sts",
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id="x",
            aws_secret_access_key="x",  # noqa: S106
        )
        arn = f"arn:aws:iam::{account}:role/{role}"
        credentials = sts.assume_role(RoleArn=arn, RoleSessionName="rehearsal")["Credentials"]
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }


class Front:
    """Turns what moto cannot do into an error that no SDK retries."""

    def __init__(self, moto: Any) -> None:
        """Stand before moto's WSGI application."""
        self.moto = moto

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        try:
            answer: Iterable[bytes] = self.moto(environ, start_response)
        except Exception as error:
            called = (
                environ.get("HTTP_X_AMZ_TARGET") or environ["REQUEST_METHOD"] + " " + environ["PATH_INFO"]
            )
            fault = {
                "__type": "EmulatorNotImplemented",
                "message": f"{called}: {type(error).__name__}: {error}",
            }
            body = json.dumps(fault).encode()
            headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
            start_response("400 Bad Request", headers)
            return [body]
        return answer


def serve() -> None:
    """Serve until our parent ends; print the URL."""
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server  # noqa: PLC0415

    from rehearsal import mends  # noqa: F401, PLC0415

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    MotoRequestHandler.protocol_version = "HTTP/1.1"
    front = Front(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, front, threaded=True, request_handler=MotoRequestHandler)
    # An address in numbers, so that SDKs put the bucket into the path.
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(os.environ["AWS_ENDPOINT_URL"], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve()
