"""A value that a service does not support is an error that names the services that do."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
from PIL import Image

from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.problems.problem import Problem, StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.request import unsupported

FILM = """storyboard: 1
title: The Keeper
format: {{aspect_ratio: "{ratio}", resolution: "{resolution}"}}
look: {{avoid: "{avoid}"}}
cast:
  mira: {{references: [{references}], voice: {voice}}}
shots:
  - {{shot: 1A, {shot}}}
"""


def plan(folder: Path, service: str, shot: str, *, has_bucket: bool = False, **film: str) -> Plan:
    Image.new("RGB", (320, 240)).save(folder / "mira.png")
    with wave.open(str(folder / "mira.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 8000 * 3))
    words = {"ratio": "16:9", "resolution": "720p", "avoid": "", "references": "https://x.org/m.png"}
    words |= {"voice": "https://x.org/m.wav", **film}
    (folder / "film.yaml").write_text(FILM.format(shot=shot, **words))
    past = History(purchases=lambda _: {}, holds=lambda _: False, has_bucket=has_bucket)
    return make_plan(read(folder / "film.yaml"), past, service)


def problem(folder: Path, service: str, shot: str, **film: str) -> Problem:
    with pytest.raises(StoryboardError) as refused:
        plan(folder, service, shot, **film)
    (only,) = refused.value.problems
    return only


@pytest.mark.parametrize(
    ("service", "shot", "what", "fix"),
    [
        ("freepik", "action: On., cast: [mira], duration: 12s", "at most 10s",
         "shoot it with aimlapi or apiyi or dashscope, or make it 10s or shorter"),
        ("dashscope", "action: Rain., duration: 16s", "needs 16s, but wan2.7-t2v makes at most 15s",
         "shoot it with `model: wan3.0-video` at aimlapi or apiyi or dashscope, or make it 15s or shorter"),
        ("apiyi", "action: On., first_frame: https://x.org/a.png, mode: text-to-video", "begins no clip",
         "remove `mode` or `first_frame`"),
    ],
)  # fmt: skip
def test_able_services_are_named_with_what_else_helps(
    tmp_path: Path, service: str, shot: str, what: str, fix: str
) -> None:
    found = problem(tmp_path, service, shot)
    assert what in found.message
    assert found.hint.startswith(fix)
    assert found.position.line == 8


def test_a_model_that_a_service_lacks_is_named_with_those_that_it_has(tmp_path: Path) -> None:
    found = problem(tmp_path, "dashscope", "action: Rain., model: wan2.8")
    assert found.message == "dashscope has no model `wan2.8`"
    assert found.hint.startswith("did you mean `wan2.7`?") and found.position.line == 8
    found = problem(tmp_path, "aimlapi", "action: Rain., model: wan2.7-t2v")
    assert found.message == "aimlapi has no model `wan2.7-t2v`"
    assert found.hint.endswith("or shoot it with apiyi or dashscope")


def test_a_mode_that_a_model_lacks_is_named_with_those_that_it_has(tmp_path: Path) -> None:
    found = problem(tmp_path, "dashscope", "action: Rain., model: wan2.7-i2v")
    assert found.message == "wan2.7-i2v at dashscope does not do text-to-video; it does image-to-video"
    assert "`model: wan2.7`" in found.hint


class Wide(Provider):
    """Somebody's own service: no portrait, no references, little to read."""

    name = "wide"
    capabilities = {  # noqa: RUF012
        Mode.TEXT: Capability(
            mode=Mode.TEXT, model="wide-1", durations=(4,), ratios=("16:9",), resolutions=("1080p",), prompt_length=60,
            negative_length=10,
        )
    }  # fmt: skip


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    from storyreel.flows.planning import expected_time
    from storyreel.flows.planning.takes import shot
    from storyreel.tasks.prices import price_list

    for module in (expected_time, shot, price_list):
        monkeypatch.setattr(module, "load", lambda _: Wide)


