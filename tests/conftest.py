"""Settings of all tests."""

import os
import signal

from hypothesis import settings

# How long an example takes says what else the machine does, not whether the code is right.
# With CI set the examples are the same in every run: what fails there fails here.
settings.register_profile("any machine", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("any machine")

# A shell starts a background job with SIGINT ignored, and children inherit that: in `make test &`
# no program could be interrupted. A handler is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, lambda *_: None)
