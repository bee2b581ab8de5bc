"""AIMLAPI's log of requests, `GET /v2/logs`: its parameters, its rows, and their pages.

By its page "Usage logs" and its OpenAPI file, read 2026-11-29.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from storyreel.testing.wire import HttpRequest
from tests.services.checking import Violation
from tests.services.clock import utc

PATH = "/v2/logs"
LONGEST = timedelta(days=92)
CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
"""An `X-Client-Request-Id` that is kept; any other is dropped without a word, and the order still runs."""

_PARAMETERS = ("period", "start", "end", "key_prefix", "model", "status", "limit", "offset")
_REPEATED = ("model", "status")
_PERIOD = re.compile(r"([1-9][0-9]*)([hd])")
_WHOLE = re.compile(r"-?[0-9]+")
_MOST_MODELS = 50


@dataclass(frozen=True)
class Row:
    """A request that has ended, as the log has it."""

    created: float
    succeeded: bool
    model: str
    usd: Decimal
    credits: int
    inference: str
    client: str | None

    def as_json(self) -> dict[str, Any]:
        """Its form in a page."""
        return {
            "created": utc(self.created),
            "status": "succeeded" if self.succeeded else "failed",
            "origin": "api",
            "model": self.model,
            "cost": {"usd": float(self.usd), "credits": self.credits},
            "tokens": {"input": 0, "output": 0, "total": 0},
            "request_id": f"req-{self.inference[:8]}",
            "inference_id": self.inference,
            "client_request_id": self.client,
        }


@dataclass(frozen=True)
class Page:
    """The parameters of a request for a page of the log."""

    start: datetime
    end: datetime
    models: tuple[str, ...]
    statuses: tuple[str, ...]
    limit: int
    offset: int

    def of(self, rows: list[Row]) -> dict[str, Any]:
        """The page, newest row first."""
        wanted = [row.as_json() for row in sorted(rows, key=lambda row: row.created, reverse=True) if self._has(row)]
        shown = wanted[self.offset : self.offset + self.limit]
        more = self.offset + len(shown) < len(wanted)
        pages = {"limit": self.limit, "offset": self.offset, "total": len(wanted), "has_more": more}
        return {"data": shown, "pagination": pages}

    def _has(self, row: Row) -> bool:
        made, status = datetime.fromtimestamp(row.created, UTC), "succeeded" if row.succeeded else "failed"
        # `source/alias` or the alias alone, matched exactly.
        named = not self.models or row.model in self.models or row.model.partition("/")[2] in self.models
        return self.start <= made <= self.end and named and (not self.statuses or status in self.statuses)


def violations(request: HttpRequest, *, unknown: bool) -> list[Violation]:
    """All that is wrong with the parameters of a request; with `unknown`, also those that the log does not have."""
    return list(_violations(request, unknown))


def page(request: HttpRequest, now: float) -> Page:
    """The page that a request without violations asks for."""
    given = dict(request.query)
    if period := _PERIOD.fullmatch(given.get("period", "")):
        end = datetime.fromtimestamp(now, UTC)
        start = end - timedelta(**{"hours" if period[2] == "h" else "days": int(period[1])})
    else:
        start, end = _time(given["start"]), _time(given["end"])
    models, statuses = (tuple(v for k, v in request.query if k == name) for name in _REPEATED)
    return Page(start, end, models, statuses, int(given.get("limit", "50")), int(given.get("offset", "0")))


def _violations(request: HttpRequest, unknown: bool) -> Iterator[Violation]:
    given: dict[str, list[str]] = {}
    for name, value in request.query:
        given.setdefault(name, []).append(value)
    for name, values in given.items():
        if name not in _PARAMETERS and unknown:
            yield Violation((name,), "unknown", "no such parameter", values[0])
        elif name in _PARAMETERS and name not in _REPEATED and len(values) > 1:
            yield Violation((name,), "combination", "one value", f"{len(values)} values")
    if len(given.get("model", [])) > _MOST_MODELS:
        yield Violation(("model",), "long", f"at most {_MOST_MODELS} values", str(len(given["model"])))
    for status in given.get("status", []):
        if status not in ("succeeded", "failed"):
            yield Violation(("status",), "choice", "'succeeded' | 'failed'", status)
    yield from _numbers(given)
    yield from _window(given)


def _numbers(given: Mapping[str, list[str]]) -> Iterator[Violation]:
    for name, least, most in (("limit", 1, 100), ("offset", 0, None)):
        for value in given.get(name, []):
            if not _WHOLE.fullmatch(value):
                yield Violation((name,), "type", "integer", value[:20])
            elif int(value) < least or (most is not None and int(value) > most):
                yield Violation((name,), "low" if int(value) < least else "high", f"{least} to {most or '…'}", value)


def _window(given: Mapping[str, list[str]]) -> Iterator[Violation]:
    bounds = [name for name in ("start", "end") if name in given]
    if ("period" in given) == bool(bounds) or len(bounds) == 1:
        yield Violation(("period",), "combination", "`period`, or `start` and `end`", ", ".join(given) or "nothing")
        return
    if "period" in given:
        found = _PERIOD.fullmatch(given["period"][0])
        if not found:
            yield Violation(("period",), "type", "24h or 7d", given["period"][0][:20])
        elif int(found[1]) > LONGEST.days * (24 if found[2] == "h" else 1):
            yield Violation(("period",), "high", f"at most {LONGEST.days} days", given["period"][0][:20])
        return
    times = {}
    for name in bounds:
        try:
            times[name] = _time(given[name][0])
        except ValueError:
            yield Violation((name,), "type", "an ISO-8601 time", given[name][0][:40])
    if len(times) == 2 and not timedelta(0) <= times["end"] - times["start"] <= LONGEST:
        yield Violation(("end",), "combination", f"from `start` to {LONGEST.days} days after it", given["end"][0][:40])


def _time(text: str) -> datetime:
    """ISO-8601; without an offset it is UTC. Raises ValueError."""
    if not re.match(r"\d{4}-\d\d-\d\d", text):
        raise ValueError(text)
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
