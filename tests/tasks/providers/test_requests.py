"""The body of an order, field by field, for each service, and against the published schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from PIL import Image

from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.models import models_of
from tests.properties import one_in
from tests.services.emulator import Emulator
from tests.services.test_aimlapi_schema import FOLDER, checker, request_schema
from tests.tasks.generated_clips import make_clip
from tests.tasks.providers.hosted_services import (
    MADE,
    SERVICES,
    Service,
    digest_of,
    image,
    opened,
    request,
    sound,
    video,
    voice,
)

BOARD, LAST, MIRA, TOM, WALK, SOUND = (
    f"https://films.example/{name}" for name in ("board.png", "end.png", "mira.png", "tom.jpg", "walk.mp4", "mira.wav")
)

MARK = "text, watermark"

AIMLAPI_COMMON = {"prompt": "Image 1 and Image 2 follow Video 1.", "resolution": "720p", "duration": 10, "seed": 4711}
WAN_COMMON = {"resolution": "720P", "duration": 10, "prompt_extend": False, "watermark": False, "seed": 4711}
FREEPIK_COMMON = {
    "prompt": "Image 1 and Image 2 follow Video 1.",
    "resolution": "720P",
    "duration": 10,
    "seed": 4711,
    "additional_settings": {"prompt_extend": False},
}
WAN_INPUT = {"prompt": "Image 1 and Image 2 follow Video 1.", "negative_prompt": MARK}


def wan(mode: str, media: list[dict[str, str]] | None, **parameters: Any) -> dict[str, Any]:
    content = WAN_INPUT | ({"media": media} if media else {})
    return {"model": f"wan2.7-{mode}", "input": content, "parameters": WAN_COMMON | parameters}


WAN_BODIES = {
    Mode.REFERENCE: wan(
        "r2v",
        [
            {"type": "first_frame", "url": BOARD},
            {"type": "reference_image", "url": MIRA, "reference_voice": SOUND},
            {"type": "reference_image", "url": TOM},
            {"type": "reference_video", "url": WALK},
        ],
        ratio="9:16",
    ),
    Mode.IMAGE: wan("i2v", [{"type": "first_frame", "url": BOARD}]),
    Mode.TEXT: wan("t2v", None, ratio="9:16"),
}
FRAMES = [{"type": "first_frame", "url": BOARD}, {"type": "last_frame", "url": LAST}]
BODIES: dict[str, dict[Mode, dict[str, Any]]] = {
    "aimlapi": {
        Mode.REFERENCE: AIMLAPI_COMMON
        | {
            "model": "alibaba/wan-2-7-r2v",
            "negative_prompt": MARK,
            "first_frame_image": BOARD,
            "image_urls": [MIRA, TOM],
            "video_urls": [WALK],
            "aspect_ratio": "9:16",
            "enhance_prompt": False,
            "watermark": False,
        },
        Mode.IMAGE: AIMLAPI_COMMON
        | {
            "model": "alibaba/wan-2-7-i2v",
            "negative_prompt": MARK,
            "image_url": BOARD,
            "enhance_prompt": False,
            "enable_prompt_expansion": False,
            "watermark": False,
        },
        Mode.TEXT: AIMLAPI_COMMON
        | {
            "model": "alibaba/wan-2-7-t2v",
            "negative_prompt": MARK,
            "aspect_ratio": "9:16",
            "enhance_prompt": False,
        },
    },
    "apiyi": WAN_BODIES,
    "dashscope": {**WAN_BODIES, Mode.IMAGE: wan("i2v", FRAMES)},
    "freepik": {
        Mode.REFERENCE: FREEPIK_COMMON
        | {
            "negative_prompt": MARK,
            "start_image_url": BOARD,
            "image_urls": [{"url": MIRA, "reference_voice": SOUND}, {"url": TOM}],
            "video_urls": [{"url": WALK}],
            "aspect_ratio": "9:16",
        },
        Mode.IMAGE: FREEPIK_COMMON | {"start_image_url": BOARD, "end_image_url": LAST},
        Mode.TEXT: FREEPIK_COMMON | {"aspect_ratio": "9:16"},
    },
}
WAN_HEADERS = {"authorization": "Bearer sk-emulator", "x-dashscope-async": "enable"}
HEADERS = {
    "aimlapi": {"authorization": "Bearer sk-emulator"},
    "apiyi": {**WAN_HEADERS, "accept-encoding": "identity"},
    "dashscope": WAN_HEADERS,
    "freepik": {"x-freepik-api-key": "sk-emulator"},
}
WAN_PATH = "/api/v1/services/aigc/video-generation/video-synthesis"


def path_of(service: Service, mode: Mode) -> str:
    return {
        "aimlapi": "/v2/video/generations",
        "apiyi": f"/wan{WAN_PATH}",
        "dashscope": WAN_PATH,
        "freepik": f"/v1/ai/{mode.value}/wan-2-7",
    }[service.name]


def full(service: Service, mode: Mode) -> Any:
    """Two images, one with a voice, a video, a first frame and a last, what to avoid, a seed."""
    capability = service.adapter.capabilities[mode]
    mira = image(MIRA, voice=voice(SOUND) if capability.voice else None)
    return request(
        service,
        mode,
        prompt="Image 1 and Image 2 follow Video 1.",
        negative_prompt=MARK if capability.negative_prompt else "",
        seed=4711,
        seconds=10,
        aspect_ratio="9:16",
        references=(mira, image(TOM), video(WALK)) if mode is Mode.REFERENCE else (),
        first_frame=image(BOARD) if mode is not Mode.TEXT else None,
        last_frame=image(LAST) if capability.last_frame else None,
    )


@pytest.mark.parametrize("mode", MADE)
@pytest.mark.parametrize("name", list(SERVICES))
async def test_every_field_of_an_order_is_as_the_service_documents(name: str, mode: Mode) -> None:
    service = SERVICES[name]
    async with opened(service) as (provider, emulator):
        await provider.submit(full(service, mode))
    (received,) = emulator.requests
    assert (received.method, received.path, received.query) == ("POST", path_of(service, mode), ())
    assert received.json() == BODIES[name][mode]
    assert type(received.json().get("duration", received.json().get("parameters", {}).get("duration"))) is int
    assert received.headers.items() >= HEADERS[name].items()
    ids = {value for value in received.headers.values() if value == full(service, mode).key}
    assert bool(ids) == (name == "aimlapi"), "the others have no field for an id of ours"
    assert len(emulator.accepted) == 1


def switched_on(body: Any) -> Any:
    """A body with the service's own expansion and mark switched on, where it has a field for them."""
    if not isinstance(body, dict):
        return body
    switches = ("prompt_extend", "enhance_prompt", "enable_prompt_expansion", "watermark")
    return {name: True if name in switches else switched_on(value) for name, value in body.items()}


