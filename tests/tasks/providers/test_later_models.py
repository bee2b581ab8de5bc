"""Wan 3.0 and HappyHorse: the bodies of their orders, field by field, and what their makers refuse."""

from __future__ import annotations

import copy
import wave
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.errors import Refused
from storyreel.testing.footage import footage
from tests.tasks.providers.hosted_services import SERVICES, image, opened, request, video, voice

BOARD, LAST, MIRA, TOM, WALK, SOUND, CLIP = (
    f"https://films.example/{name}"
    for name in ("board.png", "end.png", "mira.png", "tom.jpg", "walk.mp4", "mira.wav", "clip.mp4")
)
REFERENCES = [
    {"type": "reference_image", "url": MIRA},
    {"type": "reference_image", "url": TOM},
    {"type": "reference_video", "url": WALK},
]
FRAMES = [{"type": "first_frame", "url": BOARD}, {"type": "last_frame", "url": LAST}]
PARAMETERS = {"resolution": "480P", "duration": 12, "watermark": False, "seed": 7}


def native(model: str, media: list[dict[str, str]] | None, **parameters: Any) -> dict[str, Any]:
    """A body in Model Studio's form."""
    content: dict[str, Any] = {"prompt": "A lamp is lit."} | ({"media": media} if media else {})
    return {"model": model, "input": content, "parameters": PARAMETERS | parameters}


def flat(model: str, **fields: Any) -> dict[str, Any]:
    """A body in AIMLAPI's form."""
    common = {"prompt": "A lamp is lit.", "resolution": "480p", "duration": 12, "seed": 7, "watermark": False}
    return {"model": model, **common, **fields}


WAN_3 = {
    Mode.REFERENCE: native("wan3.0-video", [*REFERENCES, {"type": "reference_audio", "url": SOUND}], ratio="9:16"),
    Mode.IMAGE: native("wan3.0-video", FRAMES),
    Mode.TEXT: native("wan3.0-video", None, ratio="9:16"),
}
HORSE = {
    Mode.REFERENCE: native("happyhorse-1.1-r2v", REFERENCES[:2], resolution="720P", ratio="9:16"),
    Mode.IMAGE: native("happyhorse-1.1-i2v", FRAMES[:1], resolution="720P"),
    Mode.TEXT: native("happyhorse-1.1-t2v", None, resolution="720P", ratio="9:16"),
    Mode.EDIT: {
        "model": "happyhorse-1.0-video-edit",
        "input": {"prompt": "A lamp is lit.", "media": [{"type": "video", "url": CLIP}, REFERENCES[0]]},
        "parameters": {"resolution": "720P", "watermark": False, "seed": 7, "audio_setting": "origin"},
    },
}
# Without a mark, but in reference-to-video.
FREEPIK = {"prompt": "A lamp is lit.", "resolution": "720P", "seed": 7}
BODIES: dict[tuple[str, str], dict[Mode, dict[str, Any]]] = {
    ("dashscope", "wan3.0-video"): WAN_3,
    ("apiyi", "wan3.0-video"): WAN_3,
    ("aimlapi", "wan3.0-video"): {
        Mode.REFERENCE: flat(
            "alibaba/wan3.0-video",
            reference_image_urls=[MIRA, TOM],
            video_urls=[WALK],
            audio_urls=[SOUND],
            aspect_ratio="9:16",
        ),
        Mode.IMAGE: flat("alibaba/wan3.0-video", image_url=BOARD, last_image_url=LAST),
        Mode.TEXT: flat("alibaba/wan3.0-video", aspect_ratio="9:16"),
    },
    ("dashscope", "happyhorse-1.1"): HORSE,
    ("apiyi", "happyhorse-1.1"): HORSE,
    ("aimlapi", "happyhorse-1.1"): {
        Mode.REFERENCE: flat(
            "alibaba/happyhorse-1.1", resolution="720p", reference_image_urls=[MIRA, TOM], aspect_ratio="9:16"
        ),
        Mode.IMAGE: flat("alibaba/happyhorse-1.1", resolution="720p", image_url=BOARD),
        Mode.TEXT: flat("alibaba/happyhorse-1.1", resolution="720p", aspect_ratio="9:16"),
        Mode.EDIT: {
            "model": "alibaba/happyhorse-1-0",
            "prompt": "A lamp is lit.",
            "resolution": "720p",
            "seed": 7,
            "watermark": False,
            "video_url": CLIP,
            "audio_setting": "origin",
            "reference_image_urls": [MIRA],
        },
    },
    ("freepik", "happyhorse-1.1"): {
        Mode.REFERENCE: FREEPIK
        | {
            "image_urls": [{"url": MIRA}, {"url": TOM}],
            "duration": 12,
            "watermark": False,
            "aspect_ratio": "9:16",
        },
        Mode.IMAGE: FREEPIK | {"image_url": BOARD, "duration": 12},
        Mode.TEXT: FREEPIK | {"duration": 12, "aspect_ratio": "9:16"},
        Mode.EDIT: FREEPIK | {"video_url": CLIP, "audio_setting": "origin"},
    },
}
PATHS = {
    Mode.REFERENCE: "/v1/ai/reference-to-video/happy-horse-1-1",
    Mode.IMAGE: "/v1/ai/image-to-video/happy-horse-1-1",
    Mode.TEXT: "/v1/ai/text-to-video/happy-horse-1-1",
    Mode.EDIT: "/v1/ai/video-edit/happy-horse-1",
}
"""At Freepik, where the model is in the path."""


