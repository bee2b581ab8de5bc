"""Warnings of a plan: results that may not be intended, although the storyboard is valid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from storyreel.flows.planning.model import PlannedTake
from storyreel.specs.cut import Cut
from storyreel.specs.derived.framing import framing_warnings
from storyreel.specs.derived.lines import Lengths, line_warnings
from storyreel.specs.derived.reading import reading_warnings
from storyreel.specs.language.sound import Mix
from storyreel.specs.problems.phrases import abridged
from storyreel.specs.storyboard import Mode, Storyboard
from storyreel.tasks.request.attachments import SPEECH
from storyreel.tasks.request.board import letter_warnings, own_font, words_warnings
from storyreel.tasks.request.references import omitted_videos, omitted_voices

_SLACK = Fraction(1, 10)
"""Seconds by which a container may be longer than its sound."""
LONGEST_CHAIN = 3
"""Longer chains of shots that continue each other drift in colour and likeness."""


def warnings_of(
    film: Storyboard, takes: Iterable[PlannedTake], chains: Mapping[str, int], cut: Cut, lengths: Lengths
) -> Iterator[str]:
    """A sentence for each thing to know before the film is made; `chains` are the lengths of chains of shots by their
    last ones, and `lengths` those of the recordings and the speech that are there."""
    first = {take.shot: take for take in reversed(list(takes))}
    for slate, length in chains.items():
        if length > LONGEST_CHAIN and slate not in film.continued:
            yield (
                f"{length} shots continue each other up to {slate}; "
                f"beyond {LONGEST_CHAIN} they drift in colour and likeness"
            )
    for shot in film.all_shots:
        if not shot.continues:
            continue
        take = first[shot.shot]
        if film.format.fps.nearest_frames(take.request.seconds) <= take.edit.first + take.edit.frames:
            continue
        used = f"but only {float(take.cut_seconds):g}s of its {float(take.request.seconds):g}s are in the cut"
        begin = f"{shot.shot} continues {shot.continues.shot} and"
        if shot.shot in film.continued:
            yield f"{begin} is continued itself, {used}: the picture will jump where the next shot takes over"
        if shot.last_frame:
            yield f"{begin} has a last frame, {used}: it will not reach that frame"
    yield from _cut_recordings(film, first)
    yield from line_warnings(film, cut, lengths)
    yield from _unheard_mixes(film, first)
    yield from reading_warnings(film, cut)
    yield from framing_warnings(film)
    yield from _expanded_prompts(film, first)
    yield from _folded_avoid(film, first)
    if any(member.voice for member in film.cast.values()):
        yield from _unsent_voices(film, first)
    listed = [one.references for one in film.cast.values()] + [one.references for one in film.locations.values()]
    if any(references and references[0].is_video for references in listed):
        yield from _unsent_videos(film, first)
    drawn = {slate: _drawn(film, take) for slate, take in first.items()}
    yield from letter_warnings(drawn, own_font(film))
    yield from words_warnings(film, own_font(film))
    yield from _signature(film)


def _signature(film: Storyboard) -> Iterator[str]:
    """A note on the certificate that the film would be signed with."""
    if film.credentials is not None:
        from storyreel.tasks.credentials.certificate import signing_note  # Few films are signed.

        if note := signing_note():
            yield note


def _drawn(film: Storyboard, take: PlannedTake) -> tuple[str, ...]:
    """The texts of a take that are drawn, in an animatic or on the contact sheet, and may lack a font."""
    if (board := take.request.board) and not board.written:
        return board.texts if board.lettering else ()
    return film.title, take.shot


def _cut_recordings(film: Storyboard, takes: Mapping[str, PlannedTake]) -> Iterator[str]:
    """Recordings of which the film does not have the beginning or the end."""
    for slate, take in takes.items():
        if not take.recordings or any(each.digest.startswith(SPEECH) for each in take.recordings):
            continue
        if take.request.sound and take.edit.first:
            before = film.format.fps.seconds(take.edit.first)
            yield (
                f"{slate} is made to its recording, but the first {float(before):.3g} s of the clip are not in the "
                "cut, as its end must be: make the shot as long as the clip"
            )
        seconds = [recording.seconds for recording in take.recordings]
        length = sum((each for each in seconds if each is not None), Fraction(0))
        if length > take.cut_seconds + _SLACK:
            lengths = f"{float(length):.4g} s long, and the shot {float(take.cut_seconds):.4g} s"
            what = "recording of {} is" if len(seconds) == 1 else "recordings of {} are together"
            yield f"the {what.format(slate)} {lengths}: its end is not in the film"


def _unheard_mixes(film: Storyboard, takes: Mapping[str, PlannedTake]) -> Iterator[str]:
    """Shots that have a `mix` of their own, and no sound that it could change."""
    inherited = [film.defaults.mix, *(scene.defaults.mix for scene in film.scenes)]
    silent: list[str] = []
    for shot in film.all_shots:
        take = takes[shot.shot]
        is_silent = take.chosen.is_card or not (take.keep_sound or take.recordings)
        if is_silent and shot.mix != Mix() and shot.mix not in inherited:
            silent.append(shot.shot)
    if silent:
        yield f"`mix` changes nothing in {abridged(silent)}: nothing is heard of a card, or of a clip without its sound"


def _expanded_prompts(film: Storyboard, takes: Mapping[str, PlannedTake]) -> Iterator[str]:
    """Notes on `expand_prompt`: which prompts lose by it, and which are not expanded after all."""
    at_risk: dict[str, list[str]] = {}
    unable: dict[str, list[str]] = {}
    for shot in film.all_shots:
        request = takes[shot.shot].request
        if shot.expand_prompt and not request.expand_prompt and not request.board:
            unable.setdefault(request.provider, []).append(shot.shot)
        elif request.expand_prompt and (request.references or shot.dialogue):
            at_risk.setdefault(request.provider, []).append(shot.shot)
    for service, slates in at_risk.items():
        yield (
            f"{service} rewrites the prompt of {abridged(slates)}, as `expand_prompt` asks: the names of the "
            "references and the spoken lines in it may be paraphrased"
        )
    for service, slates in unable.items():
        yield f"`expand_prompt` does nothing for {abridged(slates)}: the model at {service} expands no prompts"


def _folded_avoid(film: Storyboard, takes: Mapping[str, PlannedTake]) -> Iterator[str]:
    """Shots whose `avoid` is part of the prompt, because the model has no field for it."""
    shots: dict[tuple[str, str], list[str]] = {}
    for shot in film.all_shots if film.look.avoid else ():
        request = takes[shot.shot].request
        if not request.negative_prompt and "Avoid: " in request.prompt:
            shots.setdefault((request.model, request.provider), []).append(shot.shot)
    for (model, service), slates in shots.items():
        why = f"{model} at {service} has no field for it"
        yield f"`look.avoid` is put at the end of the prompt of {abridged(slates)}: {why}"


def _unsent_voices(film: Storyboard, takes: Mapping[str, PlannedTake]) -> Iterator[str]:
    shots: dict[tuple[str, str], list[str]] = {}
    for shot in film.all_shots:
        request = takes[shot.shot].request
        if request.board is None:
            for who in omitted_voices(film, shot, request.references):
                shots.setdefault((request.provider, who), []).append(shot.shot)
    for (service, who), slates in shots.items():
        yield (
            f"the voice of {who} is not sent to {service} for {abridged(slates)}: there it takes none, none without a "
            "reference of who is seen, or not this file (`storyreel providers`)"
        )


def _unsent_videos(film: Storyboard, takes: Mapping[str, PlannedTake]) -> Iterator[str]:
    """Shots in which the service does not get the first reference of a cast member."""
    shots: dict[tuple[str, str, str], list[str]] = {}
    for shot in film.all_shots:
        request = takes[shot.shot].request
        sent = request.references if request.mode is Mode.REFERENCE else ()
        for who in omitted_videos(film, shot, sent) if sent else ():
            shots.setdefault((request.model, request.provider, who), []).append(shot.shot)
    for (model, service, who), slates in shots.items():
        yield (
            f"the video of {who} is not sent to {service} for {abridged(slates)}, a picture of {who} is: {model} takes "
            "none, or no more"
        )
