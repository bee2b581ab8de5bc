"""The price of a take comes from a dated rate, or is unknown; an unknown price is never 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.money import Money
from storyreel.specs.storyboard import Mode
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.providers import load, names
from storyreel.tasks.providers.models import models_of
from storyreel.tasks.providers.request import Request
from tests.tasks.providers.hosted_services import SERVICES, image, opened, request, video

Prices = Callable[..., PriceList]

SHIPPED = PriceList.read({})
CNY, USD = "CNY", "USD"


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    """The shipped prices, and over them the rates of a user's own file."""

    def prices(text: str, **environment: str) -> PriceList:
        path = tmp_path / "prices.yaml"
        path.write_text(f"prices: 1\n{text}", encoding="utf-8")
        return PriceList.read({"STORYREEL_PRICES": str(path), **environment})

    return prices


def money(amount: str, currency: str) -> Money:
    return Money(amount=Decimal(amount), currency=currency)


def asked(
    service: str, mode: Mode = Mode.TEXT, seconds: int | Fraction = 5, size: str = "720p", **more: Any
) -> Request:
    return request(SERVICES[service], mode, seconds=Fraction(seconds), resolution=size, **more)


def with_video(service: str, *lengths: Fraction | float | None, seconds: int = 5, size: str = "720p") -> Request:
    exact = [None if length is None else Fraction(length) for length in lengths]
    videos = tuple(video(f"https://films.example/{number}.mp4", seconds=each) for number, each in enumerate(exact))
    return asked(service, Mode.REFERENCE, seconds, size, references=(image(), *videos))


@pytest.mark.parametrize(
    ("wanted", "price"),
    [
        (asked("apiyi"), money("0.42", USD)),
        (asked("apiyi", Mode.IMAGE, 10, "1080p"), money("1.4", USD)),
        (asked("dashscope", seconds=2), money("1.2", CNY)),
        (asked("dashscope", Mode.REFERENCE, 15, "1080p"), money("15", CNY)),
        (asked("aimlapi", Mode.REFERENCE, 10, "1080p"), money("1.3", USD)),
    ],
)
def test_a_take_costs_its_sold_seconds(wanted: Request, price: Money) -> None:
    assert SHIPPED.price(wanted).money == price


def test_the_one_order_whose_cost_is_published_is_priced_as_it_was_billed() -> None:
    quote = SHIPPED.price(with_video("aimlapi", None, None, seconds=10, size="1080p"))
    assert quote.money == money("1.95", USD)
    assert "reckoned from the one order" in quote.note


@pytest.mark.parametrize("wanted", [asked("freepik"), asked("aimlapi"), asked("aimlapi", Mode.IMAGE, size="1080p")])
def test_an_unknown_price_is_none_and_says_how_to_give_one(wanted: Request) -> None:
    quote = SHIPPED.price(wanted)
    assert quote.money is None and SHIPPED.rate_of(wanted) is None and SHIPPED.billed(wanted, Fraction(5)) is None
    assert f"the price of {wanted.provider} {wanted.model}, {wanted.resolution}, 5 s" in quote.note
    assert "STORYREEL_PRICES" in quote.note


def test_the_animatic_is_free_whatever_it_draws() -> None:
    drawn = asked("apiyi", Mode.REFERENCE, Fraction(1001, 24), references=(video(),))
    drawn = drawn.model_copy(update={"provider": "animatic", "model": "animatic"})
    quote = SHIPPED.price(drawn)
    assert quote.money == money("0", USD) and not quote.note