ALL = "shoot it with aimlapi or apiyi or dashscope or freepik"


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize(
    ("shot", "film", "what", "fix"),
    [
        ("action: On., cast: [mira]", {}, "wide does not do reference-to-video; it does text-to-video", ALL),
        ("action: Rain., duration: 4s", {"ratio": "9:16"}, "wide has no aspect ratio 9:16; it has 16:9", ALL),
        ("action: Rain., duration: 4s", {}, "wide has no resolution 720p; it has 1080p", ALL),
        ("action: A very long action that fills a whole page with words., duration: 4s", {}, "wide-1 reads 60", ALL),
        ("action: Rain., duration: 4s", {"avoid": "text, logos, people"}, "look.avoid has 19 characters", ALL),
        ("action: Rain., duration: 9s", {}, "makes at most 4s", ALL),
    ],
)
def test_a_limited_service_names_all_that_can_more(
    tmp_path: Path, shot: str, film: dict[str, str], what: str, fix: str
) -> None:
    found = problem(tmp_path, "wide", shot, **film)
    assert what in found.message and found.hint.startswith(fix)


@pytest.mark.usefixtures("wide")
def test_a_too_long_avoid_is_reported_at_its_place(tmp_path: Path) -> None:
    assert problem(tmp_path, "wide", "action: Rain., duration: 4s", avoid="text, logos, people").position.line == 4


@pytest.mark.parametrize(
    ("service", "shot", "prompt", "negative"),
    [
        ("freepik", "action: Rain.", "Rain. Avoid: text, logos.", ""),
        ("freepik", "action: Rain., first_frame: https://x.org/a.png", "Rain. Avoid: text, logos.", ""),
        ("freepik", "action: On., cast: [mira]", "", "text, logos"),
        ("aimlapi", "action: Rain.", "Rain.", "text, logos"),
        ("dashscope", "action: Rain.", "Rain.", "text, logos"),
    ],
)
def test_avoid_is_put_into_the_prompt_without_a_field_for_it(
    tmp_path: Path, service: str, shot: str, prompt: str, negative: str
) -> None:
    (take,) = plan(tmp_path, service, shot, avoid="text, logos").takes
    assert take.request.prompt.endswith(prompt)
    assert take.request.negative_prompt == negative
    assert ("Avoid" in take.request.prompt) == (not negative)


# Expansion of the prompt, and the mark of a service


@pytest.mark.parametrize(
    ("service", "shot", "able"),
    [
        ("aimlapi", "action: Rain.", "apiyi or dashscope"),
        ("freepik", "action: Rain.", "apiyi or dashscope"),
        ("freepik", "action: On., cast: [mira]", "aimlapi or apiyi or dashscope"),
    ],
)
def test_a_mark_that_a_service_cannot_make_is_told_where_it_is_asked_for(
    tmp_path: Path, service: str, shot: str, able: str
) -> None:
    found = problem(tmp_path, service, f"{shot}, watermark: true")
    assert found.message.startswith(f"{service} puts no mark into a clip in ")
    assert found.hint == f"shoot it with {able}, or remove `watermark` and mark the film yourself"
    assert found.position.line == 8


def test_a_switch_that_is_on_makes_another_take_and_one_that_is_off_does_not(tmp_path: Path) -> None:
    def key(more: str, service: str = "dashscope") -> str:
        (take,) = plan(tmp_path, service, f"action: Rain.{more}").takes
        return take.key

    assert key(", expand_prompt: false, watermark: false") == key("")
    assert len({key(""), key(", expand_prompt: true"), key(", watermark: true")}) == 3
    assert key(", expand_prompt: true, watermark: true", "animatic") == key("", "animatic")


@pytest.mark.usefixtures("wide")
def test_a_prompt_that_its_model_does_not_expand_is_a_warning(tmp_path: Path) -> None:
    planned = plan(tmp_path, "wide", "action: Rain., duration: 4s, expand_prompt: true", resolution="1080p")
    assert planned.takes[0].request.expand_prompt is False
    assert planned.warnings == ("`expand_prompt` does nothing for 1A: the model at wide expands no prompts",)


