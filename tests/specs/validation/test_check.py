"""Checks that need several models, or other files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.specs.problems.problem import MOST_PROBLEMS
from storyreel.specs.sources import SourceChecker, SourceKind
from storyreel.specs.storyboard import MOST_REQUESTS, MOST_SHOTS, Shot, Storyboard
from storyreel.specs.validation.check import check, local_sources

Film = Callable[..., Storyboard]
Wrong = Callable[..., list[str]]

_PEOPLE = "cast: {mira: {}, tom: {}}\nlocations: {sea: {}}\n"


@pytest.mark.parametrize(
    ("shot", "found"),
    [
        ("cast: [mria]", "unknown cast member `mria` (did you mean `mira`?)"),
        ("cast: [mira, mira]", "`mira` is in the shot twice (once is enough)"),
        ("location: see", "unknown location `see` (did you mean `sea`?)"),
        ("dialogue: [{tim: Hi}]", "unknown speaker `tim` (did you mean `tom`?)"),
        ("narration: {line: Hi, speaker: xenia}", "unknown speaker `xenia` (known are `mira`, `tom` and `narrator`)"),
        ("dialogue: [{tom: 'Hi {mria}'}]", "`{mria}` is neither cast nor location (did you mean `mira`?)"),
        ("camera: {angle: 'over {tom s shoulder}'}", "`{tom s shoulder}` is neither cast nor location (known are"),
        ("takes: 2, circled: 3", "take 3 is circled, but there are 2 (circle one of them"),
        ("circled: 2", "take 2 is circled, but there is 1"),
        (
            "mode: image-to-video",
            "image-to-video needs an image to begin with (add `still`, `first_frame` or `continues`)",
        ),
        (
            "mode: reference-to-video, cast: [mira]",
            "reference-to-video needs references, and nothing seen in this shot",
        ),
        ("transition: {type: cut, duration: 1s}", "a cut takes no time (remove its `duration`"),
        ("transition: dissolve", "the first shot has nothing to dissolve from (write `transition: fade`)"),
        ("continues: 1A", "shot 1A continues itself (name the shot before it)"),
        ("continues: 1a", "there is no shot `1a` to continue"),
        ("last_frame: https://a/b.png", "shot 1A has a picture to end with and none to begin with (add `still`"),
        (
            "provider: a, providers: [a, b]",
            "`provider` and `providers` mean the same (keep `providers`, which may",
        ),
        ("providers: [a, b, a]", "`a` is named twice (once is enough)"),
        (
            "providers: [a, animatic, b]",
            "no service after `animatic` is ever tried: it draws every shot (write it last)",
        ),
        (
            "sound: https://a/b.wav",
            "`https://a/b.wav` is not local (download it)",
        ),
        (
            "dialogue: [{tom: Hi, sound: nothing.wav}]",
            "`nothing.wav` does not exist",
        ),
        ("duration: 10ms", "the duration is 10ms, less than one frame at 30 fps"),
        ("duration: 00:00:01:30", "00:00:01:30 names frame 30, but a second has 30 frames"),
    ],
)
def test_keys_that_contradict_each_other_are_reported(wrong: Wrong, shot: str, found: str) -> None:
    (line,) = wrong(f"{_PEOPLE}shots:\n- {{shot: 1A, action: x, {shot}}}\n")
    assert line.split(": ", 1)[1].startswith(found)
    assert line.startswith("6:")


@pytest.mark.parametrize(
    "shot",
    [
        "mode: text-to-video, cast: [mira]",
        "mode: reference-to-video, references: [https://a/b.png]",
        "mode: image-to-video, first_frame: https://a/b.png",
        "cast: [mira], location: sea, dialogue: [{tom: '{mira}, look at {sea}'}]",
        "transition: fade",
        "takes: 3, circled: 3",
        "first_frame: https://a/b.png, last_frame: https://a/b.png",
        "providers: [a]",
        "providers: [a, b, c, d, animatic], fallback_on_refusal: true",
    ],
)
def test_keys_that_go_together_are_accepted(film: Film, shot: str) -> None:
    assert film(f"{_PEOPLE}shots:\n- {{shot: 1A, action: x, {shot}}}\n").all_shots


def test_references_of_cast_and_location_serve_a_forced_mode(film: Film, media: object) -> None:
    storyboard = film(
        """\
