"""Wrong values of an environment are refused, each with its key."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.federation import condition
from bootstrap.settings import BootstrapSettings, parse
from infra.config.problems import ConfigError
from tests.bootstrap.program import CONFIG, ROOT, run


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("project", "Shop", 'project: found "Shop"; allowed: 6 to 30'),
        ("location", "EU", 'location: found "EU"; allowed: one region'),
        ("repository", "name", 'repository: found "name"; allowed: owner/name'),
        ("repository", 'a/b" || true', "repository: found"),
        ("branch", 'main" || true', "branch: found"),
        ("repositoryId", 0, "repositoryId: found 0;"),
        ("cluster", "Serving", 'cluster: found "Serving"; allowed: 1 to 40'),
        ("clusterLocation", "EU", 'clusterLocation: found "EU"; allowed: a region, or a zone'),
        ("modelsBucket", "google", "modelsBucket: found"),
        ("modelsKey", "models", 'modelsKey: found "models"; allowed: projects/PROJECT/'),
        ("releaseAuthors", ["allUsers"], 'releaseAuthors.0: found "allUsers"; nothing here'),
        ("releaseReaders", ["allUsers"], 'releaseReaders.0: found "allUsers"; nothing here'),
        ("releases", "gs://google", 'releases: found "gs://google"; allowed: names that'),
        ("releases", "gs://dev/releases", 'releases: found "gs://dev/releases"; allowed: 3 to 63'),
        ("projekt", "x", "projekt: unknown"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(key: str, value: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(CONFIG | {key: value})
    assert f"kserve-triton-bootstrap:{said}" in str(caught.value)


@pytest.mark.parametrize("key", ["releaseAuthors", "releaseReaders"])
def test_who_would_be_granted_nothing_on_anothers_releases_is_refused(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(CONFIG | {"releases": "gs://dev-releases", key: ["group:authors@example.com"]})
    said = (
        'releases: found "gs://dev-releases"; allowed: none with releaseAuthors or releaseReaders'
    )
    assert said in str(caught.value)
    assert "set those in the environment that made the bucket" in str(caught.value)


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse({})
    assert "7 wrong" in str(caught.value)
    assert "cluster: missing; set it: pulumi config set cluster VALUE" in str(caught.value)


def test_a_wrong_environment_makes_nothing() -> None:
    with pytest.raises(pulumi.RunError, match="nothing was changed"):
        run(changes={"repository": "name"})


def test_every_key_is_declared_where_pulumi_looks() -> None:
    declared = yaml.safe_load((ROOT / "bootstrap/Pulumi.yaml").read_text())["config"]
    assert list(declared) == [field.alias for field in BootstrapSettings.model_fields.values()]
    optional = {name for name, schema in declared.items() if "default" in schema}
    required = {
        field.alias for field in BootstrapSettings.model_fields.values() if field.is_required()
    }
    assert optional == set(declared) - required


@given(st.text(), st.text())
def test_no_name_changes_the_meaning_of_the_condition(repository: str, branch: str) -> None:
    try:
        settings = parse(CONFIG | {"repository": repository, "branch": branch})
    except ConfigError:
        return
    written = condition(settings, "dev")
    assert written.count('"') == 10
    assert "\\" not in written
