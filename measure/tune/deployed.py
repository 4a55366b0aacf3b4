"""The deployed service: each point goes out by `pulumi up`, and at the end the stack's own file."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from measure.tune.bench import Address
from measure.tune.errors import BenchError, TuneError
from measure.tune.knobs import changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType

    from infra.config import ModelSettings
    from measure.tune.stack import StackFile

__all__ = ["Deployed"]

# An update that was interrupted finishes what it has begun.
CANCEL_SECONDS = 600.0


class Deployed:
    """A stack whose model is redeployed for each point, from a copy of the stack's file.

    The copy has no load test: a point that misses its objectives is a result here, no failure.
    `url` is where the model's own URL is reached from here, if not at that.
    """

    def __init__(self, file: StackFile, root: Path, url: str | None = None) -> None:
        self.file, self.root, self.url = file, root, url
        self._touched = False

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="tune-")
        self._copy = Path(self._folder.name) / self.file.path.name
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with self._folder:
            if self._touched:
                with _patient():
                    self._restore()

    def apply(self, settings: ModelSettings) -> Address:
        """Deploy with these; verified by the program itself when it returns."""
        wanted = changes(self.file.settings, settings) | {("perf", "enabled"): False}
        self._copy.write_bytes(self.file.edited(wanted).encode())
        self._touched = True
        if self._pulumi(*self._up(self._copy)):
            raise BenchError("`pulumi up` failed, see above")
        said = self._outputs().get("models", {}).get(self.file.model)
        if said is None:
            raise TuneError(f"stack {self.file.stack} has no output for model {self.file.model}")
        own = str(said["url"])
        if self.url is None:
            return Address(own)
        return Address(self.url, host_header=urlsplit(own).netloc)

    def _up(self, config: Path) -> tuple[str, ...]:
        flags = ("--yes", "--skip-preview", "--non-interactive")
        return ("up", *flags, "--stack", self.file.stack, "--config-file", str(config))

    def _restore(self) -> None:
        print(f"putting {self.file.stack} back as {self.file.path.name} says", file=sys.stderr)
        if self._pulumi(*self._up(self.file.path)):
            raise TuneError(
                f"{self.file.stack} could not be put back, see above; again: "
                f"pulumi up --stack {self.file.stack}"
            )

    def _pulumi(self, *words: str) -> int:
        """Exit status. Interrupted, it is asked to cancel and waited for: its state stays whole."""
        try:
            # Its own session: Ctrl-C reaches it through here alone, and once.
            process = subprocess.Popen(
                ["pulumi", *words], cwd=self.root, stdout=sys.stderr, start_new_session=True
            )
        except OSError as error:
            raise TuneError(f"pulumi: {error.strerror}; it must be on PATH") from error
        try:
            return process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            with _patient():
                process.wait(CANCEL_SECONDS)
            raise

    def _outputs(self) -> dict[str, Any]:
        done = subprocess.run(
            ["pulumi", "stack", "output", "--json", "--stack", self.file.stack],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise TuneError(f"pulumi stack output: {done.stderr.strip()[-500:]}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextlib.contextmanager
def _patient() -> Iterator[None]:
    """A second Ctrl-C would leave the stack halfway; it is told so instead."""

    def say(_number: int, _frame: FrameType | None) -> None:
        print("the stack is being put back; this takes a moment", file=sys.stderr)

    before = {each: signal.signal(each, say) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
