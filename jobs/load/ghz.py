"""ghz, the load generator over gRPC: V2 ModelInfer calls, read into the same columns as vegeta's.

ghz writes one JSON document at its end. It has no sizes of answers, and the time of a call is when
its answer came.
"""

from __future__ import annotations

import json
import os
from array import array
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.proto import serialize_length_prefixed
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2 import ModelInferRequest

from jobs.load.metrics import Hits, error_kind
from jobs.load.vegeta import REPORT_SECONDS, Attack, LoadError, run_program
from jobs.samples import rows, stacked
from release import tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from release.schema import Release

__all__ = ["infer_messages", "run_ghz"]

CALL = "inference.GRPCInferenceService/ModelInfer"
# In an open loop; vegeta opens connections as needed.
CONNECTIONS = 8
LARGEST_MESSAGE = "1GiB"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def infer_messages(model: str, release: Release, *, batch: int = 1) -> list[ModelInferRequest]:
    """Different requests of `batch` rows each, one for each sample to begin with."""
    messages = []
    for samples in rows(release, batch):
        made = ModelInferRequest(model_name=model)
        for tensor, values in zip(release.inputs, stacked(release, samples), strict=True):
            made.inputs.add(name=tensor.name, datatype=tensor.dtype, shape=values.shape)
            made.raw_input_contents.append(tensors.encode(values, tensor.dtype))
        messages.append(made)
    return messages


def run_ghz(
    address: str,
    messages: Sequence[ModelInferRequest],
    attack: Attack,
    folder: Path,
    *,
    secure: bool = False,
    program: str | None = None,
    report: Callable[[str], None] | None = None,
) -> Hits:
    """Send messages in turn to HOST:PORT and return the calls.

    `folder` holds ghz's files; `program` is `$GHZ` or `ghz` on PATH by default; `report` receives a
    line of progress every few seconds. Raises LoadError when ghz can't be run, fails, or sends
    nothing.
    """
    protocol, data, made = (folder / name for name in ("v2.protoset", "data.bin", "ghz.json"))
    protocol.write_bytes(_descriptors())
    several = BytesIO()
    for message in messages:
        serialize_length_prefixed(message, several)
    data.write_bytes(several.getvalue())
    command = [
        *(program or os.environ.get("GHZ") or "ghz", f"--call={CALL}", f"--protoset={protocol}"),
        *(f"--binary-file={data}", "--format=json", f"--output={made}"),
        *(f"--timeout={attack.timeout_seconds:g}s", f"--max-recv-message-size={LARGEST_MESSAGE}"),
        *(f"--max-send-message-size={LARGEST_MESSAGE}", *_pace(attack)),
        *(() if secure else ("--insecure",)),
        address,
    ]
    poll = _progress(attack, report) if report else None
    run_program(command, "GHZ", attack, folder / "output.txt", poll)
    hits = _hits(json.loads(made.read_text())["details"] or [])
    if not hits.at:
        raise LoadError(f"ghz sent no call to {address}")
    sizes = [message.ByteSize() for message in messages]
    hits.sent = sum(islice(cycle(sizes), len(hits.at)))
    return hits


def _pace(attack: Attack) -> list[str]:
    if attack.rate is None:
        clients = attack.clients or 1
        pace = [f"--duration={attack.seconds:g}s", "--duration-stop=wait"]
        return [*pace, f"--concurrency={clients}", f"--connections={clients}"]
    # --async is an open loop: a call does not wait for the answer of another.
    total = round(attack.rate * attack.seconds)
    pace = ["--async", f"--rps={attack.rate}", f"--total={total}"]
    connections = min(CONNECTIONS, total)
    return [*pace, f"--concurrency={connections}", f"--connections={connections}"]


def _hits(details: Sequence[dict[str, Any]]) -> Hits:
    answered = [_nanoseconds(each["timestamp"]) for each in details]
    took = [int(each["latency"]) for each in details]
    bad = [each for each in details if each["status"] != "OK"]
    return Hits(
        at=array("q", [end - latency for end, latency in zip(answered, took, strict=True)]),
        latency=array("q", took),
        good=array("b", [each["status"] == "OK" for each in details]),
        statuses=Counter(each["status"] for each in details),
        errors=Counter(error_kind(each["error"]) or each["status"] for each in bad),
        received=None,
    )


def _nanoseconds(text: str) -> int:
    """Nanoseconds since 1970 of a time in RFC 3339, to the microsecond."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1) * 1000


def _progress(attack: Attack, report: Callable[[str], None]) -> Callable[[float], None]:
    """Reports the time every few seconds; ghz tells nothing before its end."""
    reported = 0.0

    def poll(seconds: float) -> None:
        nonlocal reported
        if seconds - reported >= REPORT_SECONDS:
            report(f"{min(seconds, attack.seconds):.0f} of {attack.seconds:g} s")
            reported = seconds

    return poll


def _descriptors() -> bytes:
    """Descriptors of the V2 protocol, in the format of ghz."""
    descriptors = FileDescriptorSet()
    for each in (*service_pb2.DESCRIPTOR.dependencies, service_pb2.DESCRIPTOR):
        each.CopyToProto(descriptors.file.add())
    made: bytes = descriptors.SerializeToString()
    return made
