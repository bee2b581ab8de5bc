"""The flow, on a real Prefect server, with the animatic: what is made, what is kept, what fails alone."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from storyreel.flows.production import takes
from storyreel.flows.production.outcomes import ShotsFailed
from storyreel.flows.production.report import Rendering
from storyreel.flows.render import render_storyboard
from storyreel.tasks.home import Home
from storyreel.tasks.providers.animatic.service import Animatic
from storyreel.tasks.providers.request import Request
from tests.pauses import PATIENCE
from tests.tasks.generated_clips import make_clip

pytestmark = pytest.mark.usefixtures("prefect_server")

FILM = """
storyboard: 1
title: Two Rooms
format: {fps: 24, resolution: 480p}
shots:
  - {shot: 1A, action: Ana enters., duration: 20f, transition: {type: fade, duration: 4f}}
  - {shot: 1B, action: She sits., continues: 1A, duration: 18f, transition: {type: dissolve, duration: 6f}}
  - {shot: 1C, action: Rain., takes: 2, circled: 1, duration: 16f}
ending: {type: fade, duration: 4f}
"""


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> tuple[Rendering, Path]:
    """The film's first run, and a copy of all that it left: its home, Prefect's results and the sequence."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "film.yaml").write_text(FILM)
    with pytest.MonkeyPatch.context() as patch, temporary_settings({PREFECT_LOCAL_STORAGE_PATH: folder / "results"}):
        patch.setenv("STORYREEL_HOME", str(folder / "home"))
        made = asyncio.run(render_storyboard(str(folder / "film.yaml"), out=str(folder / "out")))
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    return made, copy


@pytest.fixture
def first(first_run: tuple[Rendering, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Rendering]:
    """The first run, with all as it left it: the paths in it are the same in every test."""
    made, copy = first_run
    folder = made.sequence.parents[1]
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    monkeypatch.setenv("STORYREEL_HOME", str(folder / "home"))
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: folder / "results"}):
        yield made


@pytest.fixture
def film(first: Rendering) -> Path:
    return first.sequence.parents[1] / "film.yaml"


def frames_in(sequence: Path) -> int:
    with av.open(str(sequence)) as opened:
        return sum(1 for _ in opened.decode(video=0))


