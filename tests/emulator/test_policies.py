"""The evaluation of policies: case by case as documented, and by chance against another formulation of it."""

import random
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

import pytest

from emulator.calls import Caller, Request
from emulator.judge.policies import Policies, UnknownError, decide

ROLE, OBJECT = "arn:aws:iam::222222222222:role/r", "arn:aws:s3:::bucket/key"
SESSION = "arn:aws:sts::222222222222:assumed-role/r/s"


def statement(
    effect: str = "Allow", action: Any = "s3:GetObject", resource: Any = OBJECT, **more: Any
) -> Any:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: Any) -> Any:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allowed(
    *identity: Any,
    boundary: Any = None,
    resource: Any = None,
    owner: str = "222222222222",
    delegating: bool = False,
    **context: str,
) -> bool:
    """Return whether the role may get the object."""
    keys = {key.replace("__", ":"): value for key, value in context.items()}
    request = Request(Caller(ROLE, SESSION), "s3:GetObject", OBJECT, owner, keys)
    return decide(request, Policies([policy(*identity)], boundary, resource, delegating)) is None


# The evaluation of policies, case by case as documented


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], False),
        ([statement()], True),
        ([statement(action="S3:getobject")], True),  # actions know no case
        ([statement(resource="arn:aws:s3:::bucket/KEY")], False),  # resources do
        ([statement(action="s3:Get*", resource="arn:aws:s3:::b?cket/*")], True),
        ([statement(action=["s3:PutObject", "s3:GetObject"])], True),
        ([statement(action="s3:GetObjectAcl")], False),
        ([statement(), statement("Deny")], False),
        ([statement(), statement("Deny", action="s3:PutObject")], True),
        ([{"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"}], True),
        ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], False),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/*"}], False),
    ],
)
def test_statements_allow_and_deny(statements: list[Any], expected: bool) -> None:
    assert allowed(*statements) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"iam:PassedToService": "lambda"}}, True),
        ({"StringEquals": {"IAM:passedtoservice": ["x", "lambda"]}}, True),
        ({"StringEquals": {"iam:PassedToService": "Lambda"}}, False),
        ({"StringLike": {"iam:PassedToService": "lam*"}}, True),
        ({"StringNotEquals": {"iam:PassedToService": "lambda"}}, False),
        ({"StringNotEquals": {"iam:PassedToService": "x"}}, True),
        ({"StringEquals": {"missing": "x"}}, False),
        ({"StringEqualsIfExists": {"missing": "x"}}, True),
        ({"StringNotEquals": {"missing": "x"}}, True),  # negated operators hold where the key is missing
        ({"Null": {"missing": "true"}}, True),
        ({"Null": {"iam:PassedToService": "true"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/r"}}, True),
        ({"StringEquals": {"iam:PassedToService": "lambda"}, "Bool": {"aws:SecureTransport": False}}, False),
    ],
)
def test_conditions_hold_as_documented(condition: Any, expected: bool) -> None:
    found = allowed(
        statement(Condition=condition),
        iam__passedtoservice="lambda",
        aws__securetransport="true",
        aws__principalarn=ROLE,
    )

    assert found is expected


def test_what_is_not_known_never_passes() -> None:
    for unknown in (
        statement(Condition={"DateGreaterThan": {"aws:CurrentTime": "2020"}}),
        statement(resource="arn:aws:s3:::${aws:username}/*"),
    ):
        with pytest.raises(UnknownError):
            allowed(unknown, aws__currenttime="2026")


def by(principal: Any, effect: str = "Allow", **more: Any) -> Any:
    """Return a bucket's policy that speaks of a principal."""
    return policy(statement(effect, Principal={"AWS": principal}, **more))


ROOT = "arn:aws:iam::222222222222:root"


@pytest.mark.parametrize(
    ("identity", "resource", "same", "cross", "trust"),
    [  # same account, another account, a policy that must at least delegate
        (False, None, False, False, False),
        (True, None, True, False, False),
        (False, by(ROLE), True, False, True),
        (False, by(SESSION), True, False, True),
        (False, by(ROOT), False, False, False),
        (True, by(ROOT), True, True, True),
        (True, by(ROLE), True, True, True),
        (True, by("arn:aws:iam::999999999999:root"), True, False, False),
        (True, by(ROLE, "Deny"), False, False, False),
        (True, policy(statement("Deny", Principal="*")), False, False, False),
        (True, by(ROOT, Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}}), True, True, True),
        (True, by(ROOT, Condition={"ArnEquals": {"aws:PrincipalArn": ROLE + "2"}}), True, False, False),
    ],
)
def test_a_resource_s_policy_counts_as_documented(
    identity: bool, resource: Any, same: bool, cross: bool, trust: bool
) -> None:
    statements = [statement()] if identity else []

    def found(**more: Any) -> bool:
        return allowed(*statements, resource=resource, aws__principalarn=ROLE, **more)

    assert found() is same
    assert found(owner="333333333333") is cross
    assert found(delegating=True) is trust


def test_a_boundary_caps_what_the_role_s_policies_grant() -> None:
    assert allowed(statement(), boundary=policy(statement(action="s3:*")))
    assert not allowed(statement(), boundary=policy(statement(action="s3:PutObject")))
    assert not allowed(boundary=policy(statement()))
    assert not allowed(statement(), boundary=policy(statement(), statement("Deny")))


def test_a_boundary_caps_what_a_resource_grants_to_the_role_but_not_to_its_session() -> None:
    nothing = policy(statement(action="s3:PutObject"))

    assert not allowed(resource=by(ROLE), boundary=nothing)
    assert allowed(resource=by(SESSION), boundary=nothing)
    assert not allowed(resource=by(SESSION), boundary=policy(statement(), statement("Deny")))


def test_a_service_of_aws_may_what_a_resource_s_policy_grants_it() -> None:
    trusting = policy(
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Principal": {"Service": "events.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": "222222222222"}},
        }
    )

    def found(service: str, account: str) -> bool:
        caller, keys = Caller(service=service), {"aws:sourceaccount": account}
        request = Request(caller, "s3:GetObject", OBJECT, "222222222222", keys)
        return decide(request, Policies([], None, trusting)) is None

    assert found("events.amazonaws.com", "222222222222")
    assert not found("events.amazonaws.com", "333333333333")
    assert not found("sns.amazonaws.com", "222222222222")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (ROLE, True),
        ("arn:aws:iam::*:role/*", True),
        ("arn:aws:iam::222222222222:role/?", True),
        ("arn:aws:*:role/r", False),  # each of the six parts is compared by itself
        ("arn:aws:iam::222222222222:role/R", False),
    ],
)
def test_arns_are_compared_part_by_part(pattern: str, expected: bool) -> None:
    condition = {"ArnLike": {"aws:PrincipalArn": pattern}}

    assert allowed(statement(Condition=condition), aws__principalarn=ROLE) is expected


# By chance: the same in terms of sets, over a world so small that all of it can be listed

ACTIONS = ["s3:GetObject", "s3:PutObject"]
RESOURCES = ["arn:aws:s3:::bucket/key", "arn:aws:s3:::bucket/other"]
EVERYTHING = set(product(ACTIONS, RESOURCES))
PATTERNS = {
    "Action": ["s3:GetObject", "s3:PutObject", "s3:*", "s3:Get*", "s3:?utObject", "*", "kms:*"],
    "Resource": [*RESOURCES, "arn:aws:s3:::bucket/*", "*", "arn:aws:s3:::bucket/k??", "arn:aws:s3:::b"],
}
# Operator, value in the policy, value in the request (None: it has none), whether the condition holds.
CONDITIONS = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", "a", "b", False),
    ("StringEquals", "a", None, False),
    ("StringEqualsIfExists", "a", None, True),
    ("StringNotEquals", "a", "a", False),
    ("StringNotEquals", "a", None, True),
    ("StringLike", "a*", "abc", True),
    ("StringNotLike", "a*", "abc", False),
    ("Bool", "true", "true", True),
    ("Bool", "true", "false", False),
    ("Null", "true", None, True),
    ("Null", "true", "a", False),
]


class Chance:
    """Statements made by chance, each with the set of what it speaks of."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.context: dict[str, str] = {}

    def document(self, principals: list[Any] | None = None) -> tuple[Any, list[tuple[str, Any, set[Any]]]]:
        """Return a policy and, of each statement, its effect, its principal and what it speaks of."""
        made = [self.statement(principals) for _ in range(self.random.randint(0, 3))]
        return policy(*(each for each, _ in made)), [
            (each["Effect"], each.get("Principal"), spoken) for each, spoken in made
        ]

    def statement(self, principals: list[Any] | None) -> tuple[dict[str, Any], set[Any]]:
        made: dict[str, Any] = {"Effect": self.random.choice(["Allow", "Allow", "Deny"])}
        if principals:
            made["Principal"] = self.random.choice(principals)
        spoken = EVERYTHING
        for place, (element, patterns) in enumerate(PATTERNS.items()):
            chosen = self.random.sample(patterns, self.random.randint(1, 2))
            hit = {each for each in EVERYTHING if any(fnmatchcase(each[place], p) for p in chosen)}
            negated = self.random.random() < 0.2
            made[f"Not{element}" if negated else element] = chosen if len(chosen) > 1 else chosen[0]
            spoken = spoken - hit if negated else spoken & hit
        if self.random.random() < 0.3:
            operator, wanted, given, holds = self.random.choice(CONDITIONS)
            key = f"test:key{len(self.context)}" if given is not None else "test:missing"
            if given is not None:
                self.context[key] = given
            made["Condition"] = {operator: {key: wanted}}
            spoken = spoken if holds else set()
        return made, spoken


def test_twenty_thousand_cases_by_chance_agree_with_what_sets_say() -> None:
    ways = {ROLE: "role", "*": "role", SESSION: "session", ROOT: "account", "222222222222": "account"}
    principals = [*({"AWS": each} for each in ways), {"AWS": ROOT[:-1]}, {"Service": "x.amazonaws.com"}, "*"]
    verdicts = []
    for seed in range(20_000):
        chance = Chance(seed)
        identity, of_identity = chance.document()
        boundary, of_boundary = chance.document() if seed % 2 else (None, [("Allow", None, EVERYTHING)])
        resource, of_resource = chance.document(principals) if seed % 3 else (None, [])
        foreign, delegating = seed % 5 == 0, seed % 7 == 0
        action, where = chance.random.choice(sorted(EVERYTHING))

        def way(principal: Any) -> str | None:
            return ways.get(principal if principal == "*" else principal.get("AWS"))

        denied = {x for e, p, spoken in of_resource if e == "Deny" and way(p) for x in spoken}
        denied |= {x for e, _, spoken in [*of_identity, *of_boundary] if e == "Deny" for x in spoken}
        given = {x for e, _, spoken in of_identity if e == "Allow" for x in spoken}
        capped = {x for e, _, spoken in of_boundary if e == "Allow" for x in spoken}
        by_way = {
            each: {x for e, p, spoken in of_resource if e == "Allow" and way(p) == each for x in spoken}
            for each in ("session", "role", "account")
        }
        if foreign:
            expected = given & capped & (by_way["session"] | by_way["role"] | by_way["account"])
        elif delegating:
            expected = by_way["session"] | by_way["role"] & capped | by_way["account"] & given & capped
        else:
            expected = by_way["session"] | (by_way["role"] | given) & capped
        owner = "333333333333" if foreign else "222222222222"
        request = Request(Caller(ROLE, SESSION), action, where, owner, chance.context)

        found = decide(request, Policies([identity], boundary, resource, delegating)) is None

        assert found is ((action, where) in expected - denied), (seed, identity, boundary, resource)
        verdicts.append(found)
    assert 1_000 < sum(verdicts) < 19_000
