"""Published prices go into the user's own file, which stays as it is in all else."""

from __future__ import annotations

from codecs import BOM_UTF8
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.money import Money
from storyreel.tasks.prices.own_file import Move, OwnFile, moves_of
from storyreel.tasks.prices.price_file import PricesError, parse_prices
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.providers.provider import PublishedPrice, PublishedPrices

R2V, T2V = "alibaba/wan-2-7-r2v", "alibaba/wan-2-7-t2v"
SOURCE = "api.aimlapi.com/v1/models"
TODAY = date(2026, 12, 1)
SHIPPED = PriceList.read({})
WRITTEN = (
    f"service: aimlapi\nmodel: {R2V}\nresolution: 1080p\nper_second: 0.5\ncurrency: USD\nas_of: 2026-11-01\n"
    f"source: {SOURCE}\n"
)
"""A rate that was written by a refresh."""


def own(text: str, path: Path = Path("/films/prices.yaml")) -> tuple[OwnFile, PriceList]:
    tariff = parse_prices(text, str(path), SHIPPED.shipped.regions) if text else SHIPPED.own
    prices = PriceList(own=tariff, shipped=SHIPPED.shipped, sites=SHIPPED.sites)
    return OwnFile(path=path, content=text.encode() if text else None), prices


def published(*prices: tuple[str, str, str], doubt: str = "") -> PublishedPrices:
    found = (
        PublishedPrice(model=model, resolution=size, price=Money(amount=Decimal(amount), currency="USD"), doubt=doubt)
        for model, size, amount in prices
    )
    return PublishedPrices(source=SOURCE, prices=tuple(found))


def refreshed(text: str, answer: PublishedPrices) -> tuple[str, list[Move]]:
    file, prices = own(text)
    moves = moves_of("aimlapi", answer, prices, TODAY)
    return file.with_moves([move for move in moves if not move.is_kept], prices), moves


def test_a_new_file_says_what_it_is_and_holds_each_price_with_its_day_and_source() -> None:
    text, moves = refreshed("", published((T2V, "720p", "0.09"), (R2V, "1080p", "0.13")))
    _, prices = own(text)
    assert text.startswith("# Your own prices") and len(moves) == 2
    first, second = prices.own.rates
    assert (first.models, first.resolution, str(first.price)) == ((T2V,), "720p", "0.09 USD")
    assert {(rate.as_of, rate.source) for rate in (first, second)} == {(TODAY, SOURCE)}
    assert moves[1].before and moves[1].before.doubt, "the one that was reckoned is confirmed"
    (known,) = prices.rates("aimlapi", R2V)
    assert (known.input_video, known.input_seconds, known.failed, known.doubt) == ("billed", 5, "free", "")


def test_a_price_that_has_not_moved_is_not_written_again() -> None:
    answer = published((T2V, "720p", "0.09"), (R2V, "1080p", "0.13"))
    text, _ = refreshed("", answer)
    assert refreshed(text, answer) == (text, [])


def test_a_price_that_was_written_by_hand_is_kept_and_told() -> None:
    text = (
        f"prices: 1\nrates:\n- {{service: aimlapi, per_second: 0.08, currency: USD, source: our contract}}\n{item(0)}"
    )
    after, (move, *others) = refreshed(text, published((T2V, "720p", "0.09")))
    assert after == text and not others
    assert move.is_kept and move.before and move.before.source == "our contract"
    assert refreshed(text, published((T2V, "720p", "0.08")))[1] == []


def test_a_price_of_clips_that_was_written_by_hand_is_kept_too() -> None:
    text = "prices: 1\nrates: [{service: aimlapi, resolution: 720p, seconds: 5, price: 0.40, currency: USD}]\n"
    after, (move,) = refreshed(text, published((T2V, "720p", "0.09")))
    assert after == text and move.is_kept
    assert not refreshed(text, published((T2V, "1080p", "0.09")))[1][0].is_kept


def test_a_price_of_pictures_is_no_price_that_a_published_one_would_change() -> None:
    text = "prices: 1\nrates: [{service: aimlapi, per_picture: 0.04, currency: USD}]\n"
    (move,) = refreshed(text, published((T2V, "720p", "0.09")))[1]
    assert move.before is None and not move.is_kept


def test_terms_that_the_user_gave_to_a_written_price_stay() -> None:
    text = f"prices: 1\nrates:\n{item(0)}  failed: billed  # they said so\n"
    after, (move,) = refreshed(text, published((R2V, "1080p", "0.6")))
    assert after == text.replace("0.5", "0.6").replace("2026-11-01", "2026-12-01")
    assert move.after.failed == "billed"


def test_a_doubt_comes_and_goes() -> None:
    text, _ = refreshed("", published((T2V, "720p", "0.09"), doubt="the dearest of its prices by audio"))
    assert "\n    doubt: the dearest of its prices by audio\n" in text
    after, (move,) = refreshed(text, published((T2V, "720p", "0.09")))
    assert "doubt" not in after and move.before and move.before.price == move.after.price


