"""The provider protocol: the methods of the `ResourceProvider` service for custom resources.

For the other methods the engine uses defaults: no schema, and a configuration whose changes replace
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from local.plugins import answers
from local.plugins.gcp.bucket import Bucket
from local.plugins.gcp.bucket_object import BucketObject
from local.plugins.gcp.iam import BucketIamMember
from local.plugins.gcp.storage import Storage, require_emulator
from local.plugins.resource import Operation, PluginError, State
from local.plugins.schema import unsupported
from local.plugins.wire import Properties, decode

if TYPE_CHECKING:
    import grpc

    from local.plugins.engine import Engine
    from local.plugins.resource import Resource

# The engine compares the SDK's version; the part after the plus distinguishes this plugin.
VERSION = "10.2.0+kserve-triton"
PREFIX = "gcp:config:"
CONFIGURATION = ("project", "disableGlobalProjectWarning")
# Keys that the engine keeps beside a provider's own configuration.
ENGINE_KEYS = ("version", "pluginDownloadURL", "pluginChecksums", "__internal")
NOTICE = (
    "gcp: this project's own plugin is in use, on the storage emulator; it supports buckets, "
    "their objects and their IAM members"
)
UNSUPPORTED = (
    "is not supported by this project's own gcp plugin, which replaces the official one; supported:"
)


class GcpProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Buckets and what is in them, on the storage emulator."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        storage = Storage()
        self._bucket = Bucket(storage)
        self._resources: dict[str, Resource] = {
            "gcp:storage/bucket:Bucket": self._bucket,
            "gcp:storage/bucketObject:BucketObject": BucketObject(storage),
            "gcp:storage/bucketIAMMember:BucketIAMMember": BucketIamMember(storage),
        }

    def _resource(self, urn: str) -> Resource:
        """The resource type of a URN. Raises PluginError if it is not supported."""
        token = urn.split("::", 3)[2].rpartition("$")[2]
        if token not in self._resources:
            raise PluginError(f"{token} {UNSUPPORTED} {', '.join(sorted(self._resources))}")
        return self._resources[token]

    def _operation(
        self, request: provider_pb2.CreateRequest | provider_pb2.UpdateRequest
    ) -> Operation:
        return Operation(request.urn, self._engine, request.preview, request.timeout)

    def GetPluginInfo(
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    @answers.or_abort
    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        news = decode(request.news)
        shape = dict.fromkeys(CONFIGURATION + ENGINE_KEYS)
        return answers.checked(
            news, unsupported(news.values, shape, "this project's own gcp plugin")
        )

    @answers.or_abort
    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        require_emulator()
        given = {key.removeprefix(PREFIX): value for key, value in request.variables.items()}
        settings = given | decode(request.args).values
        self._bucket.project = settings.get("project", self._bucket.project)
        self._engine.inform(NOTICE)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, acceptResources=True, supportsPreview=True
        )

    @answers.or_abort
    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        news = decode(request.news)
        found = self._resource(request.urn).check(news.values)
        return answers.checked(Properties(found.inputs, news.secrets), found.failures)

    @answers.or_abort
    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        old_inputs, old_outputs = decode(request.old_inputs), decode(request.olds)
        resource = self._resource(request.urn)
        news = decode(request.news)
        return answers.difference(resource.diff(old_inputs.values, old_outputs.values, news.values))

    @answers.or_abort
    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        news, resource = decode(request.properties), self._resource(request.urn)
        state = resource.create(self._operation(request), news.values)
        properties = answers.with_secrets(state.outputs, news.secrets, resource.secret)
        return provider_pb2.CreateResponse(id=state.id, properties=properties)

    @answers.or_abort
    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        inputs, outputs = decode(request.inputs), decode(request.properties)
        resource = self._resource(request.urn)
        state = resource.read(request.id, inputs.values, outputs.values)
        if state is None:
            return provider_pb2.ReadResponse()
        secrets = inputs.secrets | outputs.secrets
        return provider_pb2.ReadResponse(
            id=state.id,
            properties=answers.with_secrets(state.outputs, secrets, resource.secret),
            inputs=answers.with_secrets(state.inputs, inputs.secrets),
        )

    @answers.or_abort
    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        news, resource = decode(request.news), self._resource(request.urn)
        old = State(request.id, decode(request.olds).values, decode(request.old_inputs).values)
        outputs = resource.update(self._operation(request), old, news.values)
        properties = answers.with_secrets(outputs, news.secrets, resource.secret)
        return provider_pb2.UpdateResponse(properties=properties)

    @answers.or_abort
    def Delete(
        self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        inputs = decode(request.old_inputs).values
        state = State(request.id, decode(request.properties).values, inputs)
        self._resource(request.urn).delete(state)
        return empty_pb2.Empty()

    @answers.or_abort
    def Invoke(
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        raise PluginError(f"{request.tok} {UNSUPPORTED} no functions")
