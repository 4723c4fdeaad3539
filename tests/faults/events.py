"""Events with hostile content, as each trigger brings it, and what its contract says of them."""

import copy
import json
import random
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from emulator.accounts import EmulatedAccounts
from emulator.execution_environment import ExecutionEnvironment, Outcome
from tests.worlds import DEV, REGION

TEXTS = [
    *(
        "",
        " ",
        "\t",
        "\0",
        "\u2028",
        "\u202e",
        "\ud800",
        "😀" * 1000,
        "A" * 100_000,
        "'; DROP TABLE",
        "${jndi:x}",
    ),
    *(
        "{{ 7 * 7 }}",
        "__proto__",
        "constructor",
        "toString",
        "NaN",
        "null",
        "%s%n",
        "../..",
        "<script>",
        "en\n",
    ),
]
VALUES: list[Any] = [
    *TEXTS,
    None,
    True,
    False,
    0,
    -1,
    1e308,
    2**70,
    0.1,
    [],
    ["Ada"],
    [[]],
    {},
    {"S": "Ada"},
    {"": None},
]
# What is no JSON, or none that every reader takes.
BODIES = [
    *("", " ", "{", '{"name": "Ada"', "name: Ada", "\ufeff{}", '{"name": "Ada"}}', "{'name': 'Ada'}", "\0"),
    *(
        "NaN",
        "[Infinity]",
        '{"name": 1e999}',
        '{"name": "\\ud800"}',
        '{"name": "Ada", "name": 1}',
        "9" * 5000,
    ),
    *("[" * 100_000, '{"name":' * 100_000, '{"language": "en", "name": ' + "[" * 50_000 + "]" * 50_000 + "}"),
]
ATTRIBUTES = [
    *({"S": text} for text in TEXTS),
    *({"N": number} for number in ("0", "1E+125", "-9.9999999999999999999999999999999999999E+125", "007")),
    *({"B": ""}, {"B": "AP8="}, {"BOOL": True}, {"NULL": True}, {"SS": ["a", "b"]}, {"NS": ["1", "2"]}),
    *({"BS": ["AA=="]}, {"L": []}, {"L": [{"M": {"a": {"L": [{"NULL": True}]}}}]}),
    *({"M": {}}, {"M": {"": {"S": "x"}}}),
]
COUNT = 40
NAMES = ("POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME")
ARN = f"arn:aws:lambda:{REGION}:{DEV['id']}:function:hello-lambda:live"
SENT_BACK = {"BadEventError", "BadMessageError", "BadObjectError", "BadRecordError", "BadRequestError"}


def said(chance: random.Random) -> Any:
    """Return what somebody may say in place of {"name": "Ada"}, of what JSON can say."""
    found: dict[str, Any] = {"name": "Ada", "language": "en", "schedule": "x", "time": "2030-01-31T06:00:00Z"}
    for name in chance.sample(sorted(found), chance.randint(1, 3)):
        found[name] = chance.choice(VALUES)
    if chance.random() < 0.2:
        del found[chance.choice(sorted(found))]
    return found


def bodies(chance: random.Random) -> str:
    """Return a text in which somebody says it, well or not."""
    if chance.random() < 0.5:
        return chance.choice(BODIES)
    return json.dumps(chance.choice([said(chance), chance.choice(VALUES)]))


def hostile(trigger: str, sample: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return a sample event of a trigger with other content; all around is as AWS makes it."""
    event = copy.deepcopy(sample)
    match trigger:
        case "none":
            return chance.choice([said(chance), chance.choice(VALUES)])
        case "events":
            event["detail"] = said(chance)
        case "schedule":
            event |= said(chance)
        case "http":
            event["rawPath"] = chance.choice(["/greeting"] * 9 + TEXTS)
            event["requestContext"]["http"]["method"] = chance.choice(["GET"] * 9 + ["HEAD", "TRACE", "get"])
            event["queryStringParameters"] = {
                name: chance.choice(TEXTS) for name in chance.sample(["name", "language", "", "a[]"], 2)
            }
            if chance.random() < 0.1:
                del event["queryStringParameters"]
        case "s3":
            event["content"] = bodies(chance)
            event["detail"]["object"]["key"] = chance.choice(["a", "a/b", "ü+ %2F", "x" * 1000, "😀"])
        case "sns":
            event["Records"][0]["Sns"]["Message"] = bodies(chance)
        case _:
            records = [copy.deepcopy(event["Records"][0]) for _ in range(3)]
            for number, record in enumerate(records):
                record["messageId"] = f"{number}"
                names = {"sequenceNumber": f"{number}", "SequenceNumber": f"{number}"}
                record.get("kinesis", record.get("dynamodb", {})).update(names)
            bad = records[1]
            bad["body"] = bodies(chance)
            data = chance.choice([bodies(chance).encode("utf-8", "surrogatepass"), chance.randbytes(40)])
            bad.get("kinesis", {})["data"] = b64encode(data).decode()
            image = bad.get("dynamodb", {}).get("NewImage", {})
            image |= {name: chance.choice(ATTRIBUTES) for name in chance.sample(["name", "language", "x"], 2)}
            event["Records"] = records
    return event


def became(trigger: str, outcome: Outcome) -> str:
    """Return what has become of an event; fail if the trigger's contract has no such end."""
    answer = json.loads(outcome.payload)
    if trigger == "http":
        assert not outcome.failed, answer
        assert answer["statusCode"] in (200, 400, 404), answer
        return "answered" if answer["statusCode"] == 200 else "answered 4xx"
    if trigger in ("sqs", "kinesis", "stream"):
        assert not outcome.failed, answer
        assert answer["batchItemFailures"] in ([], [{"itemIdentifier": "1"}]), answer
        return "given back alone" if answer["batchItemFailures"] else "answered"
    if not outcome.failed:
        return "answered"
    assert answer["errorType"] in SENT_BACK, answer
    return "refused by its error"


def thrown(
    trigger: str, package: bytes, sample: Path, configuration: dict[str, Any], accounts: EmulatedAccounts
) -> Iterator[str]:
    """Throw events at a package, as the emulator runs a deployed one; yield what has become of each.

    sample: an event that is answered. configuration: of the function, its runtime and handler.
    """
    configuration |= {
        **{"FunctionName": "hello-lambda", "Version": "1", "MemorySize": 256, "Timeout": 20},
        "Environment": {"Variables": dict.fromkeys(NAMES, "hello-lambda")},
        "LoggingConfig": {"LogGroup": "/aws/lambda/hello-lambda", "LogFormat": "JSON"},
    }
    chance = random.Random(f"{trigger} 20")  # noqa: S311
    answered = json.loads(sample.read_text("utf-8"))
    s3 = accounts.client("s3", DEV["id"], REGION)
    s3.create_bucket(Bucket=f"hello-lambda-{DEV['id']}")
    variables = accounts.environment(DEV["id"], REGION)
    running = ExecutionEnvironment(Path(mkdtemp()), package, configuration, variables)
    try:
        for _ in range(COUNT):
            event = hostile(trigger, answered, chance)
            if trigger == "s3":
                place = {"Bucket": event["detail"]["bucket"]["name"], "Key": event["detail"]["object"]["key"]}
                s3.put_object(**place, Body=event.pop("content").encode("utf-8", "surrogatepass"))
                del event["detail"]["object"]["version-id"]
            yield became(trigger, running.invoke(json.dumps(event).encode(), ARN, "8c1e"))
    finally:
        running.close()
