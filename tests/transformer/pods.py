"""Pods of a predictor: servers at loopback addresses of one name, in front of a real Triton."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import grpc

from local.ports import free_port
from tests.transformer.server import Transformer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from local.triton.server import Triton

__all__ = ["GRPC", "HTTP", "Pod", "Spread", "pods"]

HTTP, GRPC = "--predictor_protocol=v2", "--predictor_protocol=grpc-v2"
NAME = "pods.test"
# What a request may meet, over HTTP and over gRPC.
ENDS = "Request for unknown model: 'digits' has no available versions"
GATEWAY = "upstream connect error or disconnect/reset before headers"
REFUSED = "dial tcp 10.244.0.9:8012: connect: connection refused\n"
OVERLOADED = "inference request for model 'digits': Exceeds maximum queue size"
FAULTS = {
    "ends": (404, grpc.StatusCode.NOT_FOUND, ENDS),
    "gateway": (503, grpc.StatusCode.UNAVAILABLE, GATEWAY),
    "refused": (502, grpc.StatusCode.UNAVAILABLE, REFUSED),
    "overloaded": (503, grpc.StatusCode.UNAVAILABLE, OVERLOADED),
}


class Pod:
    """Counts requests for predictions, and passes them on but for those that meet a fault.

    A fault is a key of FAULTS, or "silent".
    """

    def __init__(self, triton: str) -> None:
        self.triton = triton
        self.count = 0
        self.faults: Iterator[str] = iter(())
        self.closed = threading.Event()

    def next_fault(self) -> str | None:
        """What this request meets. Blocks if it is silence."""
        self.count += 1
        fault = next(self.faults, None)
        if fault == "silent":
            self.closed.wait()
        return fault


@contextlib.contextmanager
def pods(triton: Triton, protocol: str, count: int = 3) -> Iterator[tuple[int, list[Pod]]]:
    """The pods' port, and the pods at 127.0.0.2, 127.0.0.3, …"""
    port = free_port()
    made = [Pod(triton.grpc if protocol == GRPC else triton.http) for _ in range(count)]
    serve = _serve_grpc if protocol == GRPC else _serve_http
    with contextlib.ExitStack() as stack:
        for number, pod in enumerate(made, 2):
            stack.enter_context(serve(pod, f"127.0.0.{number}", port))
            stack.callback(pod.closed.set)
        yield port, made


@contextlib.contextmanager
def _serve_http(pod: Pod, address: str, port: int) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fault = pod.next_fault()
            if fault == "silent":
                self.close_connection = True
            elif fault:
                status, _, text = FAULTS[fault]
                self.answer(status, json.dumps({"error": text}).encode(), {})
            else:
                self.pass_on(body)

        def pass_on(self, body: bytes) -> None:
            onward = http.client.HTTPConnection(pod.triton)
            onward.request("POST", self.path, body, dict(self.headers))
            with onward.getresponse() as answer:
                name = "Inference-Header-Content-Length"
                self.answer(answer.status, answer.read(), {name: answer.getheader(name) or ""})
            onward.close()

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer((address, port), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


@contextlib.contextmanager
def _serve_grpc(pod: Pod, address: str, port: int) -> Iterator[None]:
    with grpc.insecure_channel(pod.triton) as onward:

        class Handler(grpc.GenericRpcHandler):
            def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
                forward = onward.unary_unary(details.method)

                def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
                    fault = pod.next_fault()
                    if fault in FAULTS:
                        _, code, text = FAULTS[fault]
                        context.abort(code, text)
                    return b"" if fault else forward(request)

                return grpc.unary_unary_rpc_method_handler(answer)

        server = grpc.server(ThreadPoolExecutor(64), handlers=[Handler()])
        server.add_insecure_port(f"{address}:{port}")
        server.start()
        try:
            yield
        finally:
            # A silent call ends only when the pod is closed.
            pod.closed.set()
            server.stop(0).wait()


class Spread(Transformer):
    """A transformer for which a name has the addresses of these pods, and the Service is one."""

    def __init__(
        self,
        port: int,
        made: Sequence[Pod],
        folder: Path,
        protocol: str,
        *arguments: str,
        service: str = "",
    ) -> None:
        more = (f"--predictor_pods={NAME}:{port}", protocol, *arguments)
        super().__init__(service or f"127.0.0.2:{port}", folder, *more)
        hosts = folder / "hosts"
        lines = [f"127.0.0.{number} {NAME}\n" for number, _ in enumerate(made, 2)]
        hosts.write_text("".join(lines))
        self.python = _with_hosts(folder / "python", hosts)


def _with_hosts(path: Path, hosts: Path) -> Path:
    """An interpreter that reads another hosts file, since a test has no DNS of its own."""
    user = "" if os.geteuid() == 0 else "--map-root-user"
    inner = f'mount --bind {shlex.quote(str(hosts))} /etc/hosts && exec "$0" "$@"'
    python = shlex.quote(sys.executable)
    path.write_text(
        f'#!/bin/sh\nexec unshare {user} --mount sh -c {shlex.quote(inner)} {python} "$@"\n'
    )
    path.chmod(0o755)
    return path
