"""Rules for the workflows that the linters do not check."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.workflows.files import ACTIONS, ROOT, WORKFLOWS, jobs, load, script, steps

if TYPE_CHECKING:
    from pathlib import Path

STEPS, JOBS = list(steps()), list(jobs())
IMAGES = script("publish").IMAGES
SCRIPTS = "\n".join(step["run"] for _, step in STEPS if "run" in step)
STACKS = ("dev", "prod")
# Actions that identify the job to Google or to Sigstore.
CREDENTIALS = (
    "google-github-actions/auth@",
    "./.github/actions/pulumi",
    "./.github/actions/image",
)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_permissions_of_its_own(path: Path) -> None:
    assert load(path)["permissions"] == {}


@pytest.mark.parametrize(("name", "job"), JOBS, ids=[name for name, _ in JOBS])
def test_a_job_has_permissions_and_a_time_limit(name: str, job: dict[str, Any]) -> None:
    assert job["permissions"], name
    assert job["timeout-minutes"] <= 90, name


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_with_their_version(path: Path) -> None:
    for action in re.findall(r"uses: (.+)", path.read_text()):
        ours = (ROOT / action / "action.yml").is_file()
        assert ours or re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


def test_an_action_is_used_at_one_version() -> None:
    texts = [path.read_text() for path in (ROOT / ".github").rglob("*.yml")]
    pins = set(re.findall(r"uses: (\S+@\S+)", "\n".join(texts)))
    names = [pin.split("@")[0] for pin in pins]
    assert sorted(names) == sorted(set(names))


def test_a_checkout_keeps_no_token() -> None:
    checkouts = [step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_scripts_get_values_from_the_environment_only() -> None:
    assert "${{" not in SCRIPTS


@pytest.mark.parametrize(("name", "job"), JOBS, ids=[name for name, _ in JOBS])
def test_only_jobs_of_an_environment_sign_in(name: str, job: dict[str, Any]) -> None:
    signs_in = any(step.get("uses", "").startswith(CREDENTIALS) for step in job["steps"])
    assert ("environment" in job) == signs_in == (job["permissions"].get("id-token") == "write")


def test_previews_and_drift_checks_use_the_account_that_only_reads() -> None:
    readers = ("preview.yml", "drift.yml", "deploy-prod.yml: plan")
    for name, job in JOBS:
        if name.startswith(readers) and "environment" in job:
            assert job["environment"].endswith("-preview"), name


def test_a_fork_gets_no_preview() -> None:
    preview = load(ROOT / ".github/workflows/preview.yml")
    assert "head.repo.full_name == github.repository" in preview["jobs"]["stacks"]["if"]
    assert preview["jobs"]["preview"]["needs"] == "stacks"


def test_deployments_wait_for_their_own_stack_only_and_are_not_cancelled() -> None:
    found = [load(ROOT / f".github/workflows/{name}.yml") for name in ("deploy", "deploy-prod")]
    groups = [each["concurrency"]["group"] for each in found]
    assert len(set(groups)) == len(groups)
    assert not any(each["concurrency"]["cancel-in-progress"] for each in found)
    for stack, each in zip(STACKS, found, strict=True):
        environments = {job["environment"] for job in each["jobs"].values() if "environment" in job}
        assert environments <= {stack, f"{stack}-preview"}


def test_an_approval_is_asked_for_only_where_there_is_something_to_approve() -> None:
    jobs = load(ROOT / ".github/workflows/deploy-prod.yml")["jobs"]
    assert jobs["plan"]["environment"] == "prod-preview"
    assert jobs["prod"]["environment"] == "prod"
    assert jobs["prod"]["needs"] == "plan"
    assert jobs["prod"]["if"] == "needs.plan.outputs.changes == 'true'"


@pytest.mark.parametrize(
    ("workflow", "job"), [("preview", "preview"), ("deploy-prod", "plan")], ids=str
)
def test_a_preview_that_failed_is_shown_too(workflow: str, job: str) -> None:
    steps = load(ROOT / f".github/workflows/{workflow}.yml")["jobs"][job]["steps"]
    (shown,) = [step for step in steps if "-m review" in step.get("run", "")]
    assert shown["if"] == "${{ !cancelled() && steps.preview.outcome != 'skipped' }}"


def test_an_image_that_waits_for_its_approval_holds_no_build_up() -> None:
    images = load(ROOT / ".github/workflows/images.yml")
    assert "concurrency" not in images
    build, promote = (images["jobs"][name]["concurrency"] for name in ("build", "promote"))
    assert build["group"] != promote["group"]


@pytest.mark.skipif(not shutil.which("jq"), reason="GitHub's runners have jq")
@pytest.mark.parametrize(
    ("summary", "expected"),
    [({"same": 3}, "false"), ({"same": 3, "create": 1}, "true"), ({"delete": 1}, "true")],
)
def test_what_a_preview_would_change_is_told_by_its_summary(
    tmp_path: Path, summary: dict[str, int], expected: str
) -> None:
    plan = load(ROOT / ".github/workflows/deploy-prod.yml")["jobs"]["plan"]["steps"]
    (preview,) = [step["run"] for step in plan if step.get("id") == "preview"]
    (query,) = re.findall(r"jq '([^']+)'", preview)
    path = tmp_path / "preview.json"
    path.write_text(json.dumps({"steps": [], "changeSummary": summary}))
    run = subprocess.run(["jq", query, path], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == expected


def test_a_failed_load_test_is_recorded() -> None:
    dev, prove = (load(ROOT / ".github/workflows/deploy.yml")["jobs"][n] for n in ("dev", "prove"))
    steps = {step.get("id"): step for step in dev["steps"]}
    assert "!cancelled()" in steps["prove"]["if"]
    assert "steps.up.outcome" in steps["prove"]["if"]
    assert "!cancelled()" in prove["if"]


@pytest.mark.parametrize(("text", "commits"), [("the same", 1), ("another", 2)])
def test_only_a_lock_that_has_changed_is_committed(tmp_path: Path, text: str, commits: int) -> None:
    """An update without a verdict, as with a canary that has traffic, leaves the lock as it is."""
    prove = load(ROOT / ".github/workflows/deploy.yml")["jobs"]["prove"]["steps"]
    (script,) = [step["run"] for step in prove if "run" in step]
    # Without GitHub the script can do what it does up to here.
    local, _ = script.split("gh auth")

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=it", "-c", "user.email=it@example.com", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    git("init", "--quiet")
    (tmp_path / "models.lock.json").write_text("the same")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    (tmp_path / "models.lock.json").write_text(text)
    environment = os.environ | {"GITHUB_SHA": "0" * 40, "GITHUB_RUN_ATTEMPT": "1"}
    subprocess.run(["bash", "-ec", local], cwd=tmp_path, env=environment, check=True)
    assert int(git("rev-list", "--count", "HEAD")) == commits


def test_the_targets_of_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {name for line in re.findall(r"\bmake (.+)", SCRIPTS) for name in line.split()}
    targets = {name for name in targets if not re.search(r"[=$\"]", name)} | {"check", "test"}
    assert ".venv/stamp" in targets
    missing = {name for name in targets if not re.search(rf"^{re.escape(name)}:", makefile, re.M)}
    assert not missing


def test_a_job_downloads_the_releases_of_its_own_stack() -> None:
    (step,) = [step for _, step in STEPS if "make releases" in step.get("run", "")]
    assert 'make releases ARTEFACTS="$ARTEFACTS" STACK="$STACK"\n' in step["run"]
    assert step["env"]["STACK"] == "${{ inputs.stack }}"


def test_the_modules_and_files_that_scripts_run_exist() -> None:
    modules = set(re.findall(r"python -m ([\w.]+)", SCRIPTS))
    assert modules == {"review", "model"}
    assert all((ROOT / module / "__main__.py").exists() for module in modules)
    scripts = set(re.findall(r"(?:\.github|policy)/[\w/]+\.\w+", SCRIPTS))
    assert scripts and all((ROOT / script).exists() for script in scripts)


def test_the_commands_of_model_exist() -> None:
    commands = set(re.findall(r"python -m model (\w+ --\w+)", SCRIPTS))
    assert commands == {"prove --stack"}
    for command, option in (each.split() for each in commands):
        run = [sys.executable, "-m", "model", command, "--help"]
        said = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert option in said


def test_every_preview_and_deployment_uses_the_policies() -> None:
    commands = re.findall(r"pulumi (?:preview|up)(?:\\\n|[^\n])*", SCRIPTS)
    assert len(commands) == 4
    for command in commands:
        assert "--policy-pack policy" in command
        assert '--policy-pack-config "$(python3 policy/levels.py' in command


def test_drift_checks_every_cloud_stack() -> None:
    drift = load(ROOT / ".github/workflows/drift.yml")
    assert tuple(drift["jobs"]["drift"]["strategy"]["matrix"]["stack"]) == STACKS


def test_the_workflows_use_the_programs_pulumi_version() -> None:
    (step,) = [step for _, step in STEPS if step.get("uses", "").startswith("pulumi/actions@")]
    locked = re.search(r"^pulumi==(\S+)", (ROOT / "requirements/program.txt").read_text(), re.M)
    assert locked is not None
    assert step["with"]["pulumi-version"] == locked[1]


def test_every_base_of_an_image_is_pinned_by_digest() -> None:
    images = json.loads((ROOT / ".github/images.json").read_text())["target"]
    pins = images.pop("bases")["contexts"]
    bases = set()
    for image in images.values():
        text = (ROOT / image["dockerfile"]).read_text()
        bases |= set(re.findall(r"^FROM (\S+)", text, re.M))
    assert bases == set(pins)
    for base, pin in pins.items():
        assert re.fullmatch(rf"docker-image://{re.escape(base)}@sha256:[0-9a-f]{{64}}", pin)


def test_every_workflow_with_images_builds_both() -> None:
    images = set(json.loads((ROOT / ".github/images.json").read_text())["target"]) - {"bases"}
    assert set(IMAGES) == images
    built = [job for _, job in JOBS if "image" in job.get("strategy", {}).get("matrix", {})]
    assert len(built) == 3
    for job in built:
        assert set(job["strategy"]["matrix"]["image"]) == images
