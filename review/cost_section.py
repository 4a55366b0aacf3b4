"""CPUs, memory, GPUs and replicas, and what they cost a month, old beside new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.blocks import Block, Priority
from review.cost import cost, total
from review.markdown import NOTHING, bold_if, code, table
from review.serving import GIB

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from review.cost import Prices
    from review.models import Model, Side
    from review.serving import Pods

# Rows and names in the section, since a comment has a maximal length.
MAX_MODELS = 30


def section(models: Sequence[Model], prices: Prices) -> list[Block]:
    """One table of all pods that change in size or number; nothing where none do."""
    changed = [model for model in models if _pods(model.old) != _pods(model.new)]
    if not changed:
        return []
    rows = [row for model in changed[:MAX_MODELS] for row in _rows(model, prices)]
    old = [pods for model in changed for pods in _pods(model.old).values()]
    new = [pods for model in changed for pods in _pods(model.new).values()]
    rows.append(["together", "", "", *_costs(old, new, prices)])
    head = ["", "old pods", "new pods", f"{code(prices.currency)} a month at least", "at most"]
    lines = ["#### Resources and cost", table(head, rows)]
    if len(changed) > MAX_MODELS:
        lines.append(f"And {len(changed) - MAX_MODELS} more models, counted in the sum.")
    unpriced = {pods.accelerator or "" for pods in (*old, *new) if prices.machine(pods) is None}
    if unpriced:
        names = [
            code(each) if each else "a GPU without `predictor.accelerator`"
            for each in sorted(unpriced)
        ]
        lines.append(f"No price for {', '.join(names[:MAX_MODELS])}.")
    source = f"{prices.source}; {prices.region}, {prices.date}; {prices.note}"
    lines.append(f"Prices: {code(source, 400)}")
    return [Block("\n\n".join(lines), Priority.MODEL, "cost tables")]


def _pods(side: Side | None) -> dict[str, Pods]:
    return side.served.pods if side else {}


def _rows(model: Model, prices: Prices) -> list[list[str]]:
    old, new = _pods(model.old), _pods(model.new)
    rows = []
    for name in old | new:
        before = [old[name]] if name in old else []
        after = [new[name]] if name in new else []
        sizes = [_format(before), bold_if(before != after, _format(after))]
        rows.append([f"{code(model.name)} {name}", *sizes, *_costs(before, after, prices)])
    return rows


def _format(component: Sequence[Pods]) -> str:
    """`2–8 × 4 CPU, 8 GiB, 1 nvidia-l4, spot`; a component has pods or doesn't exist."""
    if not component:
        return NOTHING
    (pods,) = component
    low, high = pods.min_replicas, pods.max_replicas
    parts = [f"{_number(pods.cpu)} CPU", f"{_number(pods.memory / GIB)} GiB"]
    if pods.gpus:
        parts.append(f"{pods.gpus} {pods.accelerator or 'GPU'}")
    if pods.spot:
        parts.append("spot")
    return code(f"{low if low >= high else f'{low}–{high}'} × {', '.join(parts)}")


def _number(amount: Decimal) -> str:
    return f"{amount:.3f}".rstrip("0").rstrip(".")


def _costs(old: Sequence[Pods], new: Sequence[Pods], prices: Prices) -> list[str]:
    """Two cells: a month with the fewest and with the most replicas."""
    before = total(cost(pods, prices) for pods in old)
    after = total(cost(pods, prices) for pods in new)
    return [
        _change(before.low if before else None, after.low if after else None),
        _change(before.high if before else None, after.high if after else None),
    ]


def _change(old: Decimal | None, new: Decimal | None) -> str:
    return _amount(new) if old == new else f"{_amount(old)} → **{_amount(new)}**"


def _amount(value: Decimal | None) -> str:
    return "?" if value is None else f"{value:,.0f}"
