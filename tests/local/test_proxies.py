"""Proxies of the environment."""

from __future__ import annotations

import os
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local import proxies

_HOSTS = st.lists(st.sampled_from(["example.com", ".corp", "10.0.0.0/8", "localhost"]), max_size=4)
_LOOPBACK = ["127.0.0.1:8080", "localhost:80", "digits.models.localhost:80"]


@given(_HOSTS, _HOSTS)
def test_loopback_is_added_to_what_either_spelling_names(low: list[str], up: list[str]) -> None:
    found = proxies.exceptions({"no_proxy": ",".join(low), "NO_PROXY": ",".join(up)})
    assert found["NO_PROXY"] == found["no_proxy"]
    hosts = found["no_proxy"].split(",")
    assert {*low, *up, "127.0.0.1", "localhost", "::1"} == set(hosts)
    assert len(set(hosts)) == len(hosts)


def test_where_nothing_goes_through_a_proxy_nothing_is_added() -> None:
    assert proxies.exceptions({"NO_PROXY": "*"}) == {"NO_PROXY": "*", "no_proxy": "*"}


@pytest.mark.parametrize("host", _LOOPBACK)
def test_python_asks_loopback_itself(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    assert not urllib.request.proxy_bypass("example.com")
    for name, value in proxies.exceptions(os.environ).items():
        monkeypatch.setenv(name, value)
    assert urllib.request.proxy_bypass(host)


def test_the_clusters_processes_know_no_proxy() -> None:
    names = ["HTTP_PROXY", "https_proxy", "ALL_PROXY", "no_proxy", "grpc_proxy"]
    assert proxies.without(dict.fromkeys([*names, "PATH"], "x")) == {"PATH": "x"}
