"""The server in front of the storage emulator: who calls, may they, and if so the emulator."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import urllib3

from local.storage.iam import PolicyError, Resource, allows
from local.storage.policies import ConflictError
from local.storage.requests import BadRequestError, Call, Need, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.storage.policies import Policies

__all__ = ["HEALTH", "OWNER", "IdentityError", "StorageServer"]

HEALTH = "/healthz"
"""A path that is answered without a token, and without a line in the log."""

OWNER = "owner"
"""Whoever started the cluster: owner of the project, who may do everything."""
_BLOCK, _HEAD = 1 << 16, 1 << 16
_HOP_BY_HOP = {"connection", "keep-alive", "te", "transfer-encoding", "upgrade"}
# An upload is answered when the emulator has written all of it to disk.
_PATIENCE = urllib3.Timeout(connect=5.0, read=600.0)


class IdentityError(Exception):
    """Whose token it is can't be told now."""


class _AnswerError(Exception):
    """An answer of this server's own, instead of the emulator's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class StorageServer(ThreadingHTTPServer):
    """`identify` returns the IAM member for a token, OWNER, or None for an invalid token.

    It may raise IdentityError.
    """

    daemon_threads = True
    # Uploads of a stack begin at once.
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        emulator: str,
        policies: Policies,
        identify: Callable[[str], str | None],
    ) -> None:
        super().__init__(address, _Handler)
        self.emulator, self.policies, self.identify = emulator, policies, identify
        self.pool = urllib3.PoolManager(maxsize=64, retries=False, timeout=_PATIENCE)

    def exists(self, resource: Resource) -> bool:
        """Whether the emulator has a bucket or an object."""
        path = f"{self.emulator}/storage/v1/b/{quote(resource.bucket, safe='')}"
        if resource.object:
            path += f"/o/{quote(resource.object, safe='')}"
        return self.pool.request("GET", path).status == 200


class _Handler(BaseHTTPRequestHandler):
    server: StorageServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._left = int(self.headers.get("Content-Length") or 0)
        if self.path == HEALTH:
            self._answer(200, {})
            return
        try:
            if "Transfer-Encoding" in self.headers:
                raise _AnswerError(411, "a request needs a Content-Length")
            head = self.rfile.read(min(self._left, _HEAD))
            self._left -= len(head)
            call = self._authorize(head)
            if call and call.iam:
                self._policy(call.iam, head)
            else:
                self._forward(head, call)
        except _AnswerError as error:
            self._refuse(error.status, str(error))
        except (BadRequestError, PolicyError) as error:
            self._refuse(400, str(error))
        except ConflictError as error:
            self._refuse(412, str(error))
        except IdentityError as error:
            self._refuse(503, str(error))
        except urllib3.exceptions.HTTPError as error:
            self._refuse(503, f"the storage emulator doesn't answer: {error}")

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _authorize(self, head: bytes) -> Call | None:
        """The call, if the caller may make it; None for the owner's calls of other APIs."""
        caller = self._caller()
        call = read(self.command, self.path, self.headers.get("Content-Type", ""), head)
        if caller == OWNER:
            return call
        if call is None:
            raise _AnswerError(403, f"{self.path} is not part of what the local storage offers")
        members = [caller] if caller else []
        for need in self._needs(call):
            bindings = self.server.policies.bindings(need.resource.bucket)
            if not allows(bindings, members, need.permission, need.resource):
                self._require(need.resource.bucket)
                raise _AnswerError(403 if caller else 401, _denial(caller, need))
        return call

    def _caller(self) -> str | None:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if not kind:
            return None
        caller = self.server.identify(token) if kind == "Bearer" else None
        if caller is None:
            raise _AnswerError(401, "Invalid Credentials")
        return caller

    def _needs(self, call: Call) -> Iterator[Need]:
        yield from call.needs
        for created in call.creates:
            if self.server.exists(created):
                yield Need("storage.objects.delete", created)

    def _require(self, bucket: str) -> None:
        """Refuse a bucket that is not there, to everybody: Google's names are public."""
        if bucket and not self.server.exists(Resource(bucket)):
            raise _AnswerError(404, "The specified bucket does not exist.")

    def _policy(self, bucket: str, head: bytes) -> None:
        self._require(bucket)
        policies = self.server.policies
        if self.command == "GET":
            self._answer(200, policies.get(bucket))
        else:
            try:
                wanted = json.loads(b"".join(self._body(head)))
            except ValueError as error:
                raise _AnswerError(400, f"the policy is not JSON: {error}") from error
            self._answer(200, policies.set(bucket, wanted))

    def _forward(self, head: bytes, call: Call | None) -> None:
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP
        }
        headers.pop("Authorization", None)
        answer = self.server.pool.request(
            self.command,
            self.server.emulator + self.path,
            body=self._body(head) if head else None,
            headers=headers,
            preload_content=False,
            decode_content=False,
            redirect=False,
        )
        # Its connection is used again only if it was read to its end.
        with answer:
            if call and call.deletes and answer.status < 300:
                self.server.policies.forget(call.deletes)
            self._pass_on(answer)

    def _body(self, head: bytes) -> Iterator[bytes]:
        yield head
        while self._left:
            block = self.rfile.read(min(self._left, _BLOCK))
            if not block:
                raise ConnectionResetError("the client ended its request")
            self._left -= len(block)
            yield block

    def _pass_on(self, answer: urllib3.BaseHTTPResponse) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if "Content-Length" not in answer.headers and answer.status != 204:
            # The end of the connection is the end of the answer.
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            for block in answer.stream(_BLOCK, decode_content=False):
                self.wfile.write(block)
        except urllib3.exceptions.HTTPError as error:
            # Another answer would be a part of this one. So the client's connection ends.
            raise ConnectionAbortedError(str(error)) from error

    def _refuse(self, status: int, message: str) -> None:
        while self._left and (block := self.rfile.read(min(self._left, _BLOCK))):
            self._left -= len(block)
        print(f"{status} {self.command} {self.path}: {message}", flush=True)
        reason = {401: "required", 403: "forbidden", 404: "notFound", 412: "conditionNotMet"}
        error = {"message": message, "domain": "global", "reason": reason.get(status, "invalid")}
        self._answer(status, {"error": {"code": status, "message": message, "errors": [error]}})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)


def _denial(caller: str | None, need: Need) -> str:
    """Google's words, which clients show, and some read."""
    kind = "object" if need.resource.object else "bucket"
    who = caller or "Anonymous caller"
    return (
        f"{who} does not have {need.permission} access to the Google Cloud Storage {kind}. "
        f"Permission '{need.permission}' denied on resource (or it may not exist)."
    )
