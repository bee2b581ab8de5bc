"""The guide voice speaks the lines that nobody has recorded; without it there are tones, and nothing else changes."""

from __future__ import annotations

import wave
from array import array
from fractions import Fraction
from itertools import pairwise
from math import sqrt
from operator import mul
from pathlib import Path

import av
import pytest

from storyreel.specs.derived.lines import estimated_seconds
from storyreel.specs.reading import read
from storyreel.tasks.media.errors import MediaError
from storyreel.tasks.providers.animatic.service import Animatic
from storyreel.tasks.providers.animatic.voice.engine import Engine, engine, voices
from storyreel.tasks.providers.animatic.voice.speak import Line, speak
from storyreel.tasks.providers.errors import Terminal
from storyreel.tasks.providers.request import Board
from storyreel.tasks.request.board import board_of
from storyreel.tasks.request.speech import build_speech
from storyreel.tasks.storage.digests import file_digest
from tests.tasks.providers.animatic.drawing import drawn, request, samples_of

SAID = (("Mira", "Who's there?"), ("Tom", "Only me, and I have brought the oil for the lamp."))


@pytest.fixture
def espeak(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The guide voice, which other tests are without."""
    monkeypatch.delenv("STORYREEL_GUIDE_VOICE")
    found = engine()
    assert found, "uv sync installs it"
    return found


def seconds_of(file: Path) -> float:
    with wave.open(str(file)) as sound:
        return sound.getnframes() / sound.getframerate()


def loudness(clip: Path) -> list[float]:
    """The loudness of each tenth of a second, as a part of full scale."""
    heard = array("f")
    with av.open(str(clip)) as file:
        for frame in file.decode(audio=0):
            heard.frombytes(bytes(frame.planes[0])[: 4 * frame.samples])
    return [sqrt(sumprod(part := heard[at : at + 4800], part) / 4800) for at in range(0, len(heard), 4800)]


def sumprod(one: array[float], other: array[float]) -> float:
    return sum(map(mul, one, other))


def test_every_language_is_spoken_the_same_each_time(espeak: Engine, tmp_path: Path) -> None:
    texts = {"": "The light.", "fr": "La lumière.", "zh-Hant": "灯已经亮了。", "hi": "दीपक", "xx": "No such language"}
    lines = [Line(text=text, language=language) for language, text in texts.items()]
    files = [[tmp_path / f"{time}{number}.wav" for number in range(len(lines))] for time in "ab"]
    lengths = [speak(espeak.name, lines, of) for of in files]
    assert lengths[0] == lengths[1] == tuple(map(seconds_of, files[0]))
    assert min(lengths[0]) > 0.2
    assert [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]


@pytest.mark.parametrize(
    ("language", "text", "first"),
    [
        ("", "Who's there?", "en"), ("", "灯已经亮了", "cmn"), ("", "灯台の光", "ja"), ("", "빛", "ko"),
        ("", "свет", "ru"), ("zh", "?", "cmn"), ("pt-BR", "luz", "pt-br"), ("de", "灯", "de"), ("", "…", "en"),
    ],
)  # fmt: skip
def test_the_voice_follows_from_the_language_else_from_the_letters(language: str, text: str, first: str) -> None:
    assert voices("Mira", language, text)[0].split("+")[0] == first


def test_each_speaker_keeps_a_voice() -> None:
    of = {who: voices(who, "en", "a")[0] for who in ("", "Mira", "Tom", "Ana", "Lu", "Ben")}
    assert len(set(of.values())) > 2
    assert all(voices(who, "fr", "b")[0].split("+")[1] == voice.split("+")[1] for who, voice in of.items())


async def test_each_line_is_heard_while_its_words_are_shown(espeak: Engine, tmp_path: Path) -> None:
    takes = [
        request(resolution="480p", fps="12", frames=72, dialogue=SAID[:count], voice=voice)
        for count, voice in ((2, espeak.name), (2, ""), (0, ""))
    ]
    spoken, toned, bare = [loudness(await drawn(of, tmp_path / f"{number}.mp4")) for number, of in enumerate(takes)]
    # Of 6 s the first line has 2, by its letters; it takes one, and there is a pause before the next.
    assert max(spoken[2:8]) > 2 * max(toned)
    assert max(spoken[13:16]) < 2 * max(bare)
    assert max(spoken[20:36]) > 2 * max(toned)
    assert samples_of(tmp_path / "0.mp4") == samples_of(tmp_path / "2.mp4") == 6 * 48_000


async def test_a_line_that_takes_too_long_is_spoken_faster_and_the_clip_keeps_its_length(
    espeak: Engine, tmp_path: Path
) -> None:
    text = "She counts the steps aloud, as her mother did, and her mother before her, until the light is out. " * 2
    rooms = (0.0, 6.0, 1.0)
    files = [tmp_path / f"{number}.wav" for number in range(len(rooms))]
    whole, faster, fastest = speak(espeak.name, [Line(text=text, room=room) for room in rooms], files)
    assert whole > 9 and faster <= 6.1 and 1 < fastest < faster
    clip = await drawn(
        request(resolution="480p", frames=24, dialogue=(("Mira", text), SAID[1]), voice=espeak.name), tmp_path / "1.mp4"
    )
    assert samples_of(clip) == 48_000


FILM = """
storyboard: 1
title: The Keeper
languages: [fr]
cast: {mira: {}}
shots:
  - {shot: 1A, action: Rain., cast: [mira], dialogue: [{mira: Qui est là?}]}
  - {shot: 1B, action: Rain., cast: [mira]}
  - {shot: 1C, action: Rain., cast: [mira], dialogue: [{mira: Qui?}], native_audio: drop}
  - {shot: 1D, action: Rain., cast: [mira], dialogue: [{mira: Qui?, sound: qui.wav}]}
"""


def boards(folder: Path) -> list[Board]:
    with wave.open(str(folder / "qui.wav"), "wb") as sound:
        sound.setparams((1, 2, 48_000, 0, "NONE", "NONE"))
        sound.writeframes(b"\1\1" * 48_000)
    (folder / "film.yaml").write_text(FILM)
    film = read(folder / "film.yaml")
    return [board_of(film, shot, 24, None, file_digest) for shot in film.all_shots]


def test_only_lines_without_a_recording_are_spoken_and_other_drawings_keep_their_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = boards(tmp_path)
    assert {board.voice for board in without} == {""}
    monkeypatch.delenv("STORYREEL_GUIDE_VOICE")
    found = engine()
    spoken = boards(tmp_path)
    assert found and [(board.voice, board.language) for board in spoken] == [(found.name, "fr"), *[("", "")] * 3]
    assert spoken[1:] == without[1:] and spoken[0].bare == without[0].bare != spoken[0]


@pytest.mark.parametrize("mode", ["clip", "speech"])
async def test_a_voice_that_is_not_here_any_more_is_told(mode: str, espeak: Engine, tmp_path: Path) -> None:
    asked = request(frames=24, dialogue=SAID, voice="espeak-ng 9")
    if mode == "speech":
        (line,) = build_speech(Animatic, None, SAID[0][1], voice=None)
        asked = line.model_copy(update={"model": "espeak-ng 9"})
    with pytest.raises(Terminal) as refused:
        await drawn(asked, tmp_path / "1.out")
    assert f"espeak-ng 9 where the film was planned, and here is {espeak.name}" in refused.value.message
    assert "storyreel[voice]" in refused.value.hint
    assert not list(tmp_path.glob("*.out"))


def test_the_engine_may_be_in_a_folder_of_any_name(
    espeak: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("ein Ordner für Stimmen " * 8).strip()
    folder.symlink_to(Path(espeak.data).parent, target_is_directory=True)
    moved = espeak.model_copy(
        update={"library": str(folder / Path(espeak.library).name), "data": str(folder / "espeak-ng-data")}
    )
    monkeypatch.setattr("storyreel.tasks.providers.animatic.voice.speak.engine", lambda: moved)
    (seconds,) = speak(espeak.name, [Line(text="Hello.")], [tmp_path / "1.wav"])
    assert seconds == seconds_of(tmp_path / "1.wav") > 0.2


@pytest.mark.parametrize("broken", ["data", "library"])
def test_an_engine_that_breaks_down_ends_itself_alone(
    broken: str, espeak: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "library").write_text("not one")
    (tmp_path / "data").mkdir()
    changed = espeak.model_copy(
        update={broken: str(tmp_path / broken / "data" if broken == "data" else tmp_path / broken)}
    )
    monkeypatch.setattr("storyreel.tasks.providers.animatic.voice.speak.engine", lambda: changed)
    with pytest.raises(MediaError) as failed:
        speak(espeak.name, [Line(text="Hello.")], [tmp_path / "1.wav"])
    assert "does not speak" in failed.value.message and "STORYREEL_GUIDE_VOICE=off" in failed.value.hint


async def test_a_take_of_speech_is_spoken_by_the_engine_that_its_key_names(espeak: Engine, tmp_path: Path) -> None:
    said = "The light has not gone out in forty years."
    takes = [
        next(build_speech(Animatic, None, said, voice=voice, language="en")) for voice in ("Cherry", "Cherry", "Ethan")
    ]
    assert [take.model for take in takes] == [espeak.name] * 3
    assert takes[0].key == takes[1].key != takes[2].key
    files = [await drawn(take, tmp_path / f"{number}.wav") for number, take in enumerate(takes)]
    assert files[0].read_bytes() == files[1].read_bytes() != files[2].read_bytes()
    assert 1.5 < seconds_of(files[0]) < 4


async def test_without_a_voice_tones_stand_for_a_take_of_speech_as_long_as_it_is_estimated(tmp_path: Path) -> None:
    lines = ["The light has not gone out.", "灯已经亮了四十年。", "Oh."]
    takes = [next(build_speech(Animatic, None, line, voice=None)) for line in lines]
    assert {take.model for take in takes} == {"animatic"}
    files = [await drawn(take, tmp_path / f"{number}.wav") for number, take in enumerate(takes)]
    for file, line in zip(files, lines, strict=True):
        with wave.open(str(file)) as sound:
            assert sound.getnframes() == int(estimated_seconds(line) * 48_000)
            assert max(array("h", sound.readframes(1 << 20))) > 1000
    assert all(estimated_seconds(one) > Fraction(0) for one in lines)
    assert all(one.read_bytes() != other.read_bytes() for one, other in pairwise(files))
