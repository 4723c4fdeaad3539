"""The AWS CLI of builds: loaded once and forked for each command, since to load it takes longer than a call.

Usage: python -m rehearsal.aws SOCKET, until standard input ends.
"""

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rehearsal.processes import started

LONGEST = 100  # bytes of a socket's path
CLIENT = """\
#!{python} -ISE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({socket})
    socket.send_fds(server, [b"."], [0, 1, 2])
    server.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    sys.exit(int(server.makefile().read() or 1))
"""


@contextmanager
def loaded(folder: Path) -> Iterator[Path | None]:
    """Load the AWS CLI; yield a folder with a command that is it, or None where a socket has no room."""
    place, address = folder / "aws", folder / "aws/socket"
    if len(os.fsencode(address)) > LONGEST:
        yield None
        return
    place.mkdir(mode=0o700)
    command = place / "aws"
    command.write_text(CLIENT.format(python=sys.executable, socket=json.dumps(str(address))))
    command.chmod(0o755)
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    root = str(Path(__file__).parents[1])
    own["PYTHONPATH"] = os.pathsep.join(filter(None, [root, own.get("PYTHONPATH")]))
    line = [sys.executable, "-m", "rehearsal.aws", str(address)]
    with started(line, env=own, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout  # noqa: S101
        yield place if server.stdout.readline() else None


def answer(connection: socket.socket) -> int:
    """Be the AWS CLI for who has connected; return its exit code."""
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    arguments, folder, variables = json.loads(connection.makefile().readline())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    importlib.reload(importlib.import_module("awscli"))  # it tells by a variable where its own data is
    sys.argv = ["aws", *arguments]
    return int(importlib.import_module("awscli.clidriver").main() or 0)


def serve(address: str) -> None:
    """Answer whoever connects, each in a process of its own."""
    for module in "awscli.clidriver", "awscli.handlers":
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    threading.Thread(target=lambda: os.read(0, 1) or os._exit(0), daemon=True).start()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen(16)
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                code = 255
                try:
                    code = answer(connection)
                except SystemExit as error:
                    code = error.code if isinstance(error.code, int) else 1
                except Exception:
                    traceback.print_exc()
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    connection.sendall(str(code).encode())
                    os._exit(code)
            connection.close()


if __name__ == "__main__":
    serve(sys.argv[1])
