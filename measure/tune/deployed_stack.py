"""A deployed stack: `pulumi up` for each point, and at the end for the stack's own file."""

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

from measure.tune.deployment import Address, DeployError, TuneError
from measure.tune.knobs import changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from infra.config import ModelSettings
    from measure.tune.stack import StackFile

__all__ = ["DeployedStack"]

# An interrupted update finishes the operations that it has started.
CANCEL_SECONDS = 600.0


class DeployedStack:
    """A stack that is updated for each point from a copy of its file.

    The copy disables the load test, which would fail the update of a point that misses its
    objectives. `url` replaces the model's URL in the stack's outputs.
    """

    def __init__(self, file: StackFile, root: Path, url: str | None = None) -> None:
        self.file, self.root, self.url = file, root, url
        self._touched = False

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="tune-")
        self._copy = Path(self._folder.name) / self.file.path.name
        return self

    def __exit__(self, *_: object) -> None:
        with self._folder:
            if self._touched:
                with _ignoring_interrupts():
                    self._restore()

    def apply(self, settings: ModelSettings) -> Address:
        """Deploy with settings; the program verifies the endpoint."""
        wanted = changes(self.file.settings, settings) | {("perf", "enabled"): False}
        self._copy.write_bytes(self.file.edited(wanted).encode())
        self._touched = True
        if self._pulumi(*self._up(self._copy)):
            raise DeployError("`pulumi up` failed, see above")
        output = self._outputs().get("models", {}).get(self.file.model)
        if output is None:
            raise TuneError(f"stack {self.file.stack} has no output for model {self.file.model}")
        own = str(output["url"])
        if self.url is None:
            return Address(own)
        return Address(self.url, host_header=urlsplit(own).netloc)

    def _up(self, config: Path) -> tuple[str, ...]:
        flags = ("--yes", "--skip-preview", "--non-interactive")
        return ("up", *flags, "--stack", self.file.stack, "--config-file", str(config))

    def _restore(self) -> None:
        print(f"restoring {self.file.stack} from {self.file.path.name}", file=sys.stderr)
        if self._pulumi(*self._up(self.file.path)):
            raise TuneError(
                f"{self.file.stack} could not be restored, see above; run: "
                f"pulumi up --stack {self.file.stack}"
            )

    def _pulumi(self, *words: str) -> int:
        """Run the CLI; return its exit status. An interrupt cancels an update and waits for it."""
        try:
            # In a session of its own it gets Ctrl-C only from the handler below, once.
            process = subprocess.Popen(
                ["pulumi", *words], cwd=self.root, stdout=sys.stderr, start_new_session=True
            )
        except OSError as error:
            raise TuneError(f"pulumi: {error.strerror}; it must be on PATH") from error
        try:
            return process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            with _ignoring_interrupts():
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
def _ignoring_interrupts() -> Iterator[None]:
    """Print a message on Ctrl-C, which would leave the stack half restored."""

    def explain(_number: int, _frame: FrameType | None) -> None:
        print("the stack is being restored; wait for the end", file=sys.stderr)

    before = {each: signal.signal(each, explain) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
