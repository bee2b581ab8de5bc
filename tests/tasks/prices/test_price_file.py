"""A price file is checked strictly: every mistake is reported at once, with its position and what to write instead."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.problems.problem import StoryboardError
from storyreel.tasks.prices.price_file import LARGEST, PricesError, parse_prices
from storyreel.tasks.prices.price_list import PriceList

Wrong = Callable[[str], list[str]]


@pytest.fixture
def wrong(tmp_path: Path) -> Wrong:
    """The problems of a file's text, each as `line:column: message (hint)`."""

    def wrong(text: str) -> list[str]:
        path = tmp_path / "prices.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(PricesError) as caught:
            PriceList.read({"STORYREEL_PRICES": str(path)})
        return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]

    return wrong


def test_all_mistakes_of_a_file_are_reported_at_once(wrong: Wrong) -> None:
    assert wrong(
        """\
prices: 2
rate: []
regions:
  dashscop: {Beijing: [a.example]}
  dashscope: {Beijing: ["https://a.example/x"]}
rates:
  - {service: freepick, per_second: 0.1, currency: USD}
  - {service: freepik, per_second: -0.1, currency: usd}
  - {service: freepik, persecond: 0.1, currency: USD}
  - {service: freepik, seconds: 5, currency: USD}
  - {service: freepik, seconds: 5.5, price: "0.90", currency: USD}
  - {service: freepik, per_second: 1, price: 5, currency: USD}
  - {service: dashscope, region: Bejing, per_second: 0.1, currency: USD}
  - {service: aimlapi, region: Beijing, per_second: 0.1, currency: USD}
  - {service: apiyi, resolution: 720P, per_second: 0.1234567, currency: USD}
  - {service: apiyi, per_second: 0.1, currency: USD, as_of: 2026-02-30, failed: maybe}
  - {service: apiyi, per_second: 0.1, currency: USD, input_video: billed}
  - {service: apiyi, per_second: 0.1, currency: USD, input_seconds: 5}
  - {service: apiyi, seconds: 5, price: 1, currency: USD, input_video: free}
  - {model: [], per_second: null}
  - free
  - {service: freepik, currency: USD}
  - {service: aimlapi, region: Rome, per_second: 1, price: 5, currency: USD}
  - {service: freepik, seconds: 3601, region: , price: 1, currency: USD}
  - {service: freepik, per_picture: 1, per_second: 1, resolution: 720p, currency: USD}
  - {service: freepik, per_picture: -1, currency: USD}
  - {service: freepik, per_picture: 1, input_video: free, currency: USD}
  - {service: dashscope, per_10k_characters: 1, per_picture: 1, currency: CNY}
  - {service: dashscope, per_10k_characters: 1, input_video: free, currency: CNY}
"""
    ) == [
        "1:9: `prices` is `2` (write `1`)",
        "2:1: unknown key `rate` (did you mean `rates`?)",
        "4:3: the name `dashscop`: there is no such service (did you mean `dashscope`?)",
        "5:25: entry 1 of `Beijing` is `https://a.example/x`, but must be a host such as `dashscope.example.com`,"
        " without `https://` or a path",
        "7:15: `service` is `freepick`: there is no such service (did you mean `freepik`?)",
        "8:36: `per_second` is `-0.1`: a price is never negative (write 0 for what is free)",
        "8:52: `currency` is `usd`, but must be three capital letters such as `USD` or `CNY`",
        "9:24: unknown key `persecond` (did you mean `per_second`?)",
        "10:5: `price` is missing (the price of a clip needs `seconds` and `price`)",
        "11:33: `seconds` is `5.5`, but must be a whole number",
        "11:45: `price` is `0.90`: not a number (write it without quotes and without the currency: `0.084`)",
        "12:46: `price` cannot stand beside `per_second` (a rate is for a second, or for a clip of `seconds`)",
        "13:34: dashscope has no region `Bejing` (did you mean `Beijing`?)",
        "14:32: aimlapi has no region `Beijing` (leave `region` out)",
        "15:34: `resolution` is `720P` (did you mean `720p`?)",
        "15:52: `per_second` is `0.1234567`: a price has at most 6 decimals (round it up)",
        "16:61: `as_of` is `2026-02-30`: not a date (write it as `2026-11-21`)",
        "16:81: `failed` is `maybe` (write `billed` or `free`)",
        "17:67: `input_seconds` is missing (the most seconds of reference video that are billed)",
        "18:69: `input_seconds` stands without `input_video` (write `input_video: billed` beside it)",
        "19:72: `input_video` says nothing of a whole clip's price (leave it out, or give `per_second`)",
        "20:5: `currency` is missing (three capital letters, `USD` or `CNY`)",
        "20:5: `service` is missing (the name of the service, as `storyreel providers` shows it)",
        "20:13: `model` is empty (write at least one)",
        "20:29: `per_second` is empty: not a number (write it without quotes and without the currency: `0.084`)",
        "21:5: entry 15 of `rates` must have keys of its own (it needs `service` and `currency`)",
        "22:5: the rate has no price (write `per_second: 0.10`, or `seconds: 5` and `price: 0.90`,"
        " or `per_picture: 0.03`, or `per_10k_characters: 0.80`)",
        "23:32: aimlapi has no region `Rome` (leave `region` out)",
        "23:60: `price` cannot stand beside `per_second` (a rate is for a second, or for a clip of `seconds`)",
        "24:33: `seconds` is `3601`, but must be at most 3600",
        "24:47: `region` is empty (write a text, or leave the key out)",
        "25:52: `per_second` cannot stand beside `per_picture` (a picture of any size has one price)",
        "25:67: `resolution` cannot stand beside `per_picture` (a picture of any size has one price)",
        "26:37: `per_picture` is `-1`: a price is never negative (write 0 for what is free)",
        "27:53: `input_video` says nothing of a picture's price (leave it out, or give `per_second`)",
        "28:46: `per_10k_characters` cannot stand beside `per_picture` (a picture of any size has one price)",
        "29:62: `input_video` says nothing of the price of speech (leave it out, or give `per_second`)",
    ]


