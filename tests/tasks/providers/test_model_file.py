"""The user's own file of models: checked strictly, and used wherever the service's own table is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from storyreel.flows.planning.history import History
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Mode
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.providers import load
from storyreel.tasks.providers.model_file import ModelsError
from storyreel.tasks.providers.models import find_capability, models_of
from storyreel.tasks.storage.clips import ClipStore
from storyreel.tasks.studio import Studio
from tests.tasks.providers.hosted_services import SERVICES, request

Write = Callable[[str], dict[str, str]]

NEXT_MONTHS = """\
models: 1
services:
  dashscope:
    wan3.1-video:
      like: wan3.0-video
      durations: 2-40
      resolutions: [720p, 1080p]
      images: 12
      at_once: 2
      poll_seconds: 20
    wan2.7:
      id: wan2.7-t2v-2026-06-12
      modes: {text-to-video: {prompt_length: 3000}}
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the file, and returns the environment that names it."""

    def write(text: str) -> dict[str, str]:
        path = tmp_path / "models.yaml"
        path.write_text(text, encoding="utf-8")
        return {"STORYREEL_MODELS": str(path)}

    return write


def test_next_months_model_needs_no_release(write: Write) -> None:
    models = models_of(load("dashscope"), write(NEXT_MONTHS))
    new, like = models["wan3.1-video"], models["wan3.0-video"]
    assert set(new.modes) == set(like.modes) and (new.max_concurrent, new.min_poll_seconds) == (2, 20)
    for mode, capability in new.modes.items():
        assert capability.model == "wan3.1-video" and capability.durations == tuple(range(2, 41))
        assert capability.resolutions == ("720p", "1080p") and capability.images == 12
        same = {"model": "wan3.0-video", "durations": None, "resolutions": (), "images": 0}
        assert capability.model_copy(update=same) == like.modes[mode].model_copy(update=same)


def test_a_model_that_is_known_keeps_its_place_and_gets_other_limits(write: Write) -> None:
    models = models_of(load("dashscope"), write(NEXT_MONTHS))
    assert next(iter(models)) == "wan2.7"
    (only,) = models["wan2.7"].modes.values()
    assert (only.model, only.prompt_length, only.negative_length) == ("wan2.7-t2v-2026-06-12", 3000, 500)
    assert models_of(load("apiyi"), write(NEXT_MONTHS)) == load("apiyi").models


def test_a_model_that_is_listed_keeps_the_ids_that_are_not_written(write: Write) -> None:
    few = write("models: 1\nservices: {dashscope: {wan2.7: {at_once: 2}}, aimlapi: {wan3.0-video: {durations: 2-9}}}\n")
    for service, name in (("dashscope", "wan2.7"), ("aimlapi", "wan3.0-video")):
        shipped, written = load(service).models[name].modes, models_of(load(service), few)[name].modes
        assert {mode: each.model for mode, each in written.items()} == {
            mode: each.model for mode, each in shipped.items()
        }


def test_a_film_is_planned_and_ordered_with_it(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = tmp_path / "film.yaml"
    film.write_text(
        "storyboard: 1\ntitle: T\ndefaults: {provider: dashscope, model: wan3.1-video}\n"
        "shots: [{shot: 1A, action: On., duration: 35s}]"
    )
    nothing = History(purchases=lambda _: {}, holds=lambda _: False)
    with pytest.raises(StoryboardError, match=r"dashscope has no model `wan3\.1-video` \(did you mean"):
        make_plan(read(film), nothing)
    environment = write(NEXT_MONTHS)
    monkeypatch.setenv("STORYREEL_MODELS", environment["STORYREEL_MODELS"])
    (take,) = make_plan(read(film), nothing).takes
    assert (take.request.model, take.request.seconds, take.price) == ("wan3.1-video", 35, None)
    service = SERVICES["dashscope"].provider("http://127.0.0.1:9", **environment)
    body = service.body(take.request, {})
    assert body["model"] == "wan3.1-video" and "prompt_extend" not in body["parameters"]
    # An open service keeps the file as it was.
    Path(environment["STORYREEL_MODELS"]).write_text("models: 2")
    assert service.body(take.request, {}) == body
    with pytest.raises(ModelsError):
        find_capability(load("dashscope"), "wan3.1-video", Mode.TEXT)


def test_a_model_of_pictures_makes_the_stills_of_a_film(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = "{like: seedream-4.5, id: seedream-v5-lite, images: 5, prompt_length: 4096}"
    environment = write(f"models: 1\nservices: {{freepik: {{seedream-5-lite: {entry}}}}}\n")
    rate = "{service: freepik, model: seedream-v5-lite, per_picture: 0.03, currency: EUR}"
    (tmp_path / "prices.yaml").write_text(f"prices: 1\nrates: [{rate}]\n")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    prices = PriceList.read({"STORYREEL_PRICES": str(tmp_path / "prices.yaml"), **environment})
    (tmp_path / "film.yaml").write_text(
        "storyboard: 1\ntitle: Own\n"
        "defaults: {provider: dashscope, stills: {provider: freepik, model: seedream-5-lite}}\n"
        "shots: [{shot: 1A, action: On., duration: 5s, still: true}]\n"
    )
    history = History(purchases=lambda _: {}, holds=lambda _: False)
    (still,) = make_plan(read(tmp_path / "film.yaml"), history, prices=prices).pictures
    assert (still.request.model, str(still.price)) == ("seedream-v5-lite", "0.03 EUR")
    provider = SERVICES["freepik"].provider("http://127.0.0.1:9", **environment)
    assert provider.submit_path(still.request) == "/v1/ai/text-to-image/seedream-v5-lite"
    assert models_of(load("freepik"), environment)["seedream-5-lite"].modes[Mode.STILL].durations == (0,)


def test_a_changed_file_is_read_again(write: Write) -> None:
    environment = write(NEXT_MONTHS)
    assert "wan3.1-video" in models_of(load("dashscope"), environment)
    write("models: 1\n")
    os.utime(environment["STORYREEL_MODELS"], (1, 1))
    assert models_of(load("dashscope"), environment) == load("dashscope").models


def test_models_yaml_in_the_home_is_used_if_no_variable_names_another(tmp_path: Path) -> None:
    environment = {"STORYREEL_HOME": str(tmp_path)}
    assert models_of(load("dashscope"), environment) == load("dashscope").models
    (tmp_path / "models.yaml").write_text(NEXT_MONTHS)
    assert "wan3.1-video" in models_of(load("dashscope"), environment)


def test_all_mistakes_of_a_file_are_reported_at_once(write: Write) -> None:
    environment = write("""\
