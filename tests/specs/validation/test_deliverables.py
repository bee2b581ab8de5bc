"""What a deliverable contradicts is told at its key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storyreel.specs.derived.draft import draft_of
from storyreel.specs.language.deliverables import Deliverable
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


def test_a_draft_has_none(film: Films) -> None:
    assert draft_of(film(_FILM % "codec: av1")).deliverables == ()
    assert Format().nearest(1, 1).aspect_ratio == "1:1"
