"""The spoken lines of a film, their lengths, and their places in the cut.

A line is as long as its recording or its speech; of one that has neither yet the length is estimated by its letters.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from storyreel.specs.cut import Cut, Event
from storyreel.specs.language.slates import LineKind, line_slate
from storyreel.specs.language.speech import NARRATOR, ShotLength
from storyreel.specs.problems.problem import KeyPath
from storyreel.specs.storyboard import PLACEHOLDER, Shot, Storyboard
from storyreel.specs.timing import Duration, FrameRate

Lengths = Mapping[str, Fraction]
"""Seconds of recordings and of speech by the slates of their lines; of the recording of a whole shot by its slate."""

_LETTERS_A_SECOND = Fraction(14)
"""Letters and spaces that are read aloud in a second, in scripts that write sounds: 150 words a minute."""
_SLOWER = (("CJK UNIFIED", Fraction(9, 2)), ("HANGUL", Fraction(11, 2)), ("HIRAGANA", Fraction(7)),
           ("KATAKANA", Fraction(7)))  # fmt: skip
"""The same of scripts that write syllables or words, by the beginning of the names of their letters."""
_FIRST_SLOWER = 0x1100
"""Hangul, the first of these scripts in Unicode."""
_STOPS = ".!?…。！？؟।"
_DOUBT = Fraction(5, 4)
"""Ratio of the estimated length of what is said to its shot from which there is a warning."""
_PAUSE = Fraction(3, 10)
"""Seconds at the end of a sentence."""


class SpokenLine(NamedTuple):
    """A line of dialogue or of narration."""

    slate: str
    """`1A@line-1`, `1A@narration-1`."""
    shot: str
    number: int
    """From 1, among the lines of its kind in the shot."""
    kind: LineKind
    speaker: str
    """`narrator`, or a key of the cast."""
    text: str
    """The words; in dialogue names stand in place of keys."""
    sound: str | None = None
    """Its recording, as written."""
    delivery: str = ""
    from_: Duration | None = None
    """Time of the shot at which it begins; None for the earliest."""
    through: str = ""
    """The slate of the last shot that it is heard over."""

    @property
    def path(self) -> KeyPath:
        """Its path below its shot in the file."""
        return self.kind, self.number - 1


class PlacedLine(NamedTuple):
    """A line in the cut."""

    line: SpokenLine
    begin: Fraction
    """Seconds of the film."""
    end: Fraction
    """As above; the end of the film at most."""
    first_frame: int
    """The frame of the film nearest to its beginning."""
    end_frame: int
    """The frame after the last one that it is heard over."""


def lines_of(film: Storyboard) -> tuple[SpokenLine, ...]:
    """All lines in the order of the film: of each shot the dialogue, then the narration."""
    return tuple(line for shot in film.all_shots for line in lines_of_shot(film, shot))


def lines_of_shot(film: Storyboard, shot: Shot) -> tuple[SpokenLine, ...]:
    """The lines of a shot: its dialogue, then its narration."""
    spoken = [
        SpokenLine(
            slate=line_slate(shot.shot, "dialogue", number),
            shot=shot.shot,
            number=number,
            kind="dialogue",
            speaker=line.speaker,
            text=with_names(film, line.line),
            sound=line.sound,
            delivery=line.delivery,
        )
        for number, line in enumerate(shot.dialogue, 1)
    ]
    over = [
        SpokenLine(
            slate=line_slate(shot.shot, "narration", number),
            shot=shot.shot,
            number=number,
            kind="narration",
            speaker=line.speaker,
            text=line.line,
            sound=line.sound,
            delivery=line.delivery,
            from_=line.from_,
            through=line.through or "",
        )
        for number, line in enumerate(shot.narration, 1)
    ]
    return (*spoken, *over)


def with_names(film: Storyboard, text: str) -> str:
    """A text with the name of each `{key}` in it. Unknown keys are left as they are."""
    return PLACEHOLDER.sub(lambda found: film.names.get(unicodedata.normalize("NFC", found[1]), found[0]), text)


def name_of(film: Storyboard, line: SpokenLine) -> str:
    """The name of the speaker of a line; empty for the narrator."""
    return film.names.get(line.speaker, "" if line.speaker == NARRATOR else line.speaker)


@lru_cache(4096)
def estimated_seconds(text: str) -> Fraction:
    """Seconds in which a text is read aloud, by its letters; at least half a second."""
    seconds = sum(text.count(sign) for sign in _STOPS) * _PAUSE
    slow = 0
    if not text.isascii():
        names = [unicodedata.name(letter, "") for letter in text if ord(letter) >= _FIRST_SLOWER]
        for beginning, rate in _SLOWER:
            count = sum(name.startswith(beginning) for name in names)
            seconds += count / rate
            slow += count
    seconds += (len(text) - slow) / _LETTERS_A_SECOND
    # In whole milliseconds, as those of files: frames of 24000/1001 seconds would make long fractions of it.
    return max(Fraction(round(seconds * 1000), 1000), Fraction(1, 2))


def spoken_frames(film: Storyboard, lengths: Lengths) -> dict[str, int]:
    """The frames of each shot that lasts as long as what is said in it, by its slate.

    Narration that goes on through later shots is shared by those of them that last as speech does.
    """
    growing = dict.fromkeys(shot.shot for shot in film.all_shots if shot.lasts_as_speech)
    if not growing:
        return {}
    rate = film.format.fps
    frames = {shot.shot: frames_of(shot.duration, rate) for shot in film.all_shots if shot.shot not in growing}
    for _ in _narration(film, lengths, frames):
        pass
    return {slate: frames[slate] for slate in growing}


def placed_lines(film: Storyboard, cut: Cut, lengths: Lengths) -> tuple[PlacedLine, ...]:
    """The place of each line in the cut, in the order of the film, without lines that begin after the end.

    Dialogue of which not all has a length in `lengths` shares the time of its shot, in proportion to its letters.
    Narration begins with its shot, or after the narration before, and runs on where its shot is too short.
    """
    rate, over = cut.rate, dict[str, list[PlacedLine]]()
    for line, first in _narration(film, lengths, {event.shot: event.frames for event in cut.events}):
        if first < cut.frames:
            begin = rate.seconds(first)
            over.setdefault(line.shot, []).append(_placed(line, begin, begin + length_of(line, lengths), cut))
    placed: list[PlacedLine] = []
    for shot, event in zip(film.all_shots, cut.events, strict=True):
        placed += (_placed(*each, cut) for each in _dialogue_places(film, shot, event, rate, lengths))
        placed += over.get(shot.shot, ())
    return tuple(placed)


def line_warnings(film: Storyboard, cut: Cut, lengths: Lengths) -> Iterator[str]:
    """A sentence for each line that ends after the shots that it is heard in; of dialogue, for the last of a shot. And
    one for each `pad` in defaults that no shot has a use for.

    Recordings of whole shots have warnings of their own. A line of estimated length has one only if it is much longer.
    """
    of_scenes = [(f"scene {scene.scene}", scene.defaults, scene.shots) for scene in film.scenes]
    for whose, defaults, inside in (("the film", film.defaults, film.all_shots), *of_scenes):
        if defaults.pad and not any(shot.lasts_as_speech for shot in inside):
            yield f"`pad` in the defaults of {whose} changes nothing: no shot of it has `duration: speech`"
    events, rate = {event.shot: event for event in cut.events}, cut.rate
    ends: list[tuple[SpokenLine, int, bool]] = []
    for shot in film.all_shots:
        dialogue = _dialogue(film, shot)
        if dialogue and not shot.recordings:
            end = pad_of(shot, rate) + _frames(_seconds_of_dialogue(film, shot, lengths), rate)
            ends.append((dialogue[-1], events[shot.shot].start + end, all(line.slate in lengths for line in dialogue)))
    for line, first in _narration(film, lengths, {event.shot: event.frames for event in cut.events}):
        ends.append((line, first + _frames(length_of(line, lengths), rate), line.slate in lengths))
    order = list(events)
    for line, end, is_known in sorted(ends, key=lambda each: events[each[0].shot].start):
        over = heard_over(line, order)
        begin, room_end = events[over[0]].start, events[over[-1]].end
        if end - begin > (room_end - begin) * (1 if is_known else _DOUBT):
            beyond = float(rate.seconds(end - room_end))
            shots = f"shot {over[0]}" if len(over) == 1 else f"shots {over[0]} to {over[-1]}"
            about = "" if is_known else "about "
            advice = "make it longer, or write `duration: speech`"
            yield f"the {line.kind} of {line.shot} ends {about}{beyond:.2g} s after {shots}: {advice}"


def length_of(line: SpokenLine, lengths: Lengths) -> Fraction:
    """Seconds of a line: those of its recording or speech, else an estimate."""
    return lengths.get(line.slate) or estimated_seconds(line.text)


def heard_over(line: SpokenLine, order: Sequence[str]) -> Sequence[str]:
    """The slates of the shots that a line is heard over, of those of a film in order."""
    if not line.through:
        return (line.shot,)
    first = order.index(line.shot)
    last = order.index(line.through) if line.through in order[first:] else first
    return order[first : last + 1]


def _narration_of(film: Storyboard, shot: Shot) -> tuple[SpokenLine, ...]:
    return tuple(line for line in lines_of_shot(film, shot) if line.kind == "narration")


def _dialogue(film: Storyboard, shot: Shot) -> tuple[SpokenLine, ...]:
    return tuple(line for line in lines_of_shot(film, shot) if line.kind == "dialogue") if shot.dialogue else ()


def _seconds_of_dialogue(film: Storyboard, shot: Shot, lengths: Lengths) -> Fraction:
    """Seconds of the whole dialogue of a shot, or of its one recording."""
    if shot.sound and shot.shot in lengths:
        return lengths[shot.shot]
    return sum((length_of(line, lengths) for line in _dialogue(film, shot)), Fraction(0))


def _narration(film: Storyboard, lengths: Lengths, frames: dict[str, int]) -> Iterator[tuple[SpokenLine, int]]:
    """The narration of a film in order, each line with the frame of the film that it begins with: one after another.

    `frames` are those of shots by their slates. Shots without last as their lines do, and get theirs when their
    narration is passed.
    """
    shots, rate, start, free = film.all_shots, film.format.fps, 0, 0
    order, going_on = [shot.shot for shot in shots], list[tuple[int, int]]()
    for number, shot in enumerate(shots):
        pad = pad_of(shot, rate)
        needed = pad + (_frames(_seconds_of_dialogue(film, shot, lengths), rate) if shot.lasts_as_speech else 0)
        place = start + needed
        for line in _narration_of(film, shot) if shot.narration else ():
            first = start + frames_of(line.from_, rate) if line.from_ else max(place, free)
            yield line, first
            place = free = first + _frames(length_of(line, lengths), rate)
            last = number + len(heard_over(line, order)) - 1
            if last > number:
                going_on.append((free, last))
            needed = max(needed, free - start) if last == number else needed
        if shot.shot not in frames:
            known = [frames.get(slate) for slate in order] if going_on else []
            ends = ((end - start + pad_of(shots[last], rate), last) for end, last in going_on if last >= number)
            shares = [_share(length, known[number : last + 1]) for length, last in ends]
            frames[shot.shot] = max([needed + pad, *shares])
        start += frames[shot.shot]


def _share(frames: int, of_shots: Sequence[int | None]) -> int:
    """The part of the first of some shots in frames that they last together; of others than those with a length."""
    growing = sum(each is None for each in of_shots)
    return -(-(frames - sum(filter(None, of_shots))) // growing)


def _dialogue_places(
    film: Storyboard, shot: Shot, event: Event, rate: FrameRate, lengths: Lengths
) -> Iterator[tuple[SpokenLine, Fraction, Fraction]]:
    """The dialogue of a shot, one line after another: each as long as its recording or its speech, or as its share of
    the letters of all that are spoken in the shot or in its one recording."""
    lines, pad = _dialogue(film, shot), pad_of(shot, rate)
    begin, end = rate.seconds(event.start + pad), rate.seconds(event.end)
    known = [lengths.get(line.slate) for line in lines]
    seconds = [each for each in known if each is not None]
    if shot.lasts_as_speech and not shot.sound:
        seconds = [length_of(line, lengths) for line in lines]  # The narration of the shot follows.
    elif len(seconds) != len(lines):
        letters = sum(len(line.text) for line in lines) or 1
        room = end - begin - rate.seconds(pad)
        spoken = min(room, lengths.get(shot.shot, room))
        seconds = [spoken * len(line.text) / letters for line in lines]
    for line, length in zip(lines, seconds, strict=True):
        if begin < end:  # else it is not heard in the film
            yield line, begin, min(begin + length, end)
        begin += length


def _placed(line: SpokenLine, begin: Fraction, end: Fraction, cut: Cut) -> PlacedLine:
    rate = cut.rate
    end = min(end, rate.seconds(cut.frames))
    first = rate.nearest_frames(begin)
    return PlacedLine(line, begin, end, first, max(first + 1, rate.nearest_frames(end)))


def spoken_span(film: Storyboard, shot: Shot, lengths: Lengths) -> tuple[int, int] | None:
    """The frames `[first, end)` of a shot that lasts as its lines do in which its dialogue is heard; None of others."""
    if not (shot.lasts_as_speech and shot.dialogue):
        return None
    first = pad_of(shot, film.format.fps)
    return first, first + _frames(_seconds_of_dialogue(film, shot, lengths), film.format.fps)


def pad_of(shot: Shot, rate: FrameRate) -> int:
    """The frames of a shot before its first word and after its last one."""
    return frames_of(shot.pad, rate) if shot.pad and shot.lasts_as_speech else 0


def frames_of(length: ShotLength, rate: FrameRate) -> int:
    """Frames of a length; 0 of one that the rate does not have, which validation reports, and of `speech`."""
    try:
        return length.frames(rate) if isinstance(length, Duration) else 0
    except ValueError:
        return 0


def _frames(seconds: Fraction, rate: FrameRate) -> int:
    """All frames in which so many seconds are heard."""
    return math.ceil(seconds * rate.exact)