cast: {mira: {references: [a.png, a.mp4]}, tom: {}}
locations: {sea: {references: [a.jpg]}}
shots: [{shot: 1, action: x, cast: [tom, mira], location: sea, references: [a.webp], mode: reference-to-video}]
"""
    )
    shown = storyboard.references_of(storyboard.all_shots[0])
    assert [(who, [r.source for r in references]) for who, references in shown] == [
        ("mira", ["a.png", "a.mp4"]),
        ("sea", ["a.jpg"]),
        ("", ["a.webp"]),
    ]


def test_names_that_mean_two_things_are_refused(wrong: Wrong) -> None:
    assert wrong("cast: {sea: {}, delivery: {}}\nlocations: {sea: {}}\n") == [
        "3:27: `delivery` is a key of dialogue (choose another name)",
        "4:18: `sea` is also in the cast (rename one of the two)",
    ]


def test_a_scenes_location_is_written_once(wrong: Wrong) -> None:
    scenes = "scenes: [{scene: 1, location: sea, defaults: {location: sea}, shots: [{shot: 1, action: x}]}]\n"
    assert wrong("locations: {sea: {}}\n" + scenes) == [
        "4:57: the scene's location is written twice (keep `location` beside `scene`)"
    ]


def test_names_in_defaults_are_known_ones_too(wrong: Wrong) -> None:
    scenes = "scenes: [{scene: 1, location: se, shots: [{shot: 1, action: x, cast: [tom], location: sea}]}]\n"
    assert wrong(_PEOPLE + "defaults: {cast: [tim]}\n" + scenes) == [
        "5:19: unknown cast member `tim` (did you mean `tom`?)",
        "6:31: unknown location `se` (did you mean `sea`?)",
    ]


def test_slates_and_scenes_are_unique(wrong: Wrong) -> None:
    found = wrong(
        """\
