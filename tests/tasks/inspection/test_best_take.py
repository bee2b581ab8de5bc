"""Which of several takes is the best, and what an inspection is known by."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.tasks.inspection.inspect import Finding, Inspection, Needed, Wanted, best_take, inspection_key
from tests.tasks.generated_clips import TINY
from tests.tasks.providers.hosted_services import SERVICES, image, request


def take(*what: Any) -> Inspection:
    findings = tuple(Finding(what=kind, detail="from 1.0 s to 2.0 s") for kind in what)
    return Inspection(findings=findings, frames=120, seconds=Fraction(5), width=1280, height=720, loudness=-20)


@pytest.mark.parametrize(
    ("takes", "best"),
    [
        ([take()], 0),
        ([take(), take()], 1),
        ([take(), take("loudness")], 0),
        ([take("black"), take("silent", "loudness")], 1),
        ([take("cut", "cut"), take("frozen"), take("frames")], 1),
        ([take("first frame"), take("cut"), take("size")], 1),
        ([take("black", "silent"), take("black"), take("black", "cut")], 1),
    ],
)
def test_the_best_take_has_the_fewest_and_mildest_findings_and_of_equals_is_the_last(
    takes: list[Inspection], best: int
) -> None:
    assert best_take(takes) == best


FINDINGS = ["frames", "size", "black", "frozen", "silent", "cut", "first frame", "loudness"]


@given(st.lists(st.lists(st.sampled_from(FINDINGS), max_size=4), min_size=1, max_size=5))
def test_a_take_without_findings_is_never_passed_over_and_one_more_finding_never_helps(found: list[list[str]]) -> None:
    takes = [take(*what) for what in found]
    best = best_take(takes)
    assert (not takes[best].findings) == any(not inspection.findings for inspection in takes)
    spoiled = [take(*what, "loudness") if n != best else takes[n] for n, what in enumerate(found)]
    assert best_take(spoiled) == best


def test_there_is_no_best_of_no_takes() -> None:
    with pytest.raises(ValueError, match="no takes"):
        best_take([])


def test_the_cache_key_depends_on_what_changes_the_findings_and_on_nothing_else() -> None:
    of = request(SERVICES["dashscope"], first_frame=image("board.png"))
    known = inspection_key(of, Wanted())
    same = of.model_copy(update={"prompt": "Another lamp is lit.", "seed": 8, "take": 2})
    assert inspection_key(same, Wanted()) == known
    given = Wanted(first_frame=Path("board.png"))
    others = {
        inspection_key(of.model_copy(update={"seconds": Fraction(10)}), Wanted()),
        inspection_key(of.model_copy(update={"width": 1920}), Wanted()),
        inspection_key(of.model_copy(update={"height": 1080}), Wanted()),
        inspection_key(of, given),
        inspection_key(of.model_copy(update={"first_frame": image("other.png")}), given),
        inspection_key(of, Wanted(sound=True)),
        inspection_key(of, Wanted(needed=Needed(frames=24, rate=TINY.rate))),
    }
    assert len({known, *others}) == 8