@pytest.mark.parametrize(
    ("base", "price"),
    [
        ("", money("3", CNY)),
        ("https://dashscope.aliyuncs.com", money("3", CNY)),
        ("https://ws-1.cn-beijing.maas.aliyuncs.com/", money("3", CNY)),
        ("https://DashScope-Intl.aliyuncs.com", money("3.66962", CNY)),
        ("https://ws-1.ap-southeast-1.maas.aliyuncs.com", money("3.66962", CNY)),
        ("https://trial.ap-southeast-1.maas.aliyuncs.com.", money("3.66962", CNY)),
        ("https://dashscope-us.aliyuncs.com", None),
        ("https://ws-1.us-east-1.maas.aliyuncs.com", None),
        # A subdomain of Beijing's host, and Hong Kong's.
        ("https://cn-hongkong.dashscope.aliyuncs.com", None),
        ("https://ws-1.cn-shanghai.maas.aliyuncs.com", None),
        ("https://fake-dashscope.aliyuncs.com", None),
        ("https://dashscope.aliyuncs.com.example", None),
        ("http://127.0.0.1:8080", None),
        ("http://[", None),
    ],
)
def test_the_host_decides_the_region_and_so_the_price(base: str, price: Money | None) -> None:
    assert PriceList.read({"DASHSCOPE_BASE_URL": base}).price(asked("dashscope")).money == price


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("dashscope-us.aliyuncs.com", "Virginia"),
        ("ws-1.us-east-1.maas.aliyuncs.com", "Virginia"),
        ("cn-hongkong.dashscope.aliyuncs.com", "Hong Kong"),
        ("ws-1.cn-hongkong.maas.aliyuncs.com", "Hong Kong"),
        ("ws-1.eu-central-1.maas.aliyuncs.com", "Frankfurt"),
        ("trial.ap-northeast-1.maas.aliyuncs.com", "Tokyo"),
    ],
)
def test_where_a_region_has_no_price_the_note_names_it(host: str, region: str) -> None:
    there = PriceList.read({"DASHSCOPE_BASE_URL": f"https://{host}"})
    assert f"in {region} is unknown" in there.price(asked("dashscope")).note


def test_an_unknown_host_has_no_price_and_the_note_names_it() -> None:
    nowhere = PriceList.read({"DASHSCOPE_BASE_URL": "https://proxy.example"})
    assert "proxy.example is in no known region" in nowhere.price(asked("dashscope")).note


@pytest.mark.parametrize(
    ("lengths", "seconds"),
    [((2,), 2), ((2.2,), 3), ((2.5, 1.5), 5), ((4, 4), 5), ((None,), 5), ((1, None), 5), ((30,), 5)],
)
def test_reference_video_is_billed_up_to_a_limit_and_reckoned_with_it_where_unknown(
    lengths: tuple[float | None, ...], seconds: int
) -> None:
    quote = SHIPPED.price(with_video("dashscope", *lengths, seconds=10))
    assert quote.money == Money(amount=Decimal("0.6") * (10 + seconds), currency=CNY)
    assert f"{seconds} s of reference video included" in quote.note
    assert ("not every length is known" in quote.note) == (None in lengths)


def test_video_that_nobody_says_is_billed_is_reckoned_in_and_said_so() -> None:
    quote = SHIPPED.price(with_video("apiyi", 3))
    assert quote.money == money("0.672", USD) and "not published whether" in quote.note
    assert not SHIPPED.price(asked("apiyi", Mode.REFERENCE)).note


LENGTHS = st.fractions(Fraction(1, 30), 30)


@given(st.lists(LENGTHS, max_size=5), st.integers(2, 15), st.sampled_from(["720p", "1080p"]))
def test_a_price_is_exact_holds_what_is_billed_and_never_passes_the_unknown_one(
    lengths: list[Fraction], seconds: int, size: str
) -> None:
    known = with_video("dashscope", *lengths, seconds=seconds, size=size)
    unknown = with_video("dashscope", *([None] * len(lengths)), seconds=seconds, size=size)
    price, most, rate = SHIPPED.price(known).money, SHIPPED.price(unknown).money, SHIPPED.rate_of(known)
    assert price and most and rate
    billed = seconds + min(sum(lengths), 5)
    assert Fraction(rate.price.amount) * billed <= price.amount <= most.amount
    told = SHIPPED.billed(known, Fraction(math.ceil(billed)))
    assert told and told.amount <= price.amount


