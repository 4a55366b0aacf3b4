"""The whole comment, in the order in which a reviewer needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review import cost_section, model_section, resources
from review.escape import code, fence, marker
from review.fit import Block, fit
from review.losses import losses
from review.models import models
from review.preview import changes
from review.summary import counts, sentence

if TYPE_CHECKING:
    from release.lock import Lock
    from review.cost import Prices
    from review.preview import Preview

# Of errors and warnings together; the workflow's log has them whole.
MOST_SAID = 40


def comment(stack: str, preview: Preview, lock: Lock, base: Lock, prices: Prices) -> str:
    """Markdown of at most fit.MAX_BYTES; two lines where nothing changes."""
    found = changes(preview)
    said = _said(preview)
    if not (found or said or preview.failed):
        return f"{marker(stack)}\n### {code(stack)}: no changes\n"
    changed = models(found, lock, base)
    heading = f"{marker(stack)}\n### {code(stack)}: {sentence(preview, found, changed)}"
    blocks = [Block(heading)]
    if preview.failed:
        blocks.append(Block("**The preview failed: what follows is not all that would change.**"))
    # Why it failed comes first, what might go wrong after what would.
    first, last = (said, None) if preview.failed else (None, said)
    texts = [first, losses(found), last, counts(found) if found else None]
    blocks += [Block(text) for text in texts if text]
    for model in changed:
        blocks += model_section.sections(model)
    blocks += cost_section.section(changed, prices)
    if found:
        blocks.append(resources.section(found))
    return fit(blocks)


def _said(preview: Preview) -> str | None:
    lines = [
        f"{sign} {severity}: {line}" if number == 0 else f"{sign}   {line}"
        for severity, sign in (("error", "-"), ("warning", "!"))
        for message in preview.said(severity)
        for number, line in enumerate(message.splitlines())
    ]
    if not lines:
        return None
    if len(lines) > MOST_SAID:
        more = len(lines) - MOST_SAID
        lines = [*lines[:MOST_SAID], f"and {more} more lines in the workflow's log"]
    return f"#### Errors and warnings\n\n{fence(lines, 'diff')}"