scenes:
- {scene: 1, shots: [{shot: 1A, action: x}, {shot: 1A, action: y}]}
- {scene: 1, shots: [{shot: 1A, action: z}]}
"""
    )
    assert found == [
        "4:52: the slate `1A` is taken, first in line 4 (give it a name of its own)",
        "5:11: the scene `1` is taken, first in line 4 (give it a name of its own)",
        "5:29: the slate `1A` is taken, first in line 4 (give it a name of its own)",
    ]


def test_a_cycle_in_continues_is_named(wrong: Wrong) -> None:
    links = {"A": "B", "B": "C", "C": "A", "D": "A", "E": "F", "F": "E"}
    shots = "".join(f"- {{shot: {slate}, action: x, continues: {target}}}\n" for slate, target in links.items())
    found = [line.split(": ", 1)[1] for line in wrong("shots:\n" + shots)]
    assert found == [
        "these shots continue each other in a circle: A → B → C → A (one of them must not continue another)",
        "these shots continue each other in a circle: E → F → E (one of them must not continue another)",
    ]


def test_a_shot_may_continue_a_later_one(film: Film) -> None:
    assert film("shots: [{shot: 1, action: x, continues: 2}, {shot: 2, action: x}]\n").all_shots[0].upstream == "2"


@given(links=st.lists(st.none() | st.integers(0, 11), min_size=12, max_size=12))
def test_every_circle_is_found_and_nothing_else(links: list[int | None]) -> None:
    shots = [
        Shot(shot=str(number), action="x", continues=None if target is None else str(target))
        for number, target in enumerate(links)
    ]
    told = [problem.message for problem in check(Storyboard(storyboard=1, title="x", shots=tuple(shots)))]
    circles = set()
    for number in range(12):
        walked: list[int] = []
        here: int | None = number
        while here is not None and here not in walked:
            walked.append(here)
            here = links[here]
        if here == number:
            circles.add(frozenset(walked))
    assert len(told) == len(circles)
    assert sum("continues itself" in what for what in told) == sum(len(circle) == 1 for circle in circles)


def test_a_shot_begins_with_one_frame_only(wrong: Wrong, media: object) -> None:
    shots = "shots: [{shot: 1, action: x}, {shot: 2, action: x, continues: 1, first_frame: a.png}]\n"
    assert wrong("defaults: {first_frame: a.jpg}\n" + shots) == [
        "4:79: a shot that continues another begins with its last frame, not with a picture "
        "(keep `continues` or `first_frame`)"
    ]


def test_a_shot_that_continues_another_may_end_with_a_picture(film: Film, media: object) -> None:
    shots = "shots: [{shot: 1, action: x}, {shot: 2, action: x, continues: 1, last_frame: a.png}]\n"
    assert film(shots).all_shots[1].last_frame == "a.png"


def test_a_wrong_service_in_the_defaults_is_reported_once_and_there(wrong: Wrong) -> None:
    shots = "shots: [{shot: 1, action: x}, {shot: 2, action: x}, {shot: 3, action: x, provider: c}]\n"
    assert wrong("defaults: {provider: a, providers: [b, b]}\n" + shots) == [
        "3:22: `provider` and `providers` mean the same (keep `providers`, which may name one service too)",
        "3:40: `b` is named twice (once is enough)",
    ]


def test_a_default_last_frame_is_reported_for_each_shot_that_begins_with_nothing(wrong: Wrong, media: object) -> None:
    shots = "shots: [{shot: 1, action: x, first_frame: a.png}, {shot: 2, action: x}, {shot: 3, action: x}]\n"
    found = wrong("defaults: {last_frame: a.jpg}\n" + shots)
    assert [line.split(" has")[0] for line in found] == ["3:24: shot 2", "3:24: shot 3"]


def test_a_film_has_a_limit_across_its_scenes(wrong: Wrong) -> None:
    half = MOST_SHOTS // 2 + 1
    shots = [", ".join(f"{{shot: {name}{n}, action: x}}" for n in range(half)) for name in "ab"]
    scenes = "".join(f"- {{scene: {n}, shots: [{listed}]}}\n" for n, listed in enumerate(shots))
    (found,) = wrong("scenes:\n" + scenes)
    assert "the film has 10002 shots, at most 10000" in found


def test_a_film_has_a_limit_of_requests_across_its_shots_and_services(
    wrong: Wrong, film: Callable[..., Storyboard]
) -> None:
    shots = "shots:\n" + "".join(f"- {{shot: {n}, action: x}}\n" for n in range(MOST_REQUESTS // 20))
    film(f"defaults: {{takes: 20}}\n{shots}")
    (found,) = wrong(f"defaults: {{takes: 20, providers: [freepik, animatic]}}\n{shots}")
    assert found == (
        f"{MOST_REQUESTS // 40 + 5}:3: the film asks for {2 * MOST_REQUESTS} takes, each service counted, "
        f"at most {MOST_REQUESTS} (ask for fewer `takes`, or split it into several films)"
    )


# Files and addresses


@pytest.mark.parametrize(
    ("key", "fitting"),
    [
        ("first_frame: {}", "a.png a.jpg a.webp a.bmp"),
        ("first_frame: a.png, last_frame: {}", "a.png a.jpg a.webp a.bmp"),
        ("references: [{{image: {}}}]", "a.png a.jpg a.webp a.bmp"),
        ("references: [{{video: {}}}]", "a.mp4 a.mov"),
    ],
)
def test_a_picture_is_a_picture_and_a_video_a_video(
    film: Film, wrong: Wrong, media: dict[str, Path], key: str, fitting: str
) -> None:
    for name in media:
        text = f"shots: [{{shot: 1, action: x, {key.format(name)}}}]\n"
        if name in fitting.split():
            assert film(text).all_shots
        else:
            assert f"`{name}` is not a" in wrong(text)[0]


def test_voices_and_music_are_sounds(film: Film, wrong: Wrong, media: dict[str, Path]) -> None:
    for name in media:
        voice, music = f"cast: {{mira: {{voice: {name}}}}}\n", f"music: [{{file: {name}}}]\n"
        assert film(voice).cast if name in ("a.wav", "a.mp3") else wrong(voice)
        assert film(music).music if name[2:] in ("wav", "mp3", "m4a", "flac", "ogg", "mp4") else wrong(music)


def test_the_actual_kind_of_a_file_is_reported(wrong: Wrong, media: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "lfs.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    (tmp_path / "empty.png").touch()
    shots = "shots: [{{shot: 1, action: x, first_frame: {}}}]\n"
    assert (
        "`a.mp4` is not an image (PNG, JPEG, WebP, BMP or AVIF); it looks like a video"
        in wrong(shots.format("a.mp4"))[0]
    )
    assert "only a pointer of Git LFS (run `git lfs pull`)" in wrong(shots.format("lfs.png"))[0]
    assert "`empty.png` is empty" in wrong(shots.format("empty.png"))[0]
    assert "(did you mean `./empty.png`?)" not in wrong(shots.format("emty.png"))[0]
    assert "(did you mean `empty.png`?)" in wrong(shots.format("emty.png"))[0]


@pytest.mark.parametrize(
    ("kind", "megabytes"), [(SourceKind.IMAGE, 20), (SourceKind.VIDEO, 100), (SourceKind.VOICE, 15)]
)
def test_a_file_too_large_for_any_service_is_refused(tmp_path: Path, kind: SourceKind, megabytes: int) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(megabytes * 1_000_000 + 1)
    wrong = SourceChecker(tmp_path.joinpath).wrong_with("large", kind)
    assert wrong and f"services take at most {megabytes} MB" in wrong[0]


@pytest.mark.parametrize("source", ["device", "folder", "pipe", "/proc/self/mem", "a.png/b.png", "x\0y"])
def test_what_is_not_a_file_is_refused_without_opening_it(tmp_path: Path, media: dict[str, Path], source: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "device").symlink_to("/dev/zero")
    for kind in SourceKind:
        assert SourceChecker(tmp_path.joinpath).wrong_with(source, kind)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("ftp://a/b.png", "is not an http or https address"),
        ("file:///etc/passwd.png", "is not an http or https address"),
        ("https:///b.png", "is not a valid address"),
        ("https://a b/c.png", "is not a valid address"),
        ("http://[1/b.png", "is not a valid address"),
        ("http://a:port/b.png", "is not a valid address"),
    ],
)
def test_an_address_is_reached_by_http_and_has_a_host(wrong: Wrong, address: str, found: str) -> None:
    assert found in wrong(f"shots: [{{shot: 1, action: x, first_frame: '{address}'}}]\n")[0]


@pytest.mark.usefixtures("media")
@pytest.mark.parametrize(
    ("shot", "found"),
    [
        (
            "sound: a.wav, dialogue: [{tom: Hi, sound: a.wav}]",
            "the shot has a recording of its own, and so has this line (keep the shot's `sound`",
        ),
        (
            "dialogue: [{tom: Hi, sound: a.wav}, {mira: Ho}]",
            "this line has no recording, and another line of the shot has one (give each line its `sound`, or all",
        ),
        ("sound: a.png", "`a.png` is not a recording (WAV"),
    ],
)
def test_recordings_of_a_shot_and_of_its_lines_exclude_each_other(wrong: Wrong, shot: str, found: str) -> None:
    (line,) = wrong(f"{_PEOPLE}shots:\n- {{shot: 1A, action: x, {shot}}}\n")
    assert line.split(": ", 1)[1].startswith(found)


@pytest.mark.usefixtures("media")
def test_a_recording_is_a_file_of_the_film_and_somebody_may_still_be_called_sound(film: Film) -> None:
    found = film(
        "cast: {mira: {}, sound: {}}\ndefaults: {sound: a.mp3}\nshots:\n"
        "- {shot: 1A, action: x, sound: null, dialogue: [{mira: Hi, sound: a.wav}]}\n"
        "- {shot: 1B, action: x, dialogue: [{sound: Ho}, {sound: Hey, delivery: low}]}\n"
    )
    assert [shot.recordings for shot in found.all_shots] == [("a.wav",), ("a.mp3",)]
    assert [line.speaker for shot in found.all_shots for line in shot.dialogue] == ["mira", "sound", "sound"]
    assert local_sources(found) == ["a.mp3", "a.wav"]


def test_a_tilde_is_not_expanded(wrong: Wrong) -> None:
    assert "(`~` is not expanded" in wrong("shots: [{shot: 1, action: x, first_frame: ~/a.png}]\n")[0]


def test_a_file_is_checked_once(tmp_path: Path, media: dict[str, Path]) -> None:
    inspector = SourceChecker(tmp_path.joinpath)
    assert inspector.wrong_with("a.png", SourceKind.IMAGE) is None
    media["a.png"].unlink()
    assert inspector.wrong_with("a.png", SourceKind.IMAGE) is None
    assert inspector.wrong_with("a.png", SourceKind.VIDEO) is not None


def test_problems_are_reported_up_to_a_limit(wrong: Wrong) -> None:
    shots = "".join(f"- {{shot: {n}, action: x, cast: [gone]}}\n" for n in range(3000))
    assert len(wrong("shots:\n" + shots)) == MOST_PROBLEMS
