"""What a take will cost: the services' rates as shipped, and over them those of the user's own file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from importlib import resources
from itertools import chain
from urllib.parse import urlsplit

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import DECIMALS, Money
from storyreel.tasks.prices.price_file import parse_prices, read_file
from storyreel.tasks.prices.rates import Rate, Region, Tariff
from storyreel.tasks.providers import load
from storyreel.tasks.providers.hosted import HostedProvider
from storyreel.tasks.providers.request import Request
from storyreel.tasks.settings import PRICES, ServiceSettings, Settings, SettingsError


class Quote(Frozen):
    """What a take will cost."""

    money: Money | None
    """None when nobody knows; never 0 for that."""
    note: str = ""
    """What the amount holds beside the clip, or is not sure of; why there is none. May be empty."""


class Site(Frozen):
    """Where a service that has regions is reached."""

    host: str
    region: str = ""
    """Empty where no region is known to have the host."""


class PriceList(Frozen):
    """The prices that are known here and now."""

    own: Tariff
    shipped: Tariff
    sites: Mapping[str, Site]
    """By the services that have regions."""

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> PriceList:
        """The shipped prices, and those of the file that STORYREEL_PRICES names.

        Raises PricesError, a StoryboardError, with every problem of that file.
        """
        shipped = parse_prices(
            (resources.files("storyreel.tasks.prices") / "prices.yaml").read_text("utf-8"), "tasks/prices/prices.yaml"
        )
        named = Settings.read(environment).prices
        own = read_file(named.expanduser(), shipped) if named else Tariff()
        regions = (*own.regions, *shipped.regions)
        sites = {service: _site(service, regions, environment) for service in {region.service for region in regions}}
        return cls(own=own, shipped=shipped, sites=sites)

    def price(self, request: Request) -> Quote:
        """What a take will cost.

        Reference video of unknown length is reckoned with the most that may be billed, and a begun second as a whole
        one, so that a budget holds.
        """
        rate = self.of(request)
        if rate is None:
            return Quote(money=None, note=self._unknown(request))
        if rate.seconds is not None or not rate.price.amount:
            return Quote(money=rate.price, note=rate.doubt)
        input_seconds, input_note = _input(rate, request)
        note = "; ".join(filter(None, (input_note, rate.doubt)))
        return Quote(money=_times(rate.price, request.seconds + input_seconds), note=note)

    def billed(self, request: Request, seconds: Fraction) -> Money | None:
        """What the seconds cost that the service says it billed for a take, input video included."""
        rate = self.of(request)
        if rate is None:
            return None
        return rate.price if rate.seconds is not None else _times(rate.price, seconds)

    def of(self, request: Request) -> Rate | None:
        """The rate of a take."""
        fitting = self._in_force(request.provider, request.model)
        return next((rate for rate in fitting if rate.covers(request.resolution, request.seconds)), None)

    def rates(self, service: str, model: str) -> tuple[Rate, ...]:
        """All rates of a model's clips, where the service is reached: one a size and length that has its own."""
        found: list[Rate] = []
        for rate in self._in_force(service, model):
            if not any(nearer.covers(rate.resolution, rate.seconds) for nearer in found):
                found.append(rate)
        return tuple(found)

    def _in_force(self, service: str, model: str) -> Iterator[Rate]:
        """The rates of a model, the one that counts first; the user's own have the shipped ones' terms, if none."""
        region = site.region if (site := self.sites.get(service)) else ""
        own, shipped = (_nearest(tariff, service, model, region) for tariff in (self.own, self.shipped))
        # What is billed beside the clip is a service's habit, alike in all its regions.
        terms = next((r for r in self.shipped.rates if r.service == service and model in (r.models or (model,))), None)
        return chain((rate.completed(terms) if terms else rate for rate in own), shipped)

    def _unknown(self, request: Request) -> str:
        """Why there is no price, and what to do."""
        what = f"{request.provider} {request.model}, {request.resolution}, {float(request.seconds):.4g} s"
        do = f"give it in a file that {PRICES} names"
        site = self.sites.get(request.provider)
        if site is None:
            return f"no price is known of {what}; {do}"
        if site.region:
            return f"no price is known of {what}, in {site.region}; {do}"
        where = site.host or "that address"
        return f"no price is known of {what}, as {where} is in no region known; {do}, or name its region there"


def _nearest(tariff: Tariff, service: str, model: str, region: str) -> list[Rate]:
    """The rates that may be a model's, those first that say more of it."""
    fitting = (rate for rate in tariff.rates if rate.is_for(service, model, region))
    return sorted(fitting, key=lambda rate: rate.nearness, reverse=True)


def _input(rate: Rate, request: Request) -> tuple[int, str]:
    """Seconds of reference video that are billed beside the clip, and what is to be said of them."""
    videos = [reference for reference in request.references if reference.kind == "video"]
    if not videos or rate.input_video not in ("billed", "assumed"):
        return 0, ""
    known = sum(math.ceil(video.seconds) for video in videos if video.seconds is not None)
    all_known = all(video.seconds is not None for video in videos)
    seconds = min(known, rate.input_seconds) if all_known else rate.input_seconds
    note = f"{seconds} s of reference video included"
    if rate.input_video == "assumed":
        note += ", though nobody says whether they are billed"
    elif known < seconds:
        note += ", the most that is billed, as not every length is known"
    return seconds, note


def _times(price: Money, seconds: Fraction) -> Money:
    """The price of so many seconds: exact, or, where that has more decimals than are kept, rounded up."""
    units = 10**DECIMALS
    whole, part = divmod(math.ceil(Fraction(price.amount) * seconds * units), units)
    return Money(amount=Decimal(f"{whole}.{part:0{DECIMALS}}".rstrip("0").rstrip(".")), currency=price.currency)


def _site(service: str, regions: tuple[Region, ...], environment: Mapping[str, str]) -> Site:
    """Where a service is reached, as the environment says or by default."""
    adapter = load(service)
    if not issubclass(adapter, HostedProvider):
        return Site(host="")
    try:
        base_url = ServiceSettings.read(service, environment).base_url or adapter.default_base_url
        host = urlsplit(base_url).hostname or ""
    except SettingsError:  # raised again by whatever uses the service
        host = ""
    region = next((region.name for region in regions if region.service == service and region.has(host)), "")
    return Site(host=host, region=region)
