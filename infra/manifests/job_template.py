"""What the Jobs have in common: one that Pulumi waits for, and its pods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.manifests.names import Manifest, labels
from infra.manifests.pods import pull_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

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
DISRUPTED = {"onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


@dataclass(frozen=True)
class JobSpec:
    """A Job, as `manifest`, its `key`, and the seconds after which Kubernetes ends it.

    The key is a digest of everything that the Job proves: a change of it makes a new Job.
    """

    name: str
    key: str
    seconds: int
    manifest: Manifest


def job_manifest(
    name: str,
    served: ServedRelease,
    jobs: Jobs,
    pod: Manifest,
    *,
    seconds: int,
    own_labels: dict[str, str],
    account: str | None,
    retries: int = 0,
    ignored: Sequence[Manifest] = (),
) -> Manifest:
    """A Job's metadata and spec. `pod` has the containers and volumes.

    `ignored` are conditions of a `podFailurePolicy`, besides a disruption, under which a pod starts
    again until the Job's deadline. Other failures are counted, up to `retries`.
    """
    # With the action FailJob, Pulumi would not see that a Job has failed: its plugin knows the
    # reasons BackoffLimitExceeded and DeadlineExceeded only.
    rules = [{"action": "Ignore"} | rule for rule in (DISRUPTED, *ignored)]
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
            "backoffLimit": retries,
            "podFailurePolicy": {"rules": rules},
            "activeDeadlineSeconds": seconds,
            "template": template,
        },
    }