@pytest.mark.parametrize("mode", MADE)
@pytest.mark.parametrize("name", list(SERVICES))
async def test_expansion_and_mark_are_switched_on_under_the_services_own_names(name: str, mode: Mode) -> None:
    service = SERVICES[name]
    marks = service.adapter.capabilities[mode].watermark
    ordered = full(service, mode).model_copy(update={"expand_prompt": True, "watermark": marks})
    async with opened(service) as (provider, emulator):
        await provider.submit(ordered)
    (received,) = emulator.requests
    assert received.json() == switched_on(BODIES[name][mode]) != BODIES[name][mode]
    assert marks is ("watermark" in BODIES[name][mode].get("parameters", BODIES[name][mode]))


@pytest.mark.parametrize("mode", [Mode.IMAGE, Mode.TEXT])
@pytest.mark.parametrize("name", list(SERVICES))
async def test_the_recording_that_drives_a_clip_is_sent_under_the_services_own_name(name: str, mode: Mode) -> None:
    service = SERVICES[name]
    assert service.adapter.capabilities[mode].sound and not service.adapter.capabilities[Mode.REFERENCE].sound
    ordered = full(service, mode).model_copy(update={"sound": sound(SOUND)})
    async with opened(service) as (provider, emulator):
        await provider.submit(ordered)
    (received,) = emulator.requests
    body = json.loads(json.dumps(BODIES[name][mode]))
    if name in ("aimlapi", "freepik"):
        body["audio_url"] = SOUND
    elif mode is Mode.IMAGE:
        body["input"]["media"].append({"type": "driving_audio", "url": SOUND})
    else:
        body["input"]["audio_url"] = SOUND
    assert received.json() == body


