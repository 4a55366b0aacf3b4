"""ConfigMapPatch: some keys of an object that somebody else owns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.local.plugins.names import fresh
from tests.local.plugins.protocol import OFFICIAL, Failed, Plugin, Rejected

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer

PATCH = "kubernetes:core/v1:ConfigMapPatch"
THEIRS = {"_example": "text", "registries-skipping-tag-resolving": "kind.local,ko.local,dev.local"}
OURS = {"progress-deadline": "900s"}


@pytest.fixture
def theirs(server: ApiServer) -> str:
    """A ConfigMap of somebody else's."""
    name = fresh("config-deployment")
    apply_as(server, name, THEIRS, "installer")
    return name


def path(name: str) -> str:
    return f"/api/v1/namespaces/default/configmaps/{name}"


def apply_as(server: ApiServer, name: str, data: dict[str, str], manager: str) -> None:
    metadata = {"name": name}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    server.apply(path(name), body, manager, force=True)


def patch(name: str, data: dict[str, str], **annotations: str) -> dict[str, Any]:
    given = {f"pulumi.com/{key}": value for key, value in annotations.items()}
    return {"metadata": {"name": name, "annotations": given}, "data": data}


def data(server: ApiServer, name: str) -> Any:
    return server.call("GET", path(name))["data"]


def managers(server: ApiServer, name: str) -> set[str]:
    fields = server.call("GET", path(name))["metadata"]["managedFields"]
    return {field["manager"] for field in fields}


def test_adds_its_keys_and_gives_them_up(
    kubernetes: Plugin, server: ApiServer, theirs: str
) -> None:
    before = server.call("GET", path(theirs))
    made = kubernetes.deploy(PATCH, "patch", patch(theirs, OURS, patchFieldManager="kserve")).state
    assert data(server, theirs) == THEIRS | OURS
    assert managers(server, theirs) == {"installer", "kserve"}
    kubernetes.delete(made)
    after = server.call("GET", path(theirs))
    assert after["data"] == before["data"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"].get("annotations", {}) == {}


def test_a_key_of_theirs_needs_force(kubernetes: Plugin, server: ApiServer, theirs: str) -> None:
    wanted = {"registries-skipping-tag-resolving": "kind.local,ko.local,dev.local,nvcr.io"}
    with pytest.raises(Failed, match="installer") as caught:
        kubernetes.deploy(PATCH, "patch", patch(theirs, wanted))
    assert ".data.registries-skipping-tag-resolving" in str(caught.value)
    assert data(server, theirs) == THEIRS
    kubernetes.deploy(PATCH, "patch", patch(theirs, wanted, patchForce="true"))
    assert data(server, theirs) == THEIRS | wanted


def test_changes_in_place_and_drops_what_the_program_drops(
    kubernetes: Plugin, server: ApiServer, theirs: str
) -> None:
    inputs = patch(theirs, OURS | {"other": "1"})
    made = kubernetes.deploy(PATCH, "patch", inputs).state
    step = kubernetes.deploy(PATCH, "patch", patch(theirs, {"progress-deadline": "60s"}), made)
    if not OFFICIAL:
        assert step.operations == ["update"]
    assert data(server, theirs) == THEIRS | {"progress-deadline": "60s"}


def test_twice_in_a_row_changes_nothing(kubernetes: Plugin, theirs: str) -> None:
    made = kubernetes.deploy(PATCH, "patch", patch(theirs, OURS)).state
    assert kubernetes.deploy(PATCH, "patch", patch(theirs, OURS), made).operations == []
    refreshed = kubernetes.refresh(made)
    assert refreshed is not None
    assert kubernetes.deploy(PATCH, "patch", patch(theirs, OURS), refreshed).operations == []


def test_their_changes_to_their_keys_are_no_drift(
    kubernetes: Plugin, server: ApiServer, theirs: str
) -> None:
    made = kubernetes.deploy(PATCH, "patch", patch(theirs, OURS)).state
    apply_as(server, theirs, {**THEIRS, "another": "1"}, "installer")
    refreshed = kubernetes.refresh(made)
    assert refreshed is not None
    assert kubernetes.deploy(PATCH, "patch", patch(theirs, OURS), refreshed).operations == []


def test_a_key_that_somebody_removed_is_put_back(
    kubernetes: Plugin, server: ApiServer, theirs: str
) -> None:
    made = kubernetes.deploy(PATCH, "patch", patch(theirs, OURS)).state
    server.merge(path(theirs), {"data": {"progress-deadline": None}})
    refreshed = kubernetes.refresh(made)
    assert refreshed is not None
    step = kubernetes.deploy(PATCH, "patch", patch(theirs, OURS), refreshed)
    assert step.operations == ["update"]
    assert data(server, theirs) == THEIRS | OURS


def test_another_field_manager_leaves_nothing_of_the_first(
    kubernetes: Plugin, server: ApiServer, theirs: str
) -> None:
    made = kubernetes.deploy(PATCH, "patch", patch(theirs, OURS, patchFieldManager="one")).state
    renamed = patch(theirs, OURS, patchFieldManager="two")
    made = kubernetes.deploy(PATCH, "patch", renamed, made).state
    assert managers(server, theirs) == {"installer", "two"}
    kubernetes.delete(made)
    assert data(server, theirs) == THEIRS


def test_makes_an_object_that_is_not_there(kubernetes: Plugin, server: ApiServer) -> None:
    name = fresh("config-deployment")
    made = kubernetes.deploy(PATCH, "patch", patch(name, OURS)).state
    assert data(server, name) == OURS
    server.call("DELETE", path(name))
    kubernetes.delete(made)
    assert not server.has(path(name))


def test_a_preview_of_a_new_one_touches_nothing(
    kubernetes: Plugin, server: ApiServer, theirs: str
) -> None:
    before = server.call("GET", path(theirs))
    kubernetes.deploy(PATCH, "patch", patch(theirs, OURS), preview=True)
    assert server.call("GET", path(theirs)) == before


def test_needs_a_name(kubernetes: Plugin) -> None:
    with pytest.raises((Rejected, Failed), match="name"):
        kubernetes.check(PATCH, "patch", {"metadata": {}, "data": OURS})
