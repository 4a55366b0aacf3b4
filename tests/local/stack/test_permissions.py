"""Each account of a stack at its work, and at what it may not do."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from bootstrap.permissions import for_environment, only_bucket
from local.kserve import VERSION
from local.node.metadata import ADDRESS
from local.storage.identity import AUDIENCE, account_member
from tests.local.cluster import eventually
from tests.local.node.conftest import Pods, python
from tests.local.stack.conftest import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.local.stack.conftest import Stack

_BUCKET: str = SETTINGS["storage"]["bucket"]
_TOKEN = "http://{}:{}/computeMetadata/v1/instance/service-accounts/default/token".format(*ADDRESS)
_ASK = """
import json, urllib.error, urllib.request
def ask(url, method="GET", body=None, headers={}):
    try:
        made = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(made) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
token = json.loads(ask(%r, headers={"Metadata-Flavor": "Google"})[1])["access_token"]
found = {}
for action, method, url in %r:
    body = b"content" if method == "POST" else None
    found[action] = ask(url, method, body, {"Authorization": "Bearer " + token})[0]
print(json.dumps(found))
"""
_ALLOWED = {
    "models": {"list", "read a model"},
    "perf": {"add a result"},
    "compiler": {"list", "add a model"},
    "verifier-test": set[str](),
    "default": set[str](),
}


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> Stack:
    """The stack, with an account that compiles, which no model of it needs."""
    compiler = account_member(stack.namespace, "compiler")
    stack.deploy(storage=SETTINGS["storage"] | {"compilers": [compiler]})
    account = {"metadata": {"name": "compiler", "namespace": stack.namespace}}
    stack.cluster.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", **account})
    return stack


def _pods(stack: Stack) -> Pods:
    return Pods(stack.cluster, stack.namespace)


def _model(stack: Stack) -> str:
    """The model's file, as an object's name."""
    folder = stack.outputs()["models"]["digits"]["storageUri"].removeprefix(f"gs://{_BUCKET}/")
    return f"{folder}/digits/1/model.pt"


def _actions(stack: Stack, account: str) -> list[tuple[str, str, str]]:
    """Name, method and address of each; those that add come last, and twice."""
    storage = stack.cluster.layout.storage()
    objects = f"{storage}/storage/v1/b/{_BUCKET}/o"
    upload = f"{storage}/upload/storage/v1/b/{_BUCKET}/o?uploadType=media&name="
    model, result = _model(stack), stack.outputs()["perf"]["digits"]["result"]
    result = result.removeprefix(f"gs://{_BUCKET}/")
    return [
        ("list", "GET", f"{objects}?prefix=models/"),
        ("read a model", "GET", f"{objects}/{_quoted(model)}?alt=media"),
        ("read a result", "GET", f"{objects}/{_quoted(result)}?alt=media"),
        ("replace a model", "POST", upload + _quoted(model)),
        ("replace a result", "POST", upload + _quoted(result)),
        ("delete a model", "DELETE", f"{objects}/{_quoted(model)}"),
        ("change access", "PUT", f"{storage}/storage/v1/b/{_BUCKET}/iam"),
        ("add a model", "POST", f"{upload}models%2Fby-{account}"),
        ("add it again", "POST", f"{upload}models%2Fby-{account}"),
        ("add a result", "POST", f"{upload}perf%2Fby-{account}"),
        ("add that again", "POST", f"{upload}perf%2Fby-{account}"),
    ]


def _quoted(name: str) -> str:
    return name.replace("/", "%2F")


@pytest.mark.parametrize("account", _ALLOWED)
def test_an_account_may_do_its_work_and_nothing_else(deployed: Stack, account: str) -> None:
    code = _ASK % (_TOKEN, _actions(deployed, account))
    name = _pods(deployed).run(python(code), serviceAccountName=account)
    found = _pods(deployed).output(name)
    print(account, json.dumps(found, indent=1))
    assert {action for action, status in found.items() if status == 200} == _ALLOWED[account]
    assert {status for status in found.values() if status != 200} == {403}


_REQUESTS = [
    ("get", "serving.kserve.io", "inferenceservices", "digits"),
    ("list", "", "pods", ""),
    ("get", "serving.kserve.io", "inferenceservices", "another"),
    ("patch", "serving.kserve.io", "inferenceservices", "digits"),
    ("delete", "", "pods", ""),
    ("create", "", "pods/exec", ""),
    ("list", "", "secrets", ""),
    ("create", "", "serviceaccounts/token", ""),
]


@pytest.mark.parametrize("account", _ALLOWED)
def test_only_the_verification_reads_the_api_and_only_what_it_reports(
    deployed: Stack, account: str
) -> None:
    allowed = []
    for verb, group, resource, name in _REQUESTS:
        kind, _, part = resource.partition("/")
        about = {"verb": verb, "group": group, "resource": kind, "subresource": part, "name": name}
        user = f"system:serviceaccount:{deployed.namespace}:{account}"
        attributes = about | {"namespace": deployed.namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        if deployed.cluster.api.request("POST", path, review)["status"]["allowed"]:
            allowed.append((verb, group, resource, name))
    assert allowed == (_REQUESTS[:2] if account == "verifier-test" else [])


def _program(stack: Stack, account: str, image: str, **container: Any) -> tuple[str, str]:
    """Run a program as an account: the pod's phase, and its log."""
    pods = _pods(stack)
    mount = {"name": "models", "mountPath": "/mnt/models"}
    name = pods.run(
        {"image": image, "volumeMounts": [mount], **container},
        serviceAccountName=account,
        volumes=[{"name": "models", "emptyDir": {}}],
    )
    phase = pods.phase(name, "Succeeded", "Failed", patience=60.0)["status"]["phase"]
    return phase, pods.log(name)


