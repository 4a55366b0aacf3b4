"""Which lines of a log are shown to a person."""

from __future__ import annotations

from jobs.verify.telling import telling

_TRITON = """\
E1124 16:00:45.502623 2 server.cc:241] "CudaDriverHelper has not been initialized."
I1124 16:00:45.503575 2 model_lifecycle.cc:472] "loading: digits:1"
E1124 16:00:48.766219 2 model_lifecycle.cc:642] "failed to load 'digits' version 1: model.pt"
+--------+---------+--------+
| digits | 1       | UNAVAILABLE: error |
I1124 16:24:50.627766 2 server.cc:336] "All models are stopped, unloading models"
error: creating server: Internal - failed to load all models
"""


def test_tritons_reason_is_among_its_last_words() -> None:
    assert telling(_TRITON, 1000).splitlines() == [
        """E1124 16:00:48.766219 2 model_lifecycle.cc:642] \
"failed to load 'digits' version 1: model.pt\"""",
        "error: creating server: Internal - failed to load all models",
    ]


def test_without_an_error_the_last_lines() -> None:
    assert telling("one\ntwo\nthree", 9) == "two\nthree"


def test_never_more_than_asked() -> None:
    assert len(telling(_TRITON, 50)) == 50
