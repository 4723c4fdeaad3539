"""The accounts file: what it says, and what is wrong with it. Read by the hooks and by the foundation."""

import os
import re
from collections.abc import Callable, Sequence

import yaml

TYPE_CHECKING = False  # typing costs the hook 3 ms
if TYPE_CHECKING:
    from typing import Any

# They cannot be file names on Windows, whatever the extension.
WINDOWS_DEVICES = {"aux", "con", "nul", "prn", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}
# The partition aws, as botocore lists it (a test compares them).
REGIONS = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
]
# Where what builds and deploys is not, as botocore lists it (a test compares them).
MISSING = {
    "CodeBuild": ["ap-east-2", "ca-west-1", "mx-central-1"],
    "CodeConnections": [
        *("af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-3", "ap-south-2", "ap-southeast-3"),
        *("ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-west-1"),
        *("eu-central-2", "eu-south-2", "il-central-1", "me-central-1", "me-south-1", "mx-central-1"),
    ],
    "CodePipeline": ["ap-east-2", "ap-southeast-7", "ca-west-1", "mx-central-1"],
}

WORDS = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
GITHUB_OWNER = re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,38}")
GIT_ADDRESS = re.compile(
    r"https://[\w.-]+(:\d+)?/[\w.~/-]+|ssh://([\w.-]+@)?[\w.-]+(:\d+)?/[\w.~/-]+|[\w.-]+@[\w.-]+:[\w.~/-]+",
    re.ASCII,
)
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET = re.compile(
    r"(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$)(?!.*\.\.)"
    r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)
LONGEST_BUCKET = 63

Check = Callable[[yaml.ScalarNode], str | None]


class Shape(dict[str, "Check | Shape | Sequence[Check | Shape]"]):
    """The keys of a mapping and what checks each; those in optional may be left out and have a default."""

    optional: "dict[str, Any]" = {}  # noqa: RUF012  set on instances below


