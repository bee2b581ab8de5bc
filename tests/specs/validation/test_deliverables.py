"""What a deliverable contradicts is told at its key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storyreel.specs.derived.deliverable import film_as, soft_languages
from storyreel.specs.derived.draft import draft_of
from storyreel.specs.language.finishing.deliverables import Deliverable
from storyreel.specs.storyboard import Format, Storyboard

Films = Callable[..., Storyboard]
_FILM = """\
languages: [en, fr]
draft: {resolution: 480p}
deliverables:
  - {name: web, %s}
"""


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("format: {size: 1080x1920, aspect_ratio: 9:16}", "`size` says what `aspect_ratio` says"),
        ("format: {size: 1081x1920}", "both even"),
        ("quality: high, bit_rate: 8 Mbit/s", "contradict each other"),
        ("quality: high, codec: dnxhr-hq", "dnxhr-hq has one quality"),
        ("bit_rate: 8 Mbit/s, codec: prores-422-hq", "prores-422-hq has one quality"),
        ("bit_rate: 8", "a rate such as `8 Mbit/s`"),
        ("languages: [de]", "`de` is not among the film's `languages`"),
        ("languages: [fr, fr]", "`fr` is named twice"),
        ("subtitles: {burn_in: true, language: de}", "`de` is not among the film's `languages`"),
        ("subtitles: {language: fr}", "`language` is that of subtitles in the picture"),
        ("subtitles: yes", "write `burn_in`, `soft` or `none`"),
        ("subtitles: burn_in, titles: false", "no words in the picture"),
        ("reframe: {way: blur, x: 0.2}", "no point to cut around"),
        ("reframe: {x: 1.2}", "at most 1"),
        ("shoot: [1B]", "there is no shot `1B`"),
        ("shoot: []", "no shot is named"),
        ("}\n  - {name: WEB", "the name `WEB` is taken, first in line 6"),
        ("}\n  - {name: none", "cannot be called `none`"),
        ("}\n  - {name: last-still", "cannot be called `last-still`"),
        ("}\n  - {name: a/b", "the letters A to Z"),
    ],
)
def test_a_contradiction_is_told(wrong: Callable[..., list[str]], keys: str, told: str) -> None:
    (problem,) = wrong(_FILM % keys)
    assert told in problem


@pytest.mark.parametrize(
    ("keys", "size", "asked"),
    [
        ("{}", (1280, 720), ("16:9", "720p")),
        ("{aspect_ratio: 9:16}", (720, 1280), ("9:16", "720p")),
        ("{resolution: 1080p}", (1920, 1080), ("16:9", "1080p")),
        ("{size: 1080x1920}", (1080, 1920), ("9:16", "1080p")),
        ("{size: 1080×1350}", (1080, 1350), ("3:4", "1080p")),
        ("{size: 400x400}", (400, 400), ("1:1", "480p")),
        ("{size: 3840x2160}", (3840, 2160), ("16:9", "1080p")),
    ],
)
def test_its_shape_is_that_of_the_film_where_none_is_written(
    film: Films, keys: str, size: tuple[int, int], asked: tuple[str, str]
) -> None:
    of = film(_FILM % f"format: {keys}")
    (deliverable,) = of.deliverables
    requested = deliverable.requested_format(of.format)
    assert deliverable.size(of.format) == size
    assert (requested.aspect_ratio, requested.resolution) == asked


def test_some_shots_or_all_or_none_are_made_again() -> None:
    written: list[dict[str, object]] = [{}, {"shoot": False}, {"shoot": True}, {"shoot": ["1A"]}, {"shoot": ["1B"]}]
    made = [Deliverable.model_validate({"name": "web", **keys}).shoots("1A") for keys in written]
    assert made == [False, False, True, True, False]


def test_a_rate_is_a_number_of_bits() -> None:
    rates = {"8 Mbit/s": 8_000_000, "2.25Mbit/s": 2_250_000, "800 kbit/s": 800_000}
    assert {
        written: Deliverable.model_validate({"name": "x", "bit_rate": written}).bits_per_second for written in rates
    } == rates
    assert Deliverable(name="x").bits_per_second is None


def test_a_rate_at_which_a_shot_has_no_frame_is_told(wrong: Callable[..., list[str]]) -> None:
    shots = "format: {fps: 60}\nshots: [{shot: 1A, action: x}, {shot: 1B, action: x, duration: 1f}]\n"
    (problem,) = wrong(_FILM % "format: {fps: 12}" + shots)
    assert "6:31: shot 1B is shorter than a frame at 12 fps" in problem


def test_what_it_shows_is_the_film_in_its_size_without_its_words(film: Films) -> None:
    words = "titles: [{title: A Film}]\nsubtitles: {burn_in: true, speakers: true}\n"
    shots = "shots: [{shot: 1A, action: x, titles: [{title: A, from: 0s, to: 1s}]}]\n"
    of = film(_FILM % "format: {size: 1080x1350}, titles: false" + words + shots)
    shown = film_as(of, of.deliverables[0])
    assert shown.format.size == (1080, 1350) and shown.format.fps == of.format.fps
    assert shown.titles == () and shown.all_shots[0].titles == () and shown.burnt_in_language is None
    assert shown.subtitles and shown.subtitles.speakers and of.all_shots[0].titles


@pytest.mark.parametrize(
    ("written", "keys", "burnt_in", "soft"),
    [
        ("subtitles: true", "codec: h264", None, ("en", "fr")),
        ("subtitles: burn_in", "codec: h264", "en", ("en", "fr")),
        ("subtitles: burn_in", "languages: [fr]", None, ("fr",)),
        ("subtitles: true", "subtitles: burn_in", "en", ()),
        ("subtitles: true", "subtitles: burn_in, languages: [fr]", "fr", ()),
        ("subtitles: true", "subtitles: {burn_in: true, soft: true, language: fr}", "fr", ("en", "fr")),
        ("subtitles: burn_in", "subtitles: none", None, ()),
        ("subtitles: burn_in", "subtitles: soft, languages: [fr]", None, ("fr",)),
    ],
)
def test_its_subtitles_are_the_films_or_its_own(
    film: Films, written: str, keys: str, burnt_in: str | None, soft: tuple[str, ...]
) -> None:
    of = film(_FILM % keys + f"{written}\n")
    (deliverable,) = of.deliverables
    assert film_as(of, deliverable).burnt_in_language == burnt_in
    assert soft_languages(of, deliverable) == soft


def test_a_draft_has_none(film: Films) -> None:
    assert draft_of(film(_FILM % "codec: av1")).deliverables == ()
    assert Format().nearest(1, 1).aspect_ratio == "1:1"
