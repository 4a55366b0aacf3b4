"""The whole comment, in the order in which a reviewer needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review import cost_section, model_section, removals, resource_diff
from review.blocks import Block, join
from review.heading import counts, sentence
from review.markdown import code, fence, marker
from review.models import models
from review.preview import changes

if TYPE_CHECKING:
    from release.lock import Lock
    from review.cost import Prices
    from review.preview import Preview

# Of errors and warnings together; the workflow's log has them all.
MAX_LINES = 40


def comment(stack: str, preview: Preview, lock: Lock, base: Lock, prices: Prices) -> str:
    """Markdown of at most blocks.MAX_BYTES; two lines if nothing changes."""
    found = changes(preview)
    resources = [each for each in found if not each.component]
    messages = _messages(preview)
    if not (resources or messages or preview.failed):
        return f"{marker(stack)}\n### {code(stack)}: no changes\n"
    changed = models(found, lock, base)
    texts: list[str | None] = [
        f"{marker(stack)}\n### {code(stack)}: {sentence(preview, resources, changed)}"
    ]
    if preview.failed and resources:
        texts.append("**The changes below are incomplete, because the preview failed.**")
    sections = [removals.section(resources), messages]
    # The errors explain why a preview failed, so they come first.
    texts += reversed(sections) if preview.failed else sections
    if resources:
        texts.append(counts(resources))
    blocks = [Block(text) for text in texts if text]
    for model in changed:
        blocks += model_section.sections(model)
    blocks += cost_section.section(changed, prices)
    if resources:
        blocks.append(resource_diff.section(resources))
    return join(blocks)


def _messages(preview: Preview) -> str | None:
    lines = [
        f"{sign}   {line}" if number else f"{sign} {severity}: {line}"
        for severity, sign in (("error", "-"), ("warning", "!"))
        for message in preview.messages(severity)
        for number, line in enumerate(message.splitlines())
    ]
    if not lines:
        return None
    if len(lines) > MAX_LINES:
        more = len(lines) - MAX_LINES
        lines = [*lines[:MAX_LINES], f"and {more} more lines in the workflow's log"]
    return f"#### Errors and warnings\n\n{fence(lines, 'diff')}"
