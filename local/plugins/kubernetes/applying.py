"""Server-side apply under a field manager, and giving fields up again."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from local.plugins.kubernetes import annotations as notes
from local.plugins.kubernetes import inputs as given
from local.plugins.kubernetes.cluster import ApiError
from local.plugins.resource import PluginError

if TYPE_CHECKING:
    from local.plugins.kubernetes.cluster import Cluster, Object, Place
    from local.plugins.resource import Values

# What the official plugin calls its managers.
MANAGER_PREFIX = "pulumi-kubernetes-"


def manager_of(inputs: Values, former: str = "") -> str:
    """The program's field manager, the one before, or a new one of this resource's own."""
    pinned = notes.annotation(inputs, notes.FIELD_MANAGER)
    return pinned or former or MANAGER_PREFIX + secrets.token_hex(4)


def apply(
    cluster: Cluster, place: Place, inputs: Values, former: str = "", *, dry: bool = False
) -> tuple[Object, str]:
    """Make the object what the inputs say. Gives it and its field manager.

    A former manager of this resource's gives way, and everything up that it alone held.
    """
    manager = manager_of(inputs, former)
    try:
        live = _apply(cluster, place, inputs, manager, dry, notes.is_set(inputs, notes.PATCH_FORCE))
    except ApiError as error:
        if error.status != 409 or not error.causes:
            raise
        if not former or not all(f'"{former}"' in str(c.get("message")) for c in error.causes):
            raise _conflict(place, error) from error
        live = _apply(cluster, place, inputs, manager, dry, force=True)
    if former and former != manager and not dry:
        live = relinquish(cluster, place, former)
    return live, manager


def relinquish(cluster: Cluster, place: Place, manager: str) -> Object:
    """Give up every field of a manager's: those that nobody else has go."""
    return cluster.apply(place, given.bare(place.kind, place), manager)


def _apply(
    cluster: Cluster, place: Place, inputs: Values, manager: str, dry: bool, force: bool
) -> Object:
    return cluster.apply(place, given.body(place.kind, inputs), manager, force=force, dry=dry)


def _conflict(place: Place, error: ApiError) -> PluginError:
    fields = "; ".join(f"{cause.get('field')}: {cause.get('message')}" for cause in error.causes)
    return PluginError(
        f"{place}: somebody else manages what this stack wants to set ({fields}). Leave it to "
        f'them, or take it over with the annotation {notes.PATCH_FORCE}: "true"'
    )