@pytest.mark.parametrize(("sold", "sent"), [(5, 0), (3, 3)])
@pytest.mark.parametrize("name", ["apiyi", "dashscope"])
async def test_an_edit_is_ordered_of_a_clip_all_of_it_unless_less_is_sold(name: str, sold: int, sent: int) -> None:
    service = SERVICES[name]
    clip = video("https://films.example/take.mp4", seconds=Fraction(5))
    ordered = request(
        service, Mode.EDIT, prompt="Make it dusk.", seed=4711, seconds=sold, edited=clip, audio="origin",
        references=(image(MIRA),),
    )  # fmt: skip
    async with opened(service) as (provider, emulator):
        await provider.submit(ordered)
    media = [{"type": "video", "url": clip.source}, {"type": "reference_image", "url": MIRA}]
    assert emulator.requests[-1].json() == {
        "model": "wan2.7-videoedit",
        "input": {"prompt": "Make it dusk.", "media": media},
        "parameters": {**WAN_COMMON, "duration": sent, "audio_setting": "origin"},
    }
    assert emulator.accepted[0].order.seconds == sold and emulator.accepted[0].order.billed_seconds == 5 + sold


@pytest.mark.parametrize("name", list(SERVICES))
async def test_empty_fields_are_not_sent(name: str) -> None:
    async with opened(SERVICES[name]) as (provider, emulator):
        await provider.submit(request(SERVICES[name]))
    text = emulator.requests[0].body.decode()
    for field in ("negative", "media", "image", "video_url", "start_", "end_", "voice", "audio", "webhook"):
        assert f'"{field}' not in text


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the published files are not beside this checkout")
@pytest.mark.parametrize("mode", MADE)
def test_aimlapis_orders_fit_its_published_schema(mode: Mode) -> None:
    short = {Mode.REFERENCE: "r2v", Mode.IMAGE: "i2v", Mode.TEXT: "t2v"}[mode]
    ordered, service = full(SERVICES["aimlapi"], mode), SERVICES["aimlapi"]
    places = {(use, attachment.digest): attachment.source for use, attachment in ordered.attachments}
    body = service.provider("http://127.0.0.1:9").body(ordered, places)
    schema = request_schema(short)
    Draft4Validator(schema, format_checker=checker()).validate(body)
    assert body.keys() <= schema["properties"].keys()


# Whatever a storyboard asks, if it is planned, the service takes it


NAMES = st.sampled_from(["ann", "ben", "cy"])
WORDS = st.text("abc é雨{}'\"\\\n&<", min_size=1, max_size=30).filter(lambda text: text.strip(" \n{}"))