@pytest.mark.parametrize("price", ["1000001", "999999999999"])
def test_a_price_beyond_reason_is_reported(wrong: Wrong, price: str) -> None:
    (told,) = wrong(f"prices: 1\nrates:\n  - {{service: freepik, per_second: {price}, currency: USD}}\n")
    assert told.startswith("3:36: ") and "a price is a number up to 1,000,000" in told


def test_a_clip_that_is_priced_twice_is_reported(wrong: Wrong) -> None:
    rate = "  - {service: apiyi, model: %s, per_second: 0.1, currency: USD}\n"
    text = "prices: 1\nrates:\n" + rate % "[a, b]" + rate % "c" + rate % "[c, b, a]"
    assert wrong(text) == ["5:5: this is priced already in line 4 (keep one of the two)"]
    pictures = text.replace("b, a], per_second", "b, a], per_picture")
    assert len(parse_prices(pictures, "prices.yaml").rates) == 3, "a picture and a clip are not the same"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1:1: the file is empty (a file of prices begins with `prices: 1`"),
        ("rates: []\n", "1:1: `prices` is missing (a file of prices begins with `prices: 1`"),
        ("- a\n", "1:1: this is not a file of prices (a file of prices begins with `prices: 1`"),
        ("prices: 1\nrates: 5\n", "2:8: `rates` must be a list (write `[{service: …, currency: …}]`, or"),
        ("prices: 1\nregions: [a]\n", "2:10: `regions` must have names, each with a value of its own"),
        ("prices: 1\nprices: 1\n", "2:1: `prices` is written twice, first in line 1"),
        ("prices: 1\nrates: [\n", "3:1: a bracket is opened and nothing usable follows"),
        (
            "prices: 1\nregions: {dashscope: {Beijing: a.example}}\n",
            "2:32: `Beijing` must be a list (write `[a.example]`, or one `-` a line)",
        ),
    ],
)
def test_what_is_not_a_file_of_prices_is_refused_with_how_one_begins(wrong: Wrong, text: str, told: str) -> None:
    assert wrong(text)[0].startswith(told)


def _read(path: object) -> str:
    with pytest.raises(StoryboardError) as caught:
        PriceList.read({"STORYREEL_PRICES": str(path)})
    return str(caught.value)


def test_a_file_that_cannot_be_read_is_reported_before_anything_else(tmp_path: Path) -> None:
    pipe, large, binary = tmp_path / "pipe", tmp_path / "large.yaml", tmp_path / "binary.yaml"
    os.mkfifo(pipe)
    large.write_text("#" * (LARGEST + 1))
    binary.write_bytes(b"\xff\xfe\x00")
    for path, what in (
        (tmp_path / "gone.yaml", "there is no such file"),
        (tmp_path, "this is a folder"),
        (pipe, "this is not a regular file"),
        (large, "the file has 1,000,001 bytes, at most 1,000,000 are read"),
        (tmp_path / ("x" * 300), "the file cannot be read: file name too long"),
    ):
        assert _read(path).startswith(f"{path}:1:1: {what} (STORYREEL_PRICES names it")
    assert _read(binary).startswith(f"{binary}:1:1: from here on the file is not UTF-8 text (save it as UTF-8)")


def test_the_errors_of_a_file_can_be_sent_between_processes(tmp_path: Path) -> None:
    with pytest.raises(PricesError) as caught:
        PriceList.read({"STORYREEL_PRICES": str(tmp_path / "gone.yaml")})
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, PricesError) and again.problems == caught.value.problems


def test_an_empty_variable_names_no_file() -> None:
    assert PriceList.read({"STORYREEL_PRICES": " "}) == PriceList.read({})


def test_the_file_of_this_package_can_be_copied_as_the_users_own(tmp_path: Path) -> None:
    text = (resources.files("storyreel.tasks.prices") / "prices.yaml").read_text("utf-8")
    own = tmp_path / "prices.yaml"
    own.write_text(text, encoding="utf-8")
    prices = PriceList.read({"STORYREEL_PRICES": str(own)})
    assert prices.own == prices.shipped


def test_the_example_of_the_page_is_a_file_of_prices() -> None:
    readme = (Path(__file__).parents[3] / "docs" / "services.md").read_text("utf-8")
    example = next(block for block in readme.split("```yaml\n")[1:] if block.startswith("prices: 1"))
    assert parse_prices(example.partition("```")[0], "README.md", PriceList.read({}).shipped.regions).rates


SHIPPED = (resources.files("storyreel.tasks.prices") / "prices.yaml").read_text("utf-8")
MARKS = st.sampled_from(["", " ", "\n", "-", ":", "{", "[", "]", '"', "#", "*a", "&a ", "0", "-1", "null", "true", "é"])


@given(st.integers(0, len(SHIPPED)), st.integers(0, 30), MARKS)
def test_a_damaged_file_is_read_or_reported_with_a_position(start: int, length: int, mark: str) -> None:
    damaged = SHIPPED[:start] + mark + SHIPPED[start + length :]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(damaged)
        file.flush()
        try:
            PriceList.read({"STORYREEL_PRICES": file.name})
        except PricesError as error:
            assert all(problem.position.line >= 1 and problem.message for problem in error.problems)
