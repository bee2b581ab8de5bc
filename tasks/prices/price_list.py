"""The price of a take: by the rates of the user's own price file, else by those of this package."""

from __future__ import annotations

import math
import os
from collections.abc import Hashable, Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import DECIMALS, Money
from storyreel.specs.storyboard import Mode
from storyreel.tasks.prices.price_file import parse_prices, read_file
from storyreel.tasks.prices.rates import Product, Rate, Region, Tariff
from storyreel.tasks.providers import load
from storyreel.tasks.providers.hosted import HostedProvider
from storyreel.tasks.providers.models import find_capability
from storyreel.tasks.providers.request import Request
from storyreel.tasks.settings import PRICES, ServiceSettings, Settings, SettingsError


class Quote(NamedTuple):
    """The expected price of a take."""

    money: Money | None
    """None if unknown; 0 only if it is free."""
    note: str = ""
    """Doubts about the amount, other things that it includes, or why it is unknown. May be empty."""


class Site(NamedTuple):
    """The host of a service that has regions."""

    host: str
    region: str = ""
    """Empty if the host is in no known region."""


class PriceList(Frozen):
    """All known prices, for the hosts that are configured."""

    own: Tariff
    shipped: Tariff
    sites: Mapping[str, Site]
    """By service, those that have regions."""

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ, *, may_be_missing: bool = False) -> PriceList:
        """The prices of this package and of the user's own file. Raises PricesError with all its mistakes.

        A file that STORYREEL_PRICES names must exist, unless it `may_be_missing`.
        """
        shipped = parse_prices(
            (resources.files("storyreel.tasks.prices") / "prices.yaml").read_text("utf-8"), "tasks/prices/prices.yaml"
        )
        settings = Settings.read(environment)
        file, is_named = settings.price_file, settings.prices is not None
        is_read = (is_named and not may_be_missing) or _may_exist(file)
        own = read_file(file, shipped, is_named=is_named) if is_read else Tariff()
        regions = own.regions, shipped.regions
        services = {region.service for some in regions for region in some}
        sites = {service: _site(service, regions, environment) for service in services}
        return cls(own=own, shipped=shipped, sites=sites)

    def price(self, request: Request) -> Quote:
        """The most that a take will cost, so that a budget holds: reference videos of unknown length count with the
        longest that is billed, and their seconds are rounded up."""
        # All that the price and its note depend on: most takes of a film have one price.
        videos = tuple([reference.seconds for reference in request.references if reference.kind == "video"])
        parts = bool(request.first_clip), request.edited and request.edited.seconds
        spoken = self._characters(request)
        length = request.seconds.as_integer_ratio()  # looked up faster than a fraction
        which = (request.provider, request.model, request.mode.product, request.resolution, length, videos,
                 parts, spoken)  # fmt: skip
        if (quote := self._quotes.get(which)) is None:
            quote = self._quotes[which] = self._quote(request)
        return quote

    # Not private attributes of pydantic: each look at one takes as long as the rest of a price.
    @cached_property
    def _quotes(self) -> dict[Hashable, Quote]:
        """The prices that were asked for."""
        return {}

    @cached_property
    def _found(self) -> dict[tuple[str, str], tuple[Rate, ...]]:
        """The rates of a service's model, once they were looked for."""
        return {}

    def _quote(self, request: Request) -> Quote:
        rate = self.rate_of(request)
        if rate is None:
            return Quote(money=None, note=self._unknown(request))
        if rate.seconds is not None or not rate.price.amount:
            return Quote(money=rate.price, note=rate.doubt)
        if rate.characters is not None:
            return Quote(
                money=_price_of(rate.price, Fraction(self._characters(request), rate.characters)), note=rate.doubt
            )
        input_seconds, input_note = _input(rate, request)
        clip = request.first_clip
        before = f"{clip.seconds} s of the clip that it goes on from included" if clip else ""
        note = "; ".join(filter(None, (input_note, before, rate.doubt)))
        return Quote(money=_price_of(rate.price, request.seconds + input_seconds), note=note)

    def billed(self, request: Request, units: Fraction) -> Money | None:
        """The cost of what the service has billed for a take: seconds, reference video included, pictures, or
        characters. None if unknown."""
        rate = self.rate_of(request)
        if rate is None:
            return None
        if rate.product == "clip" and rate.seconds is not None:
            return rate.price
        return _price_of(rate.price, units / (rate.characters or 1))

    def may_bill_failure(self, request: Request) -> bool:
        """Whether a task that fails may cost its price: its rate is known, and failures are not said to be free."""
        return self.rate_of(request) is not None and not self.refunds_failure(request)

    def refunds_failure(self, request: Request) -> bool:
        """Whether a task that fails costs nothing, even if the service has named a cost when it was ordered.

        Services say it of all their models alike, of those without a published price too.
        """
        rate = self.rate_of(request)
        if rate is None or rate.failed is None:
            rate = next((one for one in self.shipped.rates if one.service == request.provider and one.failed), None)
        return rate is not None and rate.failed == "free"

    def rate_of(self, request: Request) -> Rate | None:
        """The rate of a take; None if unknown."""
        fitting = self._in_force(request.provider, request.model)
        product = request.mode.product
        return next((rate for rate in fitting if rate.covers(product, request.resolution, request.seconds)), None)

    def own_rates(self, service: str, model: str) -> list[Rate]:
        """The rates of a model in the user's own file, as they are written there, by precedence."""
        return _matching(self.own, service, model, self._region(service))

    def terms_of(self, service: str, model: str) -> Rate | None:
        """A rate of this package with a model's terms beside its price, the same in all regions; None if unknown."""
        return next((r for r in self.shipped.rates if r.service == service and model in (r.models or (model,))), None)

    def rates(self, service: str, model: str, product: Product = "clip") -> tuple[Rate, ...]:
        """All rates of a model's clips, pictures or speech, in the configured region: the one in force for each
        resolution and length."""
        found: list[Rate] = []
        for rate in self._in_force(service, model):
            if rate.product != product:
                continue
            if not any(nearer.covers(product, rate.resolution, rate.seconds) for nearer in found):
                found.append(rate)
        return tuple(found)

    def _characters(self, request: Request) -> int:
        """The characters of a line, as its model counts them, 0 if it is none. As the longest that there can be, if the
        model is not known any more."""
        if request.mode is not Mode.SPEECH:
            return 0
        try:
            capability = find_capability(load(request.provider), request.model, request.mode)
        except LookupError:
            return 2 * len(request.prompt)
        return capability.characters(request.prompt)

    def _in_force(self, service: str, model: str) -> tuple[Rate, ...]:
        """The rates of a model, by precedence. The user's rates take terms that they leave open from this package."""
        if (name := (service, model)) not in self._found:
            self._found[name] = tuple(self._search(service, model))
        return self._found[name]

    def _search(self, service: str, model: str) -> Iterator[Rate]:
        region = self._region(service)
        own, shipped = (_matching(tariff, service, model, region) for tariff in (self.own, self.shipped))
        terms = self.terms_of(service, model)
        return chain((rate.with_terms_of(terms) if terms else rate for rate in own), shipped)

    def _region(self, service: str) -> str:
        return site.region if (site := self.sites.get(service)) else ""

    def _unknown(self, request: Request) -> str:
        what = f"{request.provider} {request.model}, {request.resolution}, {float(request.seconds):.4g} s"
        if request.mode is Mode.STILL:
            what = f"a picture of {request.provider} {request.model}"
        elif request.mode is Mode.SPEECH:
            what = f"speech of {request.provider} {request.model}"
        do = f"give it in your price file ({PRICES})"
        if load(request.provider).publishes_prices:
            do = f"ask for it by storyreel prices --refresh, or {do}"
        site = self.sites.get(request.provider)
        if site is None:
            return f"the price of {what} is unknown; {do}"
        if site.region:
            return f"the price of {what} in {site.region} is unknown; {do}"
        where = site.host or "that address"
        return f"the price of {what} is unknown, as {where} is in no known region; {do}, or name its region there"


