"""What services ask for their clips: rates, and the regions in which they differ."""

from __future__ import annotations

from datetime import date
from typing import Literal

from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money


class Rate(Frozen):
    """What a service asks for clips of some models in one size; the more it names, the fewer clips it is for."""

    service: str
    models: tuple[str, ...] = ()
    """As the service calls them; all when empty."""
    region: str = ""
    """Where the service is reached; all when empty."""
    resolution: str = ""
    """`720p` or `1080p`; all when empty."""
    price: Money
    """Of a second that is billed, or of a clip as long as `seconds`."""
    seconds: int | None = None
    """Length of the clips that have this one price; None where every second is billed."""
    input_video: Literal["billed", "assumed", "free"] | None = None
    """Whether seconds of reference video are billed beside the clip's. `assumed`: no page says so; they are reckoned
    in, so that a budget holds. None where the rate does not say."""
    input_seconds: int = 0
    """Seconds of reference video billed at most, those of all videos of a take together."""
    failed: Literal["billed", "free"] | None = None
    """Whether a task that fails is billed; None where nobody says."""
    as_of: date | None = None
    """The day on which the price was read, or from which it is agreed."""
    source: str = ""
    """Who says so, in words."""
    doubt: str = ""
    """What is not sure about the price, in words."""

    def is_for(self, service: str, model: str, region: str) -> bool:
        """Whether it may be the rate of a model's clips, of whatever size and length."""
        return self.service == service and model in (self.models or (model,)) and self.region in ("", region)

    def covers(self, resolution: str, seconds: object) -> bool:
        """Whether it holds for clips of a size and a length in seconds."""
        return self.resolution in ("", resolution) and self.seconds in (None, seconds)

    @property
    def nearness(self) -> tuple[bool, ...]:
        """Of two rates for a clip, the one that says more of it counts: its model first, its length last."""
        return bool(self.models), bool(self.region), bool(self.resolution), self.seconds is not None

    def completed(self, other: Rate) -> Rate:
        """With the terms that it leaves open as another rate has them; a price of a whole clip needs no input's."""
        filled: dict[str, object] = {}
        if self.failed is None:
            filled["failed"] = other.failed
        if self.input_video is None and self.seconds is None:
            filled |= {"input_video": other.input_video, "input_seconds": other.input_seconds}
        return self.model_copy(update=filled)

    def __str__(self) -> str:
        """`0.60 CNY a second in Beijing at 720p (Model Studio's model pricing, 2026-11-21)`."""
        what = f"{self.price.exactly} a {'second' if self.seconds is None else f'clip of {self.seconds} s'}"
        where = (f" in {self.region}" if self.region else "") + (f" at {self.resolution}" if self.resolution else "")
        said = ", ".join(filter(None, (self.source, str(self.as_of or ""))))
        return ("free" if not self.price.amount else what) + where + (f" ({said})" if said else "")


class Region(Frozen):
    """A part of the world in which a service has prices of its own."""

    service: str
    name: str
    hosts: tuple[str, ...]
    """By which it is reached there; hosts below them count too."""

    def has(self, host: str) -> bool:
        """Whether a host is in it."""
        return any(host == known or host.endswith(f".{known}") for known in self.hosts)


class Tariff(Frozen):
    """What a file of prices says."""

    rates: tuple[Rate, ...] = ()
    regions: tuple[Region, ...] = ()