async def states_of(flow_run: str) -> dict[str, str]:
    """The states of a run's tasks, once they are final: they travel as events, behind the run's back."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        async with get_client() as client:
            runs = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run])))
        states = {run.name: run.state for run in runs if run.state}
        if all(state.is_final() for state in states.values()) or asyncio.get_running_loop().time() > deadline:
            return {name: state.name or "" for name, state in states.items()}
        await asyncio.sleep(0.1)


async def edges_of(flow_run: str) -> set[tuple[str, str]]:
    """Pairs of task runs by name: the second was given the result of the first."""
    async with get_client() as client:
        runs = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run])))
    names = {run.id: run.name for run in runs}
    return {
        (names[source.id], run.name)
        for run in runs
        for sources in run.task_inputs.values()
        for source in sources
        if source.input_type == "task_run" and source.id in names
    }


async def test_a_storyboard_becomes_a_film_of_exactly_its_length(first: Rendering, film: Path) -> None:
    out = film.with_name("out")
    assert first.sequence == out / "sequence.mp4"
    assert frames_in(first.sequence) == first.frames == 54
    assert [(take.shot, take.take, take.cached) for take in first.shots] == [
        ("1A", 1, False), ("1B", 1, False), ("1C", 1, False), ("1C", 2, False),
    ]  # fmt: skip
    manifest = json.loads((out / "manifest.json").read_text())
    assert [take.get("in_cut", {}).get("start") for take in manifest["shots"]] == [
        "00:00:00:00", "00:00:00:20", "00:00:01:14", None,
    ]  # fmt: skip
    assert (out / "contact-sheet.jpg").stat().st_size > 1000
    assert (out / "sequence.otio").stat().st_size > 1000


async def test_task_runs_are_named_by_slate_and_joined_by_what_continues(first: Rendering) -> None:
    assert {"1A take 1", "1B take 1", "1C take 1", "1C take 2", "conform 1A"} <= set(await states_of(first.flow_run))
    assert ("1A take 1", "1B take 1") in await edges_of(first.flow_run)


async def test_a_second_run_makes_nothing_again_and_shows_cached(first: Rendering, film: Path, tmp_path: Path) -> None:
    clips = {path: path.stat().st_mtime_ns for path in Home.of().root.rglob("*.mp4")}
    second = await render_storyboard(str(film), out=str(tmp_path / "again"))
    assert {path: path.stat().st_mtime_ns for path in Home.of().root.rglob("*.mp4")} == clips
    assert all(take.cached for take in second.shots)
    states = await states_of(second.flow_run)
    assert {state for name, state in states.items() if name != "assemble"} == {"Cached"}
    assert second.sequence.read_bytes() == first.sequence.read_bytes()


async def test_a_clip_that_vanished_is_made_again_although_prefect_remembers_it(
    first: Rendering, film: Path, tmp_path: Path
) -> None:
    first.shots[0].clip.unlink()
    second = await render_storyboard(str(film), out=str(tmp_path / "out"))
    assert [take.cached for take in second.shots] == [False, True, True, True]
    assert frames_in(second.sequence) == 54


async def test_a_clip_that_was_damaged_is_not_used(first: Rendering, film: Path, tmp_path: Path) -> None:
    clip = first.shots[0].clip
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    second = await render_storyboard(str(film), out=str(tmp_path / "out"))
    assert frames_in(second.sequence) == 54
    assert clip.read_bytes() == whole


async def test_a_failed_shot_stops_only_what_depends_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = tmp_path / "edited.png"
    Image.new("RGB", (640, 360), "teal").save(picture)
    film = tmp_path / "film.yaml"
    film.write_text(FILM.replace("action: Ana enters.", "action: Ana enters., first_frame: edited.png"))
    draw = Animatic.fetch

    async def edit_and_draw(animatic: Animatic, request: Request, *rest: Any) -> None:
        if request.first_frame:
            Image.new("RGB", (640, 360), "navy").save(picture)
        await draw(animatic, request, *rest)

    with monkeypatch.context() as during, pytest.raises(ShotsFailed) as failed:
        during.setattr(Animatic, "fetch", edit_and_draw)
        await render_storyboard(str(film), out=str(tmp_path / "out"))
    told = {failure.shot: failure.message for failure in failed.value.failures}
    assert set(told) == {"1A", "1B"}
    assert "edited.png was changed" in told["1A"]
    assert told["1B"] == "not made, because it continues 1A"
    assert len(list((Home.of().root / "clips").rglob("*.mp4"))) == 2, "both takes of 1C are finished and kept"
    assert not (tmp_path / "out" / "sequence.mp4").exists()

    mended = await render_storyboard(str(film), out=str(tmp_path / "out"))
    assert [take.cached for take in mended.shots] == [False, False, True, True]


async def test_a_dissolve_is_made_while_another_take_is_still_awaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film.yaml").write_text(FILM)
    monkeypatch.setenv("STORYREEL_HOME", str(tmp_path / "home"))
    dissolve, fetch, mixed = takes.dissolve, Animatic.fetch, asyncio.Event()

    async def noted(*given: Any, **options: Any) -> Any:
        made = await dissolve(*given, **options)
        mixed.set()
        return made

    async def late(self: Animatic, request: Request, *rest: Any) -> None:
        if request.board and request.board.slate == "1C":
            await asyncio.wait_for(mixed.wait(), 120)
        await fetch(self, request, *rest)

    monkeypatch.setattr(takes, "dissolve", noted)
    monkeypatch.setattr(Animatic, "fetch", late)
    made = await render_storyboard(str(tmp_path / "film.yaml"), out=str(tmp_path / "out"))
    assert frames_in(Path(made.sequence)) == made.frames == 54


async def test_recutting_one_shot_makes_only_that_shot_and_the_transitions_beside_it(
    film: Path, tmp_path: Path
) -> None:
    film.write_text(FILM.replace("action: Rain., takes: 2, circled: 1, duration: 16f",
                                 "action: Rain., takes: 2, circled: 1, duration: 14f"))  # fmt: skip
    made: Rendering = await render_storyboard(str(film), out=str(tmp_path / "out"))
    states = await states_of(made.flow_run)
    anew = {name for name, state in states.items() if state != "Cached" and name != "assemble"}
    assert anew == {"1C take 1", "1C take 2", "conform 1C"}
    assert made.frames == 52


TITLED = (
    FILM
    + """
lettering: film
titles: [{title: Two Rooms, from: 9f, to: 27f, fade: 4f}]
"""
)


@pytest.fixture
def unmoved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawings that leave no room for the titles of the film, so that they are as they are without."""
    monkeypatch.setattr("storyreel.tasks.request.board.words_seen", lambda *_: ())


