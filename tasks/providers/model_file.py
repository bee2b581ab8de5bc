"""Reads the user's own file of models: those that this version does not know, and other limits of those that it knows.

Every mistake is reported at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic_core.core_schema import ValidationInfo

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.models import AspectRatio, Resolution
from storyreel.specs.language.values import ModelName, NonEmptyText, Switch, as_count, as_text
from storyreel.specs.problems.phrases import listed, suggestion
from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.storyboard import Mode
from storyreel.specs.validation.messages import Language, validate
from storyreel.specs.yaml.load import load as load_yaml
from storyreel.specs.yaml.tree import Positions
from storyreel.tasks.providers import load, names
from storyreel.tasks.providers.capability import Capability, Model
from storyreel.tasks.settings import MODELS

OwnModels = Mapping[str, Mapping[str, Model]]
"""Models by service and by the name that storyboards use."""

_LARGEST = 1_000_000
"""Bytes of a file."""
_HINT = f"{MODELS} names it: give a file of models, or unset it"
_LONGEST = 600
"""Seconds of the longest clip that is believed."""


class ModelsError(StoryboardError):
    """A file of models cannot be used. `problems` holds all that was found, in the order of the file."""

    command = "storyreel providers"


def _service(name: str, info: ValidationInfo[tuple[str, ...]]) -> str:
    if name not in info.context:
        there_are = f"there are {listed(info.context, 'and')}"
        raise ValueError(f"there is no such service; {suggestion(name, info.context, there_are)}")
    return name


def _lengths(value: object) -> object:
    """Seconds from a list, or from `2-15`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if not isinstance(value, str):
        return value
    if not (found := re.fullmatch(r"\s*([0-9]{1,3})\s*[-–]\s*([0-9]{1,3})\s*", value)) or int(found[1]) > int(found[2]):
        raise ValueError("not a range of seconds; write `2-15`, or a list such as `[5, 10]`")
    return tuple(range(int(found[1]), int(found[2]) + 1))


def _rising(lengths: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(lengths)))


_LEFT_OUT: Any = None
"""Default of a key without one: not validated."""

_Seconds = Annotated[int, Field(ge=1, le=_LONGEST), BeforeValidator(as_count)]
_Lengths = Annotated[
    tuple[_Seconds, ...], Field(min_length=1, max_length=_LONGEST), BeforeValidator(_lengths), AfterValidator(_rising)
]
_Most = Annotated[int, Field(ge=0, le=100), BeforeValidator(as_count)]
_Names = Annotated[tuple[NonEmptyText, ...], Field(min_length=1, max_length=1000)]
_Characters = Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(as_count)]


_OF_CLIPS = frozenset(
    {"durations", "durations_with_video", "seconds_with_video", "resolutions", "videos", "voice", "sound"}
    | {"first_frame", "last_frame"}
)
"""Keys that say nothing of a picture."""
_OF_SPEECH = frozenset({"speakers", "languages", "delivery", "han_counts"})
"""Keys that speak of speech alone."""
_MAKES = {"clip": "clips", "picture": "a picture", "speech": "speech"}


class _Terms(Frozen):
    """The abilities of a model, in all modes or in one. The keys are those of `model_fields_set`."""

    model_config = ConfigDict(str_strip_whitespace=True)

    id: ModelName = _LEFT_OUT
    durations: _Lengths = _LEFT_OUT
    durations_with_video: _Lengths = _LEFT_OUT
    seconds_with_video: _Seconds = _LEFT_OUT
    ratios: Annotated[tuple[AspectRatio, ...], Field(min_length=1)] = _LEFT_OUT
    resolutions: Annotated[tuple[Resolution, ...], Field(min_length=1)] = _LEFT_OUT
    images: _Most = _LEFT_OUT
    videos: _Most = _LEFT_OUT
    references: _Most = _LEFT_OUT
    voice: Switch = _LEFT_OUT
    sound: Switch = _LEFT_OUT
    first_frame: Switch = _LEFT_OUT
    last_frame: Switch = _LEFT_OUT
    negative_prompt: Switch = _LEFT_OUT
    negative_length: _Characters = _LEFT_OUT
    prompt_length: _Characters = _LEFT_OUT
    prompt_expansion: Switch = _LEFT_OUT
    watermark: Switch = _LEFT_OUT
    speakers: _Names = _LEFT_OUT
    languages: _Names = _LEFT_OUT
    delivery: Switch = _LEFT_OUT
    han_counts: Annotated[int, Field(ge=1, le=10), BeforeValidator(as_count)] = _LEFT_OUT

    def applied_to(self, capability: Capability) -> Capability:
        """A capability with these values in place of its own."""
        keys = self.model_fields_set & Capability.model_fields.keys() - _foreign(capability.mode)
        values = {name: getattr(self, name) for name in keys}
        if "id" in self.model_fields_set:
            values["model"] = self.id
        return capability.model_copy(update=values)


def _foreign(mode: Mode) -> frozenset[str]:
    """The keys that say nothing of what a mode makes."""
    match mode.product:
        case "clip":
            return _OF_SPEECH
        case "picture":
            return _OF_CLIPS | _OF_SPEECH
        case _:
            return frozenset(_Terms.model_fields) - _OF_SPEECH - {"id", "prompt_length"}


