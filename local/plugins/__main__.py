"""`python -m local.plugins [ENGINE]`: the process behind `pulumi-resource-gcp`."""

from __future__ import annotations

import sys

from local.plugins import light

light.install()

# Only now: these import Pulumi's protocol.
from local.plugins.gcp.provider import GcpProvider  # noqa: E402
from local.plugins.server import serve  # noqa: E402

serve(GcpProvider, sys.argv[1:])
