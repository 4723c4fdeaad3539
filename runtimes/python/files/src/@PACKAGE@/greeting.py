"""What the function does, apart from AWS."""

from dataclasses import dataclass

from .settings import DEFAULT_LANGUAGE

GREETINGS = {"de": "Hallo", "en": "Hello", "es": "Hola", "fr": "Bonjour"}


@dataclass(frozen=True)
class Request:
    """Whom to greet, and in which language (a key of GREETINGS)."""

    name: str
    language: str = DEFAULT_LANGUAGE


def greet(request: Request) -> str:
    """Return the greeting."""
    return f"{GREETINGS[request.language]}, {request.name}!"