def full(name: str, model: str, mode: Mode) -> Any:
    """As much as the model takes in a mode."""
    is_wan = model == "wan3.0-video"
    references = (image(MIRA, voice=voice(SOUND)), image(TOM), video(WALK)) if is_wan else (image(MIRA), image(TOM))
    if mode is Mode.EDIT:
        edit = {"edited": video(CLIP, seconds=Fraction(12)), "audio": "origin"}
        pictures = () if name == "freepik" else (image(MIRA),)
        return request(SERVICES[name], mode, of=model, seconds=12, aspect_ratio="9:16", references=pictures, **edit)
    return request(
        SERVICES[name],
        mode,
        of=model,
        seconds=12,
        aspect_ratio="9:16",
        resolution="480p" if is_wan else "720p",
        references=references if mode is Mode.REFERENCE else (),
        first_frame=image(BOARD) if mode is Mode.IMAGE else None,
        last_frame=image(LAST) if mode is Mode.IMAGE and is_wan else None,
    )


@pytest.mark.parametrize(("name", "model", "mode"), [(*which, mode) for which in BODIES for mode in BODIES[which]])
async def test_every_field_of_an_order_is_as_the_service_documents(name: str, model: str, mode: Mode) -> None:
    async with opened(SERVICES[name]) as (provider, emulator):
        task = (await provider.submit(full(name, model, mode))).task
        assert emulator.requests[-1].json() == BODIES[name, model][mode]
        assert len(emulator.accepted) == 1
        if name == "freepik":
            assert emulator.requests[-1].path == PATHS[mode]
        assert (await provider.poll(task)).clip_url, "it is looked at where it was ordered"
        if provider.lists_every_task or name == "freepik":
            listed = await provider.list_tasks(datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC))
            assert task in {one.task for one in listed or ()}


def _with(field: str, value: Any) -> Callable[[dict[str, Any]], None]:
    where, _, name = field.rpartition(".")
    return lambda body: body[where].__setitem__(name, value)


@pytest.mark.parametrize(
    ("mode", "change"),
    [
        (Mode.TEXT, _with("input.negative_prompt", "text")),
        (Mode.TEXT, _with("parameters.prompt_extend", False)),
        (Mode.TEXT, _with("parameters.duration", 31)),
        (Mode.TEXT, _with("parameters.duration", "5")),
        (Mode.TEXT, _with("parameters.resolution", "480p")),
        (Mode.IMAGE, lambda body: body["input"]["media"].append(REFERENCES[0])),
        (Mode.IMAGE, lambda body: body["input"]["media"].pop(0)),
        (Mode.REFERENCE, _with("input.media", 11 * REFERENCES[:1])),
        (Mode.REFERENCE, _with("input.media", 6 * REFERENCES[2:])),
        (Mode.REFERENCE, _with("input.media", [REFERENCES[0] | {"reference_voice": SOUND}])),
    ],
)
@pytest.mark.parametrize("name", ["apiyi", "dashscope"])
async def test_what_wan_3_does_not_take_is_refused_and_not_sold(name: str, mode: Mode, change: Any) -> None:
    body = copy.deepcopy(WAN_3[mode])
    change(body)
    async with opened(SERVICES[name]) as (provider, emulator):
        path, headers = provider.submit_path(full(name, "wan3.0-video", mode)), provider.submit_headers({})
        with pytest.raises(Refused):
            await provider._client.post_once(path, body, headers)
    assert not emulator.accepted


