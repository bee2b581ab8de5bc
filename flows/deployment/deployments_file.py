"""Reads a file of deployments: the films to render, with their schedules, values and budgets.

    deployments: 1
    pool: render
    timezone: Europe/Paris
    films:
      - {film: keeper.yaml, cron: 0 6 * * 1, budget: 20 USD}
      - {film: keeper.yaml, name: keeper-lyon, interval: 12h, vars: {city: Lyon}}

Every mistake is reported at once, with its line and column.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from prefect.schedules import Schedule
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from storyreel.flows.deployment.environment import is_secret
from storyreel.flows.deployment.request import FilmOptions, Overlap, Spread
from storyreel.flows.deployment.schedules import parse_schedules
from storyreel.specs.frozen import Frozen
from storyreel.specs.language.values import (
    MEANING,
    Amount,
    DeliverableName,
    Name,
    NonEmptyText,
    Source,
    Switch,
    Text,
    as_count,
    as_text,
)
from storyreel.specs.problems.phrases import listed, suggestion
from storyreel.specs.problems.problem import KeyErrors, Problem, StoryboardError
from storyreel.specs.storyboard import is_remote
from storyreel.specs.timing import parse_interval
from storyreel.specs.validation.messages import Language, validate
from storyreel.specs.yaml.load import load
from storyreel.specs.yaml.tree import Node, Positions
from storyreel.tasks.providers import load as load_service
from storyreel.tasks.providers import names
from storyreel.tasks.providers.models import models_of

FILE = Path("deployments.yaml")
"""The file that is read if none is named."""
LARGEST = 1_000_000
"""Bytes of a file."""

_HINT = f"write the films to deploy into `{FILE}`, or name the file: `storyreel deploy --all FILE`"
_DEPLOYMENT_NAME = r'^[^/%&><"]*[^/%&><"\s][^/%&><"]*$'


class DeploymentsError(StoryboardError):
    """A file of deployments cannot be used. `problems` holds all that was found, in the order of the file."""

    command = "storyreel deploy --all {file}"


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str | int | float) else value


def _schedule(text: str, kind: str, example: str) -> str:
    try:
        parse_schedules([text] if kind == "cron" else (), (), [text] if kind == "rrule" else (), None)
    except ValueError as error:
        raise ValueError(f"not a {kind} that Prefect reads; write for example `{example}`") from error
    return text


def _checked_interval(text: str) -> str:
    try:
        parse_interval(text)
    except ValueError as error:
        raise ValueError("not a length of time; write for example `90m`, `12h`, `1d` or `1w`") from error
    return text


def _zone(text: str) -> str:
    if text not in (zones := available_timezones()):
        of_region = sorted(zone for zone in zones if zone.partition("/")[0] == text.partition("/")[0])
        raise ValueError(f"not a time zone; {suggestion(text, of_region, 'for example `Europe/Paris`')}")
    return text


def _service(name: str) -> str:
    if name not in names():
        there_are = f"there are {listed(names(), 'and')}"
        raise ValueError(f"there is no such service; {suggestion(name, names(), there_are)}")
    return name


def _limit(name: str) -> str:
    service, colon, model = name.partition(":")
    if not load_service(_service(service)).paid:
        raise ValueError("it is free, and has no limit; leave it out")
    models = models_of(load_service(service))
    if colon and model not in models:
        there_are = f"there are {listed(list(models), 'and')}"
        raise ValueError(f"{service} has no such model; {suggestion(model, models, there_are)}")
    return name


def _without_password(text: str) -> str:
    if is_secret("address", text):
        raise ValueError("its password would be stored in Prefect; set it in the environment instead")
    return text


_Cron = Annotated[NonEmptyText, AfterValidator(partial(_schedule, kind="cron", example="0 6 * * 1"))]
_RRule = Annotated[NonEmptyText, AfterValidator(partial(_schedule, kind="rrule", example="FREQ=MONTHLY;BYDAY=1MO"))]
_Interval = Annotated[NonEmptyText, AfterValidator(_checked_interval)]
_OneOrMore = BeforeValidator(_one_or_more)
_Zone = Annotated[NonEmptyText, AfterValidator(_zone)]
_Place = Annotated[NonEmptyText, AfterValidator(_without_password)]
_AtOnce = Annotated[int, Field(ge=1, lt=10_000), BeforeValidator(as_count)]


class _Shared(Frozen):
    """Keys of a film, which may be written for all films instead."""

    model_config = ConfigDict(str_strip_whitespace=True)

    pool: NonEmptyText = ""
    """The work pool whose workers render the film."""
    bucket: _Place = ""
    """The address of the bucket for packs of the storyboard and its files."""
    timezone: _Zone = ""
    budget: Amount = None
    """The most that a run may cost."""
    provider: Annotated[NonEmptyText, AfterValidator(_service)] = ""
    overlap: Overlap | None = None
    spread: Spread | None = None
    draft: Switch = False
    """Whether its draft is rendered instead of the film."""
    no_schedule: Switch = False
    """Whether schedules that are not named here are removed."""


class _Film(_Shared):
    film: Source
    """The storyboard, relative to this file."""
    name: Annotated[str, StringConstraints(pattern=_DEPLOYMENT_NAME), BeforeValidator(as_text)] = ""
    cron: Annotated[tuple[_Cron, ...], _OneOrMore] = ()
    interval: Annotated[tuple[_Interval, ...], _OneOrMore] = ()
    rrule: Annotated[tuple[_RRule, ...], _OneOrMore] = ()
    vars: dict[Name, Text] = Field(default={})
    select: Annotated[tuple[NonEmptyText, ...], _OneOrMore] = ()
    deliverables: Annotated[tuple[DeliverableName, ...], _OneOrMore] = ()
    out: _Place = ""

    @property
    def has_schedule(self) -> bool:
        return bool(self.cron or self.interval or self.rrule)

    @model_validator(mode="after")
    def _zone_has_schedule(self) -> Self:
        if self.timezone and not self.has_schedule:
            raise KeyErrors([("timezone", "`timezone` needs a schedule; write `cron: 0 6 * * 1` beside it")])
        return self


class _Deployments(_Shared):
    deployments: Annotated[Literal["1"], BeforeValidator(as_text)]
    limits: dict[Annotated[str, AfterValidator(_limit)], _AtOnce] = Field(default={})
    """Takes at once by service, or by its model: `dashscope:wan3.1-video`."""
    films: Annotated[tuple[_Film, ...], Field(min_length=1)]
    """The films to deploy."""


_LANGUAGE = Language(
    model=_Deployments,
    name="file of deployments",
    beginning="a file of deployments begins with `deployments: 1`, the version of its format",
    meaning=MEANING | {_DEPLOYMENT_NAME: 'a name without any of `/%&><"`'},
)


def read_deployments_file(path: Path, named: FilmOptions) -> list[FilmOptions]:
    """The options of each film in a file, with those `named` on the command line where it has none.

    Raises DeploymentsError.
    """
    root, problems = load(path, LARGEST, _HINT, _LANGUAGE.beginning)
    if root is None:
        raise DeploymentsError(problems)
    found, wrong = validate(_LANGUAGE, root, str(path))
    folder = path.absolute().parent
    if found:
        wrong = list(_missing(found, folder, root, str(path)))
    if found is None or problems or wrong:
        raise DeploymentsError([*problems, *wrong])
    return [_options(found, film, folder, named) for film in found.films]


def _missing(found: _Deployments, folder: Path, root: Node, file: str) -> Iterator[Problem]:
    positions = Positions(file, root)
    for number, film in enumerate(found.films):
        if not (folder / film.film).is_file():
            yield Problem(positions["films", number, "film"], f"`{film.film}` is no file", f"relative to {folder}")


def _options(found: _Deployments, film: _Film, folder: Path, named: FilmOptions) -> FilmOptions:
    """The keys of a film, else those of the whole file, else what was named on the command line."""
    keys = ("pool", "bucket", "budget", "provider", "overlap", "spread", "draft", "no_schedule")
    written = {key: getattr(film, key) or getattr(found, key) or getattr(named, key) for key in keys}
    return named.model_copy(
        update={
            **written,
            "storyboard": folder / film.film,
            "name": film.name or None,
            "schedules": _schedules(film, found.timezone) or named.schedules,
            "vars": {**named.vars, **film.vars},
            "selection": film.select or named.selection,
            "deliverables": film.deliverables or named.deliverables,
            "out": (film.out if is_remote(film.out) else str(folder / film.out)) if film.out else None,
            "limits": {**named.limits, **found.limits},
        }
    )


def _schedules(film: _Film, zone: str) -> tuple[Schedule, ...]:
    if not film.has_schedule:
        return ()
    return tuple(
        parse_schedules(film.cron, [*map(parse_interval, film.interval)], film.rrule, film.timezone or zone or None)
    )
