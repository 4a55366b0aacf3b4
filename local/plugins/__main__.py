"""`python -m local.plugins [ENGINE]`: the process behind `pulumi-resource-gcp`."""

from __future__ import annotations

import sys

from local.plugins.server import serve

serve(sys.argv[1:])
