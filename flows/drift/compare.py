"""Compares the colours of a scene's shots, and proposes grades that make them alike."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from statistics import median
from typing import Any

import yaml

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.grade import Grade
from storyreel.tasks.inspection.colours import ShotColours
from storyreel.tasks.media.grading.white import temperature_of, white_balance

STOPS, WARMTH, SATURATION = 0.25, 0.12, 0.25
"""The least differences that are drift: stops; powers of two of red to blue, 300 K beside 6500; parts of the saturation
as powers of two."""
_MOST_STOPS = 2.0
"""A larger difference is another picture rather than another exposure, and only so much is proposed."""
_GREY = 0.02
"""Saturation below which a picture has no colours that could be compared."""


class Difference(Frozen):
    """The colours of a shot against those of its scene."""

    stops: float
    """Below 0 it is darker."""
    warmth: float
    """Above 0 it is warmer: the ratio of red to blue, as a power of two."""
    saturation: float
    """Above 0 it is more colourful, as a power of two."""

    @classmethod
    def of(cls, shot: ShotColours, scene: ShotColours) -> Difference:
        """The difference of a shot from the scene's colours."""
        has_colours = min(shot.saturation, scene.saturation) > _GREY
        saturation = log2(shot.saturation / scene.saturation) if has_colours else 0.0
        # Less saturated, a warm picture is cooler, too; that is the saturation's.
        warmth = shot.warmth / (2**saturation if abs(saturation) >= SATURATION else 1)
        return cls(stops=log2(shot.light / scene.light), warmth=warmth - scene.warmth, saturation=saturation)

    @property
    def in_words(self) -> str:
        """`0.8 stops darker, cooler, 30 % less saturated`; empty if it is too small to be seen as a drift."""
        parts = []
        if abs(self.stops) >= STOPS:
            parts.append(f"{abs(self.stops):.1f} stops {'brighter' if self.stops > 0 else 'darker'}")
        if abs(self.warmth) >= WARMTH:
            parts.append("warmer" if self.warmth > 0 else "cooler")
        if abs(self.saturation) >= SATURATION:
            percent = abs(round(100 * (2**self.saturation - 1)))
            parts.append(f"{percent} % {'more' if self.saturation > 0 else 'less'} saturated")
        return ", ".join(parts)

    def proposal(self, present: Grade | None) -> Grade | None:
        """The grade that would bring the shot to its scene, made of the one that it has; None if it does not differ."""
        if not self.in_words:
            return None
        grade = present or Grade.model_construct()
        changes: dict[str, float] = {}
        if abs(self.stops) >= STOPS:
            stops = max(-_MOST_STOPS, min(_MOST_STOPS, self.stops))
            changes["exposure"] = round(max(-4.0, min(4.0, grade.exposure - stops)), 1)
        if abs(self.warmth) >= WARMTH:
            red, _, blue = white_balance(grade.temperature)
            changes["temperature"] = float(round(temperature_of(red / blue * 2**-self.warmth), -2))
        if abs(self.saturation) >= SATURATION:
            changes["saturation"] = round(max(0.0, min(2.0, grade.saturation / 2**self.saturation)), 2)
        return Grade.model_validate(grade.model_dump(include=_written(grade)) | changes)


def of_scene(shots: Sequence[ShotColours]) -> ShotColours:
    """The colours of a scene: the median of its shots, so that one of them that drifts changes little."""
    return ShotColours(**{name: median(getattr(shot, name) for shot in shots) for name in ShotColours.model_fields})


def as_yaml(grade: Grade) -> str:
    """A grade as it is written in a storyboard: `grade: {exposure: 0.8, temperature: 7400}`."""
    return str(yaml.safe_dump({"grade": as_json(grade)}, default_flow_style=True, sort_keys=False, allow_unicode=True,
                          width=2**31))[1:-2]  # fmt: skip


def as_json(grade: Grade) -> dict[str, Any]:
    """The keys of a grade that change something; whole numbers without a point."""
    written = grade.model_dump(include=_written(grade))
    return {key: int(value) if isinstance(value, float) and value.is_integer() else value
            for key, value in written.items()}  # fmt: skip


def _written(grade: Grade) -> set[str]:
    neutral = Grade.model_construct()
    return {key for key in Grade.model_fields if getattr(grade, key) != getattr(neutral, key)}
