"""A build that begins before there is a pipeline, so that a red test is told at once."""

import json
import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hooks.git import GitError, git
from rehearsal import buildspec
from rehearsal.processes import end

BUILDSPEC = "buildspec.yml"
# What pipeline/steps.tf says as it is generated: a build that is told more begins in its pipeline.
PLAIN = re.compile(rf'buildspec = "{BUILDSPEC}"\s+role += "builder"\s+variables = {{ BRANCH = var\.branch }}')
VARIABLES = {"BRANCH": "main"}
ENDING = 10  # seconds that the build gets to end when it is not needed any more


class RedError(Exception):
    """A commit does not build, whatever the accounts are like."""


@dataclass
class EarlyBuild:
    """A build of a commit, for as long as the `with` statement lasts.

    repository: where the commit is. folder: to build in. variables: what the build sees, beside what steps.tf
    tells it. after: one that ends before this begins. What it asks of AWS is refused, and then what has
    become of it counts for nothing.
    """

    repository: Path
    revision: str
    folder: Path
    variables: Mapping[str, str]
    after: "EarlyBuild | None" = None
    seconds: float = 0
    problem: str = ""
    build: buildspec.Build = field(default_factory=buildspec.Build)

    def __enter__(self) -> "EarlyBuild":
        """Begin."""
        self._asked, self._ended = threading.Event(), False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), refusing(self._asked))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End it, with all that it has started."""
        self._ended, deadline = True, time.monotonic() + ENDING
        while self._thread.is_alive() and time.monotonic() < deadline:
            end([self._thread])
            self._thread.join(0.1)
        self._server.shutdown()
        self._server.server_close()

    def wait(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def check(self) -> None:
        """Raise RedError if it has failed by itself."""
        if self.failed:
            raise RedError

    @property
    def failed(self) -> bool:
        """Return whether it has failed by itself."""
        return not self._thread.is_alive() and bool(self.problem) and not self._asked.is_set()

    def stands_for(self, commit: str, project: Mapping[str, Any], given: Mapping[str, str]) -> bool:
        """Return whether it is what a project would build of a commit, once it has ended.

        given: the variables that the project and the pipeline give.
        """
        named = project["source"].get("buildspec") or BUILDSPEC
        if (commit, named, dict(given)) != (self.revision, BUILDSPEC, VARIABLES):
            return False
        self.wait()
        return not self._asked.is_set()

    def _run(self) -> None:
        if self.after:
            self.after.wait()
        if self._ended:
            return
        began = time.monotonic()
        git(self.folder, "clone", "--quiet", "--no-hardlinks", str(self.repository), "src")
        git(self.folder / "src", "checkout", "--quiet", self.revision)
        refusing = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}"}
        try:
            variables = {**self.variables, **refusing, **VARIABLES}
            self.build = buildspec.run(self.folder / "src", BUILDSPEC, variables)
        except buildspec.BuildError as error:
            self.problem, self.build = str(error), error.build
        except ValueError as error:
            self.problem = str(error)
        self.seconds = time.monotonic() - began


def may_begin(repository: Path, revision: str) -> bool:
    """Return whether all that the build of a commit is told is known before there is a pipeline."""
    with suppress(GitError):
        return PLAIN.search(git(repository, "show", f"{revision}:pipeline/steps.tf")) is not None
    return False


def refusing(asked: threading.Event) -> type[BaseHTTPRequestHandler]:
    """Return what notes and refuses each request."""

    class Refusing(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            asked.set()
            body = json.dumps(
                {"__type": "AccessDeniedException", "message": "there is no pipeline yet"}
            ).encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = refuse  # noqa: N815

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    return Refusing
