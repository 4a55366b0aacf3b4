"""A release as Triton loads it, and as the bucket holds it."""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from infra.manifests.model_config import labels_file, labels_text
from infra.manifests.names import PROGRAMS
from release.files import MODELS, RELEASE_JSON
from release.schema import digest, short

if TYPE_CHECKING:
    from pathlib import Path

    from release.schema import Release

HANDLER = "handler"
# A ConfigMap holds 1 MiB; this leaves room for its keys and metadata.
MAX_MAP_BYTES = 1_000_000


@dataclass(frozen=True)
class Artefact:
    """A model's release with its rendered config: what is uploaded, and what Triton loads."""

    release: Release
    digest: str
    text: str
    folder: Path
    config: str
    # What a compiled package is for, by `compile_target`; empty where nothing is compiled.
    target: str = ""

    @property
    def name(self) -> str:
        """The model's name in Triton and KServe."""
        return self.release.name

    @cached_property
    def version(self) -> str:
        """Short digest of release, rendered config and target: the folder's name in the bucket."""
        return short(digest(f"{self.digest}\n{self.config}{self.target}".encode()))

    @property
    def prefix(self) -> str:
        """The path of Triton's model repository in the bucket, as in `storageUri`."""
        return f"{MODELS}{self.name}/{self.version}"

    @property
    def compiled(self) -> bool:
        """Whether a Job makes the model's file from the exported program that the release has."""
        return self.release.format == "aoti"

    @property
    def program(self) -> str:
        """The path of the exported program in the bucket."""
        return f"{PROGRAMS}{self.name}/{short(self.digest)}/{self.release.model_file}"

    @property
    def model(self) -> str:
        """The path of the file that Triton loads, under `prefix`."""
        return f"{self.name}/1/{self.release.model_file}"

    @property
    def handler_in_map(self) -> bool:
        """Whether the handler's files fit into the ConfigMap beside release.json, all of them."""
        files = self.release.handler.files.values() if self.release.handler else ()
        return len(self.text) + sum(file.bytes for file in files) <= MAX_MAP_BYTES

    @property
    def handler_in_bucket(self) -> bool:
        """Whether the handler is in the bucket instead, in the model's folder there."""
        return bool(self.release.handler) and not self.handler_in_map

    @property
    def map_items(self) -> list[dict[str, str]]:
        """Key and path of each file that the release's volume has.

        A handler's file has its SHA-256 for a key, since a key can't have a slash.
        """
        files = self.release.handler.files if self.release.handler and self.handler_in_map else {}
        return [
            {"key": RELEASE_JSON, "path": RELEASE_JSON},
            *({"key": file.sha256, "path": f"{HANDLER}/{path}"} for path, file in files.items()),
        ]

    @property
    def map_files(self) -> dict[str, str]:
        """The handler's files in the release's ConfigMap, by key, in base64."""
        return {
            item["key"]: base64.b64encode((self.folder / item["path"]).read_bytes()).decode()
            for item in self.map_items
            if item["key"] != RELEASE_JSON
        }

    @property
    def files(self) -> dict[str, Path]:
        """Object path under `prefix` -> local file, of the files that are uploaded unchanged."""
        paths = [f"warmup/{name}" for name in self.release.warmup]
        if self.release.handler and self.handler_in_bucket:
            paths += [f"{HANDLER}/{path}" for path in self.release.handler.files]
        model = {} if self.compiled else {self.model: self.folder / self.release.model_file}
        return model | {f"{self.name}/{path}": self.folder / path for path in paths}

    @property
    def texts(self) -> dict[str, str]:
        """Object path under `prefix` -> content, of the files that the program renders."""
        labels = {
            f"{self.name}/{labels_file(tensor)}": labels_text(tensor)
            for tensor in self.release.outputs
            if tensor.labels
        }
        return {f"{self.name}/config.pbtxt": self.config} | labels

    def write(self, folder: Path) -> None:
        """Write the files that the bucket has under `prefix` into a folder."""
        for path, file in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / path)
        for path, text in self.texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
