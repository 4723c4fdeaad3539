"""What invokes functions, a folder for each; its trigger.py, if it has one, puts events into it."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable


class Trigger(Protocol):
    """The trigger of a function."""

    def __init__(self, client: Callable[[str], Any], function: str, account: str, region: str) -> None:
        """Take a function, by its name, where it is; client: returns a client of a service."""

    def send(self, event: Any) -> list[str]:
        """Put into it what a sample event holds; return what that is called from then on."""

    def became(self, sent: list[str]) -> str:
        """Return what has become of what was sent, empty while it is under way."""


@runtime_checkable
class Addressed(Protocol):
    """A trigger that callers must know the address of."""

    def address(self) -> str:
        """Return its address, empty if it is not there yet."""


def named(name: str) -> type[Trigger] | None:
    """Return the trigger of a name, None if nothing can be put into it."""
    module = f"triggers.{name}.trigger"
    if find_spec(f"triggers.{name}") is None or find_spec(module) is None:
        return None
    found: type[Trigger] = import_module(module).Trigger
    return found


def address(name: str, client: Callable[[str], Any], function: str, account: str, region: str) -> str:
    """Return where callers reach a function by the trigger of a name, empty if there is no such place."""
    found = named(name)
    if found is None or not issubclass(found, Addressed):
        return ""
    there: Addressed = found(client, function, account, region)
    return there.address()