@pytest.mark.usefixtures("unmoved")
async def test_words_over_a_dissolve_are_laid_over_what_is_beneath_and_again_alone_when_they_change(
    first: Rendering, film: Path, tmp_path: Path
) -> None:
    film.write_text(TITLED)
    made: Rendering = await render_storyboard(str(film), out=str(tmp_path / "out"))
    words = {"words over 1A", "words over the dissolve to 1B", "words over 1B"}
    states = await states_of(made.flow_run)
    assert {name for name, state in states.items() if state != "Cached"} == {*words, "assemble"}
    edges = await edges_of(made.flow_run)
    assert edges >= {("conform 1A", "words over 1A"), ("words over 1A", "assemble")}
    assert ("dissolve 1A to 1B", "words over the dissolve to 1B") in edges
    plain, lettered = pictures_of(first.sequence), pictures_of(made.sequence)
    changed = [number for number, (one, two) in enumerate(zip(plain, lettered, strict=True)) if one != two]
    assert len(plain) == 54 and set(range(9, 27)) <= set(changed) and min(changed) > 6
    assert max(changed) < 38, "the third shot is copied"
    sheets = [run.sequence.with_name("contact-sheet.jpg").read_bytes() for run in (first, made)]
    assert sheets[0] != sheets[1], "it shows the words"

    film.write_text(TITLED.replace("from: 9f", "from: 18f"))
    made = await render_storyboard(str(film), out=str(tmp_path / "out"))
    states = await states_of(made.flow_run)
    anew = {name for name, state in states.items() if state != "Cached"}
    assert anew == {"words over the dissolve to 1B", "assemble"}
    assert states["words over 1B"] == "Cached", "what is seen of them there is the same"
    assert "words over 1A" not in states
    again = pictures_of(made.sequence)
    assert again[:17] == plain[:17] and again[20] != plain[20] and again[38:] == plain[38:]


