"""The local Triton: one server for the whole sweep, its model loaded anew for each point."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from infra.manifests.model_config import RenderError, config_pbtxt
from jobs.http_client import UnreachableError, request
from local.ports import free_port
from measure.tune.bench import Address
from measure.tune.errors import BenchError, TuneError

if TYPE_CHECKING:
    from types import TracebackType

    from infra.config import ModelSettings
    from infra.releases import Artefact
    from jobs.http_client import Answer

__all__ = ["LocalTriton"]

LOCAL = Path(__file__).resolve().parents[2] / "local"
START_SECONDS = 120.0
LOAD_SECONDS = 120.0
STOP_SECONDS = 20.0


class LocalTriton:
    """Triton from the Python package, on so many of this machine's cores as a pod would have."""

    def __init__(self, artefact: Artefact, cores: int, env: dict[str, str]) -> None:
        self.artefact, self.cores, self.env = artefact, cores, env

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tune-")))
            self._repository = self._folder / "models"
            # config.pbtxt comes anew with each point.
            self.artefact.write(self._repository)
            self._start()
            stack.callback(self._stop)
            self._wait_live()
            self._undo = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._undo.close()

    def apply(self, settings: ModelSettings) -> Address:
        """Render and load. Triton says that it is loaded when it is warm, too."""
        name = self.artefact.name
        self._unload()
        try:
            text = config_pbtxt(self.artefact.release, settings)
        except RenderError as error:
            raise BenchError(str(error)) from error
        (self._repository / name / "config.pbtxt").write_text(text)
        answer = self._ask(f"models/{name}/load")
        if answer.status != 200:
            raise BenchError(f"Triton doesn't load it: {self._error() or answer}")
        return Address(f"http://{self._http}/v2/models/{name}/infer")

    def _unload(self) -> None:
        """All of the point before: a reload would end its copies while the next is measured."""
        self._ask(f"models/{self.artefact.name}/unload")
        end = time.monotonic() + LOAD_SECONDS
        while any(each.get("state") not in (None, "UNAVAILABLE") for each in self._index()):
            if time.monotonic() > end:
                raise TuneError(f"Triton doesn't unload the model:\n{self._tail()}")
            time.sleep(0.05)

    def _index(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self._ask("index").json()
        return found

    def _ask(self, what: str) -> Answer:
        try:
            url = f"http://{self._http}/v2/repository/{what}"
            return request(url, body=b"{}", timeout=LOAD_SECONDS)
        except UnreachableError as error:
            raise TuneError(f"Triton: {error}\n{self._tail()}") from error

    def _start(self) -> None:
        http, grpc, metrics = (free_port() for _ in range(3))
        self._http = f"127.0.0.1:{http}"
        self._log = self._folder / "triton.log"
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    # It ends when this process does, however that comes about.
                    *(sys.executable, str(LOCAL / "leash.py"), str(os.getpid())),
                    *(
                        str(int(signal.SIGTERM)),
                        sys.executable,
                        str(LOCAL / "triton" / "launch.py"),
                    ),
                    *("tritonserver", f"--model-store={self._repository}"),
                    *(f"--http-port={http}", f"--grpc-port={grpc}", f"--metrics-port={metrics}"),
                    *("--http-address=127.0.0.1", "--grpc-address=127.0.0.1"),
                    "--model-control-mode=explicit",
                ],
                stdout=out,
                stderr=subprocess.STDOUT,
                # As in the pod: one thread, unless the stack says otherwise.
                env=os.environ | {"OMP_NUM_THREADS": "1"} | self.env,
                # Ctrl-C is for this program, which then ends it.
                start_new_session=True,
            )
        mine = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(self.process.pid, mine[-self.cores :])

    def _wait_live(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise TuneError(f"Triton ended by itself:\n{self._tail()}")
            with contextlib.suppress(UnreachableError):
                if request(f"http://{self._http}/v2/health/live", timeout=1).status == 200:
                    return
            time.sleep(0.05)
        raise TuneError(f"Triton isn't up after {START_SECONDS:.0f} s:\n{self._tail()}")

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # Its backend's processes.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _error(self) -> str:
        """What its log says last of errors: the answer has often less than that."""
        lines = self._log.read_text(errors="replace").splitlines()
        found = [line for line in lines if re.match(r"E\d{4} ", line)]
        return found[-1].partition("] ")[2] if found else ""

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]