class _Entry(_Terms):
    """A model as written."""

    like: NonEmptyText = ""
    at_once: Annotated[int, Field(ge=1, le=9999), BeforeValidator(as_count)] = _LEFT_OUT
    poll_seconds: Annotated[int, Field(ge=1, le=3600), BeforeValidator(as_count)] = _LEFT_OUT
    modes: dict[Mode, _Terms] = Field(default={})

    def model(self, name: str, like: Model, *, is_listed: bool) -> Model:
        """The model of this name, with the values of `like` for what is not written; of one that is listed, its ids."""
        wanted = self.modes or dict.fromkeys(like.modes, _Terms())
        modes = {}
        for mode, terms in wanted.items():
            capability = like.modes[mode] if is_listed else like.modes[mode].model_copy(update={"model": name})
            modes[mode] = terms.applied_to(self.applied_to(capability))
        pace: dict[str, Any] = {"modes": modes}
        if "at_once" in self.model_fields_set:
            pace["max_concurrent"] = self.at_once
        if "poll_seconds" in self.model_fields_set:
            pace |= {"min_poll_seconds": self.poll_seconds, "advised_poll_seconds": self.poll_seconds}
        return like.model_copy(update=pace)


class _ModelFile(Frozen):
    models: Annotated[Literal["1"], BeforeValidator(as_text)]
    services: dict[Annotated[NonEmptyText, AfterValidator(_service)], dict[ModelName, _Entry]] = Field(default={})


_MODELS = Language(
    model=_ModelFile,
    name="file of models",
    beginning="a file of models begins with `models: 1`, the version of its format",
)


@lru_cache(maxsize=4)
def read_file(path: Path, changed: float) -> OwnModels:
    """The models of a file, once for each time at which it was `changed`. Raises ModelsError."""
    root, problems = load_yaml(path, _LARGEST, _HINT, _MODELS.beginning)
    if root is None:
        raise ModelsError(problems)
    file, wrong = validate(_MODELS, root, str(path), tuple(names()))
    found: dict[str, dict[str, Model]] = {}
    if file:
        wrong = list(_wrong_models(file, Positions(str(path), root), found))
    if file is None or problems or wrong:
        raise ModelsError([*problems, *wrong])
    return found


def _wrong_models(file: _ModelFile, positions: Positions, found: dict[str, dict[str, Model]]) -> Iterator[Problem]:
    """The problems of models that are well formed; the others are put into `found`."""
    for service, entries in file.services.items():
        shipped = load(service).models
        for name, entry in entries.items():
            at = ("services", service, name)
            like = shipped.get(entry.like or (name if name in shipped else next(iter(shipped))))
            if like is None:
                hint = suggestion(entry.like, shipped, f"there are {listed(list(shipped), 'and')}")
                yield Problem(positions[*at, "like"], f"{service} has no model `{entry.like}`", hint)
                continue
            if lacking := [mode for mode in entry.modes if mode not in like.modes]:
                what = f"`{entry.like or next(iter(shipped))}` does not do {lacking[0]}"
                able = [f"like: {known}" for known, one in shipped.items() if lacking[0] in one.modes]
                hint = f"write {listed(able, 'or')}, or leave it out" if able else "leave it out"
                yield Problem(positions.key((*at, "modes", lacking[0].value)), what, hint)
                continue
            yield from _foreign_keys(entry, like, at, positions)
            model = entry.model(name, like, is_listed=like is shipped.get(name))
            others = {**shipped, **found.get(service, {})}
            others.pop(name, None)
            if twice := _sold_as(model, others):
                hint = f"change that one: write it under the name `{twice}`, or give this one an `id` of its own"
                yield Problem(positions.key(at), f"{service} sells this id already as `{twice}`", hint)
                continue
            found.setdefault(service, {})[name] = model


def _foreign_keys(entry: _Entry, like: Model, at: tuple[str, ...], positions: Positions) -> Iterator[Problem]:
    """The keys of a model that say nothing of what it makes, and those of a mode that say nothing of that."""
    modes = [*(entry.modes or like.modes)]
    written: list[tuple[tuple[str, ...], _Terms, list[Mode]]] = [(at, entry, modes)]
    written += [((*at, "modes", mode.value), terms, [mode]) for mode, terms in entry.modes.items()]
    for where, terms, of in written:
        foreign = frozenset.intersection(*map(_foreign, of))
        for key in sorted(terms.model_fields_set & foreign):
            what = _MAKES[of[0].product]
            yield Problem(positions.key((*where, key)), f"`{key}` says nothing of {what}", "leave it out")


def _sold_as(model: Model, others: Mapping[str, Model]) -> str | None:
    """The name of another model with the same id in the same mode: which one a request is of, could not be told."""
    ids = {(mode, capability.model) for mode, capability in model.modes.items()}
    return next(
        (name for name, other in others.items() if ids & {(mode, each.model) for mode, each in other.modes.items()}),
        None,
    )
