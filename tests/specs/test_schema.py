"""The published schema and the models accept the same."""

from __future__ import annotations

import re
from copy import deepcopy
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from storyreel.specs.language.base import StoryboardModel
from storyreel.specs.schema import PUBLISHED, generate, text
from storyreel.specs.storyboard import Storyboard
from tests.properties import one_in

SCHEMA = generate()
VALIDATOR = Draft202012Validator(SCHEMA)
_letters = st.text("abcXYZ019 .,-_/:äß„“\n", max_size=12)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of this language accepts."""
    if "$ref" in schema:
        return st.deferred(lambda: values(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]))
    if "anyOf" in schema:
        return st.one_of([values(kind) for kind in schema["anyOf"]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_KINDS[kind](schema) for kind in kinds])


def _matching(pattern: str) -> st.SearchStrategy[str]:
    """Texts that match a pattern. Classes of letters of all scripts are too large for Hypothesis to list."""
    if pattern.isascii():
        return st.from_regex(pattern)
    some = st.text("aZ09._-é夜ー한あภูखेعא\u0301\u200c𠮷", min_size=1, max_size=32)
    # A bare `search` would be made a pattern to list again.
    return some.filter(lambda text: re.search(pattern, text) is not None)


def _strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    longest = schema.get("maxLength", 5000)
    near_limit = st.just("x" * longest)
    if pattern := schema.get("pattern"):
        found = _matching(pattern).filter(lambda text: len(text) <= longest)
        return found | near_limit if pattern == r"\S" else found
    return _letters | near_limit


def _numbers(schema: dict[str, Any]) -> st.SearchStrategy[int | float]:
    least, most = schema.get("minimum", -(10**6)), schema.get("maximum", 10**6)
    floats = st.floats(least, most, allow_nan=False)
    return st.integers(ceil(least), floor(most)) | (floats if least < 0 and "minimum" in schema else floats.map(abs))


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    known = {key: values(said) for key, said in schema.get("properties", {}).items()}
    needed = {key: known.pop(key) for key in schema.get("required", ()) if key in known}
    # A few of the optional keys at a time: with all at once a film would be too large to draw.
    least = min(schema.get("minProperties", 0), len(known))
    some = st.lists(st.sampled_from(sorted(known)), min_size=least, max_size=3, unique=True) if known else st.just([])
    fixed = some.flatmap(lambda keys: st.fixed_dictionaries(needed | {key: known[key] for key in keys}))
    if patterns := schema.get("patternProperties"):
        ((pattern, said),) = patterns.items()
        return st.dictionaries(_matching(pattern), values(said), max_size=2)
    if isinstance(further := schema.get("additionalProperties"), dict):
        # A line of dialogue: one speaker beside what is fixed.
        speaker = st.dictionaries(
            _matching(schema["propertyNames"]["pattern"]), values(further), min_size=1, max_size=1
        )
        return st.builds(lambda a, b: {**b, **{key: a[key] for key in schema.get("required", ())}}, fixed, speaker)
    return fixed


_KINDS: dict[str, Any] = {
    "string": _strings,
    "number": _numbers,
    "integer": lambda schema: st.integers(schema["minimum"], schema["maximum"]),
    "boolean": lambda schema: st.booleans(),
    "null": lambda schema: st.none(),
    "array": lambda schema: st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=2),
    "object": _objects,
}


def parses(value: object) -> bool:
    try:
        Storyboard.model_validate(value)
    except ValidationError:
        return False
    return True


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_published_schema_is_not_stale() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == text(), "write it anew: uv run python -m storyreel.specs.schema"


@pytest.mark.parametrize("noun", sorted(set(SCHEMA["$defs"]) - {"Mode"}))
@one_in(10)
@given(data=st.data())
def test_what_the_schema_of_a_model_accepts_the_model_parses(noun: str, data: st.DataObject) -> None:
    model = next(kind for kind in _all_nouns(StoryboardModel) if kind.__name__ == noun)
    value = data.draw(values({"$ref": f"#/$defs/{noun}"}))
    Draft202012Validator({"$ref": f"#/$defs/{noun}", "$defs": SCHEMA["$defs"]}).validate(value)
    model.model_validate(value)


def _all_nouns(noun: type[StoryboardModel]) -> list[type[StoryboardModel]]:
    return [found for kind in noun.__subclasses__() for found in [kind, *_all_nouns(kind)]]


@one_in(5)
@given(data=st.data())
def test_what_the_schema_accepts_of_a_film_the_models_parse(data: st.DataObject) -> None:
    half, other = data.draw(st.permutations(["scenes", "shots"]))
    properties = {key: said for key, said in SCHEMA["properties"].items() if key != other}
    film = data.draw(values({**SCHEMA, "properties": properties, "required": [*SCHEMA["required"], half]}))
    VALIDATOR.validate(film)
    assert parses(film)


_SHOT: dict[str, Any] = {
    "shot": "1A",
    "action": "x",
    "cast": ["mira"],
    "location": "room",
    "references": ["a.png", {"video": "b"}],
    "size": "wide",
    "camera": {"move": "static", "angle": "low"},
    "duration": "4s",
    "first_frame": "a.png",
    "last_frame": "b.png",
    "providers": ["one", "two"],
    "fallback_on_refusal": True,
    "dialogue": [
        {"mira": "Hi", "delivery": "low"},
        {"tom": "Ho"},
        {"mira": "Oh", "sound": "a.wav"},
        {"tom": "Ah", "sound": "a.wav", "delivery": "low"},
        {"sound": "Bang"},
    ],
    "sound": None,
    "transition": {"type": "fade", "duration": "1s"},
    "mode": None,
    "takes": 2,
    "circled": 1,
    "seed": 3,
    "continues": "1B",
}
_FILM: dict[str, Any] = {
    "storyboard": 1,
    "title": "x",
    "vars": {"a": "b"},
    "format": {"aspect_ratio": "16:9", "fps": 24},
    "look": {"prompt": "x", "avoid": "y"},
    "cast": {"mira": {"name": "M", "references": ["a.mp4"], "voice": "b.wav"}},
    "locations": {"room": {"description": "x"}},
    "defaults": {"provider": "animatic", "handles": "hold", "native_audio": "keep"},
    "scenes": [{"scene": 1, "heading": "x", "location": "room", "defaults": {"takes": 3}, "shots": [_SHOT]}],
    "budget": {"per_run": "20 USD", "per_shot": "$4", "per_month": 200},
    "draft": {"provider": "apiyi", "model": "wan3.0-video", "resolution": "480p"},
    "ending": "cut",
    "music": [{"file": "a.wav", "level": "-18 dB", "start": "1s", "loop": False, "duck": "dialogue"}],
}
_odd = st.sampled_from([None, True, False, 0, 1, 5, -1, 2.5, 10**12]) | st.sampled_from(
    [
        "",
        " ",
        "x",
        "a b",
        "1A",
        "-",
        "16:9",
        "4s",
        "4",
        "a.png",
        "a.gif",
        "cut",
        "fade",
        "dissolve",
        "20 USD",
        "€4.50",
        "¥4",
        "x" * 501,
        "x" * 5001,
    ]
)
_odd |= st.sampled_from([[], [1], ["x"], ["x"] * 21]) | st.sampled_from(
    [
        {},
        {"x": 1},
        {"move": "static"},
        {"image": "a"},
        {"image": "a", "video": "b"},
        {"delivery": "x"},
        {"a": "x", "sound": "y"},
        {"a": "x", "sound": None},
        {"a": "x", "b": "y", "sound": "z"},
        {"a": "x", "b": "y"},
        {"per_run": "20 USD"},
        {"per_run": None},
    ]
)


def _places(value: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, inner in steps for found in [(*here, step), *_places(inner, (*here, step))]]


@given(data=st.data())
def test_the_schema_and_the_models_agree_about_a_film_with_one_thing_changed(data: st.DataObject) -> None:
    film = deepcopy(_FILM)
    assert VALIDATOR.is_valid(film) and parses(film)
    place = data.draw(st.sampled_from(_places(film)))
    around: Any = film
    for step in place[:-1]:
        around = around[step]
    change = data.draw(st.sampled_from(["other value", "without", "other key"]))
    if change == "other value" or isinstance(place[-1], int):
        around[place[-1]] = data.draw(_odd)
    elif change == "without":
        del around[place[-1]]
    else:
        around[data.draw(st.sampled_from(["unknown", "name", "shots", "delivery", "1x", "a b"]))] = around.pop(
            place[-1]
        )
    assert VALIDATOR.is_valid(film) == parses(film), (place, film)


def test_everything_that_can_be_written_is_described() -> None:
    for name, noun in SCHEMA["$defs"].items():
        assert noun["description"], name
        for kind in (noun, *noun.get("anyOf", ())):
            for key, said in kind.get("properties", {}).items():
                assert "description" in said or "$ref" in said, f"{name}.{key}"
                assert "\n" not in said.get("description", "").replace("\n\n", ""), f"{name}.{key}"
    assert all("description" in said or "$ref" in said for said in SCHEMA["properties"].values())