@given(st.fractions(0, 1000))
def test_seconds_that_a_service_says_it_billed_cost_their_rate_to_the_last_decimal_kept(seconds: Fraction) -> None:
    billed = SHIPPED.billed(asked("apiyi"), seconds)
    assert billed and billed.currency == USD
    exact = Fraction("0.084") * seconds
    assert exact <= Fraction(billed.amount) < exact + Fraction(1, 10**6)


async def test_what_is_priced_is_what_the_services_bill() -> None:
    async with opened(SERVICES["aimlapi"]) as (provider, _):
        wanted = with_video("aimlapi", None, seconds=10, size="1080p")
        assert (await provider.submit(wanted)).cost == SHIPPED.price(wanted).money
    clips = with_video("dashscope", None, seconds=4), asked("dashscope", seconds=7, size="1080p")
    for wanted in (*clips, picture(), picture(model="wan2.7-image-pro")):
        async with opened(SERVICES["dashscope"]) as (provider, _):
            status = await provider.poll((await provider.submit(wanted)).task)
        assert status.billed is not None
        assert SHIPPED.billed(wanted, status.billed) == SHIPPED.price(wanted).money


def test_a_users_rate_takes_precedence_and_all_others_stay(prices: Prices) -> None:
    ours = prices(
        "rates: [{service: dashscope, resolution: 720p, per_second: 0.45, currency: CNY, as_of: 2026-12-01,"
        " source: our contract}]"
    )
    assert ours.price(asked("dashscope")).money == money("2.25", CNY)
    for other in (asked("dashscope", size="1080p"), asked("apiyi"), asked("freepik")):
        assert ours.price(other) == SHIPPED.price(other)
    assert str(ours.rate_of(asked("dashscope"))) == "0.45 CNY a second at 720p (our contract, 2026-12-01)"


def test_a_users_rate_keeps_the_terms_that_it_leaves_open(prices: Prices) -> None:
    wanted = with_video("dashscope", None)
    cheaper = prices("rates: [{service: dashscope, per_second: 0.5, currency: CNY}]")
    assert cheaper.price(wanted).money == money("5", CNY)
    assert (rate := cheaper.rate_of(wanted)) and rate.failed == "free"
    without = prices("rates: [{service: dashscope, per_second: 0.5, currency: CNY, input_video: free}]")
    assert without.price(wanted).money == money("2.5", CNY)
    virginia = prices(
        "rates: [{service: dashscope, region: Virginia, per_second: 0.1, currency: USD}]",
        DASHSCOPE_BASE_URL="https://dashscope-us.aliyuncs.com",
    )
    assert virginia.price(wanted).money == money("1", USD)


def test_the_rate_that_says_more_of_a_clip_counts(prices: Prices) -> None:
    ours = prices(
        """\
rates:
  - {service: apiyi, per_second: 1, currency: USD}
  - {service: apiyi, resolution: 720p, per_second: 2, currency: USD}
  - {service: apiyi, model: [wan2.7-i2v, wan2.7-t2v], per_second: 3, currency: USD}
  - {service: apiyi, model: wan2.7-i2v, resolution: 720p, per_second: 4, currency: USD}
  - {service: apiyi, model: wan2.7-i2v, resolution: 720p, seconds: 10, price: 5, currency: USD}
"""
    )
    found = [
        ours.price(wanted).money
        for wanted in (
            asked("apiyi", Mode.REFERENCE, 10, "1080p"),
            asked("apiyi", Mode.REFERENCE, 10),
            asked("apiyi", Mode.TEXT, 10),
            asked("apiyi", Mode.IMAGE, 2),
            asked("apiyi", Mode.IMAGE, 10),
        )
    ]
    assert found == [money(amount, USD) for amount in ("10", "20", "30", "8", "5")]


