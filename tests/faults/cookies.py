"""cookiecutter's own path from answers to a repository, in this process, its rendered hooks too."""

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cookiecutter import generate, hooks, prompt
from cookiecutter.exceptions import CookiecutterException, FailedHookException
from cookiecutter.main import cookiecutter
from jinja2 import Environment

from tests.worlds import TEMPLATE

COMPILE, COMPILED = Environment.compile, dict[tuple[Any, ...], Any]()


@dataclass(frozen=True)
class Baked:
    """What has become of answers: the repository, if there is one, and what was said of them."""

    repository: Path | None
    said: str


def bake(output: Path, answers: Mapping[str, Any], typed: bool = False) -> Baked:
    """Have cookiecutter generate into a folder.

    typed: as answers at its prompts, which are not rendered; otherwise as NAME=ANSWER on its command line.
    """
    said = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)
    given: dict[str, Any] = {"no_input": not typed, "extra_context": None if typed else dict(answers)}
    with (
        at_prompts(answers if typed else {}),
        hooks_in_this_process(),
        patch.object(Environment, "compile", compiled),
        nothing_outside(output),
        redirect_stdout(said),
        redirect_stderr(said),
    ):
        try:
            repository = Path(cookiecutter(str(TEMPLATE), output_dir=str(output), **given))
        except CookiecutterException as error:  # which its command prints, and ends with 1
            repository = None
            print(error)
        except SystemExit as ended:  # as the interpreter does
            repository = None
            print(ended.code)
    return Baked(repository, said.buffer.getvalue().decode())


@contextmanager
def at_prompts(answers: Mapping[str, Any]) -> Iterator[None]:
    """Answer what cookiecutter asks."""

    def variable(name: str, default: str, *_: object) -> Any:
        return answers.get(name, default)

    def choice(name: str, options: list[str], *_: object) -> Any:
        return answers.get(name, options[0])

    with (
        patch.object(prompt, "read_user_variable", variable),
        patch.object(prompt, "read_user_choice", choice),
    ):
        yield


def compiled(environment: Environment, *template: Any) -> Any:
    """Compile a template, once for all repositories: the most of the time that one takes."""
    if template not in COMPILED:
        COMPILED[template] = COMPILE(environment, *template)
    return COMPILED[template]


@contextmanager
def hooks_in_this_process() -> Iterator[None]:
    """Run hooks here, which spares the start of an interpreter."""

    def run_script(script: str, folder: str | Path = ".") -> None:
        path = list(sys.path)
        try:
            with chdir(folder):
                exec(compile(Path(script).read_text("utf-8"), script, "exec"), {"__name__": "__main__"})  # noqa: S102
        except SystemExit as ended:
            raise FailedHookException(f"Hook script failed (exit status: {ended.code})") from None
        finally:
            sys.path[:] = path
            Path(script).unlink()

    with patch.object(hooks, "run_script", run_script), patch.object(hooks.logger, "disabled", True):
        yield


@contextmanager
def nothing_outside(folder: Path) -> Iterator[None]:
    """Fail before cookiecutter makes or removes a folder elsewhere, as a name once had it do."""

    def guarded(do: Callable[[Any], None]) -> Callable[[Any], None]:
        def within(path: Any) -> None:
            assert Path(path).resolve().is_relative_to(folder.resolve()), path
            assert Path(path).resolve() != folder.resolve() or do is generate.make_sure_path_exists, path
            do(path)

        return within

    with (
        patch.object(generate, "make_sure_path_exists", guarded(generate.make_sure_path_exists)),
        patch.object(generate, "rmtree", guarded(generate.rmtree)),
        patch.object(hooks, "rmtree", guarded(hooks.rmtree)),
    ):
        yield
