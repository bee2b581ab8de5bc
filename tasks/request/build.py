"""The requests for the takes of a shot. Pure but for local files, which are read for their digests and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from storyreel.specs.cut import Anchor, Event
from storyreel.specs.derived.lines import spoken_span
from storyreel.specs.problems.phrases import listed, suggestion
from storyreel.specs.storyboard import Mode, Shot, Storyboard, TakeEdit
from storyreel.specs.timing import FrameRate
from storyreel.tasks.providers.capability import Capability
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Attachment, Crop, Request
from storyreel.tasks.request.attachments import AttachmentBuilder
from storyreel.tasks.request.board import board_of, seen_in
from storyreel.tasks.request.edition import Edition, editions
from storyreel.tasks.request.local_files import LocalFileChecks
from storyreel.tasks.request.materials import NO_PICTURES, Materials, Pictures, Upstream
from storyreel.tasks.request.prompt import build_instruction, build_prompt
from storyreel.tasks.request.recordings import recorded_lengths
from storyreel.tasks.request.unsupported import NotSold, Unsupported, alternatives, services_with


def build_requests(
    materials: Materials,
    shot: Shot,
    provider: type[Provider],
    event: Event,
    anchor: Anchor,
    continued: Upstream | None,
    edition: Edition | None = None,
    pictures: Pictures = NO_PICTURES,
    crop: Crop | None = None,
) -> Iterator[Request]:
    """Yield the requests for all takes of a shot, in order.

    `continued` is the take that the shot continues, `pictures` are the stills and sheets it is made of. `edition` is
    that of now if left out, and `crop` how pictures are cut that have the film's shape, in a request of another one.
    Raises Unsupported if the service cannot make the shot.
    """
    storyboard, files = materials.storyboard, materials.files
    edition = edition or editions(storyboard, shot)[0]
    capability = _capability(shot, provider, shot.mode or _mode(storyboard, shot), files)
    who = name_of_service(provider, shot)
    builder = AttachmentBuilder(materials, shot, who, capability, edition.voices, pictures, crop)
    attached = builder.build(continued)
    wanted = storyboard.format
    given = given_frames(attached.first_clip, wanted.fps)
    frames = given + _needed_frames(shot, event, anchor, capability)
    videos = [reference.seconds for reference in attached.references if reference.kind == "video"]
    request = Request(
        provider=provider.name,
        model=capability.model,
        mode=capability.mode,
        prompt=_prompt(storyboard, shot, attached.references, capability, edition.has_articles),
        negative_prompt="" if capability.draws_board else negative_prompt(storyboard, shot, capability),
        seed=0,
        seconds=_sold_seconds(shot, capability, frames, storyboard, videos),
        aspect_ratio=supported("aspect ratio", wanted.aspect_ratio, lambda c: c.ratios, capability, who, shot.model),
        resolution=supported("resolution", wanted.resolution, lambda c: c.resolutions, capability, who, shot.model),
        width=wanted.size[0],
        height=wanted.size[1],
        references=attached.references,
        first_frame=attached.first_frame,
        first_clip=attached.first_clip,
        last_frame=attached.last_frame,
        sound=attached.sound,
        expand_prompt=shot.expand_prompt and capability.prompt_expansion,
        watermark=_watermark(shot, capability, who),
        take=1,
    )
    if capability.draws_board:
        seen, span = seen_in(shot, request.attachments), (event.start - event.head, event.end + event.tail)
        board = board_of(storyboard, shot, frames, materials.font, materials.digest, seen, span)
        if spoken := spoken_span(storyboard, shot, recorded_lengths(storyboard, shot, pictures.speech, files)):
            head = event.head if anchor != "first" else 0
            board = board.model_copy(update={"spoken": (head + spoken[0], head + spoken[1])})
        request = request.model_copy(update={"board": board})
    for number in range(1, shot.takes + 1):
        yield take_of(request, number, shot.seed)


def build_edits(
    materials: Materials, shot: Shot, provider: type[Provider], event: Event, anchor: Anchor, edited: Upstream
) -> Iterator[Request]:
    """Yield the requests for the edits of a shot, in order: all its takes if it edits another's, else those beside
    its takes. `edited` is the take that they are made of. The rest is as for `build_requests`.

    Their number in the key counts the edits alone, so that a shot may get more takes.
    """
    if shot.edit is None:
        return
    storyboard, files = materials.storyboard, materials.files
    count, service = shot.own_edits or shot.takes, files.find_model(provider, shot.model)
    if service and any(capability.draws_board for capability in service.modes.values()):
        # It is drawn as what its shot says, in the place of its number.
        last = shot.all_takes
        drawn = shot.model_copy(update={"takes": last})
        takes = build_requests(materials, drawn, provider, event, anchor, None)
        yield from list(takes)[last - count :]
        return
    capability, who = _capability(shot, provider, Mode.EDIT, files), name_of_service(provider, shot)
    builder = AttachmentBuilder(materials, shot, who, capability, frozenset())
    clip = builder.edited(
        edited, f"take {shot.edited_take}" if shot.edits_itself else f"{shot.upstream}, which it edits"
    )
    pictures, wanted = builder.pictures(shot.edit), storyboard.format
    request = Request(
        provider=provider.name,
        model=capability.model,
        mode=capability.mode,
        prompt=_instruction(storyboard, shot, shot.edit, pictures, capability),
        negative_prompt=negative_prompt(storyboard, shot, capability),
        seed=0,
        seconds=_edited_seconds(storyboard, shot, capability, event, anchor, edited),
        aspect_ratio=wanted.aspect_ratio,
        resolution=supported("resolution", wanted.resolution, lambda c: c.resolutions, capability, who, shot.model),
        width=wanted.size[0],
        height=wanted.size[1],
        references=pictures,
        first_frame=None,
        edited=clip,
        audio=shot.edit.audio,
        expand_prompt=shot.expand_prompt and capability.prompt_expansion,
        watermark=_watermark(shot, capability, who),
        take=1,
    )
    for number in range(1, count + 1):
        yield take_of(request, number, shot.seed)


def _edited_seconds(
    storyboard: Storyboard, shot: Shot, capability: Capability, event: Event, anchor: Anchor, edited: Upstream
) -> Fraction:
    """As much of the edited clip as the shot needs; all of it if its end is needed, or if less is not sold."""
    rate = storyboard.format.fps
    needed = _needed_frames(shot, event, anchor, capability)
    enough = capability.shortest_sold(needed, rate)
    if edited.seconds is None:
        return enough or Fraction((capability.durations or (0,))[-1])
    if needed > rate.nearest_frames(edited.seconds) and not shot.edits_itself:
        what = (
            f"shot {shot.shot} needs {float(rate.seconds(needed)):.4g}s, and the take of {shot.upstream} that it edits"
        )
        raise Unsupported(
            "duration", f"{what} has {float(edited.seconds):.4g}s", "make it shorter, or that take longer"
        )
    if anchor == "last" or shot.edits_itself or enough is None or not capability.edits_part:
        return edited.seconds
    return min(enough, edited.seconds)


def _instruction(
    storyboard: Storyboard, shot: Shot, edit: TakeEdit, pictures: tuple[Attachment, ...], capability: Capability
) -> str:
    prompt = build_instruction(storyboard, edit, pictures, capability)
    if capability.prompt_length is not None and len(prompt) > capability.prompt_length:
        what = f"the instruction for shot {shot.shot} has {len(prompt)} characters, {capability.model} reads"
        raise Unsupported("edit", f"{what} {capability.prompt_length}", "shorten it")
    return prompt


def take_of(request: Request, number: int, seed: int | None) -> Request:
    """The request of one take, with its number and seed: the author's plus the takes before, or a hash of the rest."""
    take = request.model_copy(update={"take": number}) if number > 1 else request
    if seed is None:
        return take.with_own_seed()
    return take.model_copy(update={"seed": (seed + number - 1) % 2**31})


