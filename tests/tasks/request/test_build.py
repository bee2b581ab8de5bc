"""The requests that are built for a shot."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from storyreel.specs.cut import build_cut
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers import load
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Request
from storyreel.tasks.providers.wan.capabilities import WAN
from storyreel.tasks.request.build import build_requests
from storyreel.tasks.request.materials import Materials
from storyreel.tasks.request.unsupported import Unsupported
from tests.tasks.generated_clips import make_clip


class Hosted(Provider):
    """A service as the hosted ones are: sold lengths, few references, a prompt."""

    name = "hosted"
    capabilities = {  # noqa: RUF012
        mode: Capability(
            mode=mode, model=f"wan-{mode}", durations=(5, 10, 15), durations_with_video=(5, 10),
            images=5, videos=2, references=5, voice=True, prompt_length=400, negative_length=20, media=WAN,
            uploads=True, last_frame=mode is Mode.IMAGE,
        )
        for mode in Mode
    }  # fmt: skip


FILM = """
storyboard: 1
title: The Keeper
look: {prompt: overcast light, avoid: "text"}
cast:
  mira: {name: Mira, description: woman in her sixties, references: [REFS], voice: https://x.org/mira.wav}
  tom: {description: boy of twelve}
locations:
  lamp_room: {description: brass lamp room, references: [https://x.org/lamp.png]}
shots:
  - {shot: 1A, SHOT}
  - {shot: 1B, action: Then nothing., duration: 5s, TRANSITION}
"""


def first(
    folder: Path,
    shot: str,
    refs: str = "https://x.org/m.png",
    transition: str = "transition: cut",
    more: str = "",
    service: type[Provider] = Hosted,
    film: str = FILM,
) -> list[Request]:
    file = folder / "film.yaml"
    file.write_text(film.replace("REFS", refs).replace("SHOT", shot).replace("TRANSITION", transition) + more)
    board = read(file)
    (event, *_), (shot, *_) = build_cut(board).events, board.all_shots
    return list(build_requests(Materials.of(board, lambda _: "d"), shot, service, event, "free", None))


def ask(folder: Path, shot: str, **film: Any) -> Request:
    return first(folder, shot, **film)[0]


@pytest.mark.parametrize(
    ("shot", "mode"),
    [
        ("action: Rain.", Mode.TEXT),
        ("action: Rain., first_frame: https://x.org/a.png", Mode.IMAGE),
        ("action: She climbs., cast: [mira]", Mode.REFERENCE),
        ("action: She climbs., cast: [mira], first_frame: https://x.org/a.png", Mode.REFERENCE),
        ("action: Empty., location: lamp_room", Mode.REFERENCE),
        ("action: He waits., cast: [tom]", Mode.TEXT),
        ("action: She climbs., cast: [mira], mode: text-to-video", Mode.TEXT),
        ("action: Rain., first_frame: https://x.org/a.png, last_frame: https://x.org/b.png", Mode.IMAGE),
    ],
)
def test_the_mode_follows_from_the_shots_attachments(tmp_path: Path, shot: str, mode: Mode) -> None:
    assert ask(tmp_path, shot).mode is mode


def test_the_parts_of_a_prompt_are_in_order(tmp_path: Path) -> None:
    shot = (
        'action: "{mira} climbs.", cast: [mira, tom], location: lamp_room, size: wide, camera: push in, '
        'dialogue: [{mira: "Who is there?", delivery: whispered}]'
    )
    assert ask(tmp_path, shot).prompt == (
        "Image 1 is Mira, a woman in her sixties. Tom is a boy of twelve. Image 2 is lamp room, a brass lamp room. "
        "Wide shot. The camera pushes in slowly. In Image 2. Image 1 climbs. "
        'Image 1 says (whispered): "Who is there?" overcast light.'
    )


def test_images_and_videos_are_numbered_apart(tmp_path: Path) -> None:
    request = ask(
        tmp_path, "action: On., cast: [mira]", refs="https://x.org/m.png, https://x.org/w.mp4, https://x.org/n.png"
    )
    assert request.prompt.startswith("Image 1, Video 1 and Image 2 are Mira")


def test_a_speaker_off_screen_is_not_attached(tmp_path: Path) -> None:
    request = ask(tmp_path, 'action: Rain., dialogue: [{mira: "Hello?"}]')
    assert request.references == ()
    assert 'Mira, off screen, says: "Hello?"' in request.prompt


@pytest.mark.parametrize("dialogue", ["", ', dialogue: [{mira: "Hello?"}]', ', dialogue: [{tom: "Hello?"}]'])
def test_the_voice_of_everyone_who_is_seen_goes_along_unless_the_sound_is_dropped(
    tmp_path: Path, dialogue: str
) -> None:
    kept = ask(tmp_path, f"action: On., cast: [mira], location: lamp_room{dialogue}")
    assert [one.voice.source if one.voice else "" for one in kept.references] == ["https://x.org/mira.wav", ""]
    dropped = ask(tmp_path, f"action: On., cast: [mira], location: lamp_room{dialogue}, native_audio: drop")
    assert [one.voice for one in dropped.references] == [None, None]
    assert kept.key != dropped.key


def test_a_voice_that_does_not_fit_is_an_error_only_where_a_line_is_spoken_with_it(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "long.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 8000 * 12))
    film = FILM.replace("https://x.org/mira.wav", "long.wav")
    assert ask(tmp_path, "action: On., cast: [mira]", film=film).references[0].voice is None
    with pytest.raises(Unsupported, match=r"12 s long, it must be 1 to 10 s"):
        ask(tmp_path, 'action: On., cast: [mira], dialogue: [{mira: "Hello?"}]', film=film)


def test_each_subject_has_one_reference_before_any_has_two(tmp_path: Path) -> None:
    many = ", ".join(f"https://x.org/m{n}.png" for n in range(6))
    request = ask(tmp_path, "action: On., cast: [mira], location: lamp_room", refs=many)
    assert [attachment.subject for attachment in request.references] == ["mira"] * 4 + ["lamp_room"]


@pytest.mark.parametrize(("cut", "sold"), [("2s", 5), ("5s", 5), ("150f", 5), ("151f", 10), ("10s", 10), ("11s", 15)])
def test_the_shortest_sold_length_that_covers_the_cut_is_bought(tmp_path: Path, cut: str, sold: int) -> None:
    assert ask(tmp_path, f"action: Rain., duration: {cut}").seconds == sold


def test_a_dissolve_buys_the_next_length_only_if_asked_to(tmp_path: Path) -> None:
    dissolve = "transition: {type: dissolve, duration: 12f}"
    assert ask(tmp_path, "action: Rain., duration: 5s", transition=dissolve).seconds == 5
    assert ask(tmp_path, "action: Rain., duration: 5s, handles: shoot", transition=dissolve).seconds == 10


def test_a_fractional_rate_does_not_buy_the_next_length(tmp_path: Path) -> None:
    request = ask(tmp_path, "action: Rain., duration: 5s", more="format: {fps: 23.976}\n")
    assert request.seconds == Fraction(5)


@pytest.mark.parametrize(
    ("shot", "refs", "field", "words"),
    [
        ("action: Rain., duration: 16s", "https://x.org/m.png", "duration", "at most 15s"),
        ("action: On., cast: [mira], duration: 11s", "https://x.org/w.mp4", "duration", "with a reference video"),
        (f"action: {'very long ' * 60}", "https://x.org/m.png", "action", "reads 400"),
    ],
)
def test_an_unsupported_value_is_reported_at_its_key(
    tmp_path: Path, shot: str, refs: str, field: str, words: str
) -> None:
    with pytest.raises(Unsupported) as unsupported:
        ask(tmp_path, shot, refs=refs)
    assert unsupported.value.field == field
    assert words in unsupported.value.message


def test_more_subjects_than_the_service_takes_are_refused(tmp_path: Path) -> None:
    """Three who must each be shown by a video, at a service that takes two."""
    people = "\n".join(f"  p{n}: {{references: [https://x.org/{n}.mp4]}}" for n in range(3))
    file = tmp_path / "film.yaml"
    file.write_text(
        f"storyboard: 1\ntitle: Crowd\ncast:\n{people}\nshots: [{{shot: 1A, action: On., cast: [p0, p1, p2]}}]\n"
    )
    film = read(file)
    with pytest.raises(Unsupported, match="more people and places"):
        materials, event = Materials.of(film, lambda _: "d"), build_cut(film).events[0]
        list(build_requests(materials, film.all_shots[0], Hosted, event, "free", None))


def test_a_last_frame_is_attached_and_in_the_key(tmp_path: Path) -> None:
    begins = "action: Rain., first_frame: https://x.org/a.png"
    ends = ask(tmp_path, f"{begins}, last_frame: https://x.org/b.png")
    elsewhere = ask(tmp_path, f"{begins}, last_frame: https://x.org/c.png")
    assert ends.last_frame and ends.last_frame.source == "https://x.org/b.png"
    assert [use for use, _ in ends.attachments] == ["first_frame", "last_frame"]
    assert len({ends.key, elsewhere.key, ask(tmp_path, begins).key}) == 3
    assert "last_frame" not in ask(tmp_path, begins).canonical()


@pytest.mark.parametrize("name", ["aimlapi", "apiyi"])
def test_a_service_without_last_frames_names_those_with_them(tmp_path: Path, name: str) -> None:
    shot = "action: Rain., first_frame: https://x.org/a.png, last_frame: https://x.org/b.png"
    with pytest.raises(Unsupported) as unsupported:
        ask(tmp_path, shot, service=load(name))
    assert (unsupported.value.field, unsupported.value.others) == ("last_frame", ())
    assert unsupported.value.message == f"{name} ends no clip with a given picture in image-to-video"
    assert unsupported.value.hint == "shoot it with dashscope or freepik, or remove `last_frame`"
    for able in ("dashscope", "freepik", "animatic"):
        assert ask(tmp_path, shot, service=load(able)).last_frame


def test_a_last_frame_is_checked_as_a_first_one_is(tmp_path: Path) -> None:
    Image.new("RGB", (100, 100)).save(tmp_path / "small.png")
    with pytest.raises(Unsupported, match=r"does not take `small\.png`: it is 100x100 pixels") as unsupported:
        ask(tmp_path, "action: Rain., first_frame: https://x.org/a.png, last_frame: small.png")
    assert unsupported.value.field == "last_frame"


def test_a_last_frame_beside_references_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(Unsupported) as unsupported:
        ask(tmp_path, "action: On., cast: [mira], first_frame: https://x.org/a.png, last_frame: https://x.org/b.png")
    assert (unsupported.value.field, unsupported.value.others) == ("last_frame", ())
    assert "ends no clip with a given picture in reference-to-video" in unsupported.value.message
    assert unsupported.value.hint == "write `mode: image-to-video`, which sends no references, or remove `last_frame`"


def test_the_length_of_a_local_video_is_read_and_not_in_the_key(tmp_path: Path) -> None:
    make_clip(tmp_path / "walk.mp4", frames=36, size="320x240")
    here = ask(tmp_path, "action: On., cast: [mira]", refs="walk.mp4, https://x.org/far.mp4")
    assert [reference.seconds for reference in here.references] == [Fraction(3, 2), None]
    forgotten = [reference.model_copy(update={"seconds": None}) for reference in here.references]
    assert here.model_copy(update={"references": tuple(forgotten)}).key == here.key
