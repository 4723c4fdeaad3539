import pytest

from {{ cookiecutter.__package }}.greeting import Request, greet


@pytest.mark.parametrize(("language", "greeting"), [("de", "Hallo, Ada!"), ("fr", "Bonjour, Ada!")])
def test_a_greeting_is_in_the_language_asked_for(language: str, greeting: str) -> None:
    assert greet(Request("Ada", language)) == greeting


def test_a_greeting_is_in_english_unless_asked_otherwise() -> None:
    assert greet(Request("Ada")) == "Hello, Ada!"
