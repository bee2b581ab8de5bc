"""Rates of services for clips, pictures and speech, and the regions that have rates of their own."""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple

from storyreel.specs.frozen import Trusted
from storyreel.specs.money import Money

CHARACTERS = 10_000
"""The characters of text of which services name the price of speech."""

Product = Literal["clip", "picture", "speech"]


class Rate(Trusted):
    """The price of a service's clips, pictures or speech, all or those of some models, region, resolution and
    length."""

    service: str
    models: tuple[str, ...] = ()
    """The service's names of models; all if empty."""
    region: str = ""
    """All if empty."""
    resolution: str = ""
    """`480p`, `720p` or `1080p`; all if empty."""
    price: Money
    """Of a billed second, of a clip of `seconds`, of a picture, or of so many `characters`."""
    seconds: int | None = None
    """Length of the clips that have this price, 0 for pictures; None if every second is billed, or speech."""
    characters: int | None = None
    """Characters of speech that have this price; None if it is not of speech."""
    input_video: Literal["billed", "assumed", "free"] | None = None
    """Whether seconds of reference video are billed beside those of the clip. `assumed`: it is not published; they are
    counted, so that a budget holds. None if the rate does not say."""
    input_seconds: int = 0
    """The most seconds of reference video that are billed, of all videos of a take together."""
    failed: Literal["billed", "free"] | None = None
    """Whether a task that fails is billed; None if unknown."""
    as_of: date | None = None
    """The day on which the price was read, or from which it holds."""
    source: str = ""
    """The source in which the price was read, in free words."""
    doubt: str = ""
    """Doubts about the price, in free words."""

    def is_for(self, service: str, model: str, region: str) -> bool:
        """Whether it is a rate of a model, for some resolution and length."""
        return self.service == service and model in (self.models or (model,)) and self.region in ("", region)

    def covers(self, product: Product, resolution: str, seconds: object) -> bool:
        """Whether it holds for clips of a resolution and a length in seconds, for pictures, or for speech."""
        if self.product != product or self.resolution not in ("", resolution):
            return False
        return self.seconds is None or seconds == self.seconds

    @property
    def product(self) -> Product:
        """The product of which it is the price."""
        if self.characters is not None:
            return "speech"
        return "picture" if self.seconds == 0 else "clip"

    @property
    def unit(self) -> str:
        """`second`, `clip of 5 s`, `picture` or `10,000 characters`."""
        if self.characters is not None:
            return f"{self.characters:,} characters"
        if self.product == "picture":
            return "picture"
        return "second" if self.seconds is None else f"clip of {self.seconds} s"

    @property
    def specificity(self) -> tuple[bool, ...]:
        """Order of precedence: of two rates of a clip, the greater one is in force. The model counts most."""
        return bool(self.models), bool(self.region), bool(self.resolution), self.seconds is not None

    def with_terms_of(self, other: Rate) -> Rate:
        """The rate, with terms that it leaves open from another; a price of a whole clip has no input terms."""
        filled: dict[str, object] = {}
        if self.failed is None:
            filled["failed"] = other.failed
        if self.input_video is None and self.seconds is None and self.product == "clip":
            filled |= {"input_video": other.input_video, "input_seconds": other.input_seconds}
        return self.model_copy(update=filled)

    def __str__(self) -> str:
        """`0.60 CNY a second in Beijing at 720p (Model Studio's model pricing, 2026-11-21)`."""
        what = f"{self.price.exactly} {'for' if self.product == 'speech' else 'a'} {self.unit}"
        where = (f" in {self.region}" if self.region else "") + (f" at {self.resolution}" if self.resolution else "")
        origin = ", ".join(filter(None, (self.source, str(self.as_of or ""))))
        return ("free" if not self.price.amount else what) + where + (f" ({origin})" if origin else "")


class Region(NamedTuple):
    """A region in which a service has rates of its own."""

    service: str
    name: str
    hosts: tuple[str, ...]
    """The service's hosts there; their subdomains count too, unless they are another region's."""

    def nearness(self, host: str) -> int:
        """The length of the known host that a host is, or is below; 0 if there is none."""
        return max((len(known) for known in self.hosts if host == known or host.endswith(f".{known}")), default=0)


class Tariff(NamedTuple):
    """The content of a price file."""

    rates: tuple[Rate, ...] = ()
    regions: tuple[Region, ...] = ()