def account_id(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with an account id, and what would be right; ids must be quoted text."""
    if node.style is None and re.fullmatch(r"0\d{11}", node.value):
        read = node.value.lstrip("0") if set(node.value) & set("89") else str(int(node.value, 8))
        return f'lost its leading zero: without quotes YAML may read {read}; write "{node.value}"'
    if node.style is None and re.fullmatch(r"\d{12}", node.value):
        return f'is a number without quotes; write "{node.value}"'
    if not re.fullmatch(r"[0-9]{12}", node.value):
        hint = (
            "; if it began with a zero, write that too, in quotes"
            if re.fullmatch(r"\d{9,11}", node.value)
            else ""
        )
        return f"{node.value!r} must be 12 digits{hint}"
    return None


def bucket(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with a bucket's name."""
    if BUCKET.fullmatch(node.value):
        return None
    return (
        f"{node.value!r} is not a bucket name that S3 takes: 3 to 63 lower-case letters, digits, hyphens and dots, "
        "a letter or digit first and last, no two dots together, no IP address, none of AWS's reserved endings"
    )


def artifacts_bucket(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with the name of a bucket beside which there is one for pipelines, named after it."""
    if len(f"{node.value}-pipelines") > LONGEST_BUCKET:
        return f"{node.value!r} is too long: with -pipelines it has to fit into {LONGEST_BUCKET} characters"
    return bucket(node)


def region(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with a region."""
    if lacking := [service for service, regions in MISSING.items() if node.value in regions]:
        return (
            f"{node.value} has no {', no '.join(lacking)}; if it has by now, say so in hooks/accounts_file.py"
        )
    if node.value in REGIONS:
        return None
    return f"{node.value!r} is not a region of the partition aws{nearest(node.value, REGIONS)}"


def words(limit: int, *refused: str) -> Check:
    """Return a check for names that become parts of others: words in lower case, at most limit characters."""

    def check(node: yaml.ScalarNode) -> str | None:
        if not WORDS.fullmatch(node.value) or len(node.value) > limit:
            return f"{node.value!r} must be lower-case words joined by hyphens, a letter first, at most {limit} characters"
        return f"{node.value!r} is taken; choose another name" if node.value in refused else None

    return check


def github_owner(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with the name of a GitHub user or organization."""
    return None if GITHUB_OWNER.fullmatch(node.value) else f"{node.value!r} is not a name that GitHub takes"


def role_name(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with the name of an IAM role."""
    if re.fullmatch(r"[\w+=,.@-]{1,64}", node.value, re.ASCII):
        return None
    return f"{node.value!r} is not a role's name: 1 to 64 letters, digits and _+=,.@-, without its path"


def git_address(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with an address that Git fetches from; it stands in a Makefile."""
    if GIT_ADDRESS.fullmatch(node.value):
        return None
    return (
        f"{node.value!r} is not an address that Git fetches from, such as https://HOST/OWNER/NAME or "
        "git@HOST:OWNER/NAME; it must have no name, password or token in it"
    )


def principal(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with the ARN of whoever in ops may enter a role; * and ? stand for others."""
    if re.fullmatch(r"arn:aws:iam::[0-9]{12}:(role|user)/[\w+=,.@/*?-]+", node.value, re.ASCII):
        return None
    return (
        f"{node.value!r} is not the ARN of a role or user, such as arn:aws:iam::111111111111:role/aws-reserved/"
        "sso.amazonaws.com/*/AWSReservedSSO_Operators_*"
    )


def resource(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with the ARN of a resource; * and ? stand for others, but not for its service."""
    if re.fullmatch(r"arn:aws:[a-z][a-z0-9-]*:[a-z0-9-]*:([0-9]{12})?:[\w+=,.@:/*?-]+", node.value, re.ASCII):
        return None
    return f"{node.value!r} is not the ARN of a resource, such as arn:aws:dynamodb:us-east-1:222222222222:table/prices"


def boolean(node: yaml.ScalarNode) -> str | None:
    """Return what is wrong with a choice."""
    return None if node.tag.endswith(":bool") else f"{node.value!r} must be true or false"


def one_of(*known: str) -> Check:
    """Return a check for one of some words."""

    def check(node: yaml.ScalarNode) -> str | None:
        if node.value in known:
            return None
        return f"{node.value!r} is none of {', '.join(known)}{nearest(node.value, known)}"

    return check


OPS = Shape(id=account_id, state_bucket=bucket, adopt=[one_of("state_bucket", "key", "operator", "reader")])
OPS.optional = {"adopt": []}
ENVIRONMENT = Shape(
    name=words(16, "ops", *WINDOWS_DEVICES),
    id=account_id,
    state_bucket=bucket,
    artifacts_bucket=artifacts_bucket,
    approval=boolean,
    shared=[resource],
    adopt=[
        one_of(
            "state_bucket",
            "artifacts_bucket",
            "pipelines_bucket",
            "key",
            "github",
            "operator",
            "developer",
            "reader",
        )
    ],
)
ENVIRONMENT.optional = {"approval": False, "shared": [], "adopt": []}
PEOPLE = Shape(mfa=boolean, operators=[principal], developers=[principal], readers=[principal])
PEOPLE.optional = {"mfa": False, "operators": [], "developers": [], "readers": []}
ACCOUNTS = Shape(
    organization=words(20),
    region=region,
    github_owner=github_owner,
    template=git_address,
    bootstrap_role=role_name,
    plan_pull_requests=boolean,
    people=PEOPLE,
    ops=OPS,
    environments=[ENVIRONMENT],
)
ACCOUNTS.optional = {
    "template": None,
    "bootstrap_role": "lambda-template-bootstrap",
    "plan_pull_requests": False,
    "people": dict(PEOPLE.optional),
}


def nearest(word: str, known: "Any") -> str:
    """Return a question that names the nearest known word, or nothing."""
    from difflib import get_close_matches  # only a refusal needs it

    found = get_close_matches(word, list(known), 1)
    return f"; did you mean {found[0]}?" if found else ""


def line(node: yaml.Node) -> int:
    """Return the line of the file, from 1, on which a node begins."""
    return int(node.start_mark.line) + 1


class OtherwiseReadError(yaml.MarkedYAMLError):
    """YAML that Terraform does not take."""


class Loader(yaml.SafeLoader):
    """Reads YAML as Terraform does: what Terraform does not take is an error, what it takes for no text has a tag."""

    def compose_node(self, parent: "yaml.Node | None", index: "Any") -> "yaml.Node | None":
        """Return the next node; index: the key, if it is the value of a mapping. Raises MarkedYAMLError."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        start, end = event.start_mark, event.end_mark
        before, source = start.buffer[start.pointer - 1], start.buffer[start.pointer : end.pointer]
        quoted = getattr(event, "style", "") in ("'", '"')
        if getattr(event, "tag", None):
            problem = "has a tag; remove it"
        elif isinstance(parent, yaml.MappingNode) and index is None and getattr(event, "anchor", None):
            problem = "has an anchor or an alias as a key; write the key alone"
        elif isinstance(index, yaml.ScalarNode) and not index.style and source and before == ":":
            problem = "has no space after a colon"
        elif quoted and "\\/" in source:
            problem = "has a slash after a backslash, which it does not need"
        else:
            if isinstance(event, yaml.ScalarEvent) and not quoted:
                event.implicit = (True, False)  # of a block, too
            try:
                return super().compose_node(parent, index)
            except RecursionError:
                problem = "is nested too deeply"
        raise OtherwiseReadError(problem=problem, problem_mark=start)

    def fetch_directive(self) -> None:
        """Take no directive, such as that of a version. Raises MarkedYAMLError."""
        mark = self.get_mark()
        raise OtherwiseReadError(problem="has a directive; remove it", problem_mark=mark)


# What Terraform takes for no text, though PyYAML does: https://github.com/zclconf/go-cty-yaml/blob/main/resolve.go
Loader.add_implicit_resolver(
    "terraform",
    re.compile(
        r"([yYnN]|0o[0-7]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?)$"
    ),
    None,
)


class AccountsFile:
    """An accounts file as it is read: its facts, and its faults as (line, message)."""

    def __init__(self, text: str) -> None:
        """Read and check the text of an accounts file."""
        self.faults: list[tuple[int, str]] = []
        self.seen: dict[str, int] = {}
        self.facts: dict[str, Any] = {}
        try:
            root = yaml.compose(text, Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = "" if isinstance(error, OtherwiseReadError) else "is not YAML: "
            self.faults.append((mark.line + 1 if mark else 1, f"{what}{error.problem or error.context}"))
        except yaml.YAMLError as error:
            self.faults.append((1, f"is not YAML: {' '.join(str(error).split())}"))
        else:
            if (place := text.find("\ufeff", 1)) > 0:
                self.faults.append((text.count("\n", 0, place) + 1, "has a byte-order mark within"))
            if root is None:
                self.faults.append((1, f"is empty; it needs {', '.join(ACCOUNTS)}"))
            else:
                self.facts = self.mapping(root, ACCOUNTS, "")

    def fault(self, node: yaml.Node, path: str, message: str) -> None:
        """Note what is wrong at a place of the file."""
        self.faults.append((line(node), f"{path}: {message}" if path else message))

    def mapping(self, node: yaml.Node, shape: Shape, path: str) -> "dict[str, Any]":
        """Return the facts of a mapping, and note what is wrong in it."""
        facts: dict[str, Any] = {}
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, path, f"must be a mapping with {', '.join(shape)}")
            return facts
        prefix = f"{path}." if path else ""
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "a key that is not text"
            if name not in shape:
                self.fault(
                    key, f"{prefix}{name}", f"is not known{nearest(str(name), shape) or '; remove it'}"
                )
            elif name in facts:
                self.fault(key, f"{prefix}{name}", "stands twice; keep one")
            else:
                facts[name] = self.value(value, shape[name], f"{prefix}{name}")
        for name in shape:
            if name not in facts and name not in shape.optional:
                self.fault(node, f"{prefix}{name}", "is missing")
        return {name: facts.get(name, shape.optional.get(name)) for name in shape}

    def value(self, node: yaml.Node, shape: "Check | Shape | Sequence[Check | Shape]", path: str) -> "Any":
        """Return the facts of a value, and note what is wrong in it."""
        if isinstance(shape, Shape):
            return self.mapping(node, shape, path)
        if isinstance(shape, Sequence):
            if not isinstance(node, yaml.SequenceNode) or not node.value:
                self.fault(node, path, "must be a list with at least one entry")
                return []
            return [self.value(entry, shape[0], f"{path}[{i}]") for i, entry in enumerate(node.value)]
        if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
            self.fault(node, path, "must be a single value")
            return None
        if shape is boolean:
            if problem := shape(node):
                self.fault(node, path, problem)
            return node.value.lower() in ("true", "yes", "on")
        if problem := shape(node):
            self.fault(node, path, problem)
        elif not node.tag.endswith(":str"):
            read = "a number, a date or a truth value"
            self.fault(node, path, f'may be read as {read}; write it in quotes: "{node.value}"')
        elif shape in (account_id, artifacts_bucket, bucket) or path.endswith("].name"):
            if first := self.seen.get(node.value):
                self.fault(node, path, f"{node.value} stands already on line {first}; each needs its own")
            self.seen.setdefault(node.value, line(node))
        return node.value


def check(path: str) -> "tuple[list[str], dict[str, Any]]":
    """Return the faults of an accounts file, a line each, and the facts in it, which are whole without faults."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except UnicodeDecodeError:
        return [f"accounts_file: {path} is not text in UTF-8; save it as such"], {}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        hint = "give an absolute path or one starting with ~"
        return [f"accounts_file: {path} cannot be read ({reason}); {hint}"], {}
    return check_text(path, text)


def check_text(path: str, text: str) -> "tuple[list[str], dict[str, Any]]":
    """Return the same of the text of an accounts file."""
    accounts, name = AccountsFile(text), os.path.basename(path)
    return [f"{name}:{number}: {message}" for number, message in sorted(accounts.faults)], accounts.facts
