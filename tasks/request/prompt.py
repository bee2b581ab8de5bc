"""The prompt of a shot, for all services.

First what each attachment shows ("Image 1 is Mira, woman in her sixties"), then size, camera, location, action,
dialogue and look.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from storyreel.specs.derived.pictures import PictureShot
from storyreel.specs.storyboard import PLACEHOLDER, CastMember, Dialogue, Location, Shot, Storyboard, TakeEdit
from storyreel.tasks.request.article import with_article

if TYPE_CHECKING:
    from storyreel.tasks.providers.capability import Capability
    from storyreel.tasks.providers.request import Attachment

_MOVES = {
    "static": "The camera does not move",
    "handheld": "Handheld camera",
    "push in": "The camera pushes in slowly",
    "pull out": "The camera pulls out slowly",
    "pan left": "The camera pans left",
    "pan right": "The camera pans right",
    "tilt up": "The camera tilts up",
    "tilt down": "The camera tilts down",
}

_Describe = Callable[[str], str]
"""The words of a description in a prompt."""


def build_prompt(
    storyboard: Storyboard,
    shot: Shot,
    attached: Sequence[Attachment],
    capability: Capability,
    *,
    has_articles: bool = True,
) -> str:
    """The prompt as it is sent. The attachments are numbered in their order, images and videos apart.

    Without `has_articles` it is as it was worded before descriptions got the article that they lack.
    """
    describe: _Describe = with_article if has_articles else str
    labels, voices = _labels(attached, capability)
    sentences = [
        *_bindings(storyboard, shot, labels, describe),
        *(f"{label} is the voice of {storyboard.names[who]}" for who, label in voices.items()),
        f"{shot.size.capitalize()} shot" if shot.size else "",
        ", ".join(filter(None, (_MOVES[shot.camera.move], shot.camera.angle, shot.camera.lens))),
        _location(storyboard, shot, labels, describe),
        shot.action,
        *(_spoken(storyboard, shot, line) for line in shot.dialogue),
        storyboard.look.prompt,
        f"Avoid: {storyboard.look.avoid}" if storyboard.look.avoid and not capability.negative_prompt else "",
    ]
    return _joined(sentences, storyboard, labels)


def build_picture_prompt(
    storyboard: Storyboard, picture: PictureShot, attached: Sequence[Attachment], capability: Capability
) -> str:
    """The prompt of a still or a sheet, of which the attachments are pictures."""
    labels = _labels(attached, capability)[0]
    if picture.kind == "sheet":
        sentences = [*_sheet(storyboard, picture, labels), picture.action]
    else:
        is_end = picture.kind == "last still" and not picture.has_own_words
        sentences = [
            *_bindings(storyboard, picture, labels, with_article),
            f"{picture.size.capitalize()} shot" if picture.size else "",
            ", ".join(filter(None, (picture.camera.angle, picture.camera.lens))),
            _location(storyboard, picture, labels, with_article),
            f"The moment after this: {picture.action}" if is_end else picture.action,
        ]
    avoid = storyboard.look.avoid if not capability.negative_prompt else ""
    sentences += [storyboard.look.prompt, f"Avoid: {avoid}" if avoid else ""]
    return _joined(sentences, storyboard, labels)


def _joined(sentences: Iterable[str], storyboard: Storyboard, labels: Mapping[str, Sequence[str]]) -> str:
    """The prompt of some sentences, of which any may be empty: `{key}` is the first label of that person or place, or
    its name."""
    text = " ".join(filter(None, map(_sentence, sentences)))
    if "{" not in text:
        return text
    return fill_names(text, storyboard.names | {key: its[0] for key, its in labels.items() if key})


def _sheet(storyboard: Storyboard, picture: PictureShot, labels: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The sentences on a sheet. The name is not in it, so that all films that describe the same have one sheet."""
    is_person = picture.of in storyboard.cast
    noun: CastMember | Location = storyboard.cast[picture.of] if is_person else storyboard.locations[picture.of]
    who = with_article(noun.description) or ("the person" if is_person else "the place")
    if shown := labels.get(picture.of, ()):
        yield f"{_listed(shown)} {'shows' if len(shown) == 1 else 'show'} {who}"
    if is_person:
        yield f"Character sheet of {who}"
        yield "The same person three times side by side, from the front, in profile and from behind, whole figure"
        yield "Neutral pose and light, plain background, no text"
    else:
        yield f"Reference sheet of {who}"
        yield "The same place three times side by side: a wide view, the opposite view and a detail"
        yield "Nobody is there, no text"


