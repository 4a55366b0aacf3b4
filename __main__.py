"""A stack: settings and releases, then the components, then what it says of itself."""

import pulumi

from infra import stack
from infra.identity import Identity, IdentityArgs
from infra.knative import KnativeConfig, KnativeConfigArgs
from infra.manifests.scaling import knative_features
from infra.model_repository import ModelRepository, ModelRepositoryArgs
from infra.monitoring.component import Monitoring, MonitoringArgs
from infra.namespace import Namespace, NamespaceArgs
from infra.preflight import preflight

settings, releases = preflight()
repository = ModelRepository(
    "models", ModelRepositoryArgs(settings.stack.storage, releases.stored(settings.models))
)
knative = KnativeConfig(
    "knative", KnativeConfigArgs(settings.stack.knative, knative_features(settings.models.values()))
)
namespace = Namespace(
    "namespace", NamespaceArgs(settings.stack.namespace, settings.stack.create_namespace)
)
identity = Identity(
    "identity",
    IdentityArgs(
        settings.stack.identity,
        settings.stack.storage,
        settings.stack.namespace,
        readers=settings.readers,
        writers=settings.writers,
        after=[repository, namespace],
    ),
)
served = stack.serve(settings, releases, repository, after=[knative, namespace, identity])
Monitoring(
    "monitoring",
    MonitoringArgs(
        settings.stack.monitoring,
        settings.stack.namespace,
        settings.stack.storage.project,
        pulumi.get_stack(),
        settings.models,
        after=[namespace],
    ),
)

pulumi.export("bucket", repository.bucket)
pulumi.export("models", served.models)
pulumi.export("perf", served.perf)
