"""`python -m local.node`: the node agent of the local cluster."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

from local.api import ApiError
from local.layout import Layout
from local.node.agent import Agent
from local.node.images import TEST_IMAGES, images
from local.node.reporting import log
from local.node.sandbox.client import SandboxError


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.node", description=__doc__)
    parser.add_argument("--name", required=True, help="of the Node object")
    parser.add_argument("--test-images", action="store_true", help="run the tests' images too")
    return parser.parse_args()


def main() -> int:
    options = _options()
    table = images() | (TEST_IMAGES if options.test_images else {})
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        agent = Agent(Layout.current(), options.name, table)
    except SandboxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    try:
        agent.start()
    except ApiError as error:
        log(f"cannot start: {error}")
        agent.sandbox.stop()
        return 1
    while not stop.wait(0.5):
        if agent.sandbox.ended.is_set():
            log("the node's first process has ended, and all pods with it")
            os._exit(1)
    agent.stop()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Without waiting for the threads, which wait for connections.
    os._exit(code)
