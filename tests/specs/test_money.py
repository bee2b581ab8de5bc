"""Money is exact, a small amount is never shown as 0, and currencies are never added up."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.money import DECIMALS, Money, parse_money, sums

CODES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3)
AMOUNTS = st.decimals(0, 10**12 - 1, allow_nan=False, places=6)
SOME = st.builds(Money, amount=AMOUNTS, currency=st.sampled_from(["CNY", "EUR", "USD"]))


def money(amount: str, currency: str = "USD") -> Money:
    return Money(amount=Decimal(amount), currency=currency)


@given(SOME)
def test_as_json_an_amount_stays_exact(amount: Money) -> None:
    assert Money.model_validate_json(amount.model_dump_json()) == amount


@pytest.mark.parametrize(
    ("amount", "said", "exactly"),
    [
        ("0", "0.00 USD", "0.00 USD"),
        ("0.420", "0.42 USD", "0.42 USD"),
        ("0.084", "0.08 USD", "0.084 USD"),
        ("0.125", "0.13 USD", "0.125 USD"),
        ("0.004", "0.004 USD", "0.004 USD"),
        ("-0.004", "-0.004 USD", "-0.004 USD"),
        ("1E+2", "100.00 USD", "100.00 USD"),
        ("1234567.5", "1234567.50 USD", "1234567.50 USD"),
    ],
)
def test_an_amount_is_shown_to_the_hundredth_and_exactly(amount: str, said: str, exactly: str) -> None:
    assert (str(money(amount)), money(amount).exactly) == (said, exactly)


@pytest.mark.parametrize("amount", ["1E+60", "-1E+400", "9" * 400])
def test_an_amount_beyond_reason_is_shown_in_short(amount: str) -> None:
    assert len(str(money(amount))) < 20


@given(SOME)
def test_what_is_shown_exactly_is_read_as_the_same_amount(amount: Money) -> None:
    assert parse_money(amount.exactly) == amount


@given(AMOUNTS, CODES, st.sampled_from(["", " ", "  "]))
def test_an_amount_is_read_with_its_code_on_either_side(amount: Decimal, code: str, gap: str) -> None:
    wanted = Money(amount=amount, currency=code)
    for text in (
        f"{amount:f}{gap}{code}",
        f"{code}{gap}{amount:f}",
        f" {amount:f} {code}\n",
        f"{code}{amount:f} {code}",
    ):
        assert parse_money(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("20", money("20")),
        ("$20", money("20")),
        ("$ 19.99 USD", money("19.99")),
        ("20 €", money("20", "EUR")),
        ("£0.5", money("0.5", "GBP")),
        ("0 USD", money("0")),
        ("0.733924 CNY", money("0.733924", "CNY")),
    ],
)
def test_signs_and_bare_numbers(text: str, wanted: Money) -> None:
    assert parse_money(text) == wanted


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("¥20", "`¥` is the yuan's sign and the yen's", "write `20 CNY` or `20 JPY`"),
        ("20元", "`元` is the yuan's sign and the yen's", "write `20 CNY` or `20 JPY`"),
        ("-5 USD", "an amount of money cannot be negative", "leave the minus out"),
        ("$ −5", "an amount of money cannot be negative", "leave the minus out"),
        ("1.0000001 USD", "an amount has at most 6 decimals", "round `1.0000001` up"),
        ("20 usd", "`usd` is not a currency code of three capital letters", "write for example `20 USD`"),
        ("3 dollars", "`dollars` is not a currency code of three capital letters", "write for example `3 USD`"),
        ("USD 20 EUR", "the amount has two currencies", "write `20 USD`"),
        ("$20 CNY", "the amount has two currencies", "write `20 USD`"),
        ("1,000 USD", "the amount contains a comma", "write thousands without one"),
        ("NaN", "this is not an amount of money", "write for example `20 USD`"),
        ("Infinity USD", "this is not an amount of money", "write for example `20 USD`"),
        ("1e3", "this is not an amount of money", "write for example `20 USD`"),
        ("٣ USD", "this is not an amount of money", "write for example `20 USD`"),
        ("", "this is not an amount of money", "write for example `20 USD`"),
    ],
)
def test_what_is_not_an_amount_is_refused_with_what_to_write(text: str, what: str, fix: str) -> None:
    with pytest.raises(ValueError) as wrong:
        parse_money(text)
    said, _, then = str(wrong.value).partition("; ")
    assert said == what and then.startswith(fix)


@given(st.text(max_size=30) | st.text("0123456789.,-+ $€¥USDeN\n", max_size=30))
def test_any_text_is_an_amount_or_is_refused_with_a_message(text: str) -> None:
    try:
        found = parse_money(text)
    except ValueError as wrong:
        assert "; " in str(wrong) and "\n" not in str(wrong)
    else:
        assert found.amount >= 0 and found.amount == round(found.amount, DECIMALS)


@given(st.lists(SOME, max_size=20))
def test_a_sum_is_exact_one_a_currency_in_the_order_of_their_codes(amounts: list[Money]) -> None:
    totals = {code: sum(Fraction(each.amount) for each in amounts if each.currency == code) for code in
              sorted({each.currency for each in amounts})}  # fmt: skip
    wanted = {code: total for code, total in totals.items() if total} or totals
    found = sums(amounts)
    assert [(each.currency, Fraction(each.amount)) for each in found] == list(wanted.items())
    assert sums(reversed(amounts)) == found


def test_a_sum_of_zero_is_given_only_where_nothing_costs_anything() -> None:
    free, dear = money("0"), money("15", "CNY")
    assert sums([free, dear, free]) == (dear,)
    assert sums([free, free]) == (free,)
    assert sums([]) == ()
