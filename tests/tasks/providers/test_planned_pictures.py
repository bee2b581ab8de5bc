"""Of every film that is planned: its sheets, stills and clips are accepted by the services that are to make them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from storyreel.flows.planning.model import PlannedTake
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.hosted import HostedProvider
from storyreel.tasks.providers.request import Attachment
from storyreel.testing.service import finished
from tests.flows.planning.histories import NOTHING
from tests.properties import one_in
from tests.services.emulator import Emulator
from tests.tasks.providers.hosted_services import SERVICES, digest_of, nothing

MAKERS = (("dashscope", "wan2.7-image-pro"), ("freepik", "seedream-4.5"))
PEOPLE = ("ann", "ben", "cy", "dora", "eve")
SHOWN = ("https://x.example/face.png", "here/board.png")


@st.composite
def films(draw: st.DrawFn) -> dict[str, Any]:
    """A film of one or two shots with stills and sheets."""
    wanted: st.SearchStrategy[Any] = st.sampled_from([True, "A window at dusk.", {"prompt": "Fog.", "takes": 2}])
    person = st.fixed_dictionaries(
        {"description": st.sampled_from(["a keeper", "a girl of ten"]), "sheet": st.one_of(st.just(False), wanted)},
        optional={"references": st.lists(st.sampled_from(SHOWN), min_size=1, max_size=4)},
    )
    cast = draw(st.dictionaries(st.sampled_from(PEOPLE), person, max_size=5))
    shots = []
    for number in range(draw(st.integers(1, 2))):
        shot: dict[str, Any] = {
            "shot": f"S{number}", "action": "Rain.", "duration": "5s", "still": draw(wanted),
            "cast": draw(st.lists(st.sampled_from(sorted(cast)), unique=True)) if cast else [],
        }  # fmt: skip
        if draw(st.booleans()):
            shot["last_still"] = draw(wanted)
        if draw(st.booleans()):
            shot["location"] = "tower"
        shots.append(shot)
    return {
        "storyboard": 1,
        "title": "Any",
        "format": {"aspect_ratio": draw(st.sampled_from(["16:9", "9:16", "1:1", "4:3", "3:4"]))},
        "look": {"avoid": draw(st.sampled_from(["", "text, logos"]))},
        "cast": cast,
        "locations": {"tower": {"description": "A lighthouse.", "sheet": draw(st.booleans())}},
        "shots": shots,
    }


EVERYTHING: dict[str, Any] = {
    "storyboard": 1,
    "title": "Any",
    "format": {"aspect_ratio": "9:16"},
    "cast": {
        name: {"description": "a keeper", "sheet": True, "references": [*SHOWN]} for name in ("ann", "ben", "cy")
    },
    "locations": {"tower": {"description": "A lighthouse.", "sheet": True}},
    "shots": [
        {
            "shot": "S0", "action": "Rain.", "duration": "5s", "cast": ["ann", "ben", "cy"], "location": "tower",
            "still": {"takes": 2}, "last_still": "Fog.",
        }
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    (folder / "here").mkdir()
    Image.effect_noise((480, 400), 60).convert("RGB").save(folder / "here" / "board.png")
    return folder


async def make(takes: tuple[PlannedTake, ...], services: Mapping[str, HostedProvider], into: Path) -> set[str]:
    """Order all takes in their order, each with the pictures that it is made from; returns the uses of those."""
    made: dict[str, Path] = {}
    uses: set[str] = set()

    def filled(use: str, part: Attachment) -> Attachment:
        kind, _, identity = part.digest.partition(":")
        if kind != "still":
            return part
        uses.add(use)
        file = made[identity]
        return part.model_copy(update={"source": str(file), "frame_digest": digest_of(file)})

    for number, take in enumerate(takes):
        request, service = take.request, services[take.request.provider]
        frames = {
            name: filled(name, part) for name in ("first_frame", "last_frame") if (part := getattr(request, name))
        }
        references = tuple(filled("reference", one) for one in request.references)
        task = (await service.submit(request.model_copy(update={**frames, "references": references}))).task
        if request.mode is Mode.STILL:
            made[take.identity] = into / f"{number}"
            await service.fetch(request, await finished(service, task), made[take.identity], nothing)
    return uses


@pytest.mark.parametrize(("maker", "model"), MAKERS)
def test_services_accept_every_planned_picture_and_the_clips_that_are_made_from_it(
    maker: str, model: str, folder: Path
) -> None:
    import asyncio
    from contextlib import ExitStack

    uses: set[str] = set()
    with ExitStack() as stack:
        emulators: dict[str, Emulator] = {name: SERVICES[name].emulated() for name in ("dashscope", "freepik")}
        bases = {name: stack.enter_context(one.served()) for name, one in emulators.items()}

        async def order(takes: tuple[PlannedTake, ...]) -> None:
            async with (
                SERVICES["dashscope"].provider(bases["dashscope"]) as dashscope,
                SERVICES["freepik"].provider(bases["freepik"]) as freepik,
            ):
                uses.update(await make(takes, {"dashscope": dashscope, "freepik": freepik}, folder))

        @settings(one_in(10), suppress_health_check=list(HealthCheck))
        @given(film=films(), clips=st.sampled_from(["dashscope", "freepik"]))
        @example(film=EVERYTHING, clips="dashscope")
        @example(film=EVERYTHING, clips="freepik")
        def any_film(film: dict[str, Any], clips: str) -> None:
            file = folder / "film.yaml"
            defaults = {"provider": clips, "stills": {"provider": maker, "model": model}}
            file.write_text(json.dumps({**film, "defaults": defaults}))
            try:
                plan = make_plan(read(file), NOTHING)
            except StoryboardError:
                assume(False)
                return
            before = {name: len(one.accepted) for name, one in emulators.items()}
            asyncio.run(order(plan.takes))
            sold = {name: one.accepted[before[name] :] for name, one in emulators.items()}
            assert sum(map(len, sold.values())) == len(plan.takes)
            pictures = [sale.order for sale in sold[maker] if sale.order.is_picture]
            wanted = [take.request for take in plan.pictures]
            assert [one.ratio for one in pictures] == [one.aspect_ratio for one in wanted]
            if maker == "dashscope":
                assert [(one.model, one.width, one.height) for one in pictures] == [
                    (one.model, one.width, one.height) for one in wanted
                ]

        any_film()
    assert uses == {"first_frame", "last_frame", "reference"}, "the films did not reach every use of a picture"