def _mode(storyboard: Storyboard, shot: Shot) -> Mode:
    if shot.still:
        return Mode.IMAGE  # who is seen is in the still
    if storyboard.has_references(shot):
        return Mode.REFERENCE
    return Mode.IMAGE if shot.continues or shot.first_frame or shot.last_frame else Mode.TEXT


def _capability(shot: Shot, provider: type[Provider], mode: Mode, files: LocalFileChecks) -> Capability:
    """The abilities of the shot's model in a mode. Raises Unsupported if the service lacks the model, or the mode."""
    model = files.find_model(provider, shot.model)
    if model and (capability := model.modes.get(mode)):
        return capability
    known = files.models_of(provider)
    if model is None:
        hint = suggestion(str(shot.model), known, f"it has {listed(list(known), 'and')}")
        others = services_with(str(shot.model), mode)
        hint += f", or shoot it with {' or '.join(others)}" if others else ""
        raise Unsupported("model", f"{provider.name} has no model `{shot.model}`", hint)
    if all(each.product != "clip" for each in model.modes):
        makes, key = ("pictures", "stills") if Mode.STILL in model.modes else ("speech", "speech")
        hint = f"write `{key}: {{model: {shot.model}}}` for {key}, and here one that makes clips, or none"
        raise Unsupported("model", f"{name_of_service(provider, shot)} makes {makes}, not clips", hint)
    what = f"{name_of_service(provider, shot)} does not do {mode}; it does {', '.join(model.modes) or 'nothing'}"
    able = next((name for name, one in known.items() if mode in one.modes), "")
    otherwise = f"write `model: {able}`" if able else ""
    raise Unsupported("mode", what, alternatives(shot.model, mode, lambda _: True, otherwise))


