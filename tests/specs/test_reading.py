"""Reading: variables, the cascade of defaults, positions, and every mistake of a file at once."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.storyboard import ShotDefaults, Storyboard
from storyreel.specs.timing import Duration

Film = Callable[..., Storyboard]
Wrong = Callable[..., list[str]]


def test_all_mistakes_of_a_file_are_reported_at_once(wrong: Wrong) -> None:
    found = wrong(
        """\
look: {promt: rain}
cast:
  mira: {references: [gone.png], voice: /dev/zero}
shots:
  - shot: 1A
    action: The {lamp} glows.
    cast: [mirra]
    duration: 4
  - shot: 1B
    action: x
    contineus: 1A
  - shot: 1C
    continues: 1D
    takes: 0
  - shot: 1D
    action: x
    continues: 1C
    duration: 10f
  - shot: 1E
    action: x
    duration: 10f
    transition: {type: dissolve, duration: 1s}
"""
    )
    assert [line.split(" (")[0] for line in found] == [
        "3:8: unknown key `promt`",
        "5:23: `gone.png` does not exist",
        "5:41: `/dev/zero` is a device or a pipe, not a voice",
        "8:13: `{lamp}` is neither cast nor location",
        "9:12: unknown cast member `mirra`",
        "10:15: `duration` is `4`: a duration needs a unit",
        "13:5: unknown key `contineus`",
        "14:5: `action` is missing",
        "15:16: these shots continue each other in a circle: 1C → 1D → 1C",
        "16:12: `takes` is `0`, but must be at least 1",
        "24:17: shot 1D has 10 frames, but the transitions at its ends need 16",
        "24:17: shot 1E has 10 frames, but the transitions at its ends need 16",
    ]


def test_a_mistake_brings_no_mistakes_that_only_follow_from_it(wrong: Wrong) -> None:
    found = wrong(
        """\
cast: {9lives: {}, mira: nobody}
shots:
  - {shot: 1A, action: x, cast: [mira], takes: two, circled: 2}
  - {shot: 1B, action: x, transition: {type: dissolve, duration: 2s}, duration: 4 s}
  - {shot: 1C, action: x, references: media.png, mode: reference-to-video}
  - {shot: 1D, action: x, first_frame: 5, mode: image-to-video}
"""
    )
    assert [line.split(": ")[0] for line in found] == ["3:8", "3:26", "5:48", "6:81", "7:39", "8:40"]


def test_an_invalid_entry_of_a_list_does_not_shift_the_positions_of_the_others(wrong: Wrong) -> None:
    found = wrong("shots:\n  - 1A\n  - {shot: 1B, action: x, cast: [gone]}\n")
    assert [line.split(" (")[0] for line in found] == [
        "4:5: entry 1 of `shots` must have keys of its own",
        "5:34: unknown cast member `gone`",
    ]


def test_shots_without_a_slate_are_not_taken_for_one_another(wrong: Wrong) -> None:
    found = wrong(
        """\
shots:
  - {action: x, duration: 2 s, transition: {type: fade, duration: 9s}}
  - {shot: 1/2, action: x}
  - {shot: 1/2, action: x, cast: [gone]}
  - {action: x}
