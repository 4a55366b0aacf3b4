"""ghz, the load generator over gRPC: V2 ModelInfer calls, read into the same columns as vegeta's.

ghz keeps all calls, a million at most, and writes a line for each at its end. The time of a call is
when its answer came.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from itertools import cycle, islice
from typing import IO, TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.proto import serialize_length_prefixed
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2 import ModelInferRequest

from jobs.load.metrics import Hits, error_kind
from jobs.load.vegeta import Attack, LoadError, running, wait_for
from jobs.samples import rows, stacked
from release import tensors

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from release.schema import Release

__all__ = ["infer_messages", "run_ghz"]

CALL = "inference.GRPCInferenceService/ModelInfer"
# In an open loop; vegeta opens connections as needed.
CONNECTIONS = 8
LARGEST_MESSAGE = "1GiB"
# Of messages without an answer: ghz holds each twice and more, and takes 500 MiB with as many.
IN_FLIGHT_BYTES = 200_000_000
# If an endpoint is so slow that not all calls can be sent in time, the rest is left out after this.
SPARE_SECONDS = 5.0
# A call in InfluxDB's line protocol: tags, then these fields and the time in nanoseconds.
LINE = re.compile(r' latency=(\d+),error="(.*)",status="(\w*)" (\d+)\n$', re.DOTALL)
ESCAPED = re.compile(r"\\([ ,=])")


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
    protocol, data, output = (folder / name for name in ("v2.protoset", "data.bin", "output.txt"))
    protocol.write_bytes(_descriptors())
    several = BytesIO()
    for message in messages:
        serialize_length_prefixed(message, several)
    data.write_bytes(several.getvalue())
    sizes = [message.ByteSize() for message in messages]
    limit = min(attack.most_at_once, max(IN_FLIGHT_BYTES // max(sizes), CONNECTIONS))
    command = [
        *(program or os.environ.get("GHZ") or "ghz", f"--call={CALL}", f"--protoset={protocol}"),
        *(f"--binary-file={data}", "--format=influx-details"),
        *(f"--timeout={attack.timeout_seconds:g}s", f"--max-recv-message-size={LARGEST_MESSAGE}"),
        *(f"--max-send-message-size={LARGEST_MESSAGE}", *_pace(attack, limit)),
        *(() if secure else ("--insecure",)),
        address,
    ]
    hits = Hits()
    with ThreadPoolExecutor(1) as reader, running(command, "GHZ", output) as (process, results):
        read = reader.submit(_read, results, hits)
        with _ending(process, attack, hits):
            wait_for(process, attack, output, report and (lambda at: report(_progress(attack, at))))
        read.result()
    if not hits.at:
        raise LoadError(f"ghz sent no call to {address}")
    hits.limit = limit
    hits.sent = sum(islice(cycle(sizes), len(hits.at)))
    return hits


def _pace(attack: Attack, limit: int) -> list[str]:
    if attack.rate is None:
        clients = attack.clients or 1
        pace = [f"--duration={attack.seconds:g}s", "--duration-stop=wait"]
        return [*pace, f"--concurrency={clients}", f"--connections={clients}"]
    # As many clients as requests may wait for an answer: up to there an open loop.
    total = round(attack.rate * attack.seconds)
    clients = min(limit, total)
    connections = min(CONNECTIONS, total)
    return [
        *(f"--rps={attack.rate}", f"--total={total}", "--duration-stop=wait"),
        *(f"--concurrency={clients}", f"--connections={connections}"),
    ]


@contextmanager
def _ending(process: subprocess.Popen[bytes], attack: Attack, hits: Hits) -> Iterator[None]:
    """Interrupt ghz soon after its time: it then sends no more, waits for answers, and tells all.

    Not when it has begun to tell: there it can't be interrupted.
    """

    def interrupt() -> None:
        if not hits.at:
            process.send_signal(signal.SIGINT)

    timer = threading.Timer(attack.seconds + SPARE_SECONDS, interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read(results: IO[bytes], into: Hits) -> None:
    with results:
        read_lines((line.decode(errors="replace") for line in results), into)


def read_lines(lines: Iterable[str], hits: Hits) -> None:
    """Add calls of ghz's `influx-details`. The text of an error may have several lines."""
    text = ""
    for line in lines:
        text += line
        found = LINE.search(text)
        if not found:
            continue
        text = ""
        took, error, status, ended = found.groups()
        hits.at.append(int(ended) - int(took))
        hits.latency.append(int(took))
        hits.statuses[status] += 1
        if status != "OK":
            hits.errors[error_kind(ESCAPED.sub(r"\1", error)) or status] += 1
        hits.good.append(status == "OK")


def _progress(attack: Attack, seconds: float) -> str:
    """ghz tells nothing before its end."""
    return f"{min(seconds, attack.seconds):.0f} of {attack.seconds:g} s"


def _descriptors() -> bytes:
    """Descriptors of the V2 protocol, in the format of ghz."""
    descriptors = FileDescriptorSet()
    for each in (*service_pb2.DESCRIPTOR.dependencies, service_pb2.DESCRIPTOR):
        each.CopyToProto(descriptors.file.add())
    made: bytes = descriptors.SerializeToString()
    return made