@pytest.mark.parametrize(
    ("account", "phase", "text"),
    [("models", "Succeeded", "Downloading gs://"), ("perf", "Failed", "storage.objects.list")],
)
def test_the_storage_initializer_reads_as_the_models_account_only(
    deployed: Stack, account: str, phase: str, text: str
) -> None:
    uri = deployed.outputs()["models"]["digits"]["storageUri"]
    image = f"kserve/storage-initializer:{VERSION}"
    found, log = _program(deployed, account, image, args=[uri, "/mnt/models"])
    assert (found, text in log) == (phase, True), log


_STORE = """
from jobs.load.storage import store
for attempt in range(2):
    store({"attempt": attempt}, "gs://%s/perf/%s/result.json")
    print("stored", attempt)
"""


@pytest.mark.parametrize(
    ("account", "phase", "text"),
    [("perf", "Succeeded", "stored 1"), ("models", "Failed", "storage.objects.create")],
)
def test_a_load_test_stores_its_result_twice_as_its_own_account_only(
    deployed: Stack, account: str, phase: str, text: str
) -> None:
    code = _STORE % (_BUCKET, f"twice-by-{account}")
    found, log = _program(deployed, account, "x/jobs:1", command=["python", "-c", code])
    assert (found, text in log) == (phase, True), log


@pytest.mark.parametrize(
    ("account", "phase", "text"),
    [
        ("compiler", "Succeeded", "is there: an earlier attempt compiled it"),
        ("models", "Failed", "storage.objects.create"),
    ],
)
def test_a_package_is_uploaded_twice_as_the_compilers_account_only(
    deployed: Stack, account: str, phase: str, text: str
) -> None:
    target = f"gs://{_BUCKET}/models/twice-by-{account}/model.pt2"
    code = f"""
import sys
from jobs.compile.__main__ import main
sys.exit(max(main(["upload", "/etc/hosts", "{target}"]) for attempt in range(2)))
"""
    found, log = _program(deployed, account, "x/jobs:1", command=["python", "-c", code])
    assert (found, text in log) == (phase, True), log


@contextlib.contextmanager
def _without_members(stack: Stack) -> Iterator[Callable[[], None]]:
    """The bucket without its members; a function gives them back, as the end of the block does."""
    layout = stack.cluster.layout
    url = f"{layout.storage()}/storage/v1/b/{_BUCKET}/iam"

    def put(bindings: list[Any]) -> None:
        body = json.dumps({"bindings": bindings}).encode()
        answer = urllib3.request("PUT", url, body=body, headers=layout.owner())
        assert answer.status == 200, answer.data

    before = urllib3.request("GET", url, headers=layout.owner()).json()["bindings"]
    put([])
    try:
        yield lambda: put(before)
    finally:
        put(before)


def _refused_initializers(stack: Stack) -> int:
    """How often storage initializers of pods that are not ready have failed."""
    return sum(
        status["restartCount"]
        for pod in stack.list("pods")
        for status in pod["status"].get("initContainerStatuses", ())
        if not status["ready"]
    )