"""
    )
    assert [line.split(": ")[0] for line in found] == ["4:5", "4:27", "5:12", "6:12", "6:35", "7:5"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cast: [mira]\n", "3:7: `cast` must have names, each with a value of its own"),
        ("format: 16:9\n", "3:9: `format` must have keys of its own (known are `aspect_ratio`, `resolution`"),
        ("format: {aspect_ratio: 21:9}\n", "3:24: `aspect_ratio` is `21:9` (did you mean `16:9`?)"),
        ("format: {fps: 31}\n", "3:15: `fps` is `31`: not a frame rate (use one of 12,"),
        ("ending: dissolve\n", "3:9: `ending` is `dissolve` (write `cut` or `fade`)"),
        ("provider: apiyi\n", "3:1: `provider` is a key of shots (write it in a shot, or for all shots as `defaults:"),
        ("aspect_ratio: 9:16\n", "3:1: `aspect_ratio` is a key of `format` (write `format: {aspect_ratio: …}`)"),
        ("defaults: {resolution: 480p}\n", "3:12: `resolution` is a key of `format` (write `format: {resolution: …}`)"),
        ("shots: [{shot: 1, action: x, fps: 25}]\n", "3:30: `fps` is a key of `format` (write `format: {fps: …}`)"),
        (
            "shots: [{shot: 1, action: x, prompt: y}]\n",
            "3:30: `prompt` is a key of `look` (the shot's `action` says what happens; for the whole film write `look",
        ),
        ("defaults: {camera: zoom}\n", "3:20: `camera` is `zoom` (write `static`,"),
        ("defaults: {camera: {move: zoom}}\n", "3:27: `move` is `zoom` (write `static`,"),
        ("look: [a]\n", "3:7: `look` must have a bare `prompt`, or keys of its own (known are `prompt` and `avoid`)"),
        ("look: {avoid: " + "x" * 501 + "}\n", "3:15: `avoid` has 501 characters, at most 500"),
        ("shots: []\n", "3:8: `shots` is empty (write at least one)"),
        ("shots: [5]\n", "3:9: entry 1 of `shots` must have keys of its own (it needs `shot` and `action`)"),
        ("shots: {shot: 1}\n", "3:8: `shots` must be a list (write `[{…}]`"),
        ("music: a.wav\n", "3:8: `music` must be a list (write `[{file: a.wav}]`"),
        ("shots: [{shot: 1/2, action: x}]\n", "3:16: `shot` is `1/2`, but must be letters, digits, `.`, `_` and `-`"),
        ("shots: [{shot: 1, action: }]\n", "3:27: `action` is empty (write a text"),
        ("shots: [{shot: 1, action: ' '}]\n", "3:27: `action` is empty (write a text"),
        ("shots: [{shot: 1, action: {mira}}]\n", "3:27: `action` is not a text, because `{` opens a mapping (put"),
        ("shots: [{shot: 1, action: true}]\n", "3:27: `action` is `true`, but must be a text"),
        ("shots: [{shot: 1}]\n", "3:9: `action` is missing (the action, in the present tense)"),
        ("shots: [{shot: 1, action: x, takes: 2.5}]\n", "3:37: `takes` is `2.5`, but must be a whole number"),
        ("shots: [{shot: 1, action: x, takes: '2'}]\n", "3:37: `takes` is `2`: not a whole number (write it without"),
        ("shots: [{shot: 1, action: x, takes: 21}]\n", "3:37: `takes` is `21`, but must be at most 20"),
        ("shots: [{shot: 1, action: x, size: closeup}]\n", "3:36: `size` is `closeup` (did you mean `close up`?)"),
        ("shots: [{shot: 1, action: x, size: MCU}]\n", "3:36: `size` is `MCU` (did you mean `medium close up`?)"),
        ("defaults: {transition: cross-fade}\n", "3:24: `transition` is `cross-fade` (did you mean `dissolve`?)"),
        ("defaults: {camera: zoom in}\n", "3:20: `camera` is `zoom in` (did you mean `push in`?)"),
        ("ending: crossfade\n", "3:9: `ending` is `crossfade` (did you mean `fade`?)"),
        ("subtitles: burn-in\n", "3:12: `subtitles` is `burn-in` (did you mean `burn_in`?)"),
        ("review: true\n", "3:9: `review` must be `required` or `none`, or have keys of its own (known are `clip`,"),
        ("titles: The Keeper\n", "3:9: `titles` must be a list (write `[{title: The Keeper}]`"),
        ("shots: [{shot: 1, action: x, references: a.png}]\n", "3:42: `references` must be a list (write `[a.png]`"),
        ("shots: [{shot: 1, action: x, references: a}]\n", "3:42: `references` must be a list (write `[{image: a}]`"),
        ("shots: [{shot: 1, action: x, cast: mira}]\n", "3:36: `cast` must be a list (write `[mira]`"),
        ("shots: [{shot: 1, action: x, mode: r2v}]\n", "3:36: `mode` is `r2v` (write `text-to-video`"),
        ("shots: [{shot: 1, action: x, references: [a.gif]}]\n", "3:43: entry 1 of `references` is `a.gif`: its"),
        ("shots: [{shot: 1, action: x, references: [{}]}]\n", "3:43: a reference is one image or one video: `{image"),
        ("shots: [{shot: 1, action: x, dialogue: [Hi]}]\n", "3:41: entry 1 of `dialogue` is `Hi`: a line of dialogue"),
        ("shots: [{shot: 1, action: x, dialogue: [{a: b, c: d}]}]\n", "3:41: a line of dialogue names one speaker"),
        ("shots: [{shot: 1, action: x, <<: {}}]\n", "3:30: `<<` merges nothing here (put what shots share under"),
        ("defaults: {action: x}\n", "3:12: `action` cannot be a default (write it in each shot)"),
        ("scenes: [{scene: 1, shots: [{shot: 1, action: x}]}]\nshots: [{shot: 2, action: x}]\n",
         "1:1: a storyboard has either `scenes` or `shots`"),
        ("music: [{file: a.wav, loop: yes}]\n", "3:29: `loop` is `yes`: neither `true` nor `false`"),
        ("music: [{file: a.wav, level: -18}]\n", "3:30: `level` is `-18`, but must be a level in decibels such as"),
        ("budget: {}\n", "3:9: a budget limits something (write `per_run`, `per_shot` or `per_month`)"),
        ("budget: 20 USD\n", "3:9: `budget` must have keys of its own (known are `per_run`, `per_shot` and"),
        ("budget: {per_rum: 20}\n", "3:10: unknown key `per_rum` (did you mean `per_run`?)"),
        ("budget: {per_run: }\n", "3:19: `per_run` is empty: this is not an amount of money (write for example"),
        ("budget: {per_run: [20]}\n", "3:19: this is not an amount of money (write for example `20 USD`, or leave"),
        ("budget: {per_run: much}\n", "3:19: `per_run` is `much`: this is not an amount of money (write for"),
        ("budget: {per_run: -5}\n", "3:19: `per_run` is `-5`: an amount of money cannot be negative (leave the"),
        ("budget: {per_run: ¥20}\n", "3:19: `per_run` is `¥20`: `¥` is the yuan's sign and the yen's (write"),
        ("shots: [{shot: 1, action: x, providers: []}]\n", "3:41: `providers` is empty (write at least one)"),
        ("shots: [{shot: 1, action: x, providers: a}]\n", "3:41: `providers` must be a list (write `[a]`"),
        ("shots: [{shot: 1, action: x, providers: [a, b, c, d, e, f]}]\n",
         "3:41: `providers` may have at most 5 entries"),
        ("shots: [{shot: 1, action: x, providers: [a b]}]\n", "3:42: entry 1 of `providers` is `a b`, but must be"),
        ("shots: [{shot: 1, action: x, fallback_on_refusal: yes}]\n", "3:51: `fallback_on_refusal` is `yes`: neither"),
        ("vars: {a b: c}\n", "3:8: the name `a b` must be the letters A to Z, digits, `_` and `-`"),
        ("vars: {a: [b]}\n", "3:11: `a` is a list, but must be one text"),
    ],
)  # fmt: skip
def test_each_mistake_has_a_message_in_plain_terms(wrong: Wrong, media: object, text: str, found: str) -> None:
    (line,) = wrong(text)
    assert line.startswith(found)


_JARGON = ("Input should", "extra_forbidden", "union", "validation", "pydantic", "NoneType", "dict", "tuple",
           "instance", "see the language reference")  # fmt: skip
_ODD = st.sampled_from(
    [None, True, 5, -1, 2.5, "", "x", "{", "a/b", "x" * 6000, [], [1], [[]], {}, {"x": 1}, {"image": None}]
)


@given(data=st.data())
def test_no_message_contains_a_term_of_the_validation_library(tmp_path: Path, data: st.DataObject) -> None:
    film = _everything()
    path = data.draw(st.sampled_from(sorted(_paths(film), key=repr)))
    around = film
    for step in path[:-1]:
        around = around[step]  # type: ignore[index]
    around[path[-1]] = data.draw(_ODD)  # type: ignore[index]
    file = tmp_path / "film.yaml"
    file.write_text(json.dumps(film))
    try:
        read(file)
    except StoryboardError as error:
        for problem in error.problems:
            assert not any(word in str(problem).removeprefix(str(tmp_path)) for word in _JARGON), problem
            assert problem.position.line >= 1


def _everything() -> dict[str, object]:
    shot = {
        "shot": "1A", "action": "x", "cast": ["mira"], "location": "room", "references": [{"image": "https://a/b.png"}],
        "size": "wide", "camera": {"move": "static", "angle": "low"}, "duration": "4s", "dialogue": [{"mira": "Hi"}],
        "transition": {"type": "fade", "duration": "1s"}, "takes": 2, "circled": 1, "seed": 3, "mode": None,
        "providers": ["one", "two"], "fallback_on_refusal": True, "last_frame": "https://a/b.png",
    }  # fmt: skip
    return {
        "storyboard": 1, "title": "x", "vars": {"a": "b"}, "format": {"fps": 24}, "look": {"prompt": "x"},
        "cast": {"mira": {"references": ["https://a/b.mp4"], "voice": "https://a/b.wav"}}, "locations": {"room": {}},
        "defaults": {"provider": "animatic", "first_frame": "https://a/b.png"},
        "scenes": [{"scene": 1, "heading": "x", "location": "room", "defaults": {"handles": "hold"}, "shots": [shot]}],
        "budget": {"per_run": "20 USD", "per_shot": 4, "per_month": "$200"}, "ending": "cut",
    }  # fmt: skip


def _paths(value: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, inner in steps for found in [(*here, step), *_paths(inner, (*here, step))]]


# Variables


def test_variables_are_filled_into_any_text_and_set_overrides_them(film: Film) -> None:
    text = """\
