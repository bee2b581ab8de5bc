"""The prices that are used, with the day and the source of each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from storyreel.flows.services.catalogue import BrokenService, loaded_service
from storyreel.flows.terminal import Column, Row, Terminal, print_rows
from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Mode
from storyreel.tasks import providers
from storyreel.tasks.prices.price_list import PriceList, Site
from storyreel.tasks.prices.rates import Product, Rate
from storyreel.tasks.providers.models import models_of
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.settings import Settings


class ModelPrice(Frozen):
    """A rate that is used, and the models of its service that it is for."""

    models: tuple[str, ...]
    resolution: str
    """The resolution that it is for; all if empty."""
    rate: Rate | None
    """None if the price is unknown."""
    is_own: bool = False
    """Whether it is in the user's own file."""

    def as_json(self) -> dict[str, Any]:
        """A part of the form that `prices --json` prints."""
        rate = self.rate.model_dump(mode="json", exclude={"service", "models", "resolution"}) if self.rate else None
        return {
            "models": list(self.models), "resolution": self.resolution or None, "own": self.is_own, "rate": rate
        }  # fmt: skip


class ServicePrices(Frozen):
    """The prices of a paid service."""

    service: str
    site: Site | None
    """The host that is used, of a service with regions."""
    publishes: bool
    """Whether it can be asked for its prices."""
    prices: tuple[ModelPrice, ...]


class PriceTable(Frozen):
    """The prices of all services as they are used now."""

    file: Path
    """The user's own price file."""
    has_file: bool
    services: tuple[ServicePrices, ...]

    def as_json(self) -> dict[str, Any]:
        """The form that `prices --json` prints."""
        return {
            "file": str(self.file),
            "file_exists": self.has_file,
            "services": [
                {
                    "service": each.service,
                    "host": each.site.host if each.site else None,
                    "region": (each.site.region or None) if each.site else None,
                    "publishes": each.publishes,
                    "prices": [price.as_json() for price in each.prices],
                }
                for each in self.services
            ],
        }


def price_table(service: str | None = None, environment: Mapping[str, str] = os.environ) -> PriceTable:
    """The prices of a service, of all if it is None. Raises PricesError and SettingsError."""
    prices, file = PriceList.read(environment), Settings.read(environment).price_file
    adapters = paid_services(service)
    services = tuple(
        ServicePrices(
            service=name,
            site=prices.sites.get(name),
            publishes=adapter.publishes_prices,
            prices=tuple(_prices_of(name, adapter, prices)),
        )
        for name, adapter in adapters.items()
    )
    return PriceTable(file=file, has_file=file.exists(), services=services)


def paid_services(service: str | None) -> dict[str, type[Provider]]:
    """The services that cost money and can be loaded, one or all, by name."""
    found = {name: loaded_service(name) for name in providers.names() if service in (None, name)}
    return {name: each for name, each in found.items() if not isinstance(each, BrokenService) and each.paid}


def sizes_by_model(adapter: type[Provider]) -> dict[str, tuple[str, ...]]:
    """The resolutions of the clips of each model of a service, by the service's id of it."""
    found: dict[str, tuple[str, ...]] = {}
    for model in models_of(adapter).values():
        for capability in model.modes.values():
            if capability.mode.product == "clip":
                sizes = (*found.get(capability.model, ()), *capability.resolutions)
                found[capability.model] = tuple(dict.fromkeys(sizes))
    return found


def _models_for(mode: Mode, adapter: type[Provider]) -> list[str]:
    """The service's ids of its models that have a mode, each once."""
    able = (model.modes[mode].model for model in models_of(adapter).values() if mode in model.modes)
    return list(dict.fromkeys(able))