@st.composite
def storyboards(draw: st.DrawFn) -> dict[str, Any]:
    """Films of a few shots, of every mode, some with more than a service takes."""
    remote = ["https://x.example/{}.png", "https://x.example/{}.mp4"]
    places = st.sampled_from(remote if draw(st.booleans()) else [*remote, "here/{}.png"])
    cast = {
        who: {
            "description": draw(WORDS).replace("{", "").replace("}", ""),
            "references": [draw(places).format(f"{who}{n}") for n in range(draw(st.integers(0, 3)))],
            **(
                {"voice": draw(st.sampled_from(["https://x.example/v.wav", "here/v.wav"]))}
                if draw(st.booleans())
                else {}
            ),
        }
        for who in ("ann", "ben", "cy")
    }
    shots: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 3))):
        seen = draw(st.lists(NAMES, unique=True, max_size=3))
        shot: dict[str, Any] = {
            "shot": f"S{number}",
            "action": draw(WORDS).replace("{", "").replace("}", ""),
            "cast": seen,
            "duration": f"{draw(st.integers(10, 420))}f",
            "takes": draw(st.integers(1, 2)),
            "handles": draw(st.sampled_from(["hold", "shoot"])),
        }
        if draw(st.booleans()):
            shot["dialogue"] = [{draw(NAMES): draw(WORDS).replace("{", "").replace("}", "")}]
        if number and draw(st.booleans()):
            before = f"S{number - 1}"
            shot["continues"] = {"shot": before, "with": "clip"} if draw(st.booleans()) else before
        elif draw(st.booleans()):
            shot["first_frame"] = draw(places.filter(lambda place: "png" in place)).format("board")
        if ("continues" in shot or "first_frame" in shot) and draw(st.integers(0, 2)) == 0:
            shot["last_frame"] = draw(places.filter(lambda place: "png" in place)).format("board")
        if draw(st.integers(0, 3)) == 0:
            shot["edit"] = {"instruction": draw(WORDS).replace("{", "").replace("}", "")}
            if "continues" not in shot and "first_frame" not in shot and number:
                shot["edit"]["of"] = f"S{number - 1}"
            if draw(st.booleans()):
                shot["edit"] |= {"references": ["https://x.example/coat.png"], "audio": "auto"}
        if draw(st.integers(0, 4)) == 0:
            shot["mode"] = draw(st.sampled_from([mode.value for mode in MADE]))
        if draw(st.integers(0, 3)) == 0:
            shot["sound"] = "here/v.wav"
        if draw(st.integers(0, 3)) == 0:
            shot |= {"expand_prompt": draw(st.booleans()), "watermark": draw(st.booleans())}
        if draw(st.booleans()):
            shot["seed"] = draw(st.sampled_from([0, 1, 2**31 - 1]))
        shots.append(shot)
    return {
        "storyboard": 1,
        "title": "Any",
        "format": {
            "aspect_ratio": draw(st.sampled_from(["16:9", "9:16", "1:1", "4:3", "3:4"])),
            "resolution": draw(st.sampled_from(["480p", "720p", "1080p"])),
            "fps": draw(st.sampled_from(["24", "23.976", "30", "29.97", "60"])),
        },
        "look": {"prompt": draw(WORDS).replace("{", ""), "avoid": draw(st.sampled_from(["", "text, logos"]))},
        "cast": cast,
        "shots": shots,
    }


def going_on(**more: Any) -> dict[str, Any]:
    """A shot that goes on from the end of another."""
    shot = {"shot": "S1", "action": "On.", "continues": {"shot": "S0", "with": "clip"}, **more}
    return {"storyboard": 1, "title": "Any", "shots": [{"shot": "S0", "action": "On."}, shot]}


