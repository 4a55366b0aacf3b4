"""`python -m local.node --kubeconfig PATH --name NAME --root FOLDER`: the node agent."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from local.node.agent import Agent, Options
from local.node.api import ApiError
from local.node.reporting import say
from local.node.sandbox.client import SandboxError


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m local.node", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--name", required=True, help="of the Node object")
    parser.add_argument("--root", type=Path, required=True, help="folder for pods")
    parser.add_argument("--certificates", type=Path, required=True, help="folder of the cluster's")
    parser.add_argument("--storage-emulator", metavar="URL", help="where storage initializers go")
    parser.add_argument("--test-images", action="store_true", help="know images for tests")
    return Options(**vars(parser.parse_args()))


def main() -> int:
    options = _options()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        agent = Agent(options)
    except SandboxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    try:
        agent.start()
    except ApiError as error:
        say(f"cannot start: {error}")
        agent.sandbox.stop()
        return 1
    while not stop.wait(0.5):
        if agent.sandbox.gone.is_set():
            say("the node's first process is gone, and all pods with it")
            os._exit(1)
    agent.stop()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Threads wait for connections that nobody will open; nothing of theirs is worth the wait.
    os._exit(code)