@pytest.mark.parametrize(
    "text",
    [
        "{prices: 1, rates: [{service: apiyi, per_second: 1, currency: USD}]}\n",
        "prices: 1\nrates:\n  - {service: apiyi, per_second: 1, currency: USD}\n...\n",
    ],
)
def test_a_file_that_cannot_be_edited_says_what_to_write_by_hand(text: str) -> None:
    if "..." in text:
        after, _ = refreshed(text, published((T2V, "720p", "0.09")))
        assert after.endswith("\n...\n")
        return
    with pytest.raises(PricesError) as error:
        refreshed(text, published((T2V, "720p", "0.09")))
    assert f"by hand: {T2V}: 0.09 USD a second at 720p" in str(error.value)


def item(indent: int, line_break: str = "\n", flow: bool = False) -> str:
    """The rate that a refresh has written, as an item of a list."""
    if flow:
        return f"{' ' * indent}- {{{', '.join(WRITTEN.splitlines())}}}{line_break}"
    return in_lines(WRITTEN, indent, line_break)


def in_lines(text: str, indent: int, line_break: str) -> str:
    marks = ["- ", *["  "] * text.count("\n")]
    lines = zip(marks, text.splitlines(), strict=False)
    return "".join(f"{' ' * indent}{mark}{line}{line_break}" for mark, line in lines)


@st.composite
def files(draw: st.DrawFn) -> str:
    """Files as people write them."""
    line_break, indent = draw(st.sampled_from(["\n", "\r\n"])), draw(st.sampled_from([0, 2, 5]))
    note = draw(st.sampled_from(["", "  # mine, 0.5 a second", " #"]))
    by_hand = [
        f"{' ' * indent}- {{service: apiyi, per_second: 0.5, currency: USD}}{note}{line_break}",
        in_lines("service: freepik\nseconds: 5\nprice: 0.9\nsource: 'us: #1'\ncurrency: USD\n", indent, line_break),
        in_lines("service: apiyi\nper_second: 1\nmodel: wan2.7-t2v\ncurrency: USD\nsource: |\n", indent, line_break)
        + f"{' ' * indent}    a text{line_break}{' ' * indent}    of two lines{line_break}",
    ]
    rates = list(draw(st.lists(st.sampled_from(by_hand), unique=True)))
    if draw(st.booleans()) or not rates:
        rates.insert(draw(st.integers(0, len(rates))), item(indent, line_break, draw(st.booleans())))
    gaps = ["", line_break, f"{' ' * indent}# between{line_break}", f"# end{line_break}{line_break}"]
    body = "".join(rate + draw(st.sampled_from(gaps)) for rate in rates)
    comma = draw(st.sampled_from(["", ","]))
    forms = [
        "",
        f"rates: []{note}{line_break}",
        f"rates: [  # all{line_break}  {{service: apiyi, per_second: 1, currency: USD}}{comma}{note}{line_break}  ]"
        + line_break,
        f"rates:{note}{line_break}{body}",
    ]
    parts = [f"# head{line_break}prices: 1{note}{line_break}", draw(st.sampled_from([*forms, forms[-1]]))]
    regions = f"regions: {{dashscope: {{Singapore: [proxy.films.example]}}}}{line_break}"
    parts.insert(draw(st.integers(0, 2)), regions)
    text = "".join(parts)
    return text.rstrip("\r\n") if draw(st.booleans()) else text


AMOUNTS = st.decimals("0.000001", "1", places=6).map(lambda amount: f"{amount:f}")


@given(files(), AMOUNTS, AMOUNTS)
def test_all_that_a_file_says_besides_stays_to_the_character(text: str, first: str, second: str) -> None:
    answer = published((R2V, "1080p", first), (T2V, "720p", second))
    after, moves = refreshed(text, answer)
    _, prices = own(after)
    for move in moves:
        (rate, *_) = prices.own_rates("aimlapi", move.after.models[0])
        assert (rate.price.amount, rate.as_of, rate.source) == (move.after.price.amount, TODAY, SOURCE)
    assert refreshed(after, answer) == (after, []), "it is up to date then"
    # Only the price and the day of the rate that was written before may go, and all else stays in its order.
    signs = iter(after)
    kept = text.replace("per_second: 0.5", "per_second: ").replace("2026-11-01", "")
    assert all(sign in signs for sign in kept)
    assert ("\r\n" in after) == ("\r\n" in text) and after.count("#") == text.count("#")
    assert after.count("\n") - after.count("\r\n") in (0, after.count("\n")), "one kind of line break"


def test_a_byte_order_mark_stays() -> None:
    file = OwnFile(path=Path("/p"), content=BOM_UTF8 + b"prices: 1\n")
    assert file.text == "prices: 1\n" and file.encoded("prices: 1\nx") == BOM_UTF8 + b"prices: 1\nx"
