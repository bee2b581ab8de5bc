"""Asks the services that publish their prices, compares, and writes the user's price file if the user agrees."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import date
from difflib import unified_diff
from typing import Any

from storyreel.flows.services.prices import amount, paid_services, sizes_by_model, video_seconds
from storyreel.flows.terminal import Column, Row, Terminal, print_rows, styled
from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import counted, lasting, reason
from storyreel.tasks.prices.own_file import Move, OwnFile, moves_of
from storyreel.tasks.prices.price_file import PricesError
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.prices.rates import Rate
from storyreel.tasks.providers.errors import ProviderError
from storyreel.tasks.providers.provider import Provider, PublishedPrices
from storyreel.tasks.settings import Settings, SettingsError
from storyreel.tasks.storage.files import make_private_folder, replace_content, write_whole

_ANSWER_SECONDS = 60.0
"""Seconds that a service may take to tell its prices."""


class Refresh(Frozen):
    """The prices that services publish now, against those that are used."""

    own: OwnFile
    moves: tuple[Move, ...]
    text: str
    """The price file with the moves that are to be written."""
    unclear: tuple[str, ...]
    unanswered: tuple[str, ...]
    """A sentence for each service that did not tell its prices. What is known of them stays."""
    asked: tuple[str, ...]

    @property
    def to_write(self) -> tuple[Move, ...]:
        """The moves that are written if the user agrees."""
        return tuple(move for move in self.moves if not move.is_kept)

    def difference(self) -> list[str]:
        """The lines of the change of the file, as `diff -u` prints them."""
        before, after = self.own.text.splitlines(), self.text.splitlines()
        name = str(self.own.path)
        return list(unified_diff(before if self.own.content is not None else [], after, name, name, lineterm=""))

    def as_json(self, *, is_written: bool) -> dict[str, Any]:
        """The form that `prices --refresh --json` prints."""
        return {
            "file": str(self.own.path),
            "asked": list(self.asked),
            "moves": [_move_as_json(move) for move in self.moves],
            "unclear": list(self.unclear),
            "unanswered": list(self.unanswered),
            "written": is_written,
        }


def _move_as_json(move: Move) -> dict[str, Any]:
    return {
        "service": move.after.service,
        "model": move.after.models[0],
        "resolution": move.after.resolution or None,
        "before": move.before.model_dump(mode="json") if move.before else None,
        "published": move.after.model_dump(mode="json"),
        "kept": move.is_kept,
    }


def refresh_prices(service: str | None = None, environment: Mapping[str, str] = os.environ) -> Refresh:
    """Ask the services that publish their prices, all or one, and compare. Writes nothing.

    Raises PricesError for a price file that cannot be read, or not be edited, and SettingsError.
    """
    prices = PriceList.read(environment, may_be_missing=True)
    own = OwnFile.read(Settings.read(environment).price_file)
    asked = {name: adapter for name, adapter in paid_services(service).items() if adapter.publishes_prices}
    answers = asyncio.run(_ask(asked))
    published = {name: answer for name, answer in answers.items() if isinstance(answer, PublishedPrices)}
    today = date.today()
    moves = tuple(
        move
        for name, answer in published.items()
        for move in moves_of(name, answer, prices, today, video_seconds(asked[name]))
    )
    return Refresh(
        own=own,
        moves=moves,
        text=own.with_moves([move for move in moves if not move.is_kept], prices),
        unclear=tuple(f"{name} {why}" for name, answer in published.items() for why in answer.unclear),
        unanswered=tuple(answer for answer in answers.values() if isinstance(answer, str)),
        asked=tuple(asked),
    )


async def _ask(services: Mapping[str, type[Provider]]) -> dict[str, PublishedPrices | str]:
    """The prices that each service publishes, or why it does not."""
    answers = await asyncio.gather(*(_ask_one(name, adapter) for name, adapter in services.items()))
    return dict(zip(services, answers, strict=True))


async def _ask_one(name: str, adapter: type[Provider]) -> PublishedPrices | str:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await adapter().published_prices(list(sizes_by_model(adapter)))
    except (ProviderError, SettingsError) as error:
        return error.message
    except TimeoutError:
        return f"{name} has not told its prices in {lasting(_ANSWER_SECONDS)}"


def print_refresh(console: Terminal, refresh: Refresh) -> None:
    """Print what moved, and how the file would change."""
    if refresh.moves:
        columns = (
            Column("service"), Column("model"), Column("size"), Column("used", "right"), Column("published", "right"),
            Column("change", "right"), Column("", is_text=True),
        )  # fmt: skip
        print_rows(console, columns, [Row(_move_cells(move)) for move in refresh.moves])
    for line in refresh.unclear:
        console.print(styled(("note:", "yellow"), f" {line}"), soft_wrap=True)
    if refresh.to_write:
        for line in refresh.difference():
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            console.print(styled((line, style)), soft_wrap=True)
    elif refresh.asked and not refresh.moves and len(refresh.unanswered) < len(refresh.asked):
        console.print("No published price differs from those that are used.")
    elif not refresh.asked:
        console.print("No service that can be asked publishes its prices.")


def _move_cells(move: Move) -> Sequence[str]:
    before, after = move.before, move.after
    names = after.service, after.models[0], after.resolution or "all"
    note = f"kept: your own, from {before.source or 'your file'}" if before and move.is_kept else ""
    return *names, amount(before) if before else "unknown", amount(after), _change(before, after), note


def _change(before: Rate | None, after: Rate) -> str:
    """`+15.4 %`; empty if the two cannot be compared."""
    if before is None or before.seconds or before.price.currency != after.price.currency or not before.price.amount:
        return ""
    by = (after.price.amount / before.price.amount - 1) * 100
    return f"{by:+.1f} %" if by else "confirmed"


def write_refresh(refresh: Refresh) -> str:
    """Write the user's price file, and return a sentence about it. Raises PricesError; the file is then as it was."""
    own, content = refresh.own, refresh.own.encoded(refresh.text)
    try:
        if own.content is None:
            make_private_folder(own.path.parent)
            write_whole(own.path, refresh.text)
        elif not replace_content(own.path, own.content, content):
            what = "another program has just changed the file; it is left as it is"
            raise PricesError.in_file(own.path, what, "run it again")
    except OSError as error:
        raise PricesError.in_file(own.path, f"the file cannot be written: {reason(error)}") from error
    return f"{counted(len(refresh.to_write), 'price')} written to {own.path}."
