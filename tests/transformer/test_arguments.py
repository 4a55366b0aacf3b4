"""The command line: KServe's arguments, our own, and what is refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from infra.config import ModelSettings
from infra.config.types import Placement, Protocol
from infra.manifests.artefact import Artefact
from infra.manifests.inference_service import transformer_container
from infra.manifests.served_release import ServedRelease
from local.ports import free_port
from release.schema import Release, Tensor
from tests.transformer.echo import Echo
from tests.transformer.server import RELEASE, ROOT, Transformer
from transformer.settings import REFUSED, UNUSED, parse

if TYPE_CHECKING:
    from pathlib import Path

REQUIRED = ["--model_name=digits", "--predictor_host=triton", f"--release={RELEASE}"]
# What KServe 0.20's controller adds to a transformer's arguments where they are absent.
KSERVES = [
    "--model_name",
    "digits",
    "--predictor_host",
    "digits-predictor.default",
    "--http_port",
    "8080",
    "--workers",
    "1",
]
WRONG = [
    (["--http_port=http"], "argument --http_port: invalid port value: 'http'"),
    (["--http_port=65536"], "argument --http_port: invalid port value: '65536'"),
    (["--workers=2"], "argument --workers: invalid choice: 2 (choose from 1)"),
    (["--max_batch_size=-1"], "argument --max_batch_size: invalid positive number value: '-1'"),
    (["--deadline_seconds=0"], "argument --deadline_seconds: invalid positive number of seconds"),
    (["--deadline_seconds=nan"], "argument --deadline_seconds: invalid positive number of seconds"),
    (["--drain_seconds=-1"], "argument --drain_seconds: invalid number of seconds value: '-1'"),
    (["--predictor_protocol=v1"], "argument --predictor_protocol: invalid choice: 'v1'"),
    (["--predictor_host=http://triton"], "argument --predictor_host: invalid host[:port] value"),
    (["--predictor_host=triton:http"], "argument --predictor_host: invalid host[:port] value"),
    (["--predictor_host=[::1]80"], "argument --predictor_host: invalid host[:port] value"),
    (["--predictor_host="], "argument --predictor_host: invalid host[:port] value"),
    (["--predictor_use_ssl=true"], "--predictor_use_ssl true: not supported"),
    (["--secure_grpc_server"], "--secure_grpc_server true: not supported"),
    (["--modelname=digits"], "unrecognized arguments: --modelname=digits"),
    (["--model_dir=/mnt/models"], "unrecognized arguments: --model_dir=/mnt/models"),
    # An abbreviation of a known one is unknown.
    (["--work=2"], "unrecognized arguments: --work=2"),
]


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "transformer", *arguments]
    return subprocess.run(
        line, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=30
    )


def test_kserves_own() -> None:
    given = parse([*KSERVES, f"--release={RELEASE}"])
    assert (given.model, given.port) == ("digits", 8080)
    assert given.address == ("digits-predictor.default", 80)
    assert not given.warnings


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("placement", list(Placement))
def test_what_the_program_passes(protocol: Protocol, placement: Placement) -> None:
    settings = ModelSettings(protocol=protocol, placement=placement)
    made = Release.from_json(RELEASE.read_bytes())
    artefact = Artefact(made, "0" * 64, "", RELEASE.parent, config="")
    arguments = transformer_container(ServedRelease(artefact, settings, "models", "gs://b"), "x")[
        "args"
    ]
    if placement is Placement.SEPARATE:
        arguments = [*arguments, "--predictor_host", "digits-predictor"]
    given = parse(arguments)
    assert given.protocol == ("grpc-v2" if protocol is Protocol.GRPC else "v2")
    assert given.deadline == settings.transformer.timeout_seconds - 1
    assert not given.warnings


@pytest.mark.parametrize("name", UNUSED)
def test_those_without_effect_say_so(name: str) -> None:
    for arguments in ([f"--{name}"], [f"--{name}=1"], [f"--{name}", "1"]):
        (warning,) = parse([*REQUIRED, *arguments]).warnings
        assert warning.startswith(f"--{name} has no effect: ")


@pytest.mark.parametrize("name", REFUSED)
def test_tls_may_be_switched_off(name: str) -> None:
    assert not parse([*REQUIRED, f"--{name}=false"]).warnings


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("triton:8000", ("triton", 8000)),
        ("10.0.0.1", ("10.0.0.1", 80)),
        ("[::1]:8000", ("::1", 8000)),
        ("[fd00::7]", ("fd00::7", 80)),
    ],
)
def test_addresses(host: str, address: tuple[str, int]) -> None:
    assert parse([*REQUIRED, f"--predictor_host={host}"]).address == address


@pytest.mark.parametrize(("arguments", "error"), WRONG, ids=[case[0][0] for case in WRONG])
def test_wrong_ones_are_refused(
    arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([*REQUIRED, *arguments])
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("python -m transformer: error: ")
    assert error in last


def test_missing_ones_are_named_together() -> None:
    ended = run()
    assert ended.returncode == 2
    missing = "the following arguments are required: --model_name, --release, --predictor_host"
    assert missing in ended.stderr.splitlines()[-1]


def test_help_has_kserves_too() -> None:
    ended = run("--help")
    assert ended.returncode == 0
    text = " ".join(ended.stdout.split())
    assert "--deadline_seconds DEADLINE_SECONDS time for a whole request (10)" in text
    assert "--protocol [VALUE] no effect: --predictor_protocol replaces it" in text
    assert "--predictor_use_ssl [VALUE] refused: " in text


def changed(**values: Any) -> str:
    return json.dumps(json.loads(RELEASE.read_bytes()) | values)


HANDLER = {"files": {"handler.py": {"sha256": "0" * 64, "bytes": 1}}}
RELEASES = [
    ("no JSON", "{", {}, "not JSON"),
    ("empty", "{}", {}, "name: missing"),
    ("other schema", changed(schema=7), {}, "schema: found 7; allowed: 2"),
    (
        "other model",
        changed(name="cifar10"),
        {},
        "a release of model 'cifar10', --model_name is 'digits'",
    ),
    ("no handler", changed(), {"HANDLER": "/x"}, "HANDLER /x: the release has no handler; unset"),
    (
        "no folder",
        changed(handler=HANDLER),
        {},
        "the release has a handler; set HANDLER to the folder of its handler.py",
    ),
    (
        "no file",
        changed(handler=HANDLER),
        {"HANDLER": "/nowhere"},
        "/nowhere/handler.py: No such file or directory; it is a file of the handler",
    ),
]


@pytest.mark.parametrize(
    ("text", "env", "error"), [case[1:] for case in RELEASES], ids=[case[0] for case in RELEASES]
)
def test_releases_that_cannot_be_served(
    text: str,
    env: dict[str, str],
    error: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from transformer.__main__ import main

    path = tmp_path / "release.json"
    path.write_text(text)
    monkeypatch.setattr(sys, "argv", ["transformer", *REQUIRED, f"--release={path}"])
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("transformer: ")
    assert error in line


def test_a_handler_that_was_changed_is_not_run(tmp_path: Path) -> None:
    echo = Echo("words", (Tensor("IN", "INT64", (-1,)),))
    path = echo.release(tmp_path, {"handler.py": "print('run')\n"})
    (tmp_path / "handler" / "handler.py").write_text("print('changed')\n")
    arguments = ["--model_name=words", "--predictor_host=triton", f"--release={path}"]
    ended = run(*arguments, HANDLER=str(tmp_path / "handler"))
    assert ended.returncode == 2
    assert ended.stderr.endswith("it was changed\n")
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("HANDLER_PARAMETERS", "{", "found '{'; allowed: an object of JSON"),
        ("HANDLER_PARAMETERS", "[]", "found '[]'; allowed: an object of JSON"),
        ("HANDLER_MEMORY", "12", "found '12'; allowed: MiB, 64 or more"),
        ("HANDLER_MEMORY", "1GiB", "found '1GiB'; allowed: MiB, 64 or more"),
    ],
)
def test_variables_of_the_handler(
    name: str, value: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"HANDLER": "/h", "HANDLER_PARAMETERS": '{"k": [1]}', "HANDLER_MEMORY": "512"}
    found = parse(REQUIRED, given)
    assert str(found.handler) == "/h"
    assert (found.handler_parameters, found.handler_memory) == ({"k": [1]}, 512)
    with pytest.raises(SystemExit) as ended:
        parse(REQUIRED, given | {name: value})
    assert ended.value.code == 2
    assert f"error: {name}: {error}" in capsys.readouterr().err


def test_no_release(tmp_path: Path) -> None:
    ended = run(*REQUIRED, f"--release={tmp_path / 'none.json'}")
    assert ended.returncode == 2
    expected = f"transformer: {tmp_path / 'none.json'}: No such file or directory\n"
    assert ended.stderr == expected


def test_port_taken() -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(*REQUIRED, f"--http_port={port}")
    assert ended.returncode == 2
    assert ended.stderr == f"transformer: --http_port {port}: Address already in use\n"


def test_what_has_no_effect_is_logged(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with Transformer(address, tmp_path, "--protocol=v2", "--enable_latency_logging") as made:
        pass
    levels = {line["message"]: line["level"] for line in made.lines()}
    expected = "--protocol has no effect: --predictor_protocol replaces it"
    assert levels[expected] == "warning"
    assert any(message.startswith("serving digits on port") for message in levels)
