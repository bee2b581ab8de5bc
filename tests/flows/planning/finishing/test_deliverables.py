"""A plan shows what becomes of the deliverables of a film, and the film stays the one that it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from storyreel.flows.planning.finishing.deliverables import UnknownDeliverable
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.planning.saved import differences, load_plan, save_plan
from storyreel.flows.planning.summary import summarize
from storyreel.specs.reading import read
from tests.flows.planning.histories import NOTHING

FILM = """\
storyboard: 1
title: Screens
format: {fps: 24}
draft: {resolution: 480p}
cast: {ana: {}}
deliverables:
  - {name: web, format: {fps: 25}, codec: h265, bit_rate: 8 Mbit/s}
  - {name: phone, format: {size: 256x456}, subtitles: burn_in}
shots:
  - {shot: 1A, action: Rain., duration: 2s, dialogue: [{ana: "WORDS"}]}
  - {shot: 1B, action: Sun., duration: 17f, transition: dissolve}
"""


def planned(folder: Path, *names: str, text: str = FILM, draft: bool = False) -> Plan:
    (folder / "film.yaml").write_text(text)
    return make_plan(read(folder / "film.yaml"), NOTHING, draft=draft, deliverables=names)


def test_each_is_told_with_its_picture_and_what_it_is_encoded_as(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    web, phone = plan.deliverables
    assert (web.picture, web.encoding, web.cut.frames) == ("1280×720, 25 fps", "h265, 8 Mbit/s", 68)
    assert (phone.picture, phone.encoding, phone.cut) == ("256×456, 24 fps", "h264", plan.cut)
    rows = plan.as_json()["deliverables"]
    assert [(row["name"], row["width"], row["fps"], row["frames"], row["made"]) for row in rows] == [
        ("web", 1280, "25", 68, True), ("phone", 256, "24", 65, True),
    ]  # fmt: skip
    assert summarize(plan).endswith("; 2 deliverables")


def test_only_those_that_are_named_are_made(tmp_path: Path) -> None:
    made = {names: [each.name for each in planned(tmp_path, *names).deliverables if each.is_made]
            for names in ((), ("phone",), ("web", "phone"), ("none",))}  # fmt: skip
    assert made == {(): ["web", "phone"], ("phone",): ["phone"], ("web", "phone"): ["web", "phone"], ("none",): []}
    assert summarize(planned(tmp_path, "phone")).endswith("; 1 of 2 deliverables")
    with pytest.raises(UnknownDeliverable, match="no deliverable `fone`; did you mean `phone`"):
        planned(tmp_path, "fone")
    with pytest.raises(UnknownDeliverable, match="a draft has no deliverables"):
        planned(tmp_path, "web", draft=True)


def test_the_takes_of_the_film_are_those_that_it_had(tmp_path: Path) -> None:
    alone = "".join(line for line in FILM.splitlines(True) if "deliverables" not in line and "- {name" not in line)
    before, after = planned(tmp_path, text=alone), planned(tmp_path)
    assert [take.key for take in after.clips] == [take.key for take in before.clips]
    assert after.cut == before.cut and "deliverables" not in before.as_json() and not before.deliverables
    assert planned(tmp_path, draft=True).deliverables == ()


def test_lines_that_are_fast_to_read_in_a_narrow_picture_alone_are_told(tmp_path: Path) -> None:
    words = "And then the whole of the lower town went under water, and nobody said a word of it."
    warnings = planned(tmp_path, text=FILM.replace("WORDS", words)).warnings
    assert any(warning.startswith("phone: the subtitles of 1A") for warning in warnings)
    assert not any(warning.startswith("web:") for warning in warnings)


def test_a_saved_plan_knows_which_deliverables_it_makes_and_how(tmp_path: Path) -> None:
    plan = planned(tmp_path, "phone")
    save_plan(plan, tmp_path / "plan.json", RunRequest(storyboard=tmp_path / "film.yaml", deliverables=("phone",)))
    saved = load_plan(tmp_path / "plan.json")
    assert saved.deliverables == ("phone",) and differences(saved, plan) == []
    changed = planned(tmp_path, "phone", text=FILM.replace("8 Mbit/s", "9 Mbit/s"))
    assert differences(saved, changed) == ["the deliverables changed"]
