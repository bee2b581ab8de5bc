"""The models of a film's label, in its picture, and of its metadata, the tags of its file."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema, model_validator

from storyreel.specs.language.base import ShorthandModel, StoryboardModel
from storyreel.specs.language.tongues import Language
from storyreel.specs.language.values import Text, Wording, as_text

Corner = Literal["top left", "top right", "bottom left", "bottom right"]
"""The corner of a label."""

LabelledShots = Literal["generated", "all"]
"""`generated`: shots made by a model. `all`: those that are drawn on this machine, too; cards never have one."""

_DATE = r"^\d{4}(-\d{2}(-\d{2})?)?$"
_DAY = (
    r"^[1-9][0-9]{3}(-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8]))?|-(0[13-9]|1[0-2])-(29|30)|-(0[13578]|1[02])-31)?$"
    r"|^[1-9][0-9](0[48]|[2468][048]|[13579][26])-02-29$"
)
"""The same for editors: days that there are."""


class Label(ShorthandModel):
    """Words in a corner of the picture that say how it was made; a bare text is the words."""

    shorthand = "visible"

    visible: Wording
    """The words: `AI generated`."""
    corner: Corner = "bottom right"
    """The corner that they stand in."""
    on: LabelledShots = "generated"
    """The shots that have it: `generated` or `all`."""


def _as_date(value: object) -> object:
    text = as_text(value.isoformat() if isinstance(value, date) else value)
    if not isinstance(text, str) or not re.match(_DATE, text):
        raise ValueError("not a date; write 2026, 2026-11 or 2026-11-30")
    try:
        date.fromisoformat(f"{text}-01-01"[:10])
    except ValueError as error:
        raise ValueError(f"there is no such day: {text}") from error
    return text


Day = Annotated[
    str,
    StringConstraints(pattern=_DATE),
    BeforeValidator(_as_date),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _DAY}, {"type": "integer", "minimum": 1000, "maximum": 9999}]}
    ),
]
"""A year, a month or a day: `2026`, `2026-11`, `2026-11-30`."""


class Metadata(StoryboardModel):
    """Tags in the film's file, beside its title, which players and libraries show; at least one of them."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    description: Text = ""
    """The film in a few sentences."""
    date: Day | None = None
    """The day on which it was made or published: `2026-11-30`."""
    language: Language | None = None
    """The language that is spoken in it: that of its sound track."""
    author: Text = ""
    """Its maker."""
    copyright: Text = ""
    """The holder of the rights: `© 2026 Ana Film`."""

    @model_validator(mode="after")
    def _says_something(self) -> Metadata:
        if not self.model_fields_set:
            raise ValueError("nothing is said of the film; write for example `{author: Ana Film, date: 2026-11-30}`")
        return self

    @property
    def tags(self) -> dict[str, str]:
        """The tags that are written, by key."""
        said: dict[str, Any] = self.model_dump(mode="json")
        return {name: value for name, value in said.items() if value}
