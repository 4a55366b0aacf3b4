"""A release as Triton loads it, and as the bucket holds it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from infra.manifests.model_config import LABELS, labels_txt
from release.files import MODELS
from release.schema import digest, short

if TYPE_CHECKING:
    from pathlib import Path

    from release.schema import Release


@dataclass(frozen=True)
class Artefact:
    """A model's release with its rendered config: what is uploaded, and what Triton loads."""

    release: Release
    digest: str
    text: str
    folder: Path
    config: str

    @property
    def name(self) -> str:
        """The model's name in Triton and KServe."""
        return self.release.name

    @cached_property
    def version(self) -> str:
        """Short digest of the release and its rendered config: the folder's name in the bucket."""
        return short(digest(f"{self.digest}\n{self.config}".encode()))

    @property
    def prefix(self) -> str:
        """The path of Triton's model repository in the bucket, as in `storageUri`."""
        return f"{MODELS}{self.name}/{self.version}"

    @property
    def files(self) -> dict[str, Path]:
        """Object path under `prefix` -> local file, of the files that are uploaded unchanged."""
        warmup = {
            f"{self.name}/warmup/{name}": self.folder / "warmup" / name
            for name in self.release.warmup
        }
        return {f"{self.name}/1/model.pt": self.folder / "model.pt"} | warmup

    @property
    def texts(self) -> dict[str, str]:
        """Object path under `prefix` -> content, of the files that the program renders."""
        labels = {f"{self.name}/{LABELS}": labels_txt(self.release)} if self.release.labels else {}
        return {f"{self.name}/config.pbtxt": self.config} | labels

    def write(self, folder: Path) -> None:
        """Write the files that the bucket has under `prefix` into a folder."""
        for path, file in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / path)
        for path, text in self.texts.items():
            (folder / path).write_text(text)
