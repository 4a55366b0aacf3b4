"""Names that the plugin gives, and their effect on the order of a replacement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.plugins.resource import PluginError

if TYPE_CHECKING:
    from local.plugins.resource import Naming, Values

# The official plugin's record of which inputs it filled in itself.
DEFAULTS = "__defaults"
DIGITS = 7


def named(inputs: Values, old_inputs: Values, naming: Naming) -> Values:
    """The inputs with a name: their own, the one that was given before, or a new one."""
    if "name" in inputs:
        return {**inputs, DEFAULTS: []}
    if "name" in old_inputs and not named_by_hand(old_inputs):
        return {**inputs, "name": old_inputs["name"], DEFAULTS: ["name"]}
    if naming.disabled:
        raise PluginError("automatic naming is switched off: set `name`")
    return {**inputs, "name": naming.automatic(DIGITS).lower(), DEFAULTS: ["name"]}


def named_by_hand(inputs: Values) -> bool:
    """Whether the program chose the name, so that two can't be there side by side."""
    return "name" not in inputs.get(DEFAULTS, ())