models: 2
model: {}
services:
  dashscop: {}
  dashscope:
    "wan 4": {}
    wan4: {durations: 5 to 10, resolution: 720p, resolutions: [720P], at_once: 0}
    wan5: {durations: [], images: many, first_frame: 1, ratios: [21:9]}
    wan6: {modes: {video-to-video: {}, text-to-video: {duration: 5}}}
    wan7: {durations: 15-2, prompt_length: 0, like: }
    wan8: fast
""")
    with pytest.raises(ModelsError) as refused:
        models_of(load("dashscope"), environment)
    path = environment["STORYREEL_MODELS"]
    *told, last = [str(one).removeprefix(f"{path}:") for one in refused.value.problems]
    assert last.startswith("11:11: `wan8` must have keys of its own (known are `id`, `durations`, ")
    assert told == [
        "1:9: `models` is `2` (write `1`)",
        "2:1: unknown key `model` (did you mean `models`?)",
        "4:3: the name `dashscop`: there is no such service (did you mean `dashscope`?)",
        "6:5: the name `wan 4` must be a model's name as `storyreel providers` lists it, such as `wan3.0-video`",
        "7:23: `durations` is `5 to 10`: not a range of seconds (write `2-15`, or a list such as `[5, 10]`)",
        "7:32: unknown key `resolution` (did you mean `resolutions`?)",
        "7:64: entry 1 of `resolutions` is `720P` (did you mean `720p`?)",
        "7:80: `at_once` is `0`, but must be at least 1",
        "8:23: `durations` is empty (write at least one)",
        "8:35: `images` is `many`: not a whole number (write it without quotes)",
        "8:54: `first_frame` is `1`: neither `true` nor `false` (write one of them, without quotes)",
        "8:66: entry 1 of `ratios` is `21:9` (did you mean `16:9`?)",
        "9:20: the name `video-to-video` is not known (did you mean `image-to-video`?)",
        "9:56: unknown key `duration` (did you mean `durations`?)",
        "10:23: `durations` is `15-2`: not a range of seconds (write `2-15`, or a list such as `[5, 10]`)",
        "10:44: `prompt_length` is `0`, but must be at least 1",
        "10:53: `like` is empty (write a text, or leave the key out)",
    ]


@pytest.mark.parametrize(
    ("entry", "where", "what"),
    [
        ("wan4: {like: wan3.0}", "4:18", "dashscope has no model `wan3.0` (did you mean `wan3.0-video`?)"),
        ("wan4: {like: wan2.6}", "4:18", "dashscope has no model `wan2.6` (did you mean `wan2.7`?)"),
        (
            "wan4: {id: wan2.7-t2v}",
            "4:5",
            "dashscope sells this id already as `wan2.7` (change that one: write it under",
        ),
        ("wan4: {}\n    wan5: {id: wan4}", "5:5", "dashscope sells this id already as `wan4`"),
        (
            "wan4: {modes: {still: {}}}",
            "4:20",
            "`wan2.7` does not do still (write `like: wan2.7-image` or `like: wan2.7-image-pro`, or leave it out)",
        ),
        ("wan4: {like: wan2.7-image, resolutions: [720p]}", "4:32", "`resolutions` says nothing of a picture (leave"),
        (
            "wan4: {like: wan2.7-image, modes: {still: {durations: 5}}}",
            "4:48",
            "`durations` says nothing of a picture (leave it out)",
        ),
        ("wan4: {speakers: [Ann]}", "4:12", "`speakers` says nothing of clips (leave it out)"),
        ("wan4: {like: wan2.7-image, delivery: true}", "4:32", "`delivery` says nothing of a picture (leave it out)"),
        (
            "tts-9: {like: qwen3-tts-flash, images: 2}",
            "4:36",
            "`images` says nothing of speech (leave it out)",
        ),
    ],
)
def test_a_model_that_cannot_be_used_is_reported(write: Write, entry: str, where: str, what: str) -> None:
    environment = write(f"models: 1\nservices:\n  dashscope:\n    {entry}\n")
    with pytest.raises(ModelsError) as refused:
        models_of(load("dashscope"), environment)
    (found,) = refused.value.problems
    assert str(found).startswith(f"{environment['STORYREEL_MODELS']}:{where}: {what}")


def test_a_file_that_is_named_and_missing_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelsError, match=r"there is no such file \(STORYREEL_MODELS names it"):
        models_of(load("dashscope"), {"STORYREEL_MODELS": str(tmp_path / "none.yaml")})


def test_an_order_of_a_model_with_an_own_id_is_a_request_like_any_other(write: Write) -> None:
    service = SERVICES["dashscope"].provider("http://127.0.0.1:9", **write(NEXT_MONTHS))
    ordered = request(SERVICES["dashscope"]).model_copy(update={"model": "wan2.7-t2v-2026-06-12"})
    assert service.body(ordered, {})["model"] == "wan2.7-t2v-2026-06-12"


async def test_a_model_that_allows_fewer_at_once_has_slots_of_its_own_within_those_of_its_service(
    write: Write, tmp_path: Path
) -> None:
    async with SERVICES["dashscope"].provider("http://127.0.0.1:9", **write(NEXT_MONTHS)) as provider:
        ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
        studio = Studio(
            ledger, ClipStore(tmp_path / "clips"), tmp_path / "house", {"dashscope": provider}, PriceList.read({})
        )
        of_all = studio.slots("dashscope", "wan3.0-video")["dashscope"]
        assert list(studio.slots("dashscope", "wan3.0-video")) == ["dashscope"]
        slots = studio.slots("dashscope", "wan3.1-video")
        assert list(slots) == ["dashscope:wan3.1-video", "dashscope"] and slots["dashscope"] is of_all
        own = slots["dashscope:wan3.1-video"]
        assert studio.slots("dashscope", "wan3.1-video")["dashscope:wan3.1-video"] is own
        async with own, own:
            assert own.locked() and not of_all.locked()
        assert await studio.seconds_to_next_poll(provider, "wan3.1-video", 1) == 20
        assert await studio.seconds_to_next_poll(provider, "wan3.0-video", 1) < 20
        await studio.close()


def test_a_voice_of_ones_own_is_written_into_the_file_of_models(write: Write) -> None:
    """A cloned voice, and a model that is newer than this version."""
    environment = write(
        "models: 1\nservices:\n  dashscope:\n"
        "    qwen3-tts-vc: {like: qwen3-tts-flash, id: qwen3-tts-vc-2026-01-22, speakers: [my-voice], languages: [en],"
        " prompt_length: 2000, han_counts: 1, delivery: true}\n"
    )
    able = models_of(load("dashscope"), environment)["qwen3-tts-vc"].modes[Mode.SPEECH]
    assert (able.model, able.speakers, able.languages) == ("qwen3-tts-vc-2026-01-22", ("my-voice",), ("en",))
    assert (able.prompt_length, able.han_counts, able.delivery, able.answers_at_once) == (2000, 1, True, True)
    assert able.characters("海") == 1
