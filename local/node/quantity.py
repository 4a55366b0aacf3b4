"""Kubernetes' quantities: `500m`, `2Gi`, `1e3`."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["quantity"]

_SUFFIXES = {suffix: Decimal(10) ** (3 * place) for place, suffix in enumerate("num", -3)}
_SUFFIXES |= {suffix: Decimal(1000) ** place for place, suffix in enumerate("kMGTPE", 1)}
_BINARY = {f"{suffix}i": Decimal(1024) ** place for place, suffix in enumerate("KMGTPE", 1)}


def quantity(text: str | int) -> Decimal:
    """The value of a quantity. Raises decimal.InvalidOperation."""
    text = str(text)
    for suffixes in (_BINARY, _SUFFIXES):
        for suffix, factor in suffixes.items():
            if text.endswith(suffix):
                return Decimal(text.removesuffix(suffix)) * factor
    return Decimal(text)
