"""Put the code on disk into a sandbox."""

import time

from operations import package


def main(name: str) -> None:
    """Package what changed, update the sandbox's code, wait until it is live."""
    began = time.perf_counter()
    building = package.make("package")
    # The SDK takes as long to load as the package to be built.
    from operations.sandbox import client, sandbox  # noqa: PLC0415

    mine = sandbox(name)
    with mine.used():
        functions = client("lambda")
        mine.sync(functions, package.built(building))
    print(f"{mine.full_name} runs what is on disk, after {time.perf_counter() - began:.2f} s")
