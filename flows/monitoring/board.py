"""A film's takes as a table in Markdown, which Prefect's pages show with its pictures while the film is made."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image

from storyreel.flows.markdown import escape
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.production.report import RenderedTake, Rendering
from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money, sums
from storyreel.tasks.media.frames import jpeg
from storyreel.tasks.progress import Stage

ROOM = 250_000
"""Letters of all pictures in a table: a page that is loaded again and again stays quick."""
_WIDTHS = ((40, 160), (100, 112), (200, 64))
"""Up to so many takes, pictures so many pixels wide; of more takes none are shown."""
_SHEET_ROOM = 400_000
_SHEET_WIDTHS = (1440, 1080, 720)

_WORDS: dict[Stage, str] = {
    "fetching": "downloading",
    "cached": "from the store",
    "failed": "**failed**",
    "unknown": "**unknown**",
}
"""What stages are called here, where that is not the stage's own word."""

_escape = partial(escape, longest=200)


class Row(Frozen):
    """One take as it stands."""

    take: PlannedTake
    stage: Stage | None = None
    """None before anything was done."""
    detail: str = ""
    service: str = ""
    """Who made it; who is asked for it before."""
    cost: Money | None = None
    is_estimate: bool = False
    picture: str = ""
    """A JPEG, as a data URI."""

    @property
    def is_there(self) -> bool:
        """Whether its clip is in the store."""
        return self.stage in ("done", "cached")


def picture_width(takes: int) -> int:
    """How wide the pictures of a film of so many takes are, in pixels; 0 where it has none."""
    return next((width for most, width in _WIDTHS if takes <= most), 0)


def data_uri(picture: bytes) -> str:
    """A JPEG as an address that holds it."""
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


def board(plan: Plan, rows: Sequence[Row]) -> str:
    """The storyboard table; columns that say nothing are left out."""
    cells = [
        {
            "": f"![{_escape(row.take.shot)}]({row.picture})" if row.picture else "",
            "take": f"{_escape(row.take.shot)} take {row.take.take}{' ★' if row.take.circled else ''}",
            "scene": _escape(row.take.scene),
            "state": _state(row),
            "review": _review(row),
            "service": row.service,
            "cost": cost(row.cost, row.is_estimate),
        }
        for row in rows
    ]
    head = [name for name in cells[0] if any(line[name] for line in cells)]
    table = _table(head, ([line[name] for name in head] for line in cells))
    return f"{standing(rows)}\n\n{table}\n\n★ in the cut; ≈ by the price list, not told by the service\n"


def standing(rows: Sequence[Row]) -> str:
    """In a sentence how far a film is."""
    there, failed = sum(row.is_there for row in rows), sum(row.stage in ("failed", "unknown") for row in rows)
    at_work = sum(row.stage not in (None, "waiting", "failed", "unknown") and not row.is_there for row in rows)
    parts = (f"{there} of {len(rows)} takes are there", f"{at_work} at work" if at_work else "",
             f"{failed} failed" if failed else "")  # fmt: skip
    return ", ".join(filter(None, parts))


def spend(made: Rendering) -> list[dict[str, str]]:
    """What a run cost, a row a service and currency, and the sums."""
    paid = [take for take in made.shots if not take.cached and (take.cost is None or take.cost.amount)]
    services = sorted({take.request.provider for take in paid})
    rows = [
        {"service": name, "takes": str(len(those)), **_costs(those)}
        for name in services
        if (those := [take for take in paid if take.request.provider == name])
    ]
    return [*rows, {"service": "in all", "takes": str(len(paid)), **_costs(paid)}]


def manifest(made: Rendering, places: Mapping[str, str]) -> list[dict[str, str]]:
    """The manifest's facts that people look up, a row a take; `places` says where each shot begins."""
    return [
        {
            "take": f"{take.shot} take {take.take}",
            "in the cut": places.get(take.shot, "") if take.circled else "no",
            "service": take.request.provider,
            "model": take.request.model,
            "mode": take.request.mode.value,
            "seconds": f"{float(take.request.seconds):.4g}",
            "cost": "from the store" if take.cached else cost(take.cost, take.is_estimate),
            "clip": take.clip.stem[:12],
            "seen in it": "; ".join(finding.detail for finding in take.inspection.findings) if take.inspection else "",
        }
        for take in made.shots
    ]


def sequence(made: Rendering, sheet: Path) -> str:
    """The finished film: where it is, how long, and its contact sheet as a picture."""
    facts = f"{made.frames} frames at {made.fps} fps, {float(made.seconds):.4g} s"
    found = "".join(f"- {_escape(line)}\n" for line in made.findings)
    seen = f"\n\nTo be looked at:\n\n{found}" if found else ""
    return f"{facts}\n\n`{made.sequence}`\n\n![contact sheet]({data_uri(_sheet(sheet))}){seen}\n"


def is_address(place: str) -> bool:
    """Whether a browser can open it."""
    return urlsplit(place).scheme in ("http", "https")


def cost(amount: Money | None, is_estimate: bool) -> str:
    """An amount; one by the price list is marked as such. Empty for what is free, or where nobody knows it."""
    return f"{'≈ ' if is_estimate else ''}{amount}" if amount and amount.amount else ""


def _costs(takes: Iterable[RenderedTake]) -> dict[str, str]:
    told: list[Money] = []
    listed: list[Money] = []
    unpriced = 0
    for take in takes:
        if take.cost:
            (listed if take.is_estimate else told).append(take.cost)
        else:
            unpriced += 1
    return {
        "told by the service": " + ".join(map(str, sums(told))) or "nothing",
        "by the price list": " + ".join(f"≈ {money}" for money in sums(listed)) or "nothing",
        "takes at an unknown price": str(unpriced),
    }


def _state(row: Row) -> str:
    if row.stage is None:
        return {"new": "to be made", "cached": "in the store", "resuming": "ordered before", "unknown": "**unknown**"}[
            row.take.state
        ]
    word = _WORDS.get(row.stage, row.stage)
    return f"{word}: {_escape(row.detail)}" if row.detail and row.stage in ("failed", "unknown", "done") else word


def _review(row: Row) -> str:
    """How far a take is to approval, by what has become of it since it was planned; empty where nobody asks."""
    planned = row.take.review
    if planned is None or row.take.verdict:
        return planned or ""
    if row.is_there:
        return "wfa"
    return planned if row.stage is None else "wip"


def _sheet(page: Path) -> bytes:
    """A contact sheet's page, small enough to be shown in a table's place."""
    with Image.open(page) as picture:
        for width in _SHEET_WIDTHS:
            found = jpeg(picture, min(width, picture.width), 78)
            if len(found) * 4 // 3 <= _SHEET_ROOM:
                break
    return found


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines))
