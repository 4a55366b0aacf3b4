"""What every section of a stack's configuration is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Section(BaseModel):
    """Immutable, closed (an unknown key is an error), camelCase in the stack's file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_default=True,
        populate_by_name=True,
    )