@pytest.mark.usefixtures("unmoved")
async def test_clips_of_another_encoder_are_copied_until_words_lie_over_one_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames with words over them are encoded here, and have to be in one track with all others."""
    monkeypatch.setenv("STORYREEL_HOME", str(tmp_path / "home"))

    async def fetch(self: Animatic, request: Request, status: Any, into: Path, progress: Any) -> None:
        board = request.board
        assert board
        looks = {"filters": "hflip"} if board.slate == "1B" else {}
        made = make_clip(tmp_path / f"{board.slate}.mp4", frames=board.frames, size="1280x720", sound=None, **looks)
        shutil.copyfile(made, into)

    monkeypatch.setattr(Animatic, "fetch", fetch)
    film = tmp_path / "film.yaml"
    shots = "shots: [{shot: 1A, action: A., duration: 8f}, {shot: 1B, action: B., duration: 8f}]\n"
    film.write_text(f"storyboard: 1\ntitle: Cuts\nformat: {{fps: 24}}\n{shots}")
    plain = await render_storyboard(str(film), out=str(tmp_path / "plain"))
    sources = [picture for slate in ("1A", "1B") for picture in pictures_of(tmp_path / f"{slate}.mp4")]
    assert pictures_of(plain.sequence) == sources
    film.write_text(f"{film.read_text()}titles: [{{title: Cuts, to: 4f}}]\n")
    made = await render_storyboard(str(film), out=str(tmp_path / "out"))
    assert frames_in(made.sequence) == 16
    anew = {name for name, state in (await states_of(made.flow_run)).items() if state != "Cached"}
    assert anew - {"conform 1A", "conform 1B"} == {"words over 1A", "assemble"}


def pictures_of(sequence: Path) -> list[bytes]:
    """The luma of each frame."""
    with av.open(str(sequence)) as opened:
        return [bytes(frame.planes[0]) for frame in opened.decode(video=0)]


async def test_subtitles_have_speaker_line_and_time(tmp_path: Path) -> None:
    film = tmp_path / "film.yaml"
    lines = 'dialogue: [{ana: "Hello?"}, {ana: "Nobody."}]'
    cast = "cast: {ana: {name: Ana}}\n"
    film.write_text(FILM.replace("shots:", cast + "shots:").replace("action: Rain.", f"action: Rain., {lines}"))
    await render_storyboard(str(film), out=str(tmp_path / "out"))
    subtitles = (tmp_path / "out" / "sequence.srt").read_text()
    assert subtitles.startswith("1\n00:00:01,583 --> 00:00:01,891\nAna: Hello?\n")
    film.write_text(FILM)
    await render_storyboard(str(film), out=str(tmp_path / "out"))
    assert not (tmp_path / "out" / "sequence.srt").exists(), "an old file would tell of another film"


async def test_another_translation_makes_the_frames_beneath_it_again_and_nothing_else(tmp_path: Path) -> None:
    shots = ["{shot: 1A, action: Rain., dialogue: [{ana: Hello?}]}", "{shot: 1B, action: Rain.}"]
    film = tmp_path / "film.yaml"
    film.write_text(
        "storyboard: 1\ntitle: Two\nformat: {resolution: 480p, fps: 12}\nlanguages: [en, fr]\n"
        "subtitles: {burn_in: true, language: fr}\ndefaults: {duration: 12f}\ncast: {ana: {name: Ana}}\n"
        f"shots: [{', '.join(shots)}]\n"
    )
    words = film.with_name("film.translations.yaml")
    made, seen = [], []
    for told in ("Allô ?", "Qui est là ?"):
        words.write_text(f"translations: 1\nlines: [{{line: Hello?, fr: {told}}}]\n")
        made.append(await render_storyboard(str(film), out=str(tmp_path / "out")))
        assert told in (tmp_path / "out" / "sequence.fr.srt").read_text()
        with av.open(str(made[-1].sequence)) as opened:
            assert [stream.language for stream in opened.streams.subtitles] == ["eng", "fra"]
            seen.append([frame.to_image() for frame in opened.decode(video=0)])
    states = await states_of(made[1].flow_run)
    again = {name for name, state in states.items() if state != "Cached" and name != "assemble"}
    assert again == {"words over 1A"}
    changed = [one.tobytes() != other.tobytes() for one, other in zip(*seen, strict=True)]
    assert changed == [True] * 12 + [False] * 12
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())["subtitles"]
    assert [(each["language"], each["burnt_in"], each["srt"]) for each in told] == [
        ("en", False, "sequence.srt"), ("fr", True, "sequence.fr.srt"),
    ]  # fmt: skip


@pytest.mark.parametrize("written", [0.0, 0.5])
async def test_a_result_that_prefect_has_half_written_is_made_again(film: Path, tmp_path: Path, written: float) -> None:
    """As another run leaves it that is writing it just now, or was killed while it was."""
    for kept in PREFECT_LOCAL_STORAGE_PATH.value().iterdir():
        whole = kept.read_bytes()
        kept.write_bytes(whole[: int(len(whole) * written)])
    made = await render_storyboard(str(film), out=str(tmp_path / "out"))
    assert frames_in(made.sequence) == 54


async def test_the_run_of_a_film_with_mistakes_is_named_by_its_title(tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text(FILM.replace("duration: 20f", "duration: 20"))
    state = await render_storyboard(str(tmp_path / "film.yaml"), return_state=True)
    assert "a duration needs a unit" in (state.message or "")
    async with get_client() as client:
        run = await client.read_flow_run(state.state_details.flow_run_id)
    assert re.fullmatch(r"Two Rooms \d\d \w{3} \d\d:\d\d", run.name)


async def test_a_film_with_a_level_is_made_of_the_same_takes_and_says_what_it_reached(
    first: Rendering, film: Path
) -> None:
    """Only its sound is other: no take is made and no clip is conformed again, and the picture is what it was."""
    make_clip(film.with_name("place.mp4"), frames=24, sound="sine=frequency=300:sample_rate=48000")
    film.write_text(FILM.replace("16f}", "16f, mix: -3 dB}") + "sound: {loudness: -23 LUFS}\nambience: place.mp4\n")
    second = await render_storyboard(str(film), out=str(film.with_name("second")))
    assert all(take.cached for take in second.shots) and [take.key for take in second.shots] == [
        take.key for take in first.shots
    ]
    assert pictures_of(second.sequence) == pictures_of(first.sequence)
    assert {state for name, state in (await states_of(second.flow_run)).items() if name != "assemble"} == {"Cached"}
    assert second.level and second.level.loudness == pytest.approx(-23, abs=0.5) and second.level.gain
    assert "-23.0 LUFS" in second.in_words or "-22.9 LUFS" in second.in_words or "-23.1 LUFS" in second.in_words
    told = json.loads((film.with_name("second") / "manifest.json").read_text())
    assert told["level"] == second.as_json()["level"] == second.level.as_json()
    assert first.level is None and "level" not in first.as_json()