def test_a_clip_of_a_length_may_have_one_price(prices: Prices) -> None:
    ours = prices(
        """\
rates:
  - {service: freepik, model: wan-2-7, resolution: 720p, seconds: 5, price: 0.90, currency: USD}
  - {service: dashscope, seconds: 5, price: 2, currency: USD}
"""
    )
    assert ours.price(asked("freepik")).money == money("0.9", USD)
    assert ours.billed(asked("freepik"), Fraction(7)) == money("0.9", USD)
    assert ours.price(asked("freepik", seconds=6)).money is None
    assert ours.price(with_video("dashscope", None)).money == money("2", USD)
    assert ours.price(with_video("dashscope", None, seconds=6)) == SHIPPED.price(
        with_video("dashscope", None, seconds=6)
    )


def picture(service: str = "dashscope", model: str | None = None) -> Request:
    """A request for a picture, by the model that is usual or another."""
    return asked(service, Mode.STILL, 0, "1080p", of=model)


def test_a_picture_has_a_price_of_its_own_in_each_region() -> None:
    singapore = PriceList.read({"DASHSCOPE_BASE_URL": "https://ws-1.ap-southeast-1.maas.aliyuncs.com"})
    assert SHIPPED.price(picture()).money == money("0.2", CNY)
    assert SHIPPED.price(picture(model="wan2.7-image-pro")).money == money("0.5", CNY)
    assert singapore.price(picture()).money == money("0.220177", CNY)
    assert SHIPPED.billed(picture(), Fraction(2)) == money("0.4", CNY), "each picture is billed"
    assert SHIPPED.refunds_failure(picture())
    drawn = picture().model_copy(update={"provider": "animatic", "model": "animatic"})
    assert SHIPPED.price(drawn).money == money("0", USD)
    unknown = SHIPPED.price(picture("freepik"))
    assert unknown.money is None
    assert unknown.note.startswith("the price of a picture of freepik seedream-v4-5 is unknown; give it in your")


def test_the_price_of_a_second_is_no_price_of_a_picture_nor_the_other_way_round(prices: Prices) -> None:
    """Of a picture's 0 seconds it would come to nothing, and no budget would hold."""
    by_second = prices("rates: [{service: freepik, per_second: 0.1, currency: USD}]")
    assert by_second.price(picture("freepik")).money is None and not by_second.may_bill_failure(picture("freepik"))
    assert not by_second.rates("freepik", "seedream-v4-5", "picture")
    text = "rates: [{service: freepik, per_picture: 0.04, currency: EUR, source: our contract}]"
    by_picture = prices(text)
    assert by_picture.price(picture("freepik")).money == money("0.04", "EUR")
    assert by_picture.price(asked("freepik")).money is None
    assert by_picture.rates("freepik", "wan-2-7") == ()
    (rate,) = by_picture.rates("freepik", "seedream-v4-5", "picture")
    assert str(rate) == "0.04 EUR a picture (our contract)"


def speech(line: str, model: str | None = None) -> Request:
    """A request for a spoken line."""
    return asked("dashscope", Mode.SPEECH, 0, of=model).model_copy(update={"prompt": line, "resolution": ""})


@pytest.mark.parametrize(
    ("line", "beijing", "singapore"),
    [
        ("a" * 10, "0.0008", "0.000734"),  # rounded up, so that a budget holds
        ("海上の灯り", "0.00064", "0.000588"),  # three of the five are Chinese
        ("한글", "0.00016", "0.000147"),
    ],
)
def test_speech_costs_its_characters_as_the_service_counts_them(line: str, beijing: str, singapore: str) -> None:
    there = PriceList.read({"DASHSCOPE_BASE_URL": "https://dashscope-intl.aliyuncs.com"})
    assert SHIPPED.price(speech(line)).money == money(beijing, CNY)
    assert there.price(speech(line)).money == money(singapore, CNY)
    assert SHIPPED.billed(speech(line), Fraction(10_000)) == money("0.8", CNY)


