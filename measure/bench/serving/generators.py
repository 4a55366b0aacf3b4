"""The load generators: vegeta over HTTP, ghz over gRPC."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tritonclient.grpc import service_pb2

from jobs.load.schedule import lateness
from local.building import build_missing
from local.catalogue import TOOLS, Tool
from local.toolchain import cached, tool
from measure.bench.serving.figures import Shots
from measure.bench.serving.loads import Clients, Rate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobs.load.vegeta import Target

__all__ = ["GHZ", "build", "ghz", "nanoseconds", "shots", "vegeta"]

GHZ = Tool("ghz", "measure/bench/tools", "github.com/bojand/ghz/cmd/ghz", "github.com/bojand/ghz")
TIMEOUT = "10s"
TIME = re.compile(r"(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
# Connections over which ghz spreads an open loop; vegeta opens them as it needs them.
OPEN_CONNECTIONS = 8


def build(grpc: bool) -> None:
    """From their pinned modules, once; the cache is that of the local cluster's programs."""
    build_missing(tuple(each for each in TOOLS if each.name == "vegeta"))
    if grpc and not cached(GHZ).exists():
        build_missing((GHZ,))


def vegeta(targets: Sequence[Target], load: Rate | Clients, folder: Path) -> Shots:
    """One load over HTTP/1.1, connections kept."""
    given, made = folder / "targets.json", folder / "results.bin"
    given.write_text("".join(target.line() + "\n" for target in targets))
    pace = (
        [f"-rate={load.a_second}/1s"]
        if isinstance(load, Rate)
        else ["-rate=0", f"-workers={load.count}", f"-max-workers={load.count}"]
    )
    program = str(tool("vegeta"))
    arguments = ["-format=json", f"-targets={given}", f"-output={made}", f"-timeout={TIMEOUT}"]
    _run([program, "attack", *arguments, f"-duration={load.seconds}s", *pace])
    return _vegeta_shots(_run([program, "encode", "-to=csv", str(made)]), load)


def _vegeta_shots(text: str, load: Rate | Clients) -> Shots:
    """From its CSV: time, status, latency."""
    csv.field_size_limit(sys.maxsize)
    rows = csv.reader(text.splitlines())
    return shots([(int(row[0]), int(row[2]), row[1] == "200") for row in rows], load)


def ghz(address: str, message: bytes, load: Rate | Clients, folder: Path) -> Shots:
    """One load of Triton's ModelInfer."""
    protocol, data, made = (folder / name for name in ("v2.protoset", "data.bin", "ghz.json"))
    protocol.write_bytes(_protocol())
    data.write_bytes(message)
    if isinstance(load, Rate):
        # Asynchronous is an open loop: the next one doesn't wait for an answer.
        count = round(load.a_second * load.seconds)
        pace = ["--async", f"--rps={load.a_second}", f"--total={count}"]
        pace += [f"--concurrency={OPEN_CONNECTIONS}", f"--connections={OPEN_CONNECTIONS}"]
    else:
        pace = [f"--concurrency={load.count}", f"--connections={load.count}"]
        pace += [f"--duration={load.seconds}s", "--duration-stop=wait"]
    fixed = ["--insecure", "--call=inference.GRPCInferenceService/ModelInfer", "--format=json"]
    fixed += [f"--protoset={protocol}", f"--binary-file={data}", f"--timeout={TIMEOUT}"]
    _run([str(cached(GHZ)), *fixed, f"--output={made}", *pace, address])
    return _ghz_shots(json.loads(made.read_text()), load)


def _ghz_shots(document: dict[str, Any], load: Rate | Clients) -> Shots:
    details = document["details"] or []
    rows = [(nanoseconds(d["timestamp"]), d["latency"], d["status"] == "OK") for d in details]
    return shots(rows, load)


def shots(rows: Sequence[tuple[int, int, bool]], load: Rate | Clients) -> Shots:
    """Of each request: when it was sent, how long it took, in nanoseconds, and whether well.

    In an open loop a request's latency counts from when it was due, whenever it was sent; what it
    took from then on is kept beside it.
    """
    if not rows:
        return Shots(np.empty(0), np.empty(0), 0, 0.0)
    at, took = (np.asarray([row[column] for row in rows], np.int64) for column in (0, 1))
    good = np.asarray([row[2] for row in rows], np.bool_)
    late = lateness(at, load.a_second) if isinstance(load, Rate) else 0
    seconds = float((at + took).max() - at.min()) / 1e9
    return Shots((took + late)[good] / 1e6, took[good] / 1e6, int((~good).sum()), seconds)


def nanoseconds(text: str) -> int:
    """Of RFC 3339 as Go writes it: with nanoseconds, which datetime doesn't know."""
    found = TIME.fullmatch(text)
    assert found, f"ghz gave the time {text!r}"
    whole, digits, zone = found.groups(default="")
    seconds = datetime.fromisoformat(whole + zone.replace("Z", "+00:00"))
    return int(seconds.timestamp()) * 10**9 + int(digits.ljust(9, "0"))


def _protocol() -> bytes:
    """The V2 protocol's descriptors, as ghz reads them."""
    files = FileDescriptorSet()
    for described in (*service_pb2.DESCRIPTOR.dependencies, service_pb2.DESCRIPTOR):
        described.CopyToProto(files.file.add())
    made: bytes = files.SerializeToString()
    return made


def _run(line: list[str]) -> str:
    done = subprocess.run(line, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise RuntimeError(f"{line[0]} failed: {(done.stderr or done.stdout).strip()[-1000:]}")
    return done.stdout
