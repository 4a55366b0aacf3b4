"""A stack: settings and releases, then the components, then what it says of itself."""

import pulumi

from infra.components import stack
from infra.components.identity import Identity, IdentityArgs
from infra.components.knative import KnativeConfig, KnativeConfigArgs
from infra.components.model_repository import ModelRepository, ModelRepositoryArgs
from infra.components.monitoring import Monitoring, MonitoringArgs
from infra.components.namespace import Namespace, NamespaceArgs
from infra.components.registration import hand_over, keep_debug_messages_here, known
from infra.manifests.scaling import knative_features
from infra.preflight import preflight


async def main() -> pulumi.Inputs:
    """The stack's outputs."""
    keep_debug_messages_here()
    settings, releases = preflight()
    features = knative_features(settings.models.values())
    knative = KnativeConfig("knative", KnativeConfigArgs(settings.stack.knative, features))
    namespace = Namespace(
        "namespace",
        NamespaceArgs(settings.stack.namespace, settings.stack.create_namespace, settings.claims),
    )
    # Its plugin starts while the rest is made.
    await known(namespace)
    repository = ModelRepository(
        "models", ModelRepositoryArgs(settings.stack.storage, releases.stored(settings.models))
    )
    await hand_over()
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
    after = [knative, namespace, identity]
    served = await stack.serve(settings, releases, repository, after)
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
    await hand_over()
    return {"bucket": repository.bucket, "models": served.models, "perf": served.perf}


if __name__ == "__main__":
    pulumi.run(main)
