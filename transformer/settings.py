"""The command line: the transformer's own arguments and those that KServe passes."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PROTOCOLS", "Settings", "parse"]

PROTOCOLS = ("v2", "grpc-v2")
# Arguments of KServe's model servers that this server does not need. The log names those given.
UNUSED = {
    "protocol": "--predictor_protocol replaces it",
    "grpc_port": "the transformer serves HTTP",
    "enable_grpc": "the transformer serves HTTP",
    "max_asyncio_workers": "--max_threads replaces it",
    "enable_docs_url": "there is no docs page",
    "enable_latency_logging": "latency is in /metrics",
    "configure_logging": "failed requests are logged as JSON lines",
    "log_config_file": "failed requests are logged as JSON lines",
    "access_log_format": "failed requests are logged as JSON lines",
    "predictor_request_timeout_seconds": "--deadline_seconds bounds the whole request",
    "predictor_request_retries": "a request that another pod may answer is sent once more",
    "enable_predictor_health_check": "/v2/models/NAME/ready always asks the predictor",
}
# Arguments that would change the behaviour. They are refused unless they switch it off.
REFUSED = {
    "predictor_use_ssl": "connections to the predictor are plain text",
    "secure_grpc_server": "the transformer serves plain HTTP",
}
FALSE = ("false", "f", "no", "n", "off", "0")


# MiB of an interpreter with numpy and Pillow.
LEAST_MEMORY = 64


@dataclass(frozen=True)
class Settings:
    """The command line and the environment.

    Times are in seconds, `handler_memory` in MiB; `warnings` are lines for the log.
    """

    model: str
    release: Path
    predictor: str
    predictor_pods: str | None
    protocol: str
    port: int
    deadline: float
    max_batch_size: int
    max_threads: int
    drain: float
    triton_metrics: int | None
    handler: Path | None
    handler_parameters: dict[str, Any]
    handler_memory: int | None
    warnings: tuple[str, ...]

    @property
    def address(self) -> tuple[str, int]:
        """The predictor's host and port."""
        return _split(self.predictor)

    @property
    def pods(self) -> tuple[str, int] | None:
        """The name whose addresses are the predictor's pods, and their port."""
        return _split(self.predictor_pods) if self.predictor_pods else None


def parse(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Read the command line, and the variables of the handler.

    `HANDLER` is the folder of handler.py, `HANDLER_PARAMETERS` an object of JSON whose fields
    replace those of the release, `HANDLER_MEMORY` the MiB that each of its processes may take.
    Exits with status 2 and one line if something is wrong, as argparse does.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    for name, reason in REFUSED.items():
        value = getattr(options, name)
        if value is not None and value.lower() not in FALSE:
            parser.error(f"--{name} {value}: not supported: {reason}")
    warnings = [
        f"--{name} has no effect: {reason}"
        for name, reason in UNUSED.items()
        if getattr(options, name) is not None
    ]
    return Settings(
        model=options.model_name,
        release=options.release,
        predictor=options.predictor_host,
        predictor_pods=options.predictor_pods,
        protocol=options.predictor_protocol,
        port=options.http_port,
        deadline=options.deadline_seconds,
        max_batch_size=options.max_batch_size,
        max_threads=options.max_threads,
        drain=options.drain_seconds,
        triton_metrics=options.triton_metrics_port,
        handler=Path(environment["HANDLER"]) if environment.get("HANDLER") else None,
        handler_parameters=_parameters(parser, environment.get("HANDLER_PARAMETERS") or "{}"),
        handler_memory=_memory(parser, environment.get("HANDLER_MEMORY")),
        warnings=tuple(warnings),
    )


def _parser() -> argparse.ArgumentParser:
    # With abbreviations, a mistyped argument could be read as another one.
    parser = argparse.ArgumentParser(prog="python -m transformer", allow_abbrev=False)
    add = parser.add_argument
    add("--model_name", required=True, help="the model's name in the URL and in Triton")
    add("--release", required=True, type=Path, help="path of release.json")
    add("--predictor_host", required=True, type=_address, help="host[:port] of Triton (port 80)")
    add(
        "--predictor_pods",
        type=_address,
        help="host[:port] of a headless Service: requests go to its addresses in turn (none)",
    )
    add("--predictor_protocol", default="v2", choices=PROTOCOLS, help="v2 is HTTP (v2)")
    add("--http_port", default=8080, type=_port, help="port to listen on (8080)")
    add("--workers", type=int, choices=(1,), help="one process serves a pod: add replicas (1)")
    add("--deadline_seconds", default=10.0, type=_deadline, help="time for a whole request (10)")
    add("--max_batch_size", default=32, type=_count, help="rows in one request to Triton (32)")
    add("--max_threads", default=1, type=_count, help="threads that decode pictures (1)")
    add(
        "--drain_seconds",
        default=2.0,
        type=_seconds,
        help="time after SIGTERM in which it is unready and still serves (2)",
    )
    add(
        "--triton_metrics_port",
        type=_port,
        help="port of Triton's metrics in the same pod: /metrics has them too (none)",
    )
    for names, effect in ((UNUSED, "no effect"), (REFUSED, "refused")):
        for name, reason in names.items():
            add(f"--{name}", nargs="?", const="true", metavar="VALUE", help=f"{effect}: {reason}")
    return parser


def _parameters(parser: argparse.ArgumentParser, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        parser.error(f"HANDLER_PARAMETERS: found {text[:100]!r}; allowed: an object of JSON")
    return found


def _memory(parser: argparse.ArgumentParser, text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) < LEAST_MEMORY:
        parser.error(f"HANDLER_MEMORY: found {text!r}; allowed: MiB, {LEAST_MEMORY} or more")
    return int(text)


def _address(text: str) -> str:
    host, port = _split(text)
    if not host or "/" in text or not 0 < port < 65536:
        raise ValueError(text)
    return text


def _split(text: str) -> tuple[str, int]:
    """Host and port. The default is 80, the port of KServe's Services."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        if port and not port.startswith(":"):
            raise ValueError(text)
        return host, int(port[1:] or 80)
    host, _, port = text.partition(":")
    return host, int(port or 80)


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 65536:
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 86400:
        raise ValueError(text)
    return value


def _deadline(text: str) -> float:
    value = _seconds(text)
    if not value:
        raise ValueError(text)
    return value


# argparse prints the name of the function in "invalid NAME value".
_address.__name__ = "host[:port]"
_port.__name__ = "port"
_count.__name__ = "positive number"
_seconds.__name__ = "number of seconds"
_deadline.__name__ = "positive number of seconds"
