"""A file of prices: what stands in it, checked strictly, everything that is wrong told at once with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from storyreel.specs.money import DECIMALS, Money
from storyreel.specs.problems.phrases import listed, reason, shown, suggestion
from storyreel.specs.problems.problem import Position, Problem, StoryboardError
from storyreel.specs.yaml.tree import Entry, Node, parse
from storyreel.tasks.prices.rates import Rate, Region, Tariff
from storyreel.tasks.providers import names

LARGEST = 1_000_000
"""Bytes of a file; the shipped one has some 3,000."""

VERSION = 1
_RESOLUTIONS = ("720p", "1080p")
_HOST = re.compile(r"[a-z0-9.-]+|[0-9a-f:]+")
_NEEDS_VERSION = f"a file of prices begins with `prices: {VERSION}`, the version of its format"


class PricesError(StoryboardError):
    """A file of prices cannot be used. `problems` holds all that was found, in the order of the file."""

    command = "the same command again"


def read_file(path: Path, shipped: Tariff) -> Tariff:
    """What a user's file of prices says; it may name the regions of the shipped one. Raises PricesError."""
    return understand(_text(path), str(path), shipped.regions)


def understand(text: str, file: str, regions: tuple[Region, ...] = ()) -> Tariff:
    """What a text says that stands in a file; `regions` are known beside its own. Raises PricesError."""
    if not text.strip():
        raise PricesError([Problem(Position(file, 1, 1), "the file is empty", _NEEDS_VERSION)])
    root, problems = parse(text, file)
    if root is None:
        raise PricesError(problems)
    reader = _Reader(file)
    tariff = reader.tariff(root, regions)
    if found := [*problems, *reader.problems]:
        raise PricesError(found)
    return tariff


class _Reader:
    """Makes a tariff of a tree; what is wrong is noted in `problems`, and passed over."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._services = names()

    def tariff(self, root: Node, known: tuple[Region, ...]) -> Tariff:
        """All that the file says."""
        if not isinstance(root.value, dict):
            self._note(root, "this is no file of prices", f"it begins with `prices: {VERSION}`, then come `rates:`")
            return Tariff()
        self._known_alone(root, ("prices", "regions", "rates"))
        version = root.child("prices")
        if version is None:
            self._note(root, "`prices` is missing", _NEEDS_VERSION)
        elif str(version.value) != str(VERSION):
            self._note(version, f"`prices` is {_written(version)}, which is no version of the format", _NEEDS_VERSION)
        regions = tuple(self._regions(root.child("regions")))
        rates = tuple(self._rates(root.child("rates"), (*known, *regions)))
        return Tariff(rates=rates, regions=regions)

    def _regions(self, node: Node | None) -> Iterator[Region]:
        for service, entry in self._entries(node, "regions", "service: {Region: [host]}"):
            self._service(service, entry)
            for name, hosts in self._entries(entry.node, service, "Region: [host]"):
                if (found := self._value(name, hosts.node, _hosts)) is not None:
                    yield Region(service=service, name=name, hosts=found)

    def _entries(self, node: Node | None, what: str, form: str) -> Iterator[tuple[str, Entry]]:
        if node is not None and not isinstance(node.value, dict):
            self._note(node, f"`{shown(what)}` must have names, each with a value of its own", f"write `{form}` below")
        yield from node.entries.items() if node else ()

    def _rates(self, node: Node | None, regions: tuple[Region, ...]) -> Iterator[Rate]:
        if node is not None and not isinstance(node.value, list):
            self._note(node, "`rates` must be a list", "begin each rate with `-`")
        lines: dict[tuple[object, ...], int] = {}
        for item in node.items if node else ():
            rate = self._rate(item, regions)
            for sold in _sold(rate) if rate else ():
                if sold in lines:
                    self._note(item, f"this is priced already in line {lines[sold]}", "keep one of the two")
                    break
                lines[sold] = item.line
            if rate:
                yield rate

    def _rate(self, node: Node, regions: tuple[Region, ...]) -> Rate | None:
        """One rate; None, and its problems noted, when it cannot be used."""
        before = len(self.problems)
        if not isinstance(node.value, dict):
            self._note(node, f"a rate cannot be {_written(node)}", "it has keys of its own, `service` first")
            return None
        self._known_alone(node, _KEYS)
        said = {
            key: value
            for key, entry in node.entries.items()
            if key in _KEYS and (value := self._value(key, entry.node, _KEYS[key])) is not None
        }
        if service := said.get("service"):
            self._service(service, node.entries["service"].node)
        for key, what, fix in _wrong_together(set(node.entries), said):
            self._note(node.child(key) or node, what, fix)
        if region := said.get("region"):
            self._in_region(region, said.get("service"), node.entries["region"].node, regions)
        return _made(said) if len(self.problems) == before else None

    def _service(self, name: str, at: Node | Entry) -> None:
        if name not in self._services:
            fix = suggestion(name, self._services, _there_are(self._services))
            self._note(at, f"there is no service `{shown(name)}`", fix)

    def _in_region(self, region: str, service: object, node: Node, regions: tuple[Region, ...]) -> None:
        known = sorted({each.name for each in regions if each.service == service})
        if service in self._services and region not in known:
            fix = suggestion(region, known, _there_are(known) if known else "leave `region` out")
            self._note(node, f"{service} has no region `{shown(region)}`", fix)

    def _value(self, key: str, node: Node, read: Callable[[Node], Any]) -> Any:
        """A key's value; None, and a problem noted, when it is none."""
        try:
            return read(node)
        except ValueError as wrong:
            what, _, fix = str(wrong).partition("; ")
            self._note(node, f"`{shown(key)}` is {_written(node)}{what}", fix)
            return None

    def _known_alone(self, node: Node, known: Any) -> None:
        for key, entry in node.entries.items():
            if key not in known:
                fix = suggestion(key, known, f"known here are {listed(list(known), 'and', len(known))}")
                self._note(entry, f"unknown key `{shown(key)}`", fix)

    def _note(self, at: Node | Entry, what: str, fix: str) -> None:
        self.problems.append(Problem(Position(self._file, at.line, at.column), what, fix))