def test_labels_and_lines_that_expansion_may_paraphrase_are_a_warning(tmp_path: Path) -> None:
    assert plan(tmp_path, "dashscope", "action: Rain., expand_prompt: true").warnings == ()
    (told,) = plan(tmp_path, "dashscope", "action: On., cast: [mira], expand_prompt: true").warnings
    assert told.startswith("dashscope rewrites the prompt of 1A, as `expand_prompt` asks")


# Files that cannot come to a service


@pytest.mark.parametrize(
    ("service", "film", "shot", "field"),
    [
        ("aimlapi", {"references": "mira.png"}, "action: On., cast: [mira]", 6),
        ("aimlapi", {}, "action: On., cast: [mira], first_frame: mira.png", 8),
    ],
)
def test_a_file_that_cannot_be_sent_is_reported_with_both_remedies(
    tmp_path: Path, service: str, film: dict[str, str], shot: str, field: int
) -> None:
    found = problem(tmp_path, service, shot, **film)
    assert "aimlapi cannot be sent the file `mira.png`: in reference-to-video it takes links only" in found.message
    assert found.position.line == field
    assert found.hint == (
        "shoot it with apiyi or dashscope or freepik, or set STORYREEL_MEDIA_URL to a bucket of yours, "
        "or give an http address"
    )
    assert plan(tmp_path, service, shot, has_bucket=True, **film).takes


def test_a_continued_frame_that_cannot_be_sent_is_reported_when_planning(tmp_path: Path) -> None:
    shots = "action: On., cast: [mira]}\n  - {shot: 1B, action: On., cast: [mira], continues: 1A"
    found = problem(tmp_path, "aimlapi", shots)
    assert "cannot be sent the last frame of another shot" in found.message and found.position.line == 9
    assert plan(tmp_path, "aimlapi", shots, has_bucket=True).longest_chain == 2
    alone = "action: On.}\n  - {shot: 1B, action: On., continues: 1A"
    assert plan(tmp_path, "aimlapi", alone).longest_chain == 2


def test_the_animatic_reads_any_local_file(tmp_path: Path) -> None:
    assert plan(tmp_path, "animatic", "action: On., cast: [mira], first_frame: mira.png", references="mira.png").takes


# Voices


SPEAKS = "action: On., cast: [mira], dialogue: [{mira: Hello}]"


@pytest.mark.parametrize(
    ("service", "voice", "has_bucket", "sent"),
    [
        ("aimlapi", "https://x.org/m.wav", False, False),
        ("aimlapi", "mira.wav", True, False),
        ("apiyi", "https://x.org/m.wav", False, True),
        ("apiyi", "mira.wav", False, False),
        ("apiyi", "mira.wav", True, True),
        ("dashscope", "mira.wav", False, True),
        ("freepik", "mira.wav", False, True),
    ],
)
def test_a_voice_that_cannot_be_sent_is_a_warning(
    tmp_path: Path, service: str, voice: str, has_bucket: bool, sent: bool
) -> None:
    planned = plan(tmp_path, service, SPEAKS, voice=voice, has_bucket=has_bucket)
    (reference,) = planned.takes[0].request.references
    assert bool(reference.voice) is sent
    warned = [warning for warning in planned.warnings if "the voice of mira is not sent" in warning]
    assert bool(warned) is not sent
    assert all(service in warning and "1A" in warning for warning in warned)


def test_no_warning_of_a_voice_where_the_sound_is_dropped_or_the_shot_is_drawn(tmp_path: Path) -> None:
    assert plan(tmp_path, "aimlapi", f"{SPEAKS}, native_audio: drop").warnings == ()
    assert plan(tmp_path, "animatic", SPEAKS).warnings == ()


def test_a_package_that_does_not_load_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    true = unsupported.load

    def load(name: str) -> type[Provider]:
        if name == "broken":
            raise ImportError(name)
        return true(name)

    monkeypatch.setattr(unsupported, "names", lambda: ["broken", "dashscope"])
    monkeypatch.setattr(unsupported, "load", load)
    unsupported._installed.cache_clear()
    assert unsupported.alternatives(None, Mode.TEXT, lambda _: True) == "shoot it with dashscope"
    unsupported._installed.cache_clear()