# What a film asks for that the model cannot make, before anything is sent


FILM = """storyboard: 1
title: The Keeper
format: {{resolution: {resolution}}}
look: {{avoid: "text, logos"}}
defaults: {{provider: dashscope, model: {model}}}
cast:
  mira: {{references: [mira.png], voice: mira.wav}}
  tom: {{references: [https://x.org/tom.png], voice: mira.wav}}
  ana: {{references: [https://x.org/walk.mp4, https://x.org/ana.png, https://x.org/side.png]}}
  bo: {{references: [https://x.org/walk.mp4]}}
shots:
  - {{shot: 1A, {shot}}}
"""


def plan(folder: Path, shot: str, model: str = "wan3.0-video", resolution: str = "480p") -> Plan:
    Image.new("RGB", (480, 400)).save(folder / "mira.png")
    with wave.open(str(folder / "mira.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 8000 * 9))
    (folder / "film.yaml").write_text(FILM.format(shot=shot, model=model, resolution=resolution))
    return make_plan(read(folder / "film.yaml"), History(purchases=lambda _: {}, holds=lambda _: False))


def problem(folder: Path, *args: str) -> Problem:
    with pytest.raises(StoryboardError) as refused:
        plan(folder, *args)
    (only,) = refused.value.problems
    return only


def test_frames_and_references_exclude_each_other(tmp_path: Path) -> None:
    found = problem(tmp_path, "action: On., cast: [mira], first_frame: mira.png")
    assert found.message == "wan3.0-video at dashscope begins no clip with a given picture in reference-to-video"
    assert found.hint == (
        "shoot it with `model: wan2.7` at aimlapi or apiyi or dashscope or freepik, or write `mode: image-to-video`, "
        "which sends no references, or remove `first_frame`"
    )
    (take,) = plan(tmp_path, "action: On., cast: [mira], first_frame: mira.png, mode: image-to-video").takes
    assert take.request.first_frame and not take.request.references


def test_what_to_avoid_is_in_the_prompt_and_the_plan_says_so(tmp_path: Path) -> None:
    planned = plan(tmp_path, "action: On.")
    assert (
        planned.takes[0].request.prompt.endswith("Avoid: text, logos.") and not planned.takes[0].request.negative_prompt
    )
    told = "`look.avoid` is put at the end of the prompt of 1A: wan3.0-video at dashscope has no field for it"
    assert planned.warnings == (told,)
    assert not plan(tmp_path, "action: On.", "wan2.7", "720p").warnings


def test_a_clip_of_half_a_minute_at_480p_is_sold(tmp_path: Path) -> None:
    (take,) = plan(tmp_path, "action: On., duration: 30s").takes
    assert (take.request.seconds, take.request.width, take.request.height) == (30, 832, 480)
    assert take.price and str(take.price) == "9.00 CNY"
    assert "at most 30s" in problem(tmp_path, "action: On., duration: 31s").message
    found = problem(tmp_path, "action: On.", "wan2.7")
    assert found.message == "wan2.7 at dashscope has no resolution 480p; it has 720p, 1080p"
    assert found.hint.startswith("shoot it with `model: wan3.0-video` at aimlapi or apiyi or dashscope")


def test_voices_are_counted_and_those_beyond_fifteen_seconds_are_not_sent(tmp_path: Path) -> None:
    planned = plan(tmp_path, "action: On., cast: [mira, tom]")
    mira, tom = planned.takes[0].request.references
    assert mira.voice and not tom.voice
    assert "Audio 1 is the voice of Mira." in planned.takes[0].request.prompt
    assert "Audio 2" not in planned.takes[0].request.prompt
    assert any("the voice of tom is not sent" in warning for warning in planned.warnings)
    # There is room for the one who speaks.
    mira, tom = plan(tmp_path, "action: On., cast: [mira, tom], dialogue: [{tom: Hi}]").takes[0].request.references
    assert tom.voice and not mira.voice


def test_reference_videos_leave_the_clip_what_remains_of_half_a_minute(tmp_path: Path) -> None:
    for name, seconds in (("walk", 9), ("run", 4)):
        (tmp_path / f"{name}.mp4").write_bytes(footage(seconds, 320, 240, name))
    shot = "action: On., references: [walk.mp4, run.mp4], duration: {}s"
    (take,) = plan(tmp_path, shot.format(17)).takes
    assert take.request.seconds == 17 and take.price and str(take.price) == "9.00 CNY"
    assert "makes at most 17s with a reference video" in problem(tmp_path, shot.format(18)).message
    (tmp_path / "walk.mp4").write_bytes(footage(12, 320, 240, "longer"))
    found = problem(tmp_path, shot.format(5))
    assert found.message == "the reference videos of shot 1A are 16s long together, wan3.0-video at dashscope takes 15s"


def test_happy_horse_takes_no_video_and_names_pictures_in_brackets(tmp_path: Path) -> None:
    found = problem(tmp_path, "action: On., references: [https://x.org/a.mp4]", "happyhorse-1.1", "720p")
    assert found.hint.endswith("or give it others: at most 9 images and no videos")
    (take,) = plan(tmp_path, "action: '{mira} waves.', cast: [mira]", "happyhorse-1.1", "720p").takes
    assert "[Image 1] is Mira. [Image 1] waves." in take.request.prompt.replace(" The camera does not move.", "")
    assert take.request.model == "happyhorse-1.1-r2v"


def test_of_somebody_whose_first_reference_is_a_video_the_picture_is_sent(tmp_path: Path) -> None:
    cast = "cast: [ana, tom, mira]"
    planned = plan(tmp_path, f"action: On., {cast}", "happyhorse-1.1", "720p")
    sent = [(one.subject, one.kind, Path(one.source).name) for one in planned.takes[0].request.references]
    # One of each before the second of any; videos are passed over.
    assert sent == [
        ("ana", "image", "ana.png"), ("ana", "image", "side.png"), ("tom", "image", "tom.png"),
        ("mira", "image", "mira.png"),
    ]  # fmt: skip
    told = "the video of ana is not sent to dashscope for 1A, a picture of ana is: "
    assert told + "happyhorse-1.1-r2v takes none, or no more" in planned.warnings
    everything = plan(tmp_path, f"action: On., {cast}").takes[0].request.references
    assert [Path(one.source).name for one in everything if one.subject == "ana"] == ["walk.mp4", "ana.png", "side.png"]
    assert not any("video of ana" in warning for warning in plan(tmp_path, f"action: On., {cast}").warnings)
    found = problem(tmp_path, "action: On., cast: [bo]", "happyhorse-1.1", "720p")
    assert found.message == "shot 1A shows bo by videos, and happyhorse-1.1-r2v takes none"
    assert "shoot it with `model: wan2.7` at" in found.hint


def test_happy_horse_begins_with_smaller_pictures_than_it_refers_to_and_with_no_wide_ones(tmp_path: Path) -> None:
    Image.new("RGB", (340, 320)).save(tmp_path / "small.bmp")
    Image.new("RGB", (340, 320)).save(tmp_path / "small.png")
    Image.new("RGB", (1600, 600)).save(tmp_path / "wide.png")
    horse = ("happyhorse-1.1", "720p")
    assert plan(tmp_path, "action: On., first_frame: small.bmp", *horse).takes[0].request.first_frame
    found = problem(tmp_path, "action: On., references: [small.png]", *horse)
    assert "each side must have 400 to 8000" in found.message
    found = problem(tmp_path, "action: On., first_frame: wide.png", *horse)
    assert "no side may be more than 2.5 times the other" in found.message
