"""The model of a grade: how the colours of a shot are changed in the film."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field

from storyreel.specs.language.base import ShorthandModel
from storyreel.specs.language.values import Source

NEUTRAL_KELVIN = 6500
"""The light of BT.709's white, D65, as whole hundreds of kelvin."""


class _Number(NamedTuple):
    """Validator: a number within bounds."""

    least: float
    most: float

    def __call__(self, value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError("not a number; write it without quotes and without a unit")
        if not self.least <= value <= self.most:
            raise ValueError(f"not from {self.least:g} to {self.most:g}")
        return float(value)


class Grade(ShorthandModel):
    """The colours of a shot in the film: a colour table, and corrections before it; a bare path is its `lut`."""

    shorthand = "lut"

    lut: Source = ""
    """A colour table beside the storyboard, a .cube file with a table of one dimension, of three, or both."""
    exposure: Annotated[float, Field(ge=-4, le=4), BeforeValidator(_Number(-4, 4))] = 0.0
    """Stops: 1 doubles the light, -1 halves it."""
    temperature: Annotated[float, Field(ge=2500, le=15000), BeforeValidator(_Number(2500, 15000))] = float(
        NEUTRAL_KELVIN
    )
    """The light in which grey is to look grey, in kelvin, as a camera's white balance: more is warmer."""
    contrast: Annotated[float, Field(ge=0.25, le=4), BeforeValidator(_Number(0.25, 4))] = 1.0
    """The contrast around middle grey, which stays: more than 1 is harder, less is softer."""
    saturation: Annotated[float, Field(ge=0, le=2), BeforeValidator(_Number(0, 2))] = 1.0
    """The saturation of colours: 0 is black and white, more than 1 is stronger."""

    @property
    def is_neutral(self) -> bool:
        """Whether it changes nothing."""
        return self == Grade.model_construct()