def _wrong_together(keys: set[str], said: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the keys of a rate as a whole: where, what, and what to do."""
    if "service" not in keys:
        yield "", "`service` is missing", "the name of the service, as `storyreel providers` shows it"
    if "currency" not in keys:
        yield "", "`currency` is missing", "three capital letters, `USD` or `CNY`"
    by_clip = keys & {"seconds", "price"}
    if "per_second" in keys and by_clip:
        key = max(by_clip)
        yield key, f"`{key}` cannot stand beside `per_second`", "a rate is for a second, or for a clip of `seconds`"
    elif len(by_clip) == 1:
        other = "price" if "seconds" in keys else "seconds"
        yield "", f"`{other}` is missing", "the price of a clip needs `seconds` and `price`"
    elif not by_clip and "per_second" not in keys:
        yield "", "the rate has no price", "write `per_second: 0.10`, or `seconds: 5` and `price: 0.90`"
    if by_clip and (input_ := sorted(keys & {"input_video", "input_seconds"})):
        yield input_[0], f"`{input_[0]}` says nothing of a whole clip's price", "leave it out, or give `per_second`"
    elif "input_seconds" in keys and said.get("input_video") == "free":
        yield "input_seconds", "`input_seconds` stands beside `input_video: free`", "keep one of the two"
    elif "input_seconds" in keys and "input_video" not in keys:
        yield "input_seconds", "`input_seconds` stands without `input_video`", "write `input_video: billed` beside it"
    elif said.get("input_video") in ("billed", "assumed") and "input_seconds" not in keys:
        yield "input_video", "`input_seconds` is missing", "the most seconds of reference video that are billed"


def _made(said: Mapping[str, Any]) -> Rate:
    amount = said["per_second"] if "per_second" in said else said["price"]
    plain = {key: value for key, value in said.items() if key not in ("model", "per_second", "price", "currency")}
    return Rate(models=said.get("model", ()), price=Money(amount=amount, currency=said["currency"]), **plain)


def _sold(rate: Rate) -> list[tuple[object, ...]]:
    """What a rate is for, one a model."""
    return [(rate.service, model, rate.region, rate.resolution, rate.seconds) for model in rate.models or ("",)]


def _words(node: Node) -> str:
    if isinstance(node.value, str) and (text := node.value.strip()):
        return text
    raise ValueError(", but must be a text; put it in quotes if it is meant as one")


def _models(node: Node) -> tuple[str, ...]:
    if not isinstance(node.value, list):
        return (_words(node),)
    if not node.items:
        raise ValueError(" without a model; leave `model` out where the rate is for all")
    return tuple(dict.fromkeys(map(_words, node.items)))


def _resolution(node: Node) -> str:
    return _one_of(node, _RESOLUTIONS)


def _one_of(node: Node, known: tuple[str, ...]) -> str:
    if node.value in known:
        return str(node.value)
    raise ValueError(f"; {suggestion(str(node.value).lower(), known, f'write {listed(known)}')}")


def _amount(node: Node) -> Decimal:
    """A number as it is written, exactly."""
    if not isinstance(node.value, int | float) or isinstance(node.value, bool):
        raise ValueError(", but must be a number; write it without quotes and without the currency: `0.084`")
    amount = Decimal(str(getattr(node.value, "text", node.value)))
    if amount.is_signed():
        raise ValueError(", but a price is never negative; write 0 for what is free")
    if len(str(amount).partition(".")[2]) > DECIMALS:
        raise ValueError(f", but a price has at most {DECIMALS} decimals; round it up")
    return amount


def _whole(node: Node) -> int:
    if isinstance(node.value, int) and not isinstance(node.value, bool) and 1 <= node.value <= 3600:
        return node.value
    raise ValueError(", but must be whole seconds, 1 to 3600")


def _currency(node: Node) -> str:
    if isinstance(node.value, str) and re.fullmatch(r"[A-Z]{3}", node.value):
        return node.value
    raise ValueError(", but must be three capital letters; write for example `USD` or `CNY`")


def _day(node: Node) -> date:
    try:
        if isinstance(node.value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", node.value):
            return date.fromisoformat(node.value)
    except ValueError:
        pass
    raise ValueError(", which is no day; write it as `2026-11-21`")


def _hosts(node: Node) -> tuple[str, ...]:
    hosts = tuple(str(item.value).lower() for item in node.items)
    if hosts and all(_HOST.fullmatch(host) for host in hosts):
        return hosts
    what = ", which must hold hosts alone" if isinstance(node.value, list) else ", but must be a list of hosts"
    raise ValueError(f"{what}; write `[dashscope.example.com]`, without `https://` or a path")


_KEYS: Mapping[str, Callable[[Node], Any]] = {
    "service": _words,
    "model": _models,
    "region": _words,
    "resolution": _resolution,
    "per_second": _amount,
    "seconds": _whole,
    "price": _amount,
    "currency": _currency,
    "as_of": _day,
    "source": _words,
    "input_video": lambda node: _one_of(node, ("billed", "assumed", "free")),
    "input_seconds": _whole,
    "failed": lambda node: _one_of(node, ("billed", "free")),
    "doubt": _words,
}


def _there_are(known: list[str]) -> str:
    return f"there are {listed(known, 'and')}"


def _written(node: Node) -> str:
    """A value as its author wrote it."""
    if isinstance(node.value, dict | list):
        return "a mapping" if isinstance(node.value, dict) else "a list"
    if isinstance(node.value, bool):
        return f"`{str(node.value).lower()}`"
    text = "" if node.value is None else str(getattr(node.value, "text", node.value))
    return f"`{shown(text)}`" if text else "empty"


def _text(path: Path) -> str:
    """The text of a file. Looked at before it is opened: opening a pipe would wait for ever."""
    try:
        if path.exists() and not path.is_file():
            raise _unreadable(path, "this is no regular file")
        if path.stat().st_size > LARGEST:
            raise _unreadable(path, f"the file has more than {LARGEST // 10**6} MB")
        return path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise _unreadable(path, "there is no such file") from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, "the file is no UTF-8 text") from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, f"the file cannot be read: {reason(error)}") from error


def _unreadable(path: Path, what: str) -> PricesError:
    fix = "STORYREEL_PRICES names it: give a file of prices, or unset it"
    return PricesError([Problem(Position(str(path), 1, 1), what, fix)])