def _may_exist(file: Path) -> bool:
    """Whether there is a file, or it cannot be told why not: reading it tells."""
    try:
        return file.exists()
    except OSError:
        return True


def _matching(tariff: Tariff, service: str, model: str, region: str) -> list[Rate]:
    """The rates of a model, the most specific first."""
    fitting = (rate for rate in tariff.rates if rate.is_for(service, model, region))
    return sorted(fitting, key=lambda rate: rate.specificity, reverse=True)


def _input(rate: Rate, request: Request) -> tuple[int, str]:
    """Seconds of reference video that are billed beside the clip, and a note on them."""
    videos = [reference for reference in request.references if reference.kind == "video"]
    videos += [request.edited] if request.edited else []
    if not videos or rate.input_video not in ("billed", "assumed"):
        return 0, ""
    known = sum(math.ceil(video.seconds) for video in videos if video.seconds is not None)
    all_known = all(video.seconds is not None for video in videos)
    seconds = min(known, rate.input_seconds) if all_known else rate.input_seconds
    note = f"{seconds} s of {'the edited clip' if request.edited else 'reference video'} included"
    if rate.input_video == "assumed":
        note += ", though it is not published whether they are billed"
    elif known < seconds:
        note += ", the most that is billed, as not every length is known"
    return seconds, note


def _price_of(price: Money, times: Fraction) -> Money:
    """The price so many times, rounded up to the decimals that an amount may have."""
    units = 10**DECIMALS
    whole, part = divmod(math.ceil(Fraction(price.amount) * times * units), units)
    return Money(amount=Decimal(f"{whole}.{part:0{DECIMALS}}".rstrip("0").rstrip(".")), currency=price.currency)


def _site(service: str, regions: Iterable[tuple[Region, ...]], environment: Mapping[str, str]) -> Site:
    """The host of a service; its region is the nearest of the first of `regions` that know the host."""
    adapter = load(service)
    if not issubclass(adapter, HostedProvider):
        return Site(host="")
    try:
        base_url = ServiceSettings.read(service, environment).base_url or adapter.default_base_url
        host = (urlsplit(base_url).hostname or "").rstrip(".")
    except SettingsError:  # raised again by whatever uses the service
        host = ""
    for some in regions:
        near = [region for region in some if region.service == service and region.nearness(host)]
        if near:
            return Site(host=host, region=max(near, key=lambda region: region.nearness(host)).name)
    return Site(host=host)
