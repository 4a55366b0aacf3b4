"""A stack: settings and releases, then the components, then the outputs."""

import pulumi

from infra.components.access import Access, AccessArgs
from infra.components.cluster import Cluster, ClusterArgs
from infra.components.knative import KnativeConfig, KnativeConfigArgs
from infra.components.model_repository import ModelRepository, ModelRepositoryArgs
from infra.components.monitoring import Monitoring, MonitoringArgs
from infra.components.namespace import Namespace, NamespaceArgs
from infra.components.served_model import ServedModel, ServedModelArgs
from infra.components.verifier import Verifier, VerifierArgs
from infra.manifests.access import grants, made_accounts
from infra.preflight import preflight

settings, releases = preflight()
stack = settings.stack

cluster = Cluster("cluster", ClusterArgs(stack.cluster))
knative = KnativeConfig(
    "knative",
    KnativeConfigArgs(stack.knative, settings.models),
    pulumi.ResourceOptions(depends_on=[cluster]),
)
namespace = Namespace(
    "namespace",
    NamespaceArgs(stack.namespace, stack.create_namespace, settings.models, stack.storage.bucket),
    pulumi.ResourceOptions(depends_on=[cluster]),
)
stored = releases.stored(settings.models)
repository = ModelRepository("models", ModelRepositoryArgs(stack.storage, stored))
access = Access(
    "access",
    AccessArgs(
        stack.storage.bucket,
        grants(settings, stored),
        stack.namespace,
        made_accounts(settings, stored),
    ),
    pulumi.ResourceOptions(depends_on=[repository, namespace]),
)
verifier = Verifier(
    "verifier",
    VerifierArgs(stack.namespace, settings.models),
    pulumi.ResourceOptions(depends_on=[namespace]),
)
monitoring = Monitoring(
    "monitoring",
    MonitoringArgs(stack.monitoring, stack.namespace, stack.storage.project, settings.models),
    pulumi.ResourceOptions(depends_on=[namespace]),
)
models = {
    name: ServedModel(
        name,
        ServedModelArgs(stack, settings.models[name], release, releases.canary.get(name)),
        pulumi.ResourceOptions(
            depends_on=[knative, namespace, access, verifier, *repository.objects(name)]
        ),
    )
    for name, release in releases.stable.items()
}

pulumi.export("bucket", repository.bucket)
pulumi.export("models", {name: model.outputs for name, model in models.items()})
pulumi.export("perf", {name: model.load_test for name, model in models.items() if model.load_test})
