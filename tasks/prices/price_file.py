"""Reads a file of prices: `prices.yaml` of this package, or the user's own. Every mistake is reported at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core.core_schema import ValidationInfo

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.models import Resolution
from storyreel.specs.language.values import MEANING, NonEmptyText, as_count, as_text
from storyreel.specs.money import DECIMALS, Money
from storyreel.specs.problems.phrases import listed, suggestion
from storyreel.specs.problems.problem import KeyErrors, Problem, StoryboardError
from storyreel.specs.validation.messages import Language, validate
from storyreel.specs.yaml.load import load
from storyreel.specs.yaml.tree import Node, Positions, parse
from storyreel.tasks.prices.rates import CHARACTERS, Rate, Region, Tariff
from storyreel.tasks.providers import is_installed, names
from storyreel.tasks.settings import PRICES

LARGEST = 1_000_000
"""Bytes of a file; the shipped one has some 3,000."""

_HINT = f"{PRICES} names it: give a file of prices, or unset it"
_HINT_AT_HOME = "it is read for your own prices: give a file of prices, or move it away"
_HOST = r"^([A-Za-z0-9.-]+|[0-9A-Fa-f:]+)$"
_CURRENCY = r"^[A-Z]{3}$"


class PricesError(StoryboardError):
    """A file of prices cannot be used. `problems` holds all that was found, in the order of the file."""

    command = "storyreel providers"


class _Known(NamedTuple):
    """The names that a file may use: the context of its validation."""

    regions: frozenset[tuple[str, str]]
    """By service and name."""


def _service(name: str) -> str:
    if not is_installed(name):
        known = names()
        there_are = f"there are {listed(known, 'and')}"
        raise ValueError(f"there is no such service; {suggestion(name, known, there_are)}")
    return name


_MOST_PRICE = 1_000_000


def _price(value: object) -> Decimal:
    """A number exactly as it is written."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("not a number; write it without quotes and without the currency: `0.084`")
    amount = Decimal(str(as_text(value)))
    if amount > _MOST_PRICE:
        raise ValueError(f"a price is a number up to {_MOST_PRICE:,}")
    if amount.is_signed():
        raise ValueError("a price is never negative; write 0 for what is free")
    if len(str(amount).partition(".")[2]) > DECIMALS:
        raise ValueError(f"a price has at most {DECIMALS} decimals; round it up")
    return amount


def _day(value: object) -> date:
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("not a date; write it as `2026-11-21`")


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_Service = Annotated[NonEmptyText, AfterValidator(_service)]
_Host = Annotated[str, StringConstraints(pattern=_HOST, to_lower=True), BeforeValidator(as_text)]
_Price = Annotated[Decimal, BeforeValidator(_price)]
_Seconds = Annotated[int, Field(ge=1, le=3600), BeforeValidator(as_count)]


_LEFT_OUT: Any = None
"""Default of a key without one: not validated."""


_ALONE = {
    "per_picture": "a picture of any size has one price",
    "per_10k_characters": "speech has one price, whatever is made of it",
}
"""The keys of prices of other things than clips, and why no key of a clip's stands beside them."""


class _Section(Frozen):
    model_config = ConfigDict(str_strip_whitespace=True)