def name_of_service(service: type[Provider], shot: Shot) -> str:
    """The service's name in messages: `wan3.0-video at dashscope` if the shot names its model."""
    return f"{shot.model} at {service.name}" if shot.model else service.name


def given_frames(first_clip: Attachment | None, rate: FrameRate) -> int:
    """Frames of the clip that a take goes on from; its own clip begins with them."""
    return rate.nearest_frames(first_clip.seconds) if first_clip and first_clip.seconds else 0


def _needed_frames(shot: Shot, event: Event, anchor: Anchor, capability: Capability) -> int:
    """Frames that a take must have, beside those that are given. Handles are included if they are free or the shot asks
    for them."""
    if capability.durations is not None and shot.handles == "hold":
        return event.take_frames
    head = event.head if anchor != "first" else 0
    tail = event.tail if anchor != "last" else 0
    return head + event.take_frames + tail


def _sold_seconds(
    shot: Shot, capability: Capability, frames: int, storyboard: Storyboard, videos: Sequence[Fraction | None]
) -> Fraction:
    rate = storyboard.format.fps
    seconds = capability.shortest_sold(frames, rate, videos)
    if seconds is None:
        longest = (capability.sold_seconds(videos) or (0,))[-1]
        because = " with a reference video" if longest < (capability.sold_seconds() or (0,))[-1] else ""
        shorter = f"make it {longest}s or shorter, or split it into two shots of which one continues the other"
        raise Unsupported(
            "duration",
            f"shot {shot.shot} needs {float(rate.seconds(frames)):.4g}s, but {capability.model} makes at most "
            f"{longest}s{because}",
            alternatives(
                shot.model, capability.mode, lambda c: c.shortest_sold(frames, rate, videos) is not None, shorter
            ),
        )
    return seconds


def _prompt(
    storyboard: Storyboard,
    shot: Shot,
    references: tuple[Attachment, ...],
    capability: Capability,
    has_articles: bool,
) -> str:
    if capability.draws_board:
        return ""
    prompt = build_prompt(storyboard, shot, references, capability, has_articles=has_articles)
    if has_articles and capability.prompt_length is not None and len(prompt) > capability.prompt_length:
        prompt = build_prompt(storyboard, shot, references, capability, has_articles=False)
    if capability.prompt_length is not None and len(prompt) > capability.prompt_length:
        shorter = "shorten the action, the descriptions or the look"
        raise Unsupported(
            "action",
            f"the prompt of shot {shot.shot} has {len(prompt)} characters, {capability.model} reads "
            f"{capability.prompt_length}",
            alternatives(
                shot.model, capability.mode, lambda c: (c.prompt_length or len(prompt)) >= len(prompt), shorter
            ),
        )
    return prompt


def negative_prompt(storyboard: Storyboard, shot: Shot, capability: Capability) -> str:
    """The negative prompt; empty if the service reads that in the prompt."""
    avoid = storyboard.look.avoid if capability.negative_prompt else ""
    if capability.negative_length is not None and len(avoid) > capability.negative_length:
        raise Unsupported(
            "action",
            f"look.avoid has {len(avoid)} characters, {capability.model} reads {capability.negative_length}",
            alternatives(
                shot.model, capability.mode, lambda c: (c.negative_length or len(avoid)) >= len(avoid), "shorten it"
            ),
            ("look", "avoid"),
        )
    return avoid


def _watermark(shot: Shot, capability: Capability, service: str) -> bool:
    """Whether the clip is marked. Raises Unsupported if it should be and is not: laws ask for such marks."""
    if shot.watermark and not capability.watermark and not capability.draws_board:
        hint = alternatives(
            shot.model, capability.mode, lambda c: c.watermark, "remove `watermark` and mark the film yourself"
        )
        raise Unsupported("watermark", f"{service} puts no mark into a clip in {capability.mode}", hint)
    return shot.watermark and capability.watermark


def supported(
    what: str,
    wanted: str,
    values: Callable[[Capability], tuple[str, ...]],
    capability: Capability,
    service: str,
    model: str | None,
) -> str:
    """The wanted aspect ratio or resolution. Raises NotSold if the service does not have it."""
    if wanted not in values(capability):
        message = f"{service} has no {what} {wanted}; it has {', '.join(values(capability))}"
        raise NotSold(message, wanted, alternatives(model, capability.mode, lambda c: wanted in values(c)))
    return wanted
