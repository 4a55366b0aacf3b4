"""`python -m local.plugins NAME [ENGINE]`: the process behind `pulumi-resource-NAME`."""

from __future__ import annotations

import sys

from local.plugins import light

light.install()

# Only now: these import Pulumi's protocol.
from local.plugins.server import serve  # noqa: E402

if sys.argv[1] == "gcp":
    from local.plugins.gcp.provider import GcpProvider

    serve(GcpProvider, sys.argv[2:])
else:
    from local.plugins.kubernetes.provider import KubernetesProvider

    serve(KubernetesProvider, sys.argv[2:])
