"""What the Jobs have in common: one that Pulumi waits for, and its pods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.manifests.names import Manifest, labels
from infra.manifests.pods import pull_secrets

if TYPE_CHECKING:
    from infra.config import Jobs
    from infra.manifests.served_release import ServedRelease

# A sidecar that doesn't end keeps a pod from completing. Istio reads the label, and the annotation
# before 1.10; Linkerd reads the annotation.
WITHOUT_SIDECAR = {"sidecar.istio.io/inject": "false"}
NO_SIDECAR_ANNOTATIONS = WITHOUT_SIDECAR | {"linkerd.io/inject": "disabled"}
# The cluster autoscaler and Karpenter leave the pod's node alone until it has ended.
STAY_ANNOTATIONS = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
# An evicted pod, one of a drained or lost node, or a preempted one has not failed: Kubernetes makes
# it again, whatever the limit of retries.
DISRUPTED = {
    "action": "Ignore",
    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
}


@dataclass(frozen=True)
class JobSpec:
    """A Job, as `manifest`, its `key`, and the seconds after which Kubernetes ends it.

    The key is a digest of everything that the Job proves: a change of it makes a new Job.
    """

    name: str
    key: str
    seconds: int
    manifest: Manifest


@dataclass(frozen=True)
class Attempts:
    """How often Kubernetes starts a pod again that failed, though nothing disrupted it.

    The `final` exit codes of the container are a result: they fail the Job at once.
    """

    retries: int = 0
    container: str = ""
    final: tuple[int, ...] = ()

    @property
    def policy(self) -> Manifest:
        """The Job's `podFailurePolicy`."""
        codes = {"containerName": self.container, "operator": "In", "values": list(self.final)}
        result = [{"action": "FailJob", "onExitCodes": codes}] if self.final else []
        # The first rule that fits decides. A disruption may end a container with any code.
        return {"rules": [DISRUPTED, *result]}


def job_manifest(
    name: str,
    served: ServedRelease,
    jobs: Jobs,
    pod: Manifest,
    *,
    seconds: int,
    own_labels: dict[str, str],
    account: str | None,
    attempts: Attempts,
) -> Manifest:
    """A Job's metadata and spec. `pod` has the containers and volumes."""
    found = labels(served.name) | own_labels
    annotations = NO_SIDECAR_ANNOTATIONS | STAY_ANNOTATIONS | jobs.annotations
    template = {
        # The Job's own labels last: network policies and Services select by them.
        "metadata": {"labels": WITHOUT_SIDECAR | jobs.labels | found, "annotations": annotations},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": account is not None,
            **pod,
            **pull_secrets(served.pull_secrets),
            **({"serviceAccountName": account} if account else {}),
        },
    }
    return {
        "metadata": {
            "name": name,
            "namespace": served.namespace,
            # The next update runs a failed Job again, even if nothing has changed.
            "annotations": {"pulumi.com/replaceUnready": "true"},
            "labels": found,
        },
        "spec": {
            "backoffLimit": attempts.retries,
            "podFailurePolicy": attempts.policy,
            "activeDeadlineSeconds": seconds,
            "template": template,
        },
    }
