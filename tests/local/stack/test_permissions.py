"""Each account of a stack at its work, and at what it may not do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from local.kserve import VERSION
from local.layout import ROOT
from local.storage.identity import account_member
from tests.local.node.conftest import Pods
from tests.local.stack.accounts import BUCKET, bootstrap_tokens, make_account, token
from tests.local.stack.conftest import SETTINGS

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack

_ACCOUNTS = ("models", "perf", "compiler", "verifier-test", "default")
# How the page names the last two of each.
_PAGE_NAMES = {"verifier-STACK": "verifier-test", "any other pod": "default"}


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> Stack:
    """The stack, with an account that compiles, which no model of it needs."""
    compiler = account_member(stack.namespace, "compiler")
    stack.deploy(storage=SETTINGS["storage"] | {"compilers": [compiler]})
    make_account(stack, stack.namespace, "compiler")
    return stack


def _page() -> dict[str, dict[str, str]]:
    """The table of docs/permissions.md: the cells of each account, by their columns."""
    text = (ROOT / "docs" / "permissions.md").read_text()
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line] for line in lines]
    found = {}
    for row in rows:
        named = re.match(r"`(?:kserve-triton-)?([\w-]+)`", row[0])
        name = named[1] if named else row[0]
        found[_PAGE_NAMES.get(name, name)] = dict(zip(header[1:], row[1:], strict=True))
    return found


def _tried(stack: Stack, account: str, own: dict[str, str]) -> dict[str, str]:
    """What the storage answers an account, by the page's columns: "yes", or "–" for a refusal."""
    address, owner = stack.cluster.layout.storage(), stack.cluster.layout.owner()
    bucket, upload = f"{address}/storage/v1/b/{BUCKET}", f"{address}/upload/storage/v1/b/{BUCKET}"
    policy = urllib3.request("GET", f"{bucket}/iam", headers=owner).data
    read, add = f"{bucket}/o/{{}}%2Fthere?alt=media", f"{upload}/o?uploadType=media&name={{}}/{{}}"
    requests = {
        "list": ("GET", f"{bucket}/o?prefix=models/", None),
        "read `models/`": ("GET", read.format("models"), None),
        "add to `models/`": ("POST", add.format("models", account), b"added"),
        "replace in `models/`": ("POST", add.format("models", "there"), b"replaced"),
        "read `programs/`": ("GET", read.format("programs"), None),
        "read `perf/`": ("GET", read.format("perf"), None),
        "add to `perf/`": ("POST", add.format("perf", account), b"added"),
        "grant access": ("PUT", f"{bucket}/iam", policy),
    }
    for folder in ("models", "programs", "perf"):
        url = add.format(folder, "there")
        assert urllib3.request("POST", url, body=b"there", headers=owner).status == 200
    answers = {200: "yes", 403: "–"}
    return {
        column: answers[urllib3.request(method, url, body=body, headers=own).status]
        for column, (method, url, body) in requests.items()
    }


def test_the_storage_allows_what_the_page_says_and_nothing_else(deployed: Stack) -> None:
    with bootstrap_tokens(deployed) as tokens:
        tokens |= {each: token(deployed, deployed.namespace, each) for each in _ACCOUNTS}
        found = {
            name: _tried(deployed, name, {"Authorization": f"Bearer {each}"})
            for name, each in tokens.items()
        }
    for name, cells in found.items():
        print(f"{name:15}", *(f"{column}: {cell}" for column, cell in cells.items()), sep="  ")
    assert found == _page()


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


@pytest.mark.parametrize("account", _ACCOUNTS)
def test_only_the_verification_reads_the_api_and_only_what_it_reports(
    deployed: Stack, account: str
) -> None:
    allowed = []
    for verb, group, resource, name in _REQUESTS:
        kind, _, part = resource.partition("/")
        about = {"verb": verb, "group": group, "resource": kind, "subresource": part, "name": name}
        everyone = "system:serviceaccounts"
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{deployed.namespace}:{account}",
                "groups": [everyone, f"{everyone}:{deployed.namespace}", "system:authenticated"],
                "resourceAttributes": about | {"namespace": deployed.namespace},
            },
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        if deployed.cluster.api.request("POST", path, review)["status"]["allowed"]:
            allowed.append((verb, group, resource, name))
    assert allowed == (_REQUESTS[:2] if account == "verifier-test" else [])


def _program(stack: Stack, account: str, image: str, **container: Any) -> tuple[str, str]:
    """Run a program as an account: the pod's phase, and its log."""
    pods = Pods(stack.cluster, stack.namespace)
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
    code = _STORE % (BUCKET, f"twice-by-{account}")
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
    target = f"gs://{BUCKET}/models/twice-by-{account}/model.pt2"
    code = f"""
import sys
from jobs.compile.__main__ import main
sys.exit(max(main(["upload", "/etc/hosts", "{target}"]) for attempt in range(2)))
"""
    found, log = _program(deployed, account, "x/jobs:1", command=["python", "-c", code])
    assert (found, text in log) == (phase, True), log
