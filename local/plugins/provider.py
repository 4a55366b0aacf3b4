"""The provider protocol: requests in, resources asked, responses out.

Every method of pulumi/pulumi's `ResourceProvider` service that an engine calls for custom
resources; components, parameters and mappings are not implemented.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from local.plugins import answers
from local.plugins.engine import Engine
from local.plugins.resource import Naming, Operation, PluginError, State
from local.plugins.schema import misfits
from local.plugins.wire import Properties, decode

if TYPE_CHECKING:
    import grpc

    from local.plugins.resource import Resource, Values

# Keys that the engine keeps beside a provider's own configuration.
_ENGINE_KEYS = frozenset({"version", "pluginDownloadURL", "pluginChecksums", "__internal"})


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """A plugin: its name, the SDK's version that it goes with, and its resource types."""

    name: str
    version: str
    configuration: frozenset[str]
    notice: str
    resources: dict[str, Resource]

    def __init__(self, engine_address: str = "") -> None:
        self.engine = Engine(engine_address)
        self.cancelled = Event()

    @abstractmethod
    def configure(self, settings: Values) -> None:
        """Take the provider's configuration; raises PluginError."""

    def resource(self, urn: str) -> Resource:
        """The type that a URN is of; raises PluginError for one that isn't known here."""
        token = urn.split("::", 3)[2].rpartition("$")[2]
        if token not in self.resources:
            known = ", ".join(sorted(self.resources))
            raise PluginError(
                f"{token} is not known to this project's own {self.name} plugin, which stands in "
                f"for the official one; it knows {known}"
            )
        return self.resources[token]

    def _operation(self, request: Any) -> Operation:
        preview = getattr(request, "preview", False)
        return Operation(request.urn, self.engine, preview, request.timeout, self.cancelled)

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        self.engine.attach(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=True, supports_autonaming_configuration=True
        )

    def Attach(
        self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        self.engine.attach(request.address)
        return empty_pb2.Empty()

    def GetPluginInfo(
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.version)

    def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        resources: dict[str, dict[str, Any]] = {token: {} for token in self.resources}
        schema = {"name": self.name, "version": self.version, "resources": resources}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    @answers.or_abort
    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        news = decode(request.news)
        shape = dict.fromkeys(self.configuration | _ENGINE_KEYS)
        failures = misfits(news.values, shape, f"this project's own {self.name} plugin")
        return answers.checked(news, failures)

    @answers.or_abort
    def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        # The local cluster's ports change from start to start; the cluster stays the same, so
        # that nothing in it is ever replaced for a change of the configuration.
        old, new = decode(request.old_inputs), decode(request.news)
        return answers.configuration_diff(old.values, new.values)

    @answers.or_abort
    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        prefix = f"{self.name}:config:"
        given = {key.removeprefix(prefix): value for key, value in request.variables.items()}
        self.configure(given | decode(request.args).values)
        self.engine.inform(self.notice)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True,
            acceptResources=True,
            supportsPreview=True,
            supports_autonaming_configuration=True,
        )

    @answers.or_abort
    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        news = decode(request.news)
        asked = request.autonaming if request.HasField("autonaming") else None
        naming = Naming(
            request.urn.split("::", 3)[3],
            request.randomSeed,
            asked.proposed_name if asked else "",
            bool(asked and asked.mode == asked.ENFORCE),
            bool(asked and asked.mode == asked.DISABLE),
        )
        found = self.resource(request.urn).check(news.values, decode(request.olds).values, naming)
        return answers.checked(Properties(found.inputs, news.secrets), found.failures)

    @answers.or_abort
    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        old_inputs, old_outputs = decode(request.old_inputs), decode(request.olds)
        news = decode(request.news)
        resource = self.resource(request.urn)
        found = resource.diff(old_inputs.values, old_outputs.values, news.values)
        return answers.difference(found)

    @answers.or_abort
    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        news, resource = decode(request.properties), self.resource(request.urn)
        mark = partial(answers.marked, secrets=news.secrets, names=resource.secret)
        with answers.partial_errors(context, mark):
            state = resource.create(self._operation(request), news.values)
        return provider_pb2.CreateResponse(id=state.id, properties=mark(state.outputs))

    @answers.or_abort
    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        inputs, outputs = decode(request.inputs), decode(request.properties)
        resource = self.resource(request.urn)
        known = partial(answers.marked, secrets=inputs.secrets, names=resource.secret)
        with answers.partial_errors(context, known):
            state = resource.read(request.id, inputs.values, outputs.values)
        if state is None:
            return provider_pb2.ReadResponse()
        names = resource.secret
        return provider_pb2.ReadResponse(
            id=state.id,
            properties=answers.marked(state.outputs, inputs.secrets | outputs.secrets, names),
            inputs=answers.marked(state.inputs, inputs.secrets, () if inputs.values else names),
        )

    @answers.or_abort
    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        news, resource = decode(request.news), self.resource(request.urn)
        old = State(request.id, decode(request.olds).values, decode(request.old_inputs).values)
        mark = partial(answers.marked, secrets=news.secrets, names=resource.secret)
        with answers.partial_errors(context, mark):
            outputs = resource.update(self._operation(request), old, news.values)
        return provider_pb2.UpdateResponse(properties=mark(outputs))

    @answers.or_abort
    def Delete(
        self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        inputs = decode(request.old_inputs).values
        state = State(request.id, decode(request.properties).values, inputs)
        self.resource(request.urn).delete(self._operation(request), state)
        return empty_pb2.Empty()

    @answers.or_abort
    def Invoke(
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        raise PluginError(
            f"{request.tok} is not known to this project's own {self.name} plugin, which stands in "
            "for the official one; it knows no functions"
        )

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.cancelled.set()
        return empty_pb2.Empty()
