"""A stack and its cluster: the context that its file names, and the UID that its state keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pytest
import yaml

from infra.components.cluster import check_state
from infra.kubeconfig import CONTEXT, check_context
from tests.infra.program import KUBECONFIG, ROOT, Recorder, run

if TYPE_CHECKING:
    from pathlib import Path

OURS, OTHER = Recorder().cluster, "11111111-2222-3333-4444-555555555555"
HERE = {"KUBECONFIG": str(KUBECONFIG)}


def refused(context: str = "kserve-triton-local", cluster: str | None = None) -> str:
    engine = Recorder()
    changes = {"cluster": cluster} if cluster else {}
    with pytest.raises(Exception, match="kubernetes:context") as caught:
        run("local", changes, engine, context=context)
    assert not [each for each in engine.resources if "Patch" in each.typ]
    return str(caught.value)


@pytest.mark.parametrize("path", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_every_stacks_file_names_its_cluster(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["config"][CONTEXT]


def test_without_a_context_nothing_begins_and_those_of_the_machine_are_listed() -> None:
    found = refused(context="")
    assert "kubernetes:context: missing" in found
    assert "this machine has: another, kserve-triton-local" in found


def test_a_context_that_kubectl_does_not_have_comes_with_the_command_that_adds_it() -> None:
    found = refused("gke_my-project_europe-west4_serving")
    assert "found gke_my-project_europe-west4_serving; allowed: a context in" in found
    assert (
        "gcloud container clusters get-credentials serving --location europe-west4 "
        "--project my-project"
    ) in found


def test_what_else_is_wrong_is_reported_with_it() -> None:
    with pytest.raises(pulumi.RunError) as caught:
        run("local", {"device": "tpu"}, context="elsewhere")
    assert "kubernetes:context: found elsewhere" in str(caught.value)
    assert "kserve-triton:device: found" in str(caught.value)


def test_the_local_context_comes_with_the_local_cluster(tmp_path: Path) -> None:
    nowhere = {"KUBECONFIG": str(tmp_path / "kubeconfig")}
    found = check_context({CONTEXT: "kserve-triton-local"}, nowhere)
    assert found is not None
    assert "which has: none" in found
    assert "make up" in found


def test_a_stack_may_bring_a_kubeconfig_of_its_own() -> None:
    assert check_context({"kubernetes:kubeconfig": "{}"}, HERE) is None


def test_several_kubeconfig_files_are_read_as_kubectl_reads_them(tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.write_text("contexts: [{name: third}]")
    both = {"KUBECONFIG": f"{tmp_path / 'missing'}:{KUBECONFIG}:{more}"}
    assert check_context({CONTEXT: "third"}, both) is None
    assert check_context({CONTEXT: "another"}, both) is None


@pytest.mark.parametrize("text", ["", "[]", "contexts:", "contexts: [a]", "{", "\x00"])
def test_a_file_that_is_no_kubeconfig_has_no_contexts(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    found = check_context({CONTEXT: "a"}, {"KUBECONFIG": str(file)})
    assert found is not None
    assert "which has: none" in found


def test_the_clusters_uid_is_kept_and_nothing_else_is_only_read() -> None:
    engine = run("prod", context="another")
    assert engine.one("index:Cluster") == {"uid": OURS}
    read, *others = [each for each in engine.resources if each.resource_id]
    assert {each.resource_id for each in (read, *others)} == {"kube-system"}
    # The plugin keeps the same of it as a later refresh finds.
    assert read.inputs == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "kube-system"},
    }


def test_a_uid_in_the_stacks_file_is_the_clusters_from_the_first_update() -> None:
    assert run("local", {"cluster": OURS}).exports["models"]["digits"]["ready"]
    found = refused(cluster=OTHER)
    assert f"cluster: found {OTHER} in the stack's file, and {OURS}" in found


def test_another_uid_than_in_the_state_is_refused_until_the_stacks_file_names_it() -> None:
    assert check_state(None, {}, {"uid": OURS}) is None
    assert check_state(None, {"uid": OURS}, {"uid": OURS}) is None
    found = check_state(None, {"uid": OTHER}, {"uid": OURS})
    assert found is not None
    assert f"kube-system has the UID {OURS}, and had {OTHER}" in found
    assert f"pulumi config set cluster {OURS}" in found
    assert check_state(OURS, {"uid": OTHER}, {"uid": OURS}) is None
