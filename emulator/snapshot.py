"""A world as bytes: what moto and the emulator hold, not what runs in it."""

import hashlib
import importlib
import io
import marshal
import pickle
import sys
import threading
from collections import defaultdict
from types import FunctionType
from typing import Any
from weakref import WeakValueDictionary

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from moto.core.base_backend import BackendDict

DIGEST = hashlib.sha256().digest_size
LOCKS = (type(threading.Lock()), type(threading.RLock()))
PLACES: dict[
    str, Any
] = {}  # what the emulator's modules hold that is empty as a world begins, by MODULE:NAME


def note_places() -> None:
    """Note where a world is held. To be called while it is empty."""
    PLACES.update(
        (f"{module}:{name}", value)
        for module, content in list(sys.modules.items())
        if module.startswith("emulator.")
        for name, value in vars(content).items()
        if type(value) in (dict, list, set, defaultdict) and not value and value is not PLACES
    )


def backends() -> dict[str, Any]:
    """Return the backends of moto that have been used, by MODULE:NAME."""
    return {
        f"{module}:{name}": value
        for module, content in list(sys.modules.items())
        if module.startswith("moto.") and module.endswith(".models")
        for name, value in list(vars(content).items())
        if isinstance(value, BackendDict)
    }


class Writer(pickle.Pickler):
    """Writes what modules hold as a reference to where, and locks as new ones."""

    def __init__(self, file: io.BytesIO, places: dict[str, Any]) -> None:
        """Begin; places: what modules hold."""
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._places = {id(value): place for place, value in places.items()}

    def persistent_id(self, value: Any) -> str | None:
        """Return where a thing is held."""
        return self._places.get(id(value))

    def reducer_override(self, value: Any) -> Any:
        """Return how a lock is made."""
        if isinstance(value, LOCKS):
            return type(value) if type(value) is not LOCKS[0] else threading.Lock, ()
        if isinstance(value, WeakValueDictionary):
            return WeakValueDictionary, (dict(value),)
        if isinstance(value, FunctionType) and "<lambda>" in value.__name__ and not value.__closure__:
            return function, (value.__module__, marshal.dumps(value.__code__))
        if isinstance(value, RSAPrivateKey):
            encoding = (Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            return private_key, (value.private_bytes(*encoding),)
        return NotImplemented


def function(module: str, code: bytes) -> FunctionType:
    """Return a function without a name, as moto has for the default of a dict."""
    return FunctionType(marshal.loads(code), vars(importlib.import_module(module)))  # noqa: S302


def private_key(der: bytes) -> object:
    """Return a key from its bytes."""
    return load_der_private_key(der, None)


class Reader(pickle.Unpickler):
    """Reads what Writer writes."""

    def persistent_load(self, place: str) -> Any:
        """Return what a module holds."""
        module, _, name = place.partition(":")
        return getattr(importlib.import_module(module), name)


def taken(beside: Any) -> bytes:
    """Return the world as bytes. beside: what else to keep."""
    held = PLACES | backends()
    content = [
        (place, vars(value) if isinstance(value, BackendDict) else {}, [*items(value)])
        for place, value in held.items()
    ]
    file = io.BytesIO()
    Writer(file, held).dump((content, beside))
    return hashlib.sha256(file.getvalue()).digest() + file.getvalue()


def whole(world: bytes) -> bool:
    """Return whether a world is as it was taken."""
    return hashlib.sha256(world[DIGEST:]).digest() == world[:DIGEST]


def restored(world: bytes) -> Any:
    """Fill an empty world with what has been taken of another; return what was kept beside."""
    content, beside = Reader(io.BytesIO(world[DIGEST:])).load()
    for place, attributes, found in content:
        value = Reader(io.BytesIO()).persistent_load(place)
        if attributes:
            vars(value).update(attributes)
        value.extend(found) if isinstance(value, list) else value.update(found)
    return beside


def items(value: Any) -> Any:
    """Return what a dict, a set or a list holds."""
    return value.items() if isinstance(value, dict) else value
