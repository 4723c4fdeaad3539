"""What Lambda asks for before it puts a function into a network."""

import io
import json
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError

from emulator.accounts import EmulatedAccounts
from emulator.network import OF_CALLER, OF_ROLE

ACCOUNT, REGION = "222222222222", "us-east-1"
NETWORK = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}


class Network:
    """Two roles, a function's and that of who deploys it, and a function outside of any network."""

    def __init__(self, accounts: EmulatedAccounts) -> None:
        self.iam = accounts.client("iam", ACCOUNT, REGION)
        self.allow("a-function", *OF_ROLE)
        self.allow("a-deployer", *OF_CALLER)
        package = io.BytesIO()
        with ZipFile(package, "w") as archive:
            archive.writestr("app.py", "")
        accounts.client("lambda", ACCOUNT, REGION).create_function(
            FunctionName="a-function",
            Code={"ZipFile": package.getvalue()},
            Runtime="python3.13",
            Handler="app.handle",
            Role=f"arn:aws:iam::{ACCOUNT}:role/a-function",
        )
        accounts.ask("enforce")
        self.functions = accounts.client("lambda", ACCOUNT, REGION, "a-deployer")

    def allow(self, role: str, *actions: str) -> None:
        """Let a role change functions, and do actions of EC2; make it if it is not there."""
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        if role not in [each["RoleName"] for each in self.iam.list_roles()["Roles"]]:
            self.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Statement": trust}))
        allowed = ["lambda:UpdateFunctionConfiguration", *(f"ec2:{action}" for action in actions)]
        statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document)

    def enter(self) -> None:
        """Put the function into a network."""
        self.functions.update_function_configuration(FunctionName="a-function", VpcConfig=NETWORK)


def test_a_function_enters_a_network_whose_interfaces_it_may_make(accounts: EmulatedAccounts) -> None:
    Network(accounts).enter()

    functions = accounts.client("lambda", ACCOUNT, REGION)
    found = functions.get_function_configuration(FunctionName="a-function")["VpcConfig"]
    assert NETWORK.items() <= found.items()


@pytest.mark.parametrize("action", OF_ROLE)
def test_a_function_that_may_not_make_interfaces_is_refused(accounts: EmulatedAccounts, action: str) -> None:
    network = Network(accounts)
    network.allow("a-function", *(each for each in OF_ROLE if each != action))

    with pytest.raises(ClientError, match=f"does not have permissions to call {action} on EC2"):
        network.enter()


@pytest.mark.parametrize("action", OF_CALLER)
def test_whoever_may_not_see_a_network_is_refused(accounts: EmulatedAccounts, action: str) -> None:
    network = Network(accounts)
    network.allow("a-deployer", *(each for each in OF_CALLER if each != action))

    with pytest.raises(ClientError, match=f"not authorized to perform: ec2:{action}"):
        network.enter()
