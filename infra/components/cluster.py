"""The cluster of a stack: known by the UID of its namespace kube-system, and refused if it changes.

The name of a context says little: a cluster may be made anew under the same one. The UID is read in
each preview and update, and the one before is kept in the state as an input of this component.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pulumi

from infra.components import failures

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "kube-system"


@dataclass(frozen=True)
class ClusterArgs:
    """The UID in the stack's file; None: that of the first update counts."""

    uid: str | None


class Cluster(pulumi.ComponentResource):
    """Registered before anything in the cluster; fails where it is another cluster than before."""

    def __init__(
        self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        found = _KubeSystem(f"{name}-{NAMESPACE}").metadata["uid"]
        uid = found.apply(lambda found: _check_file(args.uid, found))
        hooks = failures.guarded(name, lambda before, after: check_state(args.uid, before, after))
        options = pulumi.ResourceOptions(hooks=hooks)
        merged = pulumi.ResourceOptions.merge(opts, options)
        super().__init__("kserve-triton:index:Cluster", name, {"uid": uid}, merged)
        # Whatever depends on a component waits for its children only, and they for it.
        _KubeSystem(f"{name}-checked", pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


class _KubeSystem(pulumi.CustomResource):
    """Reads the namespace.

    `Namespace.get` gives the plugin no inputs. It then keeps other ones in the state than its later
    refresh finds, which each drift check would show as a change.
    """

    metadata: pulumi.Output[Any]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        plugin = version("pulumi-kubernetes")
        own = pulumi.ResourceOptions(id=NAMESPACE, version=plugin)
        merged = pulumi.ResourceOptions.merge(opts, own)
        super().__init__("kubernetes:core/v1:Namespace", name, inputs, merged)


def _check_file(wanted: str | None, found: str) -> str:
    """The UID that was found; raises RunError if the stack's file names another one."""
    if wanted and found != wanted:
        raise pulumi.RunError(
            f"cluster: found {wanted} in the stack's file, and {found} in the cluster that "
            "kubernetes:context names; nothing in it was changed. Name the stack's own cluster: "
            "pulumi config set kubernetes:context CONTEXT"
        )
    return found


def check_state(
    wanted: str | None, before: Mapping[str, Any], after: Mapping[str, Any]
) -> str | None:
    """Why a changed UID is refused; None where the stack's file names the new one."""
    old, new = before.get("uid"), after.get("uid")
    if old in (None, new) or new == wanted:
        return None
    return (
        f"this is another cluster than the stack's: {NAMESPACE} has the UID {new}, and had {old} "
        "in the update before. Nothing in it was changed. Name the stack's own cluster: pulumi "
        "config set kubernetes:context CONTEXT. If that cluster was made anew, let the stack "
        f"forget the old one's objects, and accept the new: pulumi refresh; pulumi config set "
        f"cluster {new}"
    )
