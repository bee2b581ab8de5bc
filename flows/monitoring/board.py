"""The content of a film's artifacts: the board, a Markdown table of all takes with pictures, and other tables."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image

from storyreel.flows.markdown import code, escape, link_address
from storyreel.flows.planning.drafts import SIMILAR
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.player.links import Links
from storyreel.flows.production.report import RenderedTake, Rendering
from storyreel.specs.frozen import Frozen
from storyreel.specs.money import Money, sums
from storyreel.tasks.ledger.ledger import Spend
from storyreel.tasks.media.frames import jpeg
from storyreel.tasks.progress import Stage

ROOM = 400_000
"""Most characters of all pictures in the board, whose page is loaded again and again."""
SIDE = 96
"""Pixels at the longer side of each frame of a picture, where there is room for it."""
_MOST_PICTURES = 200
"""Takes of a film; a larger one has no pictures."""
_MOST_LINKS = 1000
"""Takes of a film; with the links of a larger one its page would be too large."""
_SHEET_ROOM = 400_000
_SHEET_WIDTHS = (1440, 1080, 720)

_LABELS: dict[Stage, str] = {
    "fetching": "downloading",
    "cached": "from the store",
    "failed": "**failed**",
    "unknown": "**unknown**",
}
_EXPLAINED: frozenset[Stage] = frozenset({"failed", "unknown", "done", "stopped"})
"""Stages whose details are on the board; those of other stages change too often."""
_PLANNED = {"new": "to be made", "cached": "in the store", "resuming": "ordered before", "unknown": "**unknown**"}

_URI = "data:image/jpeg;base64,"

_escape = partial(escape, longest=200)

_DRAFT = f"**Draft.** {SIMILAR}\n\n"


class Row(Frozen):
    """One take on the board."""

    take: PlannedTake
    stage: Stage | None = None
    """None before the first report."""
    detail: str = ""
    service: str = ""
    """The service that made it, or will be asked first."""
    cost: Money | None = None
    is_estimate: bool = False
    picture: str = ""
    """Its first, middle and last frame, a JPEG as a data URI."""
    play: str = ""
    """The address at which its clip is played."""

    @property
    def is_finished(self) -> bool:
        return self.stage in ("done", "cached")


def room_for_a_picture(takes: int) -> int:
    """Most characters of the picture of each take in a film of so many takes; 0 for none."""
    return ROOM // takes if 0 < takes <= _MOST_PICTURES else 0


def data_uri(picture: bytes) -> str:
    """A JPEG as a data URI."""
    return _URI + base64.b64encode(picture).decode()


def bytes_within(characters: int) -> int:
    """Most bytes of a picture whose data URI has at most so many characters."""
    return max(0, characters - len(_URI)) // 4 * 3


def board(plan: Plan, rows: Sequence[Row]) -> str:
    """The board as Markdown; empty columns are left out."""
    has_links = len(rows) <= _MOST_LINKS
    cells = [
        {
            "": f"![{_escape(row.take.shot)}]({row.picture})" if row.picture else "",
            "take": f"{_escape(row.take.shot)} take {row.take.take}{' ★' if row.take.circled else ''}",
            "play": play_link(row.play, "show" if row.take.is_picture else "play") if has_links else "",
            "scene": _escape(row.take.scene),
            "state": _state(row),
            "review": _review(row),
            "service": row.service,
            "cost": cost(row.cost, row.is_estimate),
        }
        for row in rows
    ]
    head = [name for name in cells[0] if any(line[name] for line in cells)]
    lines = (head, ["---"] * len(head), *([line[name] for name in head] for line in cells))
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    used = ", or used for what is" if plan.pictures or plan.speech else ""
    note = f"★ in the cut{used}; ≈ by the price list, not reported by the service"
    return f"{_DRAFT if plan.is_draft else ''}{count_takes(rows)}\n\n{table}\n\n{note}\n"


def count_takes(rows: Sequence[Row]) -> str:
    """The numbers of finished, working, failed and stopped takes, of those that this run makes, in a sentence."""
    rows = [row for row in rows if not row.take.waits_for]
    finished, failed = sum(row.is_finished for row in rows), sum(row.stage in ("failed", "unknown") for row in rows)
    stopped = sum(row.stage == "stopped" for row in rows)
    at_work = sum(row.stage not in (None, "waiting") for row in rows) - finished - failed - stopped
    parts = (f"{finished} of {len(rows)} takes are finished", f"{at_work} at work" if at_work else "",
             f"{failed} failed" if failed else "", f"{stopped} stopped" if stopped else "")  # fmt: skip
    return ", ".join(filter(None, parts))


def spend(rendering: Rendering) -> list[dict[str, str]]:
    """Cost of what a run ordered: one row for each service, and the sum."""
    parts = [part for part in rendering.spending if not part.is_free]
    return [{"service": name, **_costs(some)} for name, some in (*((part.service, [part]) for part in parts),
                                                                 ("in all", parts))]  # fmt: skip


def manifest(rendering: Rendering, places: Mapping[str, str], links: Links) -> list[dict[str, str]]:
    """One row for each take; `places` has the timecode at which each shot begins."""
    return [
        {
            "take": f"{take.shot} take {take.take}",
            "in the cut": _place(take, places),
            "service": take.request.provider,
            "model": take.request.model,
            "mode": take.request.mode.value,
            "seconds": f"{float(take.request.seconds):.4g}" if take.kind == "clip" else "",
            "cost": "from the store" if take.cached else cost(take.cost, take.is_estimate),
            "clip": play_link(links.take(take.clip.stem, take.shot, take.take), take.clip.stem[:12])
            or take.clip.stem[:12],
            "findings": "; ".join(finding.detail for finding in take.inspection.findings) if take.inspection else "",
        }
        for take in rendering.takes
    ]


def _place(take: RenderedTake, places: Mapping[str, str]) -> str:
    """The place of a take in the cut; of a picture or a line `used`, if something in the cut is made with it."""
    if not take.circled:
        return "no"
    return places.get(take.shot, "") if take.kind == "clip" else "used"


def sequence(rendering: Rendering, sheet: Path) -> str:
    """The finished film as Markdown: its length, where it is, defects, and the contact sheet as a picture."""
    facts = f"{rendering.frames} frames at {rendering.fps} fps, {float(rendering.seconds):.4g} s"
    found = "".join(f"- {_escape(line)}\n" for line in rendering.findings)
    seen = f"\n\nDefects found:\n\n{found}" if found else ""
    played = f"{play_link(rendering.play, 'Play the film')}\n\n" if rendering.play else ""
    picture = f"![contact sheet]({data_uri(_sheet(sheet))})"
    return (
        f"{_DRAFT if rendering.is_draft else ''}{facts}\n\n{played}{code(str(rendering.sequence))}\n\n{picture}{seen}\n"
    )


def play_link(address: str, text: str = "play") -> str:
    """A link to the player as Markdown; empty without an address."""
    return f"[{text}]({link_address(address)})" if address else ""


def is_url(place: str) -> bool:
    """Whether a browser can open a place."""
    return urlsplit(place).scheme in ("http", "https")


def cost(amount: Money | None, is_estimate: bool) -> str:
    """An amount, marked if it is by the price list, which may not have it. Empty if it is zero."""
    if amount is None:
        return "unknown" if is_estimate else ""
    return f"{'≈ ' if is_estimate else ''}{amount}" if amount.amount else ""


def _costs(parts: Sequence[Spend]) -> dict[str, str]:
    reported = sums(money for part in parts for money in part.charged)
    by_list = sums(money for part in parts for money in part.estimated)
    unpriced = sum(part.unpriced for part in parts)
    return {
        "takes": str(sum(part.takes for part in parts)),
        "reported by the service": " + ".join(map(str, reported)) or "nothing",
        "by the price list": " + ".join([*(f"≈ {money}" for money in by_list), *(["unknown"] if unpriced else [])])
        or "nothing",
        "takes at an unknown price": str(unpriced),
    }


def _state(row: Row) -> str:
    if row.take.waits_for:
        return f"waits for {_escape(' and '.join(row.take.waits_for))}"
    if row.stage is None:
        return _PLANNED[row.take.state]
    word = _LABELS.get(row.stage, row.stage)
    return (
        f"{word}: {_escape(row.detail)}"
        if row.detail and row.stage in ("failed", "unknown", "done", "stopped")
        else word
    )


def _review(row: Row) -> str:
    """The review state of a take, by what has happened since it was planned; empty if no approval is needed."""
    planned = row.take.review
    if planned is None or row.take.verdict:
        return planned or ""
    if row.is_finished:
        return "wfa"
    return planned if row.stage is None else "wip"


def _sheet(page: Path) -> bytes:
    with Image.open(page) as picture:
        for width in _SHEET_WIDTHS:
            found = jpeg(picture, min(width, picture.width), 78)
            if len(found) * 4 // 3 <= _SHEET_ROOM:
                break
    return found
