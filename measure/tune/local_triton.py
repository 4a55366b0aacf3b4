"""A local Triton: one server for the whole sweep, which loads the model again for each point."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from infra.manifests.model_config import RenderError, config_pbtxt
from jobs.http_client import UnreachableError, request
from local.triton.server import Triton
from measure.releases import write_repository
from measure.tune.deployment import Address, DeployError, TuneError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config import ModelSettings
    from infra.manifests.artefact import Artefact
    from jobs.http_client import Response

__all__ = ["LocalTriton"]

LOAD_SECONDS = 120.0


class LocalTriton:
    """Triton on as many of this machine's cores as a pod would have."""

    def __init__(self, artefact: Artefact, cores: int, env: Mapping[str, str]) -> None:
        self.artefact, self.cores, self.env = artefact, cores, env

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tune-")))
            self._repository = folder / "models"
            write_repository(self.artefact, self._repository)
            self.triton = stack.enter_context(
                Triton(
                    self._repository,
                    "--model-control-mode=explicit",
                    log=folder / "triton.log",
                    env=self.env,
                    cores=self.cores,
                )
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def apply(self, settings: ModelSettings) -> Address:
        """Render config.pbtxt and load the model. Triton answers after its warm-up."""
        name = self.artefact.name
        self._unload()
        try:
            text = config_pbtxt(self.artefact.release, settings)
        except RenderError as error:
            raise DeployError(str(error)) from error
        (self._repository / name / "config.pbtxt").write_text(text)
        response = self._post(f"models/{name}/load")
        if response.status != 200:
            raise DeployError(f"Triton doesn't load it: {self._logged_error() or response}")
        return Address(f"http://{self.triton.http}/v2/models/{name}/infer")

    def _unload(self) -> None:
        """Unload completely: a reload would stop old instances during the next measurement."""
        self._post(f"models/{self.artefact.name}/unload")
        end = time.monotonic() + LOAD_SECONDS
        while any(
            each.get("state") not in (None, "UNAVAILABLE") for each in self._post("index").json()
        ):
            if time.monotonic() > end:
                raise TuneError(f"Triton doesn't unload the model:\n{self.triton.tail()}")
            time.sleep(0.05)

    def _post(self, path: str) -> Response:
        url = f"http://{self.triton.http}/v2/repository/{path}"
        try:
            return request(url, body=b"{}", timeout=LOAD_SECONDS)
        except UnreachableError as error:
            raise TuneError(f"Triton: {error}\n{self.triton.tail()}") from error

    def _logged_error(self) -> str:
        """The last error in its log, which often says more than the response."""
        lines = self.triton.log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if re.match(r"E\d{4} ", line)]
        return errors[-1].partition("] ")[2] if errors else ""