def build_instruction(
    storyboard: Storyboard, edit: TakeEdit, attached: Sequence[Attachment], capability: Capability
) -> str:
    """The prompt of an edit: its pictures, then the instruction."""
    labels = _labels(attached, capability)[0].get("", ())
    pictures = f"{_listed(labels)} {'is a reference' if len(labels) == 1 else 'are references'}." if labels else ""
    return " ".join(filter(None, (pictures, fill_names(_sentence(edit.instruction), storyboard.names))))


def fill_names(text: str, names: Mapping[str, str]) -> str:
    """A text with each `{key}` replaced by its value in `names`. Unknown keys are left as they are."""
    if "{" not in text:
        return text
    return PLACEHOLDER.sub(lambda found: names.get(unicodedata.normalize("NFC", found[1]), found[0]), text)


def spoken_lines(storyboard: Storyboard, shot: Shot) -> tuple[tuple[str, str], ...]:
    """Speaker and text of each line of a shot, with names instead of keys."""
    names = storyboard.names
    return tuple((names.get(line.speaker, line.speaker), fill_names(line.line, names)) for line in shot.dialogue)


def _labels(attached: Iterable[Attachment], capability: Capability) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The service's labels of the attachments by their subjects, {"mira": ["Image 1", "Video 1"]}, and of the voices
    that it counts, {"mira": "Audio 1"}."""
    counts = {"image": 0, "video": 0}
    labels: dict[str, list[str]] = {}
    voices: dict[str, str] = {}
    for attachment in attached:
        counts[attachment.kind] += 1
        label = capability.label_of(attachment.kind, counts[attachment.kind])
        labels.setdefault(attachment.subject, []).append(label)
        if attachment.voice and capability.voices is not None:
            voices[attachment.subject] = capability.label_of("audio", len(voices) + 1)
    return labels, voices


def _bindings(
    storyboard: Storyboard, shot: Shot, labels: Mapping[str, Sequence[str]], describe: _Describe
) -> list[str]:
    """A sentence for each person, location and further reference: which attachments show it, and what it is."""
    sentences = [
        _binding(storyboard.names[key], describe(storyboard.cast[key].description), labels.get(key, ()))
        for key in shot.cast
    ]
    if shot.location and shot.location in labels:
        place = describe(storyboard.locations[shot.location].description)
        sentences.append(_binding(storyboard.names[shot.location], place, labels[shot.location]))
    if free := labels.get(""):
        sentences.append(f"{_listed(free)} {'is a reference' if len(free) == 1 else 'are references'} for this shot")
    return sentences


def _binding(name: str, description: str, labels: Sequence[str]) -> str:
    what = f"{name}, {description}" if description else name
    if labels:
        return f"{_listed(labels)} {'is' if len(labels) == 1 else 'are'} {what}"
    return f"{name} is {description}" if description else ""


def _location(storyboard: Storyboard, shot: Shot, labels: Mapping[str, Sequence[str]], describe: _Describe) -> str:
    if not shot.location:
        return ""
    if shot.location in labels:
        return f"In {labels[shot.location][0]}"
    return f"In {describe(storyboard.locations[shot.location].description) or storyboard.names[shot.location]}"


def _spoken(storyboard: Storyboard, shot: Shot, line: Dialogue) -> str:
    # A speaker who is seen is written as a placeholder, so that the label can replace the name.
    is_seen = line.speaker in shot.cast
    who = f"{{{line.speaker}}}" if is_seen else f"{storyboard.names[line.speaker]}, off screen,"
    manner = f" ({line.delivery})" if line.delivery else ""
    return f'{who} says{manner}: "{line.line}"'


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _sentence(text: str) -> str:
    stripped = text.strip()
    return stripped if not stripped or stripped[-1] in '.!?…"' else f"{stripped}."
