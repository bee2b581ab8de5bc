"""Stills and sheets in a plan: each is before what is made of it; what cannot be made is told where it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.derived.pictures import made_of
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from tests.flows.planning.histories import NOTHING, plan_of

HEAD = "storyboard: 1\ntitle: A Film\n"
ANA = "cast: {ana: {description: x, sheet: true}}\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "defaults: {stills: {provider: dashscop}}\nshots: [{shot: 1A, action: x, still: true}]\n",
            ["3:31: there is no service `dashscop` (did you mean `dashscope`?)"],
        ),
        (
            "defaults: {stills: {provider: nope}}\n"
            f"{ANA}shots: [{{shot: 1A, action: x, cast: [ana], still: true}}]\n",
            ["3:31: there is no service `nope` (there are `aimlapi`, `animatic`, `apiyi`, `dashscope` and `freepik`)"],
        ),
        (
            "shots: [{shot: 1A, action: x, still: true, stills: {provider: dashscope, model: wan2.7-imag}}]\n",
            ["3:81: dashscope has no model `wan2.7-imag` (did you mean `wan2.7-image`?)"],
        ),
        (
            "defaults: {stills: {provider: dashscope, model: wan3.0-video}}\n"
            "shots: [{shot: 1A, action: x, still: true}]\n",
            ["3:49: dashscope makes no pictures with `wan3.0-video` "
             "(for pictures it has `wan2.7-image` and `wan2.7-image-pro`)"],
        ),
        (
            "shots: [{shot: 1A, action: x, still: true, provider: apiyi}]\n",
            ["3:38: apiyi makes no pictures (write `stills: {provider: …}` with `dashscope` or `freepik`)"],
        ),
        (
            "shots: [{shot: 1A, action: x, provider: dashscope, model: wan2.7-image}]\n",
            ["3:59: wan2.7-image at dashscope makes pictures, not clips (write `stills: {model: wan2.7-image}` for "
             "stills, and here one that makes clips, or none)"],
        ),
        (
            "shots: [{shot: 1A, action: x, provider: dashscope, still: true, stills: {provider: animatic}}]\n",
            ["3:59: the clip of 1A would be bought from dashscope with a drawing of the animatic as its picture "
             "(write `stills: {provider: …}` with `dashscope` or `freepik`)"],
        ),
        (
            ANA + "shots: [{shot: 1A, action: x, provider: dashscope, cast: [ana]}]\n",
            ["3:37: the clip of 1A would be bought from dashscope with a drawing of the animatic as the sheet of `ana` "
             "(write `stills: {provider: …}` with `dashscope` or `freepik` in `defaults`)"],
        ),
        (
            "shots: [{shot: 1A, action: x, provider: aimlapi, stills: {provider: dashscope}, still: true, "
            "last_still: x}]\n",
            ["3:106: aimlapi ends no clip with a given picture in image-to-video "
             "(shoot it with dashscope or freepik, or remove `last_still`)"],
        ),
        (
            "shots: [{shot: 1A, action: x, provider: dashscope, stills: {provider: dashscope}, still: true, "
            "mode: text-to-video}]\n",
            ["3:90: dashscope begins no clip with a given picture in text-to-video (remove `mode` or `still`)"],
        ),
    ],
)  # fmt: skip
def test_a_still_that_cannot_be_made_is_told_where_it_is_written(tmp_path: Path, text: str, told: list[str]) -> None:
    with pytest.raises(StoryboardError) as caught:
        plan_of(tmp_path, HEAD + text)
    assert [str(problem).partition("film.yaml:")[2] for problem in caught.value.problems] == told


@st.composite
def films(draw: st.DrawFn) -> str:
    """Any film of a few shots with stills, sheets and chains at two services."""

    def maybe(*texts: str) -> str:
        return draw(st.sampled_from(["", *texts]))

    def still(key: str) -> str:
        # Of equal requests there is one take.
        words = f"{key}: Door {len(lines)} {key}"
        return maybe(f"{key}: true", words, f"{key}: {{takes: 2, circled: 1}}", f"{key}: {{takes: 2}}")

    lines = ["defaults:", "  provider: dashscope", "  duration: 4s"]
    lines.append(f"  stills: {{provider: {draw(st.sampled_from(['dashscope', 'freepik']))}, takes: 2}}")
    lines.append(f"review: {draw(st.sampled_from(['none', 'required', '{still: required}']))}")
    lines += ["cast:"]
    lines += [
        f"  {who}: {{description: {who}{maybe(', sheet: true', ', sheet: in the rain')}}}" for who in ("ana", "bea")
    ]
    lines += ["locations:", f"  oven: {{description: bricks{maybe(', sheet: true')}}}", "shots:"]
    for number in range(draw(st.integers(1, 5))):
        keys = [
            f"shot: S{number}",
            f"action: Rain {number}.",
            f"cast: [{', '.join(draw(st.sets(st.sampled_from(['ana', 'bea']))))}]",
        ]
        keys += [maybe("location: oven"), maybe("takes: 2", "takes: 2, circled: 1")]
        if number and draw(st.booleans()):
            keys += [f"continues: S{draw(st.integers(0, number - 1))}", "mode: image-to-video"]
        elif made := still("still"):
            keys += [made, still("last_still")]
        lines.append(f"  - {{{', '.join(filter(None, keys))}}}")
    return HEAD + "\n".join(lines) + "\n"


@given(text=films())
def test_each_take_stands_after_all_that_it_is_made_of(tmp_path: Path, text: str) -> None:
    note(text)
    plan = plan_of(tmp_path, text)
    film = read(tmp_path / "film.yaml")
    places = {take.identity: place for place, take in enumerate(plan.takes)}
    names = {take.identity: take.shot for take in plan.takes}
    for take in plan.takes:
        assert len(take.needs) == len(set(take.needs)) and set(take.needs) <= set(places)
        assert {names[before] for before in take.needs} == made_of(film).get(take.shot, set())
        if take.kind != "clip":
            assert all(places[before] < places[take.identity] for before in take.needs)
    stood = set[str]()
    while more := {take.identity for take in plan.takes if set(take.needs) <= stood} - stood:
        stood |= more
    assert stood == set(places), "no circle, and nothing that is never made"
    assert len(places) == len(plan.takes)


@given(text=films())
def test_keys_of_clips_are_those_without_stills_where_nothing_is_made_of_a_picture(tmp_path: Path, text: str) -> None:
    def keys(plan: Plan) -> dict[tuple[str, int], str]:
        return {(take.shot, take.take): take.key for take in plan.clips if take.shot in untouched}

    plan = plan_of(tmp_path, text)
    needs_pictures = {take.identity for take in plan.clips if take.pictures}
    while more := {one.identity for one in plan.clips if set(one.needs) & needs_pictures} - needs_pictures:
        needs_pictures |= more
    untouched = {take.shot for take in plan.clips} - {t.shot for t in plan.clips if t.identity in needs_pictures}
    without = re.sub(r", (sheet|still|last_still): (\{[^}]*\}|[^,}]*)", "", text)
    (tmp_path / "film.yaml").write_text(without)
    assert keys(plan) == keys(make_plan(read(tmp_path / "film.yaml"), NOTHING))