def test_the_price_of_speech_is_one_of_nothing_else(prices: Prices) -> None:
    unknown = SHIPPED.price(speech("Rain.", "qwen3-tts-instruct-flash"))
    assert unknown.money is None and unknown.note.startswith(
        "the price of speech of dashscope qwen3-tts-instruct-flash"
    )
    by_second = prices("rates: [{service: freepik, per_second: 0.1, currency: USD}]")
    assert by_second.price(speech("Rain.").model_copy(update={"provider": "freepik"})).money is None
    ours = prices("rates: [{service: dashscope, per_10k_characters: 1.5, currency: CNY}]")
    assert ours.price(speech("Rain.", "qwen3-tts-instruct-flash")).money == money("0.00075", CNY)
    assert ours.price(asked("dashscope")) == SHIPPED.price(asked("dashscope"))
    (rate,) = ours.rates("dashscope", "qwen3-tts-instruct-flash", "speech")
    assert str(rate) == "1.50 CNY for 10,000 characters"


def test_a_host_of_ones_own_can_be_said_to_be_in_a_region(prices: Prices) -> None:
    ours = prices("regions: {dashscope: {Singapore: [proxy.example]}}", DASHSCOPE_BASE_URL="https://a.proxy.example/x")
    assert ours.price(asked("dashscope")).money == money("3.66962", CNY)


@pytest.mark.parametrize(
    ("service", "model", "said"),
    [
        ("dashscope", "wan2.7-i2v", ["0.60 CNY a second in Beijing at 720p", "1.00 CNY a second in Beijing at 1080p"]),
        ("apiyi", "wan2.7-r2v", ["0.084 USD a second at 720p", "0.14 USD a second at 1080p"]),
        ("aimlapi", "alibaba/wan-2-7-r2v", ["0.13 USD a second at 1080p"]),
        ("animatic", "animatic", ["free"]),
        ("freepik", "wan-2-7", []),
        (
            "dashscope",
            "wan3.0-video",
            [
                f"{price} CNY a second in Beijing at {size}"
                for price, size in (("0.30", "480p"), ("0.60", "720p"), ("1.20", "1080p"))
            ],
        ),
        ("dashscope", "wan3.0-video-prime", []),
    ],
)
def test_the_rates_of_a_model_can_be_told_with_date_and_source(service: str, model: str, said: list[str]) -> None:
    told = [str(rate) for rate in SHIPPED.rates(service, model)]
    assert [each.partition(" (")[0] for each in told] == said
    assert all(each.endswith((", 2026-11-21)", ", 2026-11-28)")) for each in told)


def test_the_rates_that_are_told_are_those_that_count(prices: Prices) -> None:
    ours = prices(
        """\
rates:
  - {service: dashscope, resolution: 720p, per_second: 0.5, currency: CNY}
  - {service: dashscope, resolution: 720p, seconds: 5, price: 2, currency: CNY}
  - {service: apiyi, per_second: 0.1, currency: USD}
"""
    )
    assert [str(rate).partition(" (")[0] for rate in ours.rates("dashscope", "wan2.7-r2v")] == [
        "2.00 CNY a clip of 5 s at 720p",
        "0.50 CNY a second at 720p",
        "1.00 CNY a second in Beijing at 1080p",
    ]
    assert [str(rate) for rate in ours.rates("apiyi", "wan2.7-r2v")] == ["0.10 USD a second"]


def test_every_shipped_rate_is_of_a_model_that_its_service_has_and_says_who_says_so() -> None:
    for rate in SHIPPED.shipped.rates:
        assert rate.service in names() and rate.source and rate.as_of and rate.failed
        assert (rate.input_video is None) is (rate.product != "clip")
        able = [each for model in models_of(load(rate.service)).values() for each in model.modes.values()]
        assert set(rate.models) <= {capability.model for capability in able}
        assert rate.resolution in {"", *(size for capability in able for size in capability.resolutions)}
        assert rate.price.amount or rate.service == "animatic"