def video_seconds(adapter: type[Provider]) -> dict[str, int]:
    """The most seconds of video that each model of a service takes in a request, by the service's id of it: those of
    reference videos, or of the clip that it edits.

    Models that take none are left out.
    """
    found: dict[str, int] = {}
    for model in models_of(adapter).values():
        for capability in model.modes.values():
            media = capability.media
            if capability.mode is Mode.REFERENCE and capability.videos != 0 and media:
                longest = media.all_videos_seconds or media.video_seconds[1] * (capability.videos or 1)
                found[capability.model] = max(longest, found.get(capability.model, 0))
            if capability.edits:
                found[capability.model] = max(capability.edits[1], found.get(capability.model, 0))
    return found


def _prices_of(service: str, adapter: type[Provider], prices: PriceList) -> Iterator[ModelPrice]:
    """The rates of its models, those of equal ones together, then the models and resolutions without a price."""
    models: dict[tuple[Rate, bool], list[str]] = {}
    unknown: dict[tuple[str, ...], list[str]] = {}
    made: list[tuple[Product, str, tuple[str, ...]]]
    made = [("clip", model, sizes) for model, sizes in sizes_by_model(adapter).items()]
    # A picture is made in one size, and speech has none.
    for mode in (Mode.STILL, Mode.SPEECH):
        made += [(mode.product, model, ("",)) for model in _models_for(mode, adapter)]
    for product, model, sizes in made:
        rates = prices.rates(service, model, product)
        own = [(rate.resolution, rate.seconds, rate.price) for rate in prices.own_rates(service, model)]
        for rate in rates:
            is_own = (rate.resolution, rate.seconds, rate.price) in own
            models.setdefault((rate.model_copy(update={"models": ()}), is_own), []).append(model)
        missing = tuple(size for size in sizes if not any(rate.resolution in ("", size) for rate in rates))
        if missing:
            unknown.setdefault(("",) if missing == sizes else missing, []).append(model)
    for (rate, is_own), named in models.items():
        yield ModelPrice(models=tuple(named), resolution=rate.resolution, rate=rate, is_own=is_own)
    for missing, named in unknown.items():
        yield from (ModelPrice(models=tuple(named), resolution=size, rate=None) for size in missing)


def print_prices(console: Terminal, table: PriceTable) -> None:
    """Print a row for each price with its day and source, and where the user's own are."""
    rows = [Row(_cells(service.service, price)) for service in table.services for price in service.prices]
    columns = (
        Column("service"), Column("model", is_text=True), Column("size"), Column("price", "right"), Column("as of"),
        Column("source", is_text=True),
    )  # fmt: skip
    print_rows(console, columns, rows)
    for service in table.services:
        if site := service.site:
            where = f"in {site.region}" if site.region else "in no known region, so that its prices are unknown"
            console.print(f"{service.service} is used at {site.host}, {where}.", soft_wrap=True)
        for price in service.prices:
            if price.rate and price.rate.doubt:
                size = f" at {price.rate.resolution}" if price.rate.resolution else ""
                what = f"{service.service} {', '.join(price.models)}{size}"
                console.print(f"{what}: {price.rate.doubt}.", soft_wrap=True)
    own = f"Your own prices are in {table.file}." if table.has_file else f"Your own prices would be in {table.file}."
    asked = [service.service for service in table.services if service.publishes]
    ask = f" storyreel prices --refresh asks {', '.join(asked)} for the present ones." if asked else ""
    console.print(own + ask, soft_wrap=True)


def _cells(service: str, price: ModelPrice) -> Sequence[str]:
    models, rate = ", ".join(price.models), price.rate
    if rate is None:
        return service, models, price.resolution or "all", "unknown", "", ""
    source = rate.source or ("your own file" if price.is_own else "")
    whose = " (yours)" if price.is_own and rate.source else ""
    return service, models, rate.resolution or "all", amount(rate), str(rate.as_of or ""), f"{source}{whose}"


def amount(rate: Rate) -> str:
    """`0.13 USD / s`, `0.90 USD / 5 s`, `0.03 USD / picture`, `0.80 CNY / 10,000 characters`."""
    units = {"second": "s", f"clip of {rate.seconds} s": f"{rate.seconds} s"}
    return f"{rate.price.exactly} / {units.get(rate.unit, rate.unit)}"
