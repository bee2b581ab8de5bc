"""AIMLAPI's catalogue of models, `GET /v1/models`, with what each costs. It needs no key.

By its page "Complete model list" and its OpenAPI file, read 2026-11-29.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from storyreel.testing.wire import HttpRequest, Reply, json_reply

PATH = "/v1/models"
_SECTIONS = ("pricing", "modalities", "capabilities")
_VIDEO = "internal/video-generations/submit"


@dataclass(frozen=True)
class ListedModel:
    """A model of the catalogue."""

    id: str
    pricing: Mapping[str, Any]
    aliases: tuple[str, ...] = ()
    type: str = _VIDEO
    input: tuple[str, ...] = ("text",)
    output: tuple[str, ...] = ("video",)
    capabilities: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("playground:video", "tier:tier_2")

    def as_json(self, sections: Sequence[str]) -> dict[str, Any]:
        """Its entry, with the optional sections that were asked for."""
        developer, _, name = self.id.rpartition("/")
        entry: dict[str, Any] = {
            "id": self.id,
            "info": {"name": name, "developer": developer or "Unknown", "url": ""},
            "type": self.type,
            "aliases": list(self.aliases),
            "tags": list(self.tags),
        }
        modalities = {"input": list(self.input), "output": list(self.output)}
        optional = {"pricing": self.pricing, "modalities": modalities, "capabilities": list(self.capabilities)}
        return entry | {section: optional[section] for section in sections}


def by_resolution(**prices: str) -> dict[str, Any]:
    """The pricing of a model by the second, `p720="0.09", p1080="0.13"`. Its currency is not named, as on the page."""
    variants = [
        {"when": {"resolution": f"{name[1:]}p"}, "price": float(Decimal(price)), "unit": "second", "per": 1}
        for name, price in prices.items()
    ]
    return {"kind": "variants", "dimensions": ["resolution"], "variants": variants}


def per_unit(name: str, price: float, per: int, measure: str = "output") -> dict[str, Any]:
    """The pricing of a model at one rate."""
    units = [{"name": name, "measure": measure, "price": price, "per": per}]
    return {"kind": "fixed", "currency": "USD", "units": units}


OTHERS = (
    ListedModel(
        "openai/gpt-4o",
        per_unit("token", 3.25, 1_000_000),
        aliases=("gpt-4o",),
        type="openai/chat-completions",
        output=("text",),
        tags=("playground:chat", "tier:tier_2"),
    ),
    ListedModel("google/veo-2.0-generate-001", per_unit("second", 0.65, 1), aliases=("veo-2.0-generate-001",)),
)
"""Models that have nothing to do with us."""


def answer(request: HttpRequest, models: Sequence[ListedModel]) -> Reply:
    """The models that a request asks for. Its filters ignore case; several values are either, several filters all."""
    wanted = {name: _values(request, name) for name in ("id", "type", "tags", "capabilities")}
    modalities = {name: _values(request, name) for name in ("modalities", "input_modalities", "output_modalities")}
    asked = _values(request, "include")
    everything = "all" in asked or request.query_value("details") in ("true", "1")
    sections = _SECTIONS if everything else tuple(name for name in _SECTIONS if name in asked)
    found = [
        model.as_json(sections)
        for model in models
        if _fits(wanted["id"], (model.id, *model.aliases))
        and _fits(wanted["type"], (model.type,))
        and _fits(wanted["tags"], model.tags)
        and _fits(wanted["capabilities"], model.capabilities)
        and _fits(modalities["modalities"], (*model.input, *model.output))
        and _fits(modalities["input_modalities"], model.input)
        and _fits(modalities["output_modalities"], model.output)
    ]
    body = {"object": "list", "data": found}
    tag = f'W/"{hashlib.sha256(json.dumps(body, default=str).encode()).hexdigest()[:24]}"'
    if request.headers.get("if-none-match") == tag:
        return Reply(304, b"", (("etag", tag),))
    return json_reply(body, 200, ("etag", tag))


def _values(request: HttpRequest, name: str) -> set[str]:
    """Comma-separated and repeated values, merged."""
    given = (value for key, value in request.query if key == name)
    return {part.strip().lower() for value in given for part in value.split(",") if part.strip()}


def _fits(wanted: set[str], has: Sequence[str]) -> bool:
    return not wanted or bool(wanted & {each.lower() for each in has})
