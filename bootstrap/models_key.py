"""Cloud Storage's use of the key that encrypts the models' bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_gcp import kms, storage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bootstrap.settings import BootstrapSettings


@dataclass(frozen=True)
class ModelsKeyArgs:
    """The environment's settings, and what must exist before Cloud Storage is asked."""

    settings: BootstrapSettings
    services: Sequence[pulumi.Resource]


class ModelsKey(pulumi.ComponentResource):
    """The grant without which Google refuses a bucket with `storage.kmsKey`.

    It is here and not in the stack: an account that may grant the use of a key could grant it to
    itself. Nothing without `modelsKey`.
    """

    def __init__(
        self, name: str, args: ModelsKeyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:bootstrap:ModelsKey", name, None, opts)
        if args.settings.models_key:
            # Google creates the project's storage service agent when it is first asked for.
            agent = storage.get_project_service_account_output(
                project=args.settings.project,
                opts=pulumi.InvokeOutputOptions(depends_on=args.services),
            )
            kms.CryptoKeyIAMMember(
                f"{name}-storage",
                crypto_key_id=args.settings.models_key,
                role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
                member=agent.member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