vars: {weather: rain, n: 3, pace: 2s}
look: 35mm, ${weather}
shots:
  - shot: 1
    action: ${weather} and $${weather}
    takes: ${n}
    duration: ${pace}
"""
    storyboard = film(text)
    shot = storyboard.all_shots[0]
    assert (shot.action, shot.takes, shot.duration) == ("rain and ${weather}", 3, Duration("2s"))
    assert storyboard.look.prompt == "35mm, rain"
    foggy = film(text, weather="fog", n="1")
    assert (foggy.look.prompt, foggy.vars["weather"], foggy.all_shots[0].takes) == ("35mm, fog", "fog", 1)


def test_unknown_variables_are_named_with_what_was_meant(wrong: Wrong) -> None:
    assert wrong("vars: {weather: rain}\nlook: ${wether}\n", wheather="fog") == [
        "3:7: `--set wheather=…` sets a variable that the storyboard does not declare (did you mean `weather`?)",
        "4:7: unknown variable `${wether}` (did you mean `weather`?)",
    ]
    assert wrong("look: ${x}\n") == ["3:7: unknown variable `${x}` (declare it under `vars`)"]
    assert wrong("look: a ${x\n")[0].startswith("3:7: a `${` is not closed")


def test_a_variable_uses_no_other(wrong: Wrong) -> None:
    found = wrong("vars: {a: x, b: '${a}${a}'}\n")
    assert found == [
        "3:17: the variable `b` uses another; variables are plain texts (use both where the text is needed)"
    ]


def test_what_set_brings_in_is_never_read_as_yaml(film: Film) -> None:
    assert film("vars: {a: x}\nlook: ${a}\n", a="{b: [${c}").look.prompt == "{b: [${c}"


def test_a_text_that_variables_make_too_long_is_refused_before_it_is_built(wrong: Wrong) -> None:
    found = wrong(f"vars: {{a: {'x' * 5000}}}\nlook: '{'${a}' * 1200}'\n")
    assert found == ["4:7: with its variables this text has 6000000 characters, at most 5000"]


# The cascade

_LAYERED = {
    "size": ["wide", "full", "medium", "insert"],
    "duration": ["1s", "2s", "3s", "4s"],
    "camera": ["static", "pan left", "tilt up", "handheld"],
    "takes": [1, 2, 3, 4],
    "handles": ["hold", "shoot", "hold", "shoot"],
    "provider": ["one", "two", "three", "four"],
}
_layer = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in _LAYERED.items()})


@given(film=_layer, scene=_layer, shot=_layer)
def test_a_shots_own_value_replaces_the_scenes_and_that_the_films(
    tmp_path: Path, film: dict[str, object], scene: dict[str, object], shot: dict[str, object]
) -> None:
    file = tmp_path / "film.yaml"
    scenes = [{"scene": 1, "defaults": scene, "shots": [{"shot": "1A", "action": "x", **shot}]}]
    file.write_text(json.dumps({"storyboard": 1, "title": "x", "defaults": film, "scenes": scenes}))
    found = read(file).all_shots[0]
    for key in _LAYERED:
        expected = (film | scene | shot).get(key)
        written = ShotDefaults() if expected is None else ShotDefaults.model_validate({key: expected})
        assert getattr(found, key) == getattr(written, key)


def test_the_scenes_location_is_a_default_of_its_shots(film: Film) -> None:
    storyboard = film(
        """\
