"""The pack as a process of its own, started and asked as the Pulumi CLI does it."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2 as proto
from pulumi.runtime.proto import analyzer_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACK = Path(__file__).resolve().parents[2] / "policy"
# Nobody listens there: the pack answers the engine and asks it nothing.
ENGINE = "127.0.0.1:1"
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Pack:
    """A running pack."""

    client: Any

    def info(self) -> proto.AnalyzerInfo:
        """Its name, and its rules with their own levels."""
        answer: proto.AnalyzerInfo = self.client.GetAnalyzerInfo(empty_pb2.Empty())
        return answer

    def configure(
        self,
        changes: Mapping[str, proto.EnforcementLevel.ValueType],
        settings: Mapping[str, dict[str, Any]],
    ) -> None:
        """Give every rule its level, as the engine does: its own, or another."""
        configuration = {}
        for rule in self.info().policies:
            properties = json_format.ParseDict(settings.get(rule.name, {}), struct_pb2.Struct())
            level = changes.get(rule.name, rule.enforcementLevel)
            configuration[rule.name] = proto.PolicyConfig(
                enforcementLevel=level, properties=properties
            )
        self.client.Configure(proto.ConfigureAnalyzerRequest(policyConfig=configuration))

    def analyze(
        self, token: str, properties: dict[str, Any], protect: bool = True
    ) -> list[tuple[str, str, str]]:
        """Rule, level and message of everything that it has to say on a resource."""
        request = proto.AnalyzeRequest(
            type=token,
            name="it",
            urn=f"urn:pulumi:prod::kserve-triton::{token}::it",
            properties=json_format.ParseDict(properties, struct_pb2.Struct()),
            options=proto.AnalyzerResourceOptions(protect=protect),
        )
        return [
            (each.policyName, proto.EnforcementLevel.Name(each.enforcementLevel), each.message)
            for each in self.client.Analyze(request).diagnostics
        ]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Pack]:
    """Start the pack from a folder that is not its own; stop it in the end."""
    command = [sys.executable, str(PACK), ENGINE]
    # The CLI's language host doesn't ask Python for unbuffered output.
    environment = {key: each for key, each in os.environ.items() if key != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said, _, _ = select.select([process.stdout], [], [], PATIENCE_SECONDS)
            assert said, "the pack does not say on which port it listens"
            port = int(process.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield Pack(analyzer_pb2_grpc.AnalyzerStub(channel))
        finally:
            process.kill()
