"""Reads our Terraform; writes what version 6 of the AWS provider takes and gives for the types that it uses.

The provider itself is in no package registry; bindings that CDK Terrain generates from its schema are. Once,
where test_static.py lacks a type or a newer provider is out:

    pip download --no-deps cdktn-provider-aws
    python -m tests.tools.provider cdktn_provider_aws-*.whl
"""

import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import hcl2

from tests.worlds import TEMPLATE

WRITTEN = TEMPLATE / "tests/whole/provider.json"
LINK = re.compile(r"hashicorp/aws/([\d.]+)/docs/(resources|data-sources)/(\w+)#(\w+) ")


def files() -> dict[str, str]:
    """Return all Terraform that we and functions have, by its place."""
    paths = [
        path for folder in ("foundation", "{{*", "runtimes", "triggers") for path in TEMPLATE.glob(folder)
    ]
    found = [path for folder in paths for path in folder.rglob("*.tf") if ".terraform" not in path.parts]
    return {str(path.relative_to(TEMPLATE)): path.read_text("utf-8") for path in found}


def declared(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the resources and data sources of a file: the type, data. before a source's, and the block."""
    content = hcl2.loads(text)
    for section, mark in ("resource", ""), ("data", "data."):
        for block in content.get(section, []):
            for kind, named in block.items():
                yield from ((mark + kind.strip('"'), body) for body in named.values())


def said(block: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the arguments of a block, each with the blocks that it is; none if it is a value."""
    for name, value in block.items():
        if name == "dynamic":
            for repeated in value:
                inner = next(iter(repeated))
                yield inner.strip('"'), repeated[inner]["content"]
        elif not name.startswith("__"):
            several = value if isinstance(value, list) else []
            yield name, [each for each in several if isinstance(each, dict) and "__is_block__" in each]


def takes(types: dict[str, Any], interface: str) -> dict[str, Any]:
    """Return what an interface of the bindings takes, as Terraform writes it: of a block, what that takes."""
    found: dict[str, Any] = {}
    for member in types[interface].get("properties", []):
        if link := LINK.search(str(member["docs"])):
            inner = re.findall(r'"fqn": "([^"]+)"', json.dumps(member["type"]))
            blocks = [each for each in inner if types.get(each, {}).get("kind") == "interface"]
            found[link[4]] = takes(types, blocks[0]) if blocks else None
    return found


def gives(types: dict[str, Any], resource: str) -> list[str]:
    """Return what a class of the bindings gives, as Terraform writes it."""
    found = [each["name"] for each in types[resource]["properties"] if not each.get("static")]
    names = [name for name in found if not name.endswith("Input")]
    return [re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower() for name in names]


def main(wheel: Path) -> None:
    """Write it, from the bindings' wheel."""
    with ZipFile(wheel) as archive:
        (inner,) = (name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with archive.open(inner) as file, tarfile.open(fileobj=file) as package:
            bindings = json.load(package.extractfile("package/.jsii"))  # type: ignore[arg-type]
    types, wanted = bindings["types"], {kind for text in files().values() for kind, _ in declared(text)}
    lines, versions = [], set()
    for name, found in types.items():
        link = LINK.search(json.dumps(found.get("properties", [])))
        if link and "cdktn.TerraformMetaArguments" in found.get("interfaces", []):
            versions.add(link[1])
            kind = f"{'data.' if link[2] == 'data-sources' else ''}aws_{link[3]}"
            if kind in wanted:
                known = {"takes": takes(types, name), "gives": gives(types, name.removesuffix("Config"))}
                lines.append(f'"{kind}": {json.dumps(known)}')
    facts = {"provider": "hashicorp/aws " + ", ".join(versions), "from": wheel.name}
    head = ", ".join(f'"{name}": "{value}"' for name, value in facts.items())
    WRITTEN.write_text(f'{{{head}, "types": {{\n' + ",\n".join(sorted(lines)) + "\n}}\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