locations: {sea: {}, shore: {}, boat: {}}
defaults: {location: boat}
scenes:
- scene: 1
  location: sea
  shots: [{shot: 1A, action: x}, {shot: 1B, action: x, location: shore}, {shot: 1C, action: x, location: null}]
- scene: 2
  shots: [{shot: 2A, action: x}]
"""
    )
    assert [shot.location for shot in storyboard.all_shots] == ["sea", "shore", None, "boat"]


def test_a_default_is_replaced_as_a_whole(film: Film) -> None:
    shots = "shots: [{shot: 1, action: x, camera: pan left}, {shot: 2, action: x}]\n"
    storyboard = film("defaults: {camera: {move: static, lens: 35mm}}\n" + shots)
    assert [shot.camera.lens for shot in storyboard.all_shots] == ["", "35mm"]


def test_a_default_dissolve_does_not_apply_to_the_first_shot_of_the_film(film: Film) -> None:
    scene = "- {{scene: {0}, shots: [{{shot: {0}A, action: x}}, {{shot: {0}B, action: x}}]}}\n"
    storyboard = film("defaults: {transition: dissolve}\nscenes:\n" + scene.format(1) + scene.format(2))
    assert [shot.transition.type for shot in storyboard.all_shots] == ["cut", "dissolve", "dissolve", "dissolve"]


def test_a_default_first_frame_does_not_apply_to_shots_that_continue(film: Film, media: object) -> None:
    shots = "shots: [{shot: 1, action: x}, {shot: 2, action: x, continues: 1}]\n"
    storyboard = film("defaults: {first_frame: a.png}\n" + shots)
    assert [shot.first_frame for shot in storyboard.all_shots] == ["a.png", None]


_ASKED = st.fixed_dictionaries(
    {},
    optional={
        "provider": st.sampled_from(["one", "two"]),
        "providers": st.sampled_from([["three"], ["four", "five"]]),
    },
).filter(lambda level: len(level) < 2)


@given(levels=st.lists(_ASKED, min_size=3, max_size=3))
def test_provider_and_providers_override_each_other(
    write: Callable[[str], Path], levels: list[dict[str, object]]
) -> None:
    film, scene, shot = (json.dumps(level) for level in levels)
    text = f"defaults: {film}\nscenes: [{{scene: 1, defaults: {scene}, shots: [{shot[:-1]}, shot: 1A, action: x}}]}}]\n"
    nearest = next((level for level in reversed(levels) if level), {"provider": "animatic"})
    expected = nearest.get("providers") or [nearest["provider"]]
    assert read(write(text.replace("{,", "{"))).all_shots[0].services == tuple(expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "amount"),
    [("20 USD", "20.00 USD"), ("USD 20", "20.00 USD"), ("$20", "20.00 USD"), ("20", "20.00 USD"), ("20.5", "20.50 USD"),
     ("'20'", "20.00 USD"), ("0", "0.00 USD"), ("1.10 EUR", "1.10 EUR"), ("150 CNY", "150.00 CNY")],
)  # fmt: skip
def test_a_budget_is_money_as_people_write_it(film: Film, written: str, amount: str) -> None:
    budget = film(f"budget: {{per_shot: {written}}}\n").budget
    assert budget and str(budget.per_shot) == amount
    assert (budget.per_run, budget.per_month) == (None, None)


def test_a_film_without_a_budget_has_none(film: Film) -> None:
    assert film("").budget is None


def test_the_last_take_is_used_until_one_is_circled(film: Film) -> None:
    one, three, circled = film(
        "shots: [{shot: 1, action: x}, {shot: 2, action: x, takes: 3}, {shot: 3, action: x, takes: 3, circled: 1}]\n"
    ).all_shots
    assert [shot.circled_take for shot in (one, three, circled)] == [1, 3, 1]
    assert [shot.circled for shot in (one, three, circled)] == [None, None, 1]


def test_a_mistake_in_the_defaults_is_reported_once_and_there(wrong: Wrong) -> None:
    shots = "shots: [{shot: 1, action: x}, {shot: 2, action: x}, {shot: 3, action: x}]\n"
    text = "defaults: {sise: wide, duration: 4, cast: [mira], first_frame: gone.png}\n" + shots
    assert [line.split(": ")[0] for line in wrong(text)] == ["3:12", "3:34", "3:44", "3:64"]


def test_defaults_that_multiply_are_refused(wrong: Wrong) -> None:
    shots = "".join(f"- {{shot: {number}, action: x}}\n" for number in range(3000))
    found = wrong(f"defaults: {{cast: [{'a, ' * 5000}]}}\nshots:\n{shots}")
    assert found[0].startswith("3:11: with the defaults in every shot the film holds more than is read")


# Positions


def test_a_value_from_the_defaults_is_placed_in_the_defaults(film: Film, tmp_path: Path) -> None:
    storyboard = film(
        "defaults: {duration: 4s}\nshots:\n- {shot: 1A, action: x}\n- {shot: 1B, action: x, duration: 2s}"
    )
    file = str(tmp_path / "film.yaml")
    assert str(storyboard.where_shot("1A", "duration")) == f"{file}:3:22"
    assert str(storyboard.where_shot("1B", "duration")) == f"{file}:6:35"
    assert str(storyboard.where_shot("1B", "size")) == f"{file}:6:3"
    assert str(storyboard.where_shot("no such")) == f"{file}:1:1"


def test_a_file_is_named_as_the_user_named_it(
    write: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("look: [x]\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoryboardError, match=r"^film\.yaml:3:7: "):
        read(Path("film.yaml"))


def test_paths_are_relative_to_the_storyboard(film: Film, media: object, tmp_path: Path) -> None:
    storyboard = film("music: [{file: a.wav}]\n")
    assert storyboard.folder == tmp_path
    assert storyboard.resolve("a.wav") == tmp_path / "a.wav"
    assert storyboard.resolve("/b/a.wav") == Path("/b/a.wav")
    assert storyboard.resolve("https://a/b.wav") == "https://a/b.wav"


def test_a_storyboard_and_its_error_survive_pickling(film: Film, wrong: Wrong, write: Callable[[str], Path]) -> None:
    storyboard = film("scenes: [{scene: 1, shots: [{shot: 1A, action: x, duration: 2.5s}]}]\n")
    again = pickle.loads(pickle.dumps(storyboard))
    assert again == storyboard and again.where_shot("1A", "duration") == storyboard.where_shot("1A", "duration")
    with pytest.raises(StoryboardError) as caught:
        read(write("look: [x]\n"))
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems


# Review


def test_review_is_inherited_from_film_to_defaults_scenes_and_shots(film: Film) -> None:
    text = """\
review: required
scenes:
  - scene: 1
    shots: [{shot: 1A, action: x}, {shot: 1B, action: x, review: none}]
  - scene: 2
    defaults: {review: none}
    shots: [{shot: 2A, action: x}, {shot: 2B, action: x, review: required}]
"""
    assert [shot.review.clip for shot in film(text).all_shots] == ["required", "none", "none", "required"]
    by_default = "review: required\ndefaults: {review: none}\nshots: [{shot: 1, action: x}]\n"
    assert film(by_default).all_shots[0].review.clip == "none"
    assert film("shots: [{shot: 1, action: x}]\n").all_shots[0].review.clip == "none"


def test_an_invalid_review_is_reported_once_at_its_position(wrong: Wrong) -> None:
    found = wrong("review: requird\nshots: [{shot: 1, action: x}, {shot: 2, action: x}]\n")
    assert len(found) == 1 and "did you mean" in found[0] and "required" in found[0]
