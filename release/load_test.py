"""What the Job of a load test and those who read its verdict agree on."""

from __future__ import annotations

# Annotation of the Job: the digest of the release that it tests.
RELEASE_ANNOTATION = "kserve-triton.dev/release"
# Label of the Job: the model's name.
MODEL_LABEL = "app.kubernetes.io/name"


def verdict_line(model: str, verdict: str) -> str:
    """The first line of the last message of the Job's pod."""
    return f"load test of {model}: {verdict}"