def test_a_permission_that_spreads_late_is_waited_for(deployed: Stack) -> None:
    deployed.configure(
        perf={"enabled": False}, predictor=SETTINGS["predictor"] | {"env": {"TRY": "late"}}
    )
    words = ("up", "--yes", "--skip-preview", "--suppress-progress")
    with _without_members(deployed) as give_back, ThreadPoolExecutor(1) as pool:
        done = pool.submit(deployed.run, *words)
        try:
            eventually(lambda: _refused_initializers(deployed) > 0, 90)
        finally:
            give_back()
        assert done.result().returncode == 0, done.result().stdout


def test_a_permission_that_is_missing_fails_with_googles_reason(deployed: Stack) -> None:
    with _without_members(deployed):
        done = deployed.up(
            perf={"enabled": False}, predictor=SETTINGS["predictor"] | {"env": {"TRY": "never"}}
        )
    assert done.returncode != 0
    assert "does not have storage.objects.list access" in done.stdout
    deployed.deploy(perf={"enabled": False})


@pytest.fixture
def tokens(stack: Stack) -> Iterator[dict[str, str]]:
    """Tokens of the bootstrap's accounts, which have what it grants them on the stack's bucket."""
    api, bindings, found = stack.cluster.api, [], {}
    for name, allowed in for_environment("dev").items():
        place = {"name": name, "namespace": "default"}
        api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place})
        members = [account_member("default", name)]
        only = {"condition": {"title": "only models", "expression": only_bucket(_BUCKET)}}
        bindings.append({"members": members, "permissions": list(allowed.models), **only})
        if allowed.own:
            bindings.append({"members": members, "permissions": list(allowed.own)})
        spec = {"audiences": [AUDIENCE], "expirationSeconds": 3600}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = f"/api/v1/namespaces/default/serviceaccounts/{name}/token"
        found[name] = api.request("POST", path, request)["status"]["token"]
    policy = stack.cluster.layout.iam / "project.json"
    policy.write_text(json.dumps({"bindings": bindings}))
    yield found
    policy.unlink()


def _run_as(stack: Stack, token: str, *words: str) -> tuple[int, str]:
    done = stack.run(*words, GOOGLE_OAUTH_ACCESS_TOKEN=token)
    return done.returncode, done.stdout + done.stderr


def test_the_deploy_account_makes_changes_and_removes_a_stack(
    stack: Stack, tokens: dict[str, str]
) -> None:
    stack.destroy()
    stack.configure(perf={"enabled": False})
    for command in ("up", "destroy", "up"):
        words = (command, "--yes", "--skip-preview", "--suppress-progress")
        code, text = _run_as(stack, tokens["deploy"], *words)
        assert code == 0, text
    assert stack.predict()["label"]


def test_the_deploy_account_has_nothing_of_another_bucket(
    stack: Stack, tokens: dict[str, str]
) -> None:
    storage, owner = stack.cluster.layout.storage(), stack.cluster.layout.owner()
    body = json.dumps({"name": "foreign"}).encode()
    made = urllib3.request("POST", f"{storage}/storage/v1/b?project=p", body=body, headers=owner)
    assert made.status in (200, 409)
    own = {"Authorization": f"Bearer {tokens['deploy']}"}
    for method, path in (("GET", "o"), ("GET", "iam"), ("DELETE", ""), ("GET", "o/a")):
        url = f"{storage}/storage/v1/b/foreign/{path}".rstrip("/")
        assert urllib3.request(method, url, headers=own).status == 403, path


def test_the_preview_account_sees_drift_and_changes_nothing(
    stack: Stack, tokens: dict[str, str]
) -> None:
    stack.deploy(perf={"enabled": False})
    words = ("refresh", "--preview-only", "--expect-no-changes")
    code, text = _run_as(stack, tokens["preview"], *words)
    assert code == 0, text
    stack.configure(perf={"enabled": False}, triton={"maxBatchSize": 4})
    code, text = _run_as(stack, tokens["preview"], "preview")
    assert code == 0, text
    words = ("up", "--yes", "--skip-preview", "--suppress-progress")
    code, text = _run_as(stack, tokens["preview"], *words)
    assert code != 0
    assert "does not have storage.objects.create access" in text
    stack.deploy(perf={"enabled": False})
