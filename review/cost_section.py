"""CPUs, memory, GPUs and replicas, and what they cost a month, old beside new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.cost import cost, total
from review.escape import code
from review.fit import Block, Need
from review.markdown import bold, table
from review.serving import GIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from review.cost import Cost, Prices
    from review.models import Model, Side
    from review.serving import Part

NOTHING = "–"
# So many models in one table; a stack rarely has more, and a comment has an end.
MOST = 30


def section(models: Sequence[Model], prices: Prices) -> list[Block]:
    """One table of all pods that change in size or number; nothing where none do."""
    changed = [model for model in models if _parts(model.old) != _parts(model.new)]
    if not changed:
        return []
    rows = [row for model in changed[:MOST] for row in _rows(model, prices)]
    old = total(cost(part, prices) for model in changed for part in _parts(model.old))
    new = total(cost(part, prices) for model in changed for part in _parts(model.new))
    rows.append(["together", "", "", *_money(old, new)])
    currency = code(prices.currency)
    head = ["", "old pods", "new pods", f"{currency} a month at least", "at most"]
    lines = ["#### Resources and cost", table(head, rows)]
    if len(changed) > MOST:
        lines.append(f"And {len(changed) - MOST} more models, counted in the sum.")
    if gaps := dict.fromkeys([*old.gaps, *new.gaps]):
        lines.append(f"Not known: {_listed(gaps)}.")
    source = f"{prices.source}; {prices.region}, {prices.date}; {prices.note}"
    lines.append(f"Prices: {code(source, 400)}")
    return [Block("\n\n".join(lines), Need.MODEL, "cost tables")]


def _parts(side: Side | None) -> tuple[Part, ...]:
    return side.service.parts if side else ()


def _rows(model: Model, prices: Prices) -> list[list[str]]:
    old = {part.name: part for part in _parts(model.old)}
    new = {part.name: part for part in _parts(model.new)}
    return [
        [
            f"{code(model.name)} {name}",
            _pods(old.get(name)),
            bold(_pods(new.get(name)), old.get(name) != new.get(name)),
            *_money(_cost(old.get(name), prices), _cost(new.get(name), prices)),
        ]
        for name in old | new
    ]


def _cost(part: Part | None, prices: Prices) -> Cost:
    return total([cost(part, prices)] if part else [])


def _pods(part: Part | None) -> str:
    """`2–8 × 4 CPU, 8 GiB, 1 nvidia-l4, spot`."""
    if part is None:
        return NOTHING
    most = "∞" if part.maximum is None else str(part.maximum)
    replicas = most if most == str(part.minimum) else f"{part.minimum}–{most}"
    each = [f"{_plain(part.cpu)} CPU", f"{_plain(part.memory, GIB)} GiB"]
    if part.gpus:
        each.append(f"{part.gpus} {part.accelerator or 'GPU'}")
    return code(f"{replicas} × {', '.join([*each, *(['spot'] if part.spot else [])])}")


def _plain(amount: Decimal | None, unit: Decimal | int = 1) -> str:
    return "?" if amount is None else f"{amount / unit:.3f}".rstrip("0").rstrip(".")


def _money(old: Cost, new: Cost) -> tuple[str, str]:
    return _move(old.low, new.low), _move(old.high, new.high)


def _move(old: Decimal | None, new: Decimal | None) -> str:
    if old == new:
        return _amount(new)
    return f"{_amount(old)} → **{_amount(new)}**"


def _amount(value: Decimal | None) -> str:
    return "?" if value is None else f"{value:,.0f}"


def _listed(gaps: Iterable[str]) -> str:
    return ", ".join(code(gap) for gap in list(gaps)[:MOST])
