"""The requests for the takes of a still or a sheet. Pure but for local files, which are read for their digests and
limits."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from storyreel.specs.derived.pictures import PictureShot
from storyreel.specs.language.models import AspectRatio, Format
from storyreel.specs.problems.phrases import listed, suggestion
from storyreel.specs.storyboard import Mode, Storyboard
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.models import models_of, still_model
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Attachment, Request
from storyreel.tasks.request.attachments import AttachmentBuilder
from storyreel.tasks.request.board import board_of, seen_in
from storyreel.tasks.request.build import name_of_service, negative_prompt, supported, take_of
from storyreel.tasks.request.materials import Materials, Pictures
from storyreel.tasks.request.prompt import build_picture_prompt
from storyreel.tasks.request.unsupported import Unsupported, alternatives, services_with_stills

_SIZE = "1080p"
"""The class of size of all pictures: a draft, whatever its size, and its film have the same."""
_SHEET: AspectRatio = "16:9"
"""The shape of a sheet, which several films of any shape may share."""


def build_pictures(
    materials: Materials, picture: PictureShot, provider: type[Provider], sheets: Pictures
) -> Iterator[Request]:
    """Yield the requests for all takes of a picture, in order; `sheets` are those of the people whom it shows.

    Raises Unsupported if the service cannot make the picture.
    """
    storyboard = materials.storyboard
    capability, who = _capability(picture, provider), name_of_service(provider, picture)
    references = AttachmentBuilder(materials, picture, who, capability, frozenset(), sheets).build(None).references
    shape = _SHEET if picture.kind == "sheet" else storyboard.format.aspect_ratio
    width, height = Format(aspect_ratio=shape, resolution=_SIZE).size
    request = Request(
        provider=provider.name,
        model=capability.model,
        mode=Mode.STILL,
        prompt=_prompt(storyboard, picture, references, capability),
        negative_prompt="" if capability.draws_board else negative_prompt(storyboard, picture, capability),
        seed=0,
        seconds=Fraction(0),
        aspect_ratio=supported("aspect ratio", shape, lambda c: c.ratios, capability, who, picture.model),
        resolution=_SIZE,
        width=width,
        height=height,
        references=references,
        first_frame=None,
        take=1,
    )
    if capability.draws_board:
        seen = seen_in(picture, request.attachments)
        board = board_of(storyboard, picture, 1, materials.font, materials.digest, seen)
        request = request.model_copy(update={"board": board})
    for number in range(1, picture.takes + 1):
        yield take_of(request, number, picture.seed)


def _capability(picture: PictureShot, provider: type[Provider]) -> Capability:
    """The abilities of the service's picture model. Raises Unsupported if it has none of that name, or none at all."""
    model = still_model(provider, picture.model)
    if model and (capability := model.modes.get(Mode.STILL)):
        return capability
    able = listed(services_with_stills(), "or")
    write = f"write `stills: {{provider: …}}` with {able}" if able else "no service here makes pictures"
    known = [name for name, one in models_of(provider).items() if Mode.STILL in one.modes]
    if picture.model and (model is None or known):
        what = f"has no model `{picture.model}`" if model is None else f"makes no pictures with `{picture.model}`"
        there_are = f"for pictures it has {listed(known, 'and')}" if known else write
        raise Unsupported("model", f"{provider.name} {what}", suggestion(picture.model, known, there_are))
    of_service = "providers" if picture.providers else "provider"
    field = of_service if picture.stills.services else _field(picture)
    raise Unsupported(field, f"{name_of_service(provider, picture)} makes no pictures", write)


def _field(picture: PictureShot) -> str:
    """The key that asks for the picture."""
    return picture.kind.replace(" ", "_")


def _prompt(
    storyboard: Storyboard, picture: PictureShot, references: tuple[Attachment, ...], capability: Capability
) -> str:
    if capability.draws_board:
        return ""
    prompt = build_picture_prompt(storyboard, picture, references, capability)
    if capability.prompt_length is not None and len(prompt) > capability.prompt_length:
        what = f"the prompt of {picture.shot} has {len(prompt)} characters, {capability.model} reads"
        fits = alternatives(picture.model, Mode.STILL, lambda c: (c.prompt_length or len(prompt)) >= len(prompt))
        hint = ", or ".join(filter(None, (fits, "shorten its words, the descriptions or the look")))
        raise Unsupported(_field(picture), f"{what} {capability.prompt_length}", hint)
    return prompt
