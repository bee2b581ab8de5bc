"""The choice among the references of what a shot shows: as many as the service takes, sheets before what is written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from storyreel.specs.storyboard import Mode, Reference, Shot, Storyboard
from storyreel.tasks.request.unsupported import Unsupported, alternatives

if TYPE_CHECKING:
    from storyreel.tasks.providers.capability import Capability
    from storyreel.tasks.providers.request import Attachment

Subjects = Sequence[tuple[str, tuple[Reference, ...]]]
"""The references of a shot by what they show, the best of each first; those of the shot itself under an empty key."""


class Sheet(Reference):
    """The sheet of a person or a place as a reference; its source is the identity of its take."""


class ChosenReference(NamedTuple):
    """A reference that is sent."""

    subject: str
    rank: int
    """Its index among those of its subject."""
    reference: Reference


def subjects_of(storyboard: Storyboard, shot: Shot, mode: Mode, sheets: Sequence[tuple[str, str]]) -> Subjects:
    """The references of a shot by what they show, as of `Storyboard.references_of`, each after the sheet of whom it
    shows; `sheets` are the identities of their takes. A picture is made of pictures alone."""
    given = dict(storyboard.references_of(shot))
    if mode is Mode.STILL:
        given = {who: tuple(one for one in some if not one.is_video) for who, some in given.items()}
    for who, identity in sheets:
        given[who] = (Sheet.model_construct(image=identity), *given.get(who, ()))
    shown = (*shot.cast, *filter(None, (shot.location,)), "")
    return [(who, given[who]) for who in shown if given.get(who)]


def choose_references(
    shot: Shot, subjects: Subjects, capability: Capability
) -> tuple[list[ChosenReference], list[Unsupported]]:
    """As many references as the service takes: the first of each subject that it takes, then the others, the best of
    each before the second best; grouped by subject. And a problem for each subject of which it takes none."""
    kept: list[tuple[int, int, Reference]] = []
    problems: list[Unsupported] = []
    for number, (subject, of_subject) in enumerate(subjects):
        for rank, reference in enumerate(of_subject):
            if _fits(capability, [one for *_, one in kept], reference):
                kept.append((number, rank, reference))
                break
        else:
            problems.append(_too_many(shot, subject, [one for *_, one in kept], of_subject, capability))
    taken = {(number, rank) for number, rank, _ in kept}
    for rank, of_rank in enumerate(zip_longest(*(references for _, references in subjects))):
        for number, reference in enumerate(of_rank):
            others = [one for *_, one in kept]
            if reference and (number, rank) not in taken and _fits(capability, others, reference):
                kept.append((number, rank, reference))
    kept.sort(key=lambda item: item[:2])
    return [ChosenReference(subjects[number][0], rank, reference) for number, rank, reference in kept], problems


def omitted_voices(storyboard: Storyboard, shot: Shot, references: tuple[Attachment, ...]) -> list[str]:
    """The keys of the cast members who are seen, have a voice, and whose voices are not sent with the references."""
    if shot.native_audio == "drop":
        return []
    sent = {reference.subject for reference in references if reference.voice}
    return [key for key in shot.cast if storyboard.cast[key].voice and key not in sent]


def omitted_videos(storyboard: Storyboard, shot: Shot, references: tuple[Attachment, ...]) -> list[str]:
    """The keys of those who are seen and whose first reference is a video that is not sent, as a picture is."""
    sent = {reference.subject for reference in references if reference.kind == "video"}
    return [
        key
        for key, listed in storyboard.references_of(shot)
        if key and listed[0].is_video and key not in sent and not all(reference.is_video for reference in listed)
    ]


def _too_many(
    shot: Shot, subject: str, kept: list[Reference], listed: Sequence[Reference], capability: Capability
) -> Unsupported:
    what = f"shot {shot.shot} shows more people and places than {capability.model} takes references for"
    otherwise = f"at most {_limit(capability)}; show fewer, or split the shot"
    if not any(_fits(capability, [], reference) for reference in listed):
        kinds = "videos" if listed[0].is_video else "pictures"
        by = f"shows {subject} by {kinds}" if subject else f"has {kinds} as references"
        what = f"shot {shot.shot} {by}, and {capability.model} takes none"
        otherwise = f"give it others: at most {_limit(capability)}"
    return Unsupported(
        "cast" if subject in shot.cast else "references",
        what,
        alternatives(
            shot.model,
            capability.mode,
            lambda c: any(_fits(c, kept, reference) for reference in listed),
            otherwise,
        ),
    )


def _fits(capability: Capability, kept: Sequence[Reference], more: Reference) -> bool:
    """Whether a service takes one more reference beside those that are kept."""
    videos = sum(reference.is_video for reference in (*kept, more))
    images = len(kept) + 1 - videos
    return (
        (capability.references is None or videos + images <= capability.references)
        and (capability.videos is None or videos <= capability.videos)
        and (capability.images is None or images <= capability.images)
    )


def _limit(capability: Capability) -> str:
    if capability.references is not None:
        return f"{capability.references} together"
    return f"{capability.images} images and {capability.videos or 'no'} videos"
