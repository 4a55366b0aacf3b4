"""From texts to token ids, and from scores to topics."""

from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer


def setup(folder: Path, parameters: dict[str, Any]) -> None:
    """Read the files that came with this one."""
    global tokenizer, labels
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # The texts of a request get the length of the longest.
    tokenizer.enable_padding()
    tokenizer.enable_truncation(parameters["max_tokens"])
    labels = (folder / "labels.txt").read_text().split()


def preprocess(instances: list[Any]) -> dict[str, np.ndarray]:
    """[{"text": …}, …] -> token ids and mask, N×length int64."""
    texts = [instance["text"] for instance in instances]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError("text: allowed: a string that isn't empty")
    encoded = tokenizer.encode_batch(texts)
    return {
        "INPUT__0": np.array([each.ids for each in encoded], np.int64),
        "INPUT__1": np.array([each.attention_mask for each in encoded], np.int64),
    }


def postprocess(outputs: dict[str, np.ndarray], instances: list[Any]) -> list[Any]:
    """Logits, N×topics -> the likeliest topic and its probability."""
    logits = outputs["OUTPUT__0"]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = powers / powers.sum(1, keepdims=True)
    return [{"topic": labels[row.argmax()], "probability": row.max()} for row in probabilities]
