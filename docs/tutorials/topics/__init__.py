"""Which topic a sentence is about: a text classifier, with its tokenizer in a handler."""

from __future__ import annotations

import csv
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from model.definition import Definition, Trained

HERE = Path(__file__).parent
LABELS = (HERE / "handler" / "labels.txt").read_text().split()
TOKENIZER = Tokenizer.from_file(str(HERE / "handler" / "tokenizer.json"))
TOKENIZER.enable_padding()
WIDTH = 48


class Topics(nn.Module):
    """Token ids and mask, N×length int64 each -> N×topics float32, logits."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(TOKENIZER.get_vocab_size(), WIDTH)
        # Small, so that words which the training never saw say little.
        nn.init.normal_(self.words.weight, std=0.01)
        self.dropout = nn.Dropout(0.5)
        self.classify = nn.Linear(WIDTH, len(LABELS))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The mean over the words whose mask is 1, then a linear layer."""
        weights = mask[:, :, None].float()
        mean = (self.words(ids) * weights).sum(1) / weights.sum(1).clamp(min=1)
        logits: torch.Tensor = self.classify(self.dropout(mean))
        return logits


def encode(texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, as the handler makes them."""
    encoded = TOKENIZER.encode_batch(texts)
    ids = torch.tensor([each.ids for each in encoded])
    return ids, torch.tensor([each.attention_mask for each in encoded])


def sentences(data: Path) -> tuple[list[str], torch.Tensor]:
    """The texts of a file with lines `TOPIC<tab>TEXT`, and their labels' indices."""
    with data.open(newline="") as file:
        topics, texts = zip(*csv.reader(file, delimiter="\t"), strict=True)
    return list(texts), torch.tensor([LABELS.index(topic) for topic in topics])


def train(network: nn.Module, data: Path | None) -> Trained:
    """Train on four fifths of the sentences; seconds."""
    path = data or HERE / "sentences.tsv"
    texts, labels = sentences(path)
    ids, mask = encode(texts)
    held_out = torch.arange(len(texts)) % 5 == 0
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        logits = network(ids[~held_out], mask[~held_out])
        functional.cross_entropy(logits, labels[~held_out]).backward()
        optimizer.step()
    network.eval()
    right = network(ids[held_out], mask[held_out]).argmax(1) == labels[held_out]
    return Trained(
        metrics={"accuracy": round(right.float().mean().item(), 4)},
        held_out=int(held_out.sum()),
        provenance={"data": path.name},
    )


def examples() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Two batches whose sentences have different lengths: the length may vary."""
    texts, _ = sentences(HERE / "sentences.tsv")
    return [encode(["Boil the potatoes.", "The band played."]), encode(texts[::9])]


definition = Definition(
    network=Topics,
    examples=examples,
    labels=LABELS,
    train=train,
    # The handler's answers to these requests become part of the release, and are asked for again
    # wherever it is deployed.
    exchanges=[
        [{"text": "Stir the soup and add some salt."}],
        [
            {"text": "The team scored in the last minute."},
            {"text": "A rocket flew to the Moon, and a new satellite is now in orbit around it."},
            {"text": "Songs for piano and choir"},
        ],
    ],
    parameters={"max_tokens": 64},
)