def plain(shot: dict[str, Any]) -> dict[str, Any]:
    """One shot, so that every mode is tried whatever else is drawn."""
    return {"storyboard": 1, "title": "Any", "shots": [{"shot": "S0", "action": "On.", **shot}]}


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every local file that a film may name."""
    import wave

    folder = tmp_path_factory.mktemp("film")
    (folder / "here").mkdir()
    for name in ("board", *(f"{who}{n}" for who in ("ann", "ben", "cy") for n in range(3))):
        Image.new("RGB", (480, 400), "grey").save(folder / "here" / f"{name}.png")
    with wave.open(str(folder / "here" / "v.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 8000 * 3))
    return folder


def clip_of(folder: Path, seconds: Fraction) -> Path:
    """A clip of a length; made once."""
    file = folder / "here" / f"{seconds}.mp4"
    return file if file.exists() else make_clip(file, frames=int(30 * seconds), fps="30", size="480x400")


@pytest.fixture(scope="module")
def served() -> Iterator[dict[str, tuple[Emulator, str]]]:
    with ExitStack() as stack:
        emulators = {name: service.emulated() for name, service in SERVICES.items()}
        yield {name: (one, stack.enter_context(one.served())) for name, one in emulators.items()}


def planned(folder: Path, film: dict[str, Any], service: str) -> Plan:
    file = folder / "film.yaml"
    file.write_text(json.dumps(film, ensure_ascii=False))  # JSON is YAML
    return make_plan(read(file), History(purchases=lambda _: {}, holds=lambda _: False), service)


SOLD = [
    (name, model)
    for name, service in SERVICES.items()
    for model, sold in models_of(service.adapter).items()
    if any(mode.product == "clip" for mode in sold.modes)
]
"""Every service with each of its models of clips."""


@pytest.mark.parametrize(("name", "model"), SOLD)
def test_a_service_accepts_every_planned_order(
    name: str, model: str, sets: Path, served: dict[str, tuple[Emulator, str]]
) -> None:
    import asyncio

    service, (emulator, base_url) = SERVICES[name], served[name]
    taken: set[Mode] = set()
    parts: set[str] = set()

    async def order(takes: tuple[PlannedTake, ...]) -> None:
        async with service.provider(base_url) as provider:
            for take in takes:
                ordered = take.request
                for use in ("first_frame", "first_clip", "edited") if take.continues else ():
                    # What a run takes from the clip before.
                    if part := getattr(ordered, use):
                        file = sets / "here" / "board.png" if use == "first_frame" else clip_of(sets, part.seconds)
                        written = {"source": str(file), "frame_digest": digest_of(file)}
                        ordered = ordered.model_copy(update={use: part.model_copy(update=written)})
                        parts.add(use)
                await provider.submit(ordered)
                taken.add(ordered.mode)

    @settings(one_in(10 if model == "wan2.7" else 20), suppress_health_check=list(HealthCheck))
    @given(film=storyboards())
    @example(film=plain({}))
    @example(film=plain({"references": ["https://x.example/mira.png", "here/ann1.png"], "duration": "5s"}))
    @example(film=plain({"references": ["https://x.example/mira.png"], "duration": "5s"}))
    @example(film=plain({"references": ["https://x.example/mira.png"], "duration": "28s"}))
    @example(film=plain({"first_frame": "https://x.example/board.png"}))
    @example(film=plain({"first_frame": "https://x.example/board.png", "last_frame": "here/board.png"}))
    @example(film=plain({"references": ["https://x.example/mira.png"], "first_frame": "https://x.example/board.png"}))
    @example(film=going_on())
    @example(film=plain({"takes": 2, "edit": {"take": 1, "instruction": "Make it dusk"}}))
    @example(film=going_on(last_frame="https://x.example/board.png"))
    def any_film(film: dict[str, Any]) -> None:
        try:
            plan = planned(sets, film | {"defaults": {"model": model}}, name)
        except StoryboardError:
            assume(False)
            return
        before = len(emulator.accepted)
        asyncio.run(order(plan.takes))
        assert len(emulator.accepted) - before == len(plan.takes)
        sold = emulator.accepted[before:]
        assert [one.order.seconds for one in sold] == [take.request.seconds for take in plan.takes]
        # Freepik's are in the path.
        ids = {one.order.model for one in sold if name != "freepik"}
        assert ids <= {capability.model for capability in models_of(service.adapter)[model].modes.values()}

    any_film()
    able_modes = models_of(service.adapter)[model].modes.items()
    assert taken == {mode for mode, able in able_modes if mode is not Mode.EDIT or able.uploads}, (
        "the films did not reach every mode"
    )
    able = models_of(service.adapter)[model].modes[Mode.IMAGE]
    assert ("first_clip" in parts) == bool(able.first_clip and able.uploads)
    edits = models_of(service.adapter)[model].modes.get(Mode.EDIT)
    assert ("edited" in parts) == bool(edits and edits.uploads)


def test_a_film_that_one_service_cannot_make_names_those_that_can(sets: Path) -> None:
    film = {
        "storyboard": 1,
        "title": "Any",
        "cast": {"ann": {"references": ["here/ann0.png"]}},
        "shots": [{"shot": "1A", "action": "On.", "cast": ["ann"]}],
    }
    with pytest.raises(StoryboardError) as refused:
        planned(sets, film, "aimlapi")
    (problem,) = refused.value.problems
    assert "aimlapi cannot be sent the file `here/ann0.png`" in problem.message
    assert problem.hint.startswith("shoot it with apiyi or dashscope or freepik")
    assert "STORYREEL_MEDIA_URL" in problem.hint
