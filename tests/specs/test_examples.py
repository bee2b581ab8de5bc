"""The films that are shipped, and the language reference: all of it runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import storyreel.specs
from storyreel.specs.cut import build_cut
from storyreel.specs.derived.lines import spoken_frames
from storyreel.specs.problems.problem import StoryboardError
from storyreel.specs.reading import read
from storyreel.specs.schema import generate
from storyreel.specs.translations.file import read_translations
from storyreel.specs.translations.status import status_of
from storyreel.specs.yaml.tree import parse

HOME = Path(storyreel.specs.__file__).parent.resolve()
EXAMPLES = sorted(path for path in (HOME / "examples").glob("*.yaml") if "." not in path.stem)
README = (HOME / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SCHEMA = generate()


def _plain(path: Path) -> Any:
    root, problems = parse(path.read_text(encoding="utf-8"), str(path))
    assert root and not problems
    return root.to_python()


def _keys(schema: dict[str, Any]) -> set[str]:
    kinds = [schema, *schema["$defs"].values()]
    kinds += [kind for noun in kinds for kind in noun.get("anyOf", ())]
    return {key for kind in kinds for key in kind.get("properties", {})}


def _used(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_used, value.values()))
    return set().union(*map(_used, value)) if isinstance(value, list) else set()


def test_the_examples_are_known() -> None:
    assert {path.stem for path in EXAMPLES} == {"hello", "the-keeper", "the-relief", "the-long-light", "everything"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_read_without_a_problem(path: Path) -> None:
    film = read(path)
    assert build_cut(film, spoken_frames(film, {})).frames > 0


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_what_the_schema_describes(path: Path) -> None:
    Draft202012Validator(SCHEMA).validate(_plain(path))
    asked = re.match(r"# yaml-language-server: \$schema=(.*)", path.read_text(encoding="utf-8"))
    assert asked and (path.parent / asked[1]).resolve() == HOME / "storyboard.schema.json"


def test_the_first_film_has_under_ten_lines_and_needs_no_files() -> None:
    hello = HOME / "examples" / "hello.yaml"
    assert len(hello.read_text().splitlines()) < 10
    assert not re.search(r"\.(png|wav|mp4)", hello.read_text())


def test_the_keeper_is_a_film() -> None:
    storyboard = read(HOME / "examples" / "the-keeper.yaml")
    shots = storyboard.all_shots
    assert len(storyboard.scenes) == 2 and 6 <= len(shots) <= 7
    assert 25 <= storyboard.format.fps.seconds(build_cut(storyboard).frames) <= 30
    assert shots[0].transition.type == "fade" and storyboard.ending.type == "fade"
    assert any(shot.transition.type == "dissolve" for shot in shots)
    assert any(shot.continues for shot in shots)
    assert read(HOME / "examples" / "the-keeper.yaml", {"weather": "fog"}).look.prompt != storyboard.look.prompt


def test_the_long_light_is_a_finished_film_of_two_minutes() -> None:
    film = read(HOME / "examples" / "the-long-light.yaml")
    seconds = film.format.fps.seconds(build_cut(film, spoken_frames(film, {})).frames)
    assert 100 <= seconds <= 140
    status = status_of(film, read_translations(film))
    assert film.languages[1:] == ("fr", "zh")
    assert not any(status.missing.values()) and not status.stale
    assert film.subtitles and film.subtitles.burn_in and film.sound and film.titles and len(film.music) == 3
    assert {bool(shot.cast) for shot in film.all_shots} == {True, False}


def test_everything_uses_every_key_of_the_language() -> None:
    used = _used(_plain(HOME / "examples" / "everything.yaml"))
    assert not _keys(SCHEMA) - used


def test_the_reference_names_every_key() -> None:
    assert not {key for key in _keys(SCHEMA) if f"`{key}`" not in README}


def test_the_reference_names_every_choice() -> None:
    choices = _enumerated(SCHEMA)
    assert {"push in", "extreme wide", "dissolve", "720p"} <= choices
    assert not {choice for choice in choices if choice not in README}


def _enumerated(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_enumerated, schema))
    if not isinstance(schema, dict):
        return set()
    here = {word for word in schema.get("enum", ()) if isinstance(word, str) and "/" not in word}
    return here.union(*map(_enumerated, schema.values()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the examples' media in it."""
    (tmp_path / "media").symlink_to(HOME / "examples" / "media")
    return tmp_path


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.splitlines()[0][:40])
def test_a_snippet_of_the_reference_is_read_without_a_problem(folder: Path, snippet: str) -> None:
    if "storyboard: 1" not in snippet:
        snippet += "".join(line for key, line in _AROUND.items() if not re.search(rf"^({key})", snippet, re.MULTILINE))
    path = folder / "film.yaml"
    path.write_text(snippet, encoding="utf-8")
    read(path)


_AROUND = {
    "storyboard:": "storyboard: 1\n",
    "title:": "title: A Film\n",
    "cast:": "cast: {mira: {}, tom: {}}\n",
    "locations:": "locations: {lamp_room: {}}\n",
    "shots:|scenes:": "shots: [{shot: 1A, action: x}]\n",
}


def test_the_mistakes_in_the_reference_are_reported_as_it_shows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r"^```yaml wrong\n(.*?)^```\n\n```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found
    (folder / "film.yaml").write_text(found[1], encoding="utf-8")
    monkeypatch.chdir(folder)
    with pytest.raises(StoryboardError) as caught:
        read(Path("film.yaml"))
    assert caught.value.message == found[2].rstrip("\n")
