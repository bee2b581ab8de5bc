"""The user's own price file, and how published prices are written into it.

Only rates that were written here before are changed. Everything else in the file stays as it is, to the character.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.models import Resolution
from storyreel.specs.problems.phrases import reason
from storyreel.specs.yaml.edits import MappingText, NewValues, append, apply_edits
from storyreel.specs.yaml.tree import FloatLiteral, Scalar, parse
from storyreel.tasks.prices.price_file import PricesError, parse_prices
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.prices.rates import Rate, Tariff
from storyreel.tasks.providers.provider import PublishedPrice, PublishedPrices

_BEGINNING = """\
# Your own prices, which are used instead of those that come with storyreel.
# `storyreel prices --refresh` adds what services publish, and changes only what it has added.
prices: 1

"""


NO_VIDEO: Mapping[str, int] = MappingProxyType({})


class Move(Frozen):
    """A published price that differs from the one that was known."""

    before: Rate | None
    """The rate that was used until now; None if none was known."""
    after: Rate
    """The published one."""
    is_kept: bool = False
    """Whether `before` is the user's own, written by hand, and goes on being used."""


class OwnFile(Frozen):
    """A user's price file as it was read."""

    path: Path
    content: bytes | None
    """None if there is no such file."""

    @classmethod
    def read(cls, path: Path) -> OwnFile:
        """The file at a path. Raises PricesError if it cannot be read."""
        try:
            return cls(path=path, content=path.read_bytes())
        except FileNotFoundError:
            return cls(path=path, content=None)
        except OSError as error:
            raise PricesError.in_file(path, f"the file cannot be read: {reason(error)}") from error

    @property
    def text(self) -> str:
        """Its text; empty if there is no such file."""
        return (self.content or b"").removeprefix(BOM_UTF8).decode()

    def encoded(self, text: str) -> bytes:
        """The content of the file with another text."""
        mark = BOM_UTF8 if (self.content or b"").startswith(BOM_UTF8) else b""
        return mark + text.encode()

    def with_moves(self, moves: Sequence[Move], prices: PriceList) -> str:
        """The text with the published prices of `moves`. Raises PricesError if the file cannot be edited on its own."""
        text, file, own = self.text or _BEGINNING, str(self.path), prices.own
        expected = list(own.rates)
        for move in moves:
            if move.before in own.rates:
                number = own.rates.index(move.before)
                text, expected[number] = _changed(text, file, number, move.after), move.after
            else:
                text = append(text, "rates", _values(move.after))
                expected.append(move.after)
        try:
            after = parse_prices(text, file, prices.shipped.regions)
        except PricesError:
            after = Tariff()
        if after != own._replace(rates=tuple(expected)):
            lines = "; ".join(f"{move.after.models[0]}: {move.after}" for move in moves)
            what = "the file is written in a way that cannot be edited without changing more than its prices"
            raise PricesError.in_file(self.path, what, f"write them by hand: {lines}")
        return text


def moves_of(
    service: str,
    published: PublishedPrices,
    prices: PriceList,
    today: date,
    video_seconds: Mapping[str, int] = NO_VIDEO,
) -> list[Move]:
    """The published prices of a service that differ from those in `prices`, and can be written into a price file.

    `video_seconds` has the most seconds of reference video that its models take. Of a model whose terms are not known
    they are assumed to be billed, so that a budget holds.
    """
    found = (
        _move(service, one, published.source, prices, today, video_seconds.get(one.model, 0))
        for one in published.prices
        if not one.resolution or one.resolution in get_args(Resolution)
    )
    return [move for move in found if move]


def _move(
    service: str, one: PublishedPrice, source: str, prices: PriceList, today: date, video_seconds: int
) -> Move | None:
    terms = prices.terms_of(service, one.model)
    is_assumed = bool(video_seconds) and (terms is None or terms.input_video is None)
    after = Rate(
        service=service,
        models=(one.model,),
        resolution=one.resolution,
        price=one.price,
        as_of=today,
        source=source,
        doubt=one.doubt,
        input_video="assumed" if is_assumed else None,
        input_seconds=video_seconds if is_assumed else 0,
    )
    own = [
        rate
        for rate in prices.own_rates(service, one.model)
        if rate.resolution in ("", one.resolution) and rate.product == "clip"
    ]
    written = next((rate for rate in own if _is_written_here(rate, after)), None)
    by_hand = next((rate for rate in own if rate != written), None)
    if written:
        after = written.model_copy(update={"price": one.price, "as_of": today, "source": source, "doubt": one.doubt})
    shipped = (rate for rate in prices.rates(service, one.model) if rate.covers("clip", one.resolution, None))
    before = by_hand or written or next(shipped, None)
    if before and before.seconds is None and before.price == one.price and (by_hand or before.doubt == one.doubt):
        return None
    return Move(before=before, after=after, is_kept=by_hand is not None)


def _is_written_here(rate: Rate, after: Rate) -> bool:
    """Whether a rate of the user's file is one that `after` replaces, and no person's."""
    same = ("service", "models", "region", "resolution", "seconds")
    path = after.source.partition("/")[2]
    return all(getattr(rate, name) == getattr(after, name) for name in same) and rate.source.partition("/")[2] == path


def _values(rate: Rate) -> NewValues:
    """A rate that is published, as the keys of a price file."""
    names = {"service": rate.service, "model": rate.models[0], "resolution": rate.resolution or None}
    terms = {"input_video": rate.input_video, "input_seconds": rate.input_seconds or None}
    return {key: value for key, value in (names | _moving(rate) | terms).items() if value is not None}


def _moving(rate: Rate) -> dict[str, Scalar]:
    """The keys that a refresh changes; None removes one."""
    return {
        "per_second": FloatLiteral(f"{rate.price.amount:f}"),
        "currency": rate.price.currency,
        "as_of": str(rate.as_of),
        "source": rate.source,
        "doubt": rate.doubt or None,
    }


def _changed(text: str, file: str, number: int, rate: Rate) -> str:
    """The text with the price of a rate in the place of another one's, by its number among the file's rates."""
    root, _ = parse(text, file)
    node = root.at(("rates", number)) if root else None
    return apply_edits(text, MappingText(text, node.position(file)).edits(_moving(rate), False)) if node else text
