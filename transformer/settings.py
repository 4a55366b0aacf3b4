"""The command line: the transformer's own arguments and those that KServe passes."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PROTOCOLS", "Settings", "parse"]

PROTOCOLS = ("v2", "grpc-v2")
# What KServe's own model servers take and this one has no use for: told in the log.
UNUSED = {
    "protocol": "KServe's old name; --predictor_protocol counts",
    "grpc_port": "the transformer serves HTTP",
    "enable_grpc": "the transformer serves HTTP",
    "max_threads": "images are decoded by one thread a worker",
    "max_asyncio_workers": "images are decoded by one thread a worker",
    "enable_docs_url": "there is no docs page",
    "enable_latency_logging": "latency is in /metrics",
    "configure_logging": "failed requests are logged as JSON lines",
    "log_config_file": "failed requests are logged as JSON lines",
    "access_log_format": "failed requests are logged as JSON lines",
    "predictor_request_timeout_seconds": "--deadline_seconds bounds the whole request",
    "predictor_request_retries": "only a connection that had gone stale is made anew",
    "enable_predictor_health_check": "readiness always follows the predictor's",
}
# What would make a difference to someone: refused when asked for.
REFUSED = {
    "predictor_use_ssl": "the predictor is spoken to in plain text",
    "secure_grpc_server": "the transformer serves plain HTTP",
}
FALSE = ("false", "f", "no", "n", "off", "0")


@dataclass(frozen=True)
class Settings:
    """Where to listen, whom to ask, and how long. `warnings` are for the log."""

    model: str
    release: Path
    predictor: str
    protocol: str
    port: int
    workers: int
    deadline: float
    max_batch_size: int
    drain: float
    warnings: tuple[str, ...]

    @property
    def address(self) -> tuple[str, int]:
        """The predictor's host and port; 80 where none is named, as KServe's Services have it."""
        host, port = _split(self.predictor)
        return host, port


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Exits with status 2 and one line on what is wrong, as argparse does."""
    parser = _parser()
    found = parser.parse_args(arguments)
    for name, reason in REFUSED.items():
        value = getattr(found, name)
        if value is not None and value.lower() not in FALSE:
            parser.error(f"--{name} {value}: not supported: {reason}")
    warnings = [
        f"--{name} has no effect: {reason}"
        for name, reason in UNUSED.items()
        if getattr(found, name) is not None
    ]
    return Settings(
        model=found.model_name,
        release=found.release,
        predictor=found.predictor_host,
        protocol=found.predictor_protocol,
        port=found.http_port,
        workers=found.workers,
        deadline=found.deadline_seconds,
        max_batch_size=found.max_batch_size,
        drain=found.drain_seconds,
        warnings=tuple(warnings),
    )


def _parser() -> argparse.ArgumentParser:
    # Abbreviations would let a mistyped argument pass for another one.
    parser = argparse.ArgumentParser(prog="python -m transformer", allow_abbrev=False)
    add = parser.add_argument
    add("--model_name", required=True, help="the model's name in the URL and in Triton")
    add("--release", required=True, type=Path, help="its release.json")
    add("--predictor_host", required=True, type=_address, help="host[:port] of Triton; port 80")
    add("--predictor_protocol", default="v2", choices=PROTOCOLS, help="v2 is HTTP (default)")
    add("--http_port", default=8080, type=_port, help="to listen on (8080)")
    add("--workers", default=1, type=_count, help="processes (1)")
    add("--deadline_seconds", default=10.0, type=_deadline, help="for a whole request (10)")
    add("--max_batch_size", default=32, type=_count, help="images in one request to Triton (32)")
    add(
        "--drain_seconds",
        default=2.0,
        type=_seconds,
        help="unready but serving after SIGTERM, until nobody sends new requests (2)",
    )
    for name, reason in _told().items():
        add(f"--{name}", nargs="?", const="true", metavar="VALUE", help=reason)
    return parser


def _told() -> dict[str, str]:
    unused = {name: f"no effect: {reason}" for name, reason in UNUSED.items()}
    return unused | {name: f"refused: {reason}" for name, reason in REFUSED.items()}


def _address(text: str) -> str:
    host, port = _split(text)
    if not host or "/" in text or not 0 < port < 65536:
        raise ValueError(text)
    return text


def _split(text: str) -> tuple[str, int]:
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


# argparse names a type by its function in "invalid ... value".
_address.__name__ = "host[:port]"
_port.__name__ = "port"
_count.__name__ = "positive number"
_seconds.__name__ = "number of seconds"
_deadline.__name__ = "positive number of seconds"
