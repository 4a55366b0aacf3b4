"""Load generators: vegeta over HTTP, ghz over gRPC."""

from __future__ import annotations

import json
import re
import subprocess
from array import array
from datetime import datetime
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tritonclient.grpc import service_pb2

from jobs.load.metrics import Hits
from jobs.load.vegeta import Attack, run_attack
from local.building import build_missing
from local.catalogue import TOOLS, Tool
from local.toolchain import cached, tool
from measure.bench.serving.loads import Clients, Rate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobs.samples import Target

__all__ = ["GHZ", "build", "ghz", "nanoseconds", "vegeta"]

GHZ = Tool("ghz", "measure/bench/tools", "github.com/bojand/ghz/cmd/ghz", "github.com/bojand/ghz")
TIMEOUT_SECONDS = 10
TIME = re.compile(r"(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
# Connections of ghz in an open loop; vegeta opens them as needed.
OPEN_CONNECTIONS = 8


def build(grpc: bool) -> None:
    """Build the generators from their pinned modules, unless they are in the cache."""
    build_missing(tuple(each for each in TOOLS if each.name == "vegeta"))
    if grpc and not cached(GHZ).exists():
        build_missing((GHZ,))


def vegeta(targets: Sequence[Target], load: Rate | Clients, folder: Path) -> Hits:
    """Send a load over HTTP/1.1 with persistent connections. Raises LoadError."""
    rate, clients = (load.a_second, None) if isinstance(load, Rate) else (None, load.count)
    attack = Attack(load.seconds, rate, clients, TIMEOUT_SECONDS)
    return run_attack(targets, attack, folder, program=str(tool("vegeta")))


def ghz(address: str, message: bytes, load: Rate | Clients, folder: Path) -> Hits:
    """Send a load of ModelInfer calls. Raises RuntimeError."""
    protocol, data, made = (folder / name for name in ("v2.protoset", "data.bin", "ghz.json"))
    protocol.write_bytes(_descriptors())
    data.write_bytes(message)
    if isinstance(load, Rate):
        # --async is an open loop: a call does not wait for the answer of another.
        count = round(load.a_second * load.seconds)
        pace = ["--async", f"--rps={load.a_second}", f"--total={count}"]
        pace += [f"--concurrency={OPEN_CONNECTIONS}", f"--connections={OPEN_CONNECTIONS}"]
    else:
        pace = [f"--concurrency={load.count}", f"--connections={load.count}"]
        pace += [f"--duration={load.seconds}s", "--duration-stop=wait"]
    command = [str(cached(GHZ)), "--insecure", "--call=inference.GRPCInferenceService/ModelInfer"]
    command += [f"--protoset={protocol}", f"--binary-file={data}", f"--timeout={TIMEOUT_SECONDS}s"]
    command += ["--format=json", f"--output={made}", *pace, address]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise RuntimeError(f"ghz failed: {(done.stderr or done.stdout).strip()[-1000:]}")
    return _ghz_hits(json.loads(made.read_text()))


def _ghz_hits(document: dict[str, Any]) -> Hits:
    details = document["details"] or []
    if not details:
        raise RuntimeError("ghz sent no request")
    return Hits(
        at=array("q", [nanoseconds(each["timestamp"]) for each in details]),
        latency=array("q", [each["latency"] for each in details]),
        good=array("b", [each["status"] == "OK" for each in details]),
    )


def nanoseconds(text: str) -> int:
    """Nanoseconds of a time in RFC 3339 with up to nine digits, which datetime can't read."""
    found = TIME.fullmatch(text)
    assert found, f"ghz wrote the time {text!r}"
    whole, digits, zone = found.groups(default="")
    seconds = datetime.fromisoformat(whole + zone.replace("Z", "+00:00"))
    return int(seconds.timestamp()) * 10**9 + int(digits.ljust(9, "0"))


def _descriptors() -> bytes:
    """Descriptors of the V2 protocol, in the format of ghz."""
    descriptors = FileDescriptorSet()
    for each in (*service_pb2.DESCRIPTOR.dependencies, service_pb2.DESCRIPTOR):
        each.CopyToProto(descriptors.file.add())
    made: bytes = descriptors.SerializeToString()
    return made