class _RateEntry(_Section):
    """A rate as written. Its keys are those of `model_fields_set`; `null` is no value of any."""

    service: _Service
    """The name of the service, as `storyreel providers` shows it."""
    model: Annotated[tuple[NonEmptyText, ...], Field(min_length=1), BeforeValidator(_one_or_more)] = ()
    region: NonEmptyText = ""
    resolution: Resolution = _LEFT_OUT
    per_second: _Price = _LEFT_OUT
    seconds: _Seconds = _LEFT_OUT
    price: _Price = _LEFT_OUT
    per_picture: _Price = _LEFT_OUT
    per_10k_characters: _Price = _LEFT_OUT
    currency: Annotated[str, StringConstraints(pattern=_CURRENCY)]
    """Three capital letters, `USD` or `CNY`."""
    as_of: Annotated[date, BeforeValidator(_day)] = _LEFT_OUT
    source: NonEmptyText = ""
    input_video: Literal["billed", "assumed", "free"] = _LEFT_OUT
    input_seconds: _Seconds = _LEFT_OUT
    failed: Literal["billed", "free"] = _LEFT_OUT
    doubt: NonEmptyText = ""

    @model_validator(mode="after")
    def _keys_fit(self, info: ValidationInfo[_Known]) -> Self:
        if wrong := [*self._wrong_price(), *self._wrong_input(), *self._wrong_region(info.context)]:
            raise KeyErrors(wrong)
        return self

    def _wrong_price(self) -> Iterator[tuple[str, str]]:
        by_clip = self.model_fields_set & {"seconds", "price"}
        if alone := next((key for key in _ALONE if key in self.model_fields_set), ""):
            beside = self.model_fields_set & {*_ALONE, "per_second", "seconds", "price", "resolution"} - {alone}
            for key in sorted(beside):
                yield key, f"`{key}` cannot stand beside `{alone}`; {_ALONE[alone]}"
        elif "per_second" in self.model_fields_set and by_clip:
            key = max(by_clip)
            yield key, f"`{key}` cannot stand beside `per_second`; a rate is for a second, or for a clip of `seconds`"
        elif len(by_clip) == 1:
            missing = "price" if "seconds" in by_clip else "seconds"
            yield missing, f"`{missing}` is missing; the price of a clip needs `seconds` and `price`"
        elif not by_clip and "per_second" not in self.model_fields_set:
            or_else = "or `seconds: 5` and `price: 0.90`, or `per_picture: 0.03`, or `per_10k_characters: 0.80`"
            yield "", f"the rate has no price; write `per_second: 0.10`, {or_else}"

    def _wrong_input(self) -> Iterator[tuple[str, str]]:
        keys = self.model_fields_set
        given = sorted(keys & {"input_video", "input_seconds"})
        if given and keys & {"seconds", "price", *_ALONE}:
            what = "a picture's price" if "per_picture" in keys else "a whole clip's price"
            what = "the price of speech" if "per_10k_characters" in keys else what
            yield given[0], f"`{given[0]}` says nothing of {what}; leave it out, or give `per_second`"
        elif given == ["input_seconds"]:
            yield given[0], "`input_seconds` stands without `input_video`; write `input_video: billed` beside it"
        elif len(given) == 2 and self.input_video == "free":
            yield given[0], "`input_seconds` stands beside `input_video: free`; keep one of the two"
        elif given == ["input_video"] and self.input_video != "free":
            yield given[0], "`input_seconds` is missing; the most seconds of reference video that are billed"

    def _wrong_region(self, known: _Known) -> Iterator[tuple[str, str]]:
        if self.region and (self.service, self.region) not in known.regions:
            regions = sorted(name for service, name in known.regions if service == self.service)
            hint = suggestion(self.region, regions, f"there are {listed(regions, 'and')}")
            yield "region", f"{self.service} has no region `{self.region}`; {hint if regions else 'leave `region` out'}"

    @cached_property
    def rate(self) -> Rate:
        prices = ("per_second", *_ALONE, "price")
        key = next(key for key in prices if key in self.model_fields_set)
        amount = getattr(self, key)
        same = self.model_dump(exclude={"model", *prices, "currency"}, exclude_unset=True)
        if key == "per_picture":
            same["seconds"] = 0
        elif key == "per_10k_characters":
            same["characters"] = CHARACTERS
        models = tuple(dict.fromkeys(self.model))
        return Rate(models=models, price=Money(amount=amount, currency=self.currency), **same)


class _PriceFile(_Section):
    prices: Annotated[Literal["1"], BeforeValidator(as_text)]
    regions: dict[_Service, dict[NonEmptyText, Annotated[tuple[_Host, ...], Field(min_length=1)]]] = Field(default={})
    rates: tuple[_RateEntry, ...] = ()

    @property
    def tariff(self) -> Tariff:
        regions = (
            Region(service=service, name=name, hosts=hosts)
            for service, named in self.regions.items()
            for name, hosts in named.items()
        )
        return Tariff(rates=tuple(entry.rate for entry in self.rates), regions=tuple(regions))


_PRICES = Language(
    model=_PriceFile,
    name="file of prices",
    beginning="a file of prices begins with `prices: 1`, the version of its format",
    meaning=MEANING
    | {
        _HOST: "a host such as `dashscope.example.com`, without `https://` or a path",
        _CURRENCY: "three capital letters such as `USD` or `CNY`",
    },
)


def read_file(path: Path, shipped: Tariff, *, is_named: bool = True) -> Tariff:
    """The user's file of prices, which may name the regions of the shipped one. Raises PricesError.

    `is_named`: STORYREEL_PRICES names it.
    """
    root, problems = load(path, LARGEST, _HINT if is_named else _HINT_AT_HOME, _PRICES.beginning)
    return _tariff(root, problems, str(path), shipped.regions)


def parse_prices(text: str, file: str, regions: tuple[Region, ...] = ()) -> Tariff:
    """A text of the format, from `file`; `regions` are known beside those that it declares. Raises PricesError."""
    root, problems = parse(text, file, _PRICES.beginning)
    return _tariff(root, problems, file, regions)


def _tariff(root: Node | None, problems: list[Problem], file: str, regions: tuple[Region, ...]) -> Tariff:
    if root is None:
        raise PricesError(problems)
    declared = {(service, name) for service, named in _entries(root, "regions") for name, _ in _entries(named)}
    known = _Known(frozenset(declared | {(region.service, region.name) for region in regions}))
    prices, wrong = validate(_PRICES, root, file, known)
    if prices:
        wrong = list(_priced_twice(prices, Positions(file, root)))
    if prices is None or problems or wrong:
        raise PricesError([*problems, *wrong])
    return prices.tariff


def _entries(node: Node, *path: str) -> list[tuple[str, Node]]:
    found = node.at(path)
    return [(key, entry.node) for key, entry in found.entries.items()] if found else []


def _priced_twice(prices: _PriceFile, positions: Positions) -> Iterator[Problem]:
    lines: dict[tuple[Any, ...], int] = {}
    for number, entry in enumerate(prices.rates):
        rate, position = entry.rate, positions["rates", number]
        sold = [
            (rate.service, model, rate.region, rate.product, rate.resolution, rate.seconds)
            for model in rate.models or ("",)
        ]
        if twice := next((lines[clip] for clip in sold if clip in lines), None):
            yield Problem(position, f"this is priced already in line {twice}", "keep one of the two")
        lines |= dict.fromkeys(sold, position.line)
