"""`python -m local.storage`: the server in front of the local cluster's storage emulator."""

from __future__ import annotations

import hmac

from local.api import Api, ApiError
from local.layout import Layout
from local.storage.identity import member
from local.storage.policies import Policies
from local.storage.server import OWNER, IdentityError, StorageServer


def main() -> None:
    layout = Layout.current()
    owner, api, ports = layout.owner_token.read_text(), Api(layout), layout.ports()

    def identify(token: str) -> str | None:
        if hmac.compare_digest(token.encode(), owner.encode()):
            return OWNER
        try:
            return member(api, token)
        except ApiError as error:
            raise IdentityError(f"the API server can't review the token: {error}") from error

    server = StorageServer(
        ("127.0.0.1", ports["storage"]),
        f"http://127.0.0.1:{ports['fake-gcs-server']}",
        Policies(layout.iam),
        identify,
    )
    server.serve_forever()


if __name__ == "__main__":
    main()
