"""Writes handler/tokenizer.json: the words of sentences.tsv, in lower case.

python docs/tutorials/topics/make_tokenizer.py
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.trainers import WordPieceTrainer

HERE = Path(__file__).parent


def main() -> None:
    """Train it on the texts alone."""
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    lines = (HERE / "sentences.tsv").read_text().splitlines()
    trainer = WordPieceTrainer(
        vocab_size=1200, special_tokens=["[PAD]", "[UNK]"], show_progress=False
    )
    tokenizer.train_from_iterator([line.split("\t")[1] for line in lines], trainer)
    tokenizer.save(str(HERE / "handler" / "tokenizer.json"))


if __name__ == "__main__":
    main()
