"""The engine's side of the provider protocol, small: one plugin, one resource after another."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import (
    provider_pb2,
    provider_pb2_grpc,
)

from local.plugins.wire import Asset, Properties, decode, encode
from local.toolchain import tool
from tests.local.plugins.engine import Engine
from tests.local.plugins.outcomes import Failed, Rejected, State, Step, errors, raise_failures, urn

__all__ = ["Failed", "Plugin", "Rejected", "State", "Step", "urn"]

OWN = Path(__file__).parents[3] / "local" / "plugins" / "pulumi-resource-gcp"
Values = dict[str, Any]


class Plugin:
    """A plugin's process, spoken to as the engine would: ours for gcp, else the official one."""

    def __init__(self, name: str, environment: dict[str, str] | None = None) -> None:
        path = OWN if name == "gcp" else tool(f"pulumi-resource-{name}")
        self.name = name
        self.engine = Engine()
        self.process = subprocess.Popen(
            [path, self.engine.address],
            stdout=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            text=True,
        )
        assert self.process.stdout is not None
        port = self.process.stdout.readline().strip()
        size = 400 * 1024 * 1024
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{port}",
            options=[
                ("grpc.max_receive_message_length", size),
                ("grpc.max_send_message_length", size),
            ],
        )
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)

    def close(self) -> None:
        """End the process."""
        self.channel.close()
        self.process.terminate()
        self.process.wait()
        self.engine.server.stop(None)

    def configure(self, **settings: Any) -> None:
        """Check the configuration and take it."""
        args = encode(Properties(settings))
        checked = self.stub.CheckConfig(provider_pb2.CheckRequest(news=args))
        raise_failures(checked)
        variables = {
            f"{self.name}:config:{key}": value if isinstance(value, str) else json.dumps(value)
            for key, value in settings.items()
        }
        with errors():
            self.stub.Configure(
                provider_pb2.ConfigureRequest(
                    args=args, variables=variables, acceptSecrets=True, acceptResources=True
                )
            )

    def check(self, token: str, name: str, inputs: Values, old: State | None = None) -> Properties:
        """Inputs with their defaults; raises Rejected."""
        with errors():
            checked = self.stub.Check(
                provider_pb2.CheckRequest(
                    urn=urn(token, name),
                    olds=encode(old.inputs) if old else None,
                    news=encode(Properties(inputs)),
                    randomSeed=os.urandom(32),
                )
            )
        raise_failures(checked)
        return decode(checked.inputs)

    def diff(self, old: State, inputs: Properties) -> provider_pb2.DiffResponse:
        """What an update would do. The engine leaves out what is in assets."""
        news = {key: _elided(value) for key, value in inputs.values.items()}
        with errors():
            found: provider_pb2.DiffResponse = self.stub.Diff(
                provider_pb2.DiffRequest(
                    id=old.id,
                    urn=old.urn,
                    olds=encode(old.outputs),
                    old_inputs=encode(old.inputs),
                    news=encode(Properties(news, inputs.secrets)),
                )
            )
        return found

    def deploy(
        self,
        token: str,
        name: str,
        inputs: Values,
        old: State | None = None,
        *,
        preview: bool = False,
        timeout: float = 60,
    ) -> Step:
        """Bring a resource to its inputs: create, update, replace, or leave it."""
        checked = self.check(token, name, inputs, old)
        if old is None:
            return Step(["create"], self.create(token, name, checked, preview, timeout))
        found = self.diff(old, checked)
        changes = {
            path: provider_pb2.PropertyDiff.Kind.Name(diff.kind)
            for path, diff in found.detailedDiff.items()
        }
        if found.changes == found.DIFF_NONE:
            return Step([], old, changes)
        if not found.replaces:
            return Step(["update"], self.update(old, checked, preview, timeout), changes)
        first = found.deleteBeforeReplace
        if first and not preview:
            self.delete(old)
        new = self.create(token, name, self.check(token, name, inputs), preview, timeout)
        if not first and not preview:
            self.delete(old)
        return Step(["delete", "create"] if first else ["create", "delete"], new, changes)

    def create(
        self, token: str, name: str, inputs: Properties, preview: bool = False, timeout: float = 0
    ) -> State:
        """Create a resource; in a preview, return its expected state."""
        request = provider_pb2.CreateRequest(
            urn=urn(token, name), properties=encode(inputs), preview=preview, timeout=timeout
        )
        with errors(State(token, name, "", inputs, Properties())):
            response = self.stub.Create(request)
        return State(token, name, response.id, inputs, decode(response.properties))

    def update(
        self, old: State, inputs: Properties, preview: bool = False, timeout: float = 0
    ) -> State:
        """Change a resource in place."""
        request = provider_pb2.UpdateRequest(
            id=old.id,
            urn=old.urn,
            olds=encode(old.outputs),
            old_inputs=encode(old.inputs),
            news=encode(inputs),
            preview=preview,
            timeout=timeout,
        )
        with errors(State(old.token, old.name, old.id, inputs, old.outputs)):
            response = self.stub.Update(request)
        return State(old.token, old.name, old.id, inputs, decode(response.properties))

    def refresh(self, old: State) -> State | None:
        """A resource as it is now; None if it is gone."""
        request = provider_pb2.ReadRequest(
            id=old.id, urn=old.urn, properties=encode(old.outputs), inputs=encode(old.inputs)
        )
        return self._read(old.token, old.name, request)

    def refreshed(self, old: State) -> State:
        """A resource as it is now; it must be there."""
        found = self.refresh(old)
        assert found is not None, f"{old.id} is gone"
        return found

    def get(self, token: str, name: str, identifier: str) -> State | None:
        """A resource that is not in the state: an import, or the program's `get`."""
        request = provider_pb2.ReadRequest(id=identifier, urn=urn(token, name))
        return self._read(token, name, request)

    def _read(self, token: str, name: str, request: provider_pb2.ReadRequest) -> State | None:
        with errors():
            response = self.stub.Read(request)
        if not response.id:
            return None
        inputs, outputs = decode(response.inputs), decode(response.properties)
        return State(token, name, response.id, inputs, outputs)

    def invoke(self, token: str) -> None:
        """Call a function of the plugin's."""
        with errors():
            self.stub.Invoke(provider_pb2.InvokeRequest(tok=token))

    def delete(self, old: State) -> None:
        """Remove a resource."""
        with errors():
            self.stub.Delete(
                provider_pb2.DeleteRequest(
                    id=old.id,
                    urn=old.urn,
                    properties=encode(old.outputs),
                    old_inputs=encode(old.inputs),
                )
            )


def _elided(value: Any) -> Any:
    return Asset(hash=value.digest) if isinstance(value, Asset) else value
