"""The bucket, and in it each release as a Triton model repository of its own."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_gcp import storage

from infra.components import failures
from release.schema import short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from infra.config import Storage
    from infra.manifests.artefact import Artefact

DAY_SECONDS = 24 * 60 * 60
# The slowest upload that is waited for, and the time that each has at least.
SLOWEST_BYTES_A_SECOND = 500_000
UPLOAD_FLOOR_SECONDS = 240


@dataclass(frozen=True)
class ModelRepositoryArgs:
    """The bucket's settings, and the releases that it holds."""

    storage: Storage
    artefacts: Iterable[Artefact]


class ModelRepository(pulumi.ComponentResource):
    """A private bucket with `models/NAME/VERSION/NAME/{config.pbtxt,1/model.pt}`, and programs."""

    bucket: pulumi.Output[str]

    def __init__(
        self, name: str, args: ModelRepositoryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        inputs = {
            "bucket": args.storage.bucket,
            "project": args.storage.project,
            "location": args.storage.location,
        }
        hooks = failures.guarded(name, other_bucket, outputs=True)
        guard = pulumi.ResourceOptions(hooks=hooks)
        merged = pulumi.ResourceOptions.merge(opts, guard)
        super().__init__("kserve-triton:index:ModelRepository", name, inputs, merged)
        self._name, self._storage = name, args.storage
        self._bucket = self._make_bucket() if args.storage.create else self._find_bucket()
        self.bucket = self._bucket.name
        self._objects: dict[str, list[pulumi.Resource]] = defaultdict(list)
        for artefact in args.artefacts:
            self._objects[artefact.name] += self._upload(artefact)
        self.register_outputs({"bucket": self.bucket, "made": args.storage.create})

    def objects(self, model: str) -> list[pulumi.Resource]:
        """The objects of a model's releases; none for a model that comes as an image."""
        return self._objects[model]

    def _find_bucket(self) -> storage.Bucket:
        """A bucket that others manage.

        It has the name of the stack's own resource and its id, so that Pulumi hands that over and
        does not delete it.
        """
        options = pulumi.ResourceOptions(parent=self)
        return storage.Bucket.get(f"{self._name}-bucket", self._storage.bucket, opts=options)

    def _make_bucket(self) -> storage.Bucket:
        wanted = self._storage
        return storage.Bucket(
            f"{self._name}-bucket",
            name=wanted.bucket,
            # Without it the provider looks the project up by the Compute API.
            project=wanted.project,
            location=wanted.location,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning={"enabled": True},
            soft_delete_policy={
                "retention_duration_seconds": wanted.soft_delete_days * DAY_SECONDS
            },
            # Deletes only versions that were deleted or replaced, never what a stack serves.
            lifecycle_rules=[
                {
                    "action": {"type": "Delete"},
                    "condition": {"days_since_noncurrent_time": wanted.noncurrent_days},
                }
            ],
            labels=wanted.labels,
            encryption={"default_kms_key_name": wanted.kms_key} if wanted.kms_key else None,
            force_destroy=wanted.force_destroy,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=wanted.protect,
                hide_diffs=["effectiveLabels", "pulumiLabels"],
                hooks=failures.explained(f"{self._name}-bucket", explain),
            ),
        )

    def _upload(self, artefact: Artefact) -> list[pulumi.Resource]:
        files = {
            path: (_file_asset(file), file.stat().st_size) for path, file in artefact.files.items()
        }
        texts = {
            path: (pulumi.StringAsset(text), len(text)) for path, text in artefact.texts.items()
        }
        uploaded = [
            self._object(
                # The version in the name: a new release is uploaded before an old one goes.
                f"{artefact.name}-{artefact.version}/{path}",
                f"{artefact.prefix}/{path}",
                artefact,
                *asset_and_size,
                retain=self._storage.retain_releases,
            )
            for path, asset_and_size in (files | texts).items()
        ]
        return [*uploaded, self._program(artefact)] if artefact.compiled else uploaded

    def _program(self, artefact: Artefact) -> storage.BucketObject:
        """The exported program. Once it is compiled, nothing reads it."""
        file = artefact.folder / artefact.release.model_file
        size = artefact.release.model.bytes
        name, asset = f"{artefact.name}-{short(artefact.digest)}/program", _file_asset(file)
        return self._object(name, artefact.program, artefact, asset, size, retain=False)

    def _object(
        self,
        logical_name: str,
        name: str,
        artefact: Artefact,
        asset: pulumi.Asset,
        size: int,
        *,
        retain: bool,
    ) -> storage.BucketObject:
        seconds = UPLOAD_FLOOR_SECONDS + size // SLOWEST_BYTES_A_SECOND
        return storage.BucketObject(
            logical_name,
            bucket=self.bucket,
            name=name,
            source=asset,
            content_type="application/octet-stream",
            # `model prune` tells old releases apart by it.
            metadata={"release": artefact.digest},
            opts=pulumi.ResourceOptions(
                parent=self,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{seconds}s"),
                retain_on_delete=retain,
            ),
        )


def other_bucket(before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    """Why another bucket is refused: Pulumi deletes one that the stack has made, or fails to."""
    old, new = before.get("bucket"), after.get("bucket")
    if old in (None, new) or not before.get("made", True):
        return None
    return (
        f"storage.bucket: found {new}, and the stack made {old}, which would be deleted. Hand that "
        f"over first: pulumi config set --path storage.bucket {old}; pulumi config set --path "
        "storage.create false; pulumi up. Then name the other one again; without storage.create "
        "the stack makes it"
    )


def explain(error: str) -> str | None:
    """The remedy where Google refuses the bucket's key; None for other errors."""
    if "Cloud KMS" not in error:
        return None
    return (
        "Cloud Storage may not use the key of storage.kmsKey yet. As the project's owner, once: "
        "pulumi config set modelsKey KEY --cwd bootstrap && pulumi up --cwd bootstrap"
    )


def _file_asset(path: Path) -> pulumi.FileAsset:
    """With a relative path, so that a preview is the same on every machine."""
    return pulumi.FileAsset(os.path.relpath(path))
