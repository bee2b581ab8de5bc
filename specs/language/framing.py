"""The part of a picture that is kept where a film is made in another shape."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from storyreel.specs.language.base import StoryboardModel


def _as_part(value: object) -> float:
    """Validator: a number from 0 to 1."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("not a number; write it without quotes and without a unit")
    if not 0 <= value <= 1:
        raise ValueError("not from 0 to 1, which is the part of the picture's width or height")
    return float(value)


Part = Annotated[float, Field(ge=0, le=1), BeforeValidator(_as_part)]
"""A part of the width or of the height of a picture, from its left or its upper edge."""


class FramePoint(StoryboardModel):
    """The centre of what is kept of a picture in another shape; as near to it as the picture reaches."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    x: Part = 0.5
    """From the left edge, 0, to the right one, 1; the middle when left out."""
    y: Part = 0.5
    """From the upper edge, 0, to the lower one, 1; the middle when left out."""

    @model_validator(mode="after")
    def _says_something(self) -> FramePoint:
        if not self.model_fields_set:
            raise ValueError("it says nothing of a place; write `x`, `y` or both")
        return self


Reframe = Literal["centre", "blur", "bars"] | FramePoint
"""How pictures of another shape are shown: cut to what is around a point, or whole, between blurred sides or bars."""
