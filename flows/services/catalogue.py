"""The installed services, and what each can do in each mode."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args

from rich.text import Text

from storyreel.flows.terminal import Terminal, styled
from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import shown
from storyreel.specs.storyboard import Mode
from storyreel.tasks import providers
from storyreel.tasks.prices.price_list import PriceList
from storyreel.tasks.prices.rates import Rate
from storyreel.tasks.providers.capability import Capability, Model
from storyreel.tasks.providers.models import models_of
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Use
from storyreel.tasks.settings import PRICES, ServiceSettings, Settings, SettingsError, service_variable

Transport = Literal[
    "read here", "inside the request", "the service's own store", "your bucket", "links only", "not taken"
]
"""The way of a local file to a service."""

USES: tuple[Use, ...] = get_args(Use)

_WITH_REFERENCES = (Mode.REFERENCE, Mode.EDIT, Mode.STILL)
"""The modes in which references are sent."""


class SoldModel(Frozen):
    """A model of a service, or a family, under its name."""

    name: str
    """As storyboards name it."""
    at_once: int | None
    """Takes of it that may be at the service at one time, where that is less than the service allows."""
    capabilities: tuple[Capability, ...]
    transports: dict[str, dict[Use, Transport]]
    """By mode and use, how local files get to the service."""
    rates: dict[str, tuple[Rate, ...]]
    """By mode, the prices that apply; none if unknown."""

    def modes_as_json(self) -> list[dict[str, Any]]:
        """Its abilities in each mode."""
        return [
            {
                **capability.model_dump(mode="json", exclude={"data_uris", "uploads", "draws_board", "form"}),
                "local_files": self.transports[capability.mode],
                "rates": [rate.model_dump(mode="json") for rate in self.rates[capability.mode]],
            }
            for capability in self.capabilities
        ]


class Service(Frozen):
    """An installed service."""

    name: str
    paid: bool
    key: str
    """The environment variable of its key; empty if it needs none."""
    ready: bool
    """Whether the key is set."""
    at_once: int
    """Takes that may be at the service at one time."""
    at_once_by: str
    """The environment variable that sets `at_once`; empty if it is the default."""
    poll_seconds: float
    """The shortest pause between two polls of a task."""
    advised_seconds: float | None
    """The pause between two polls that the service advises; None if it advises none."""
    models: tuple[SoldModel, ...]
    """Its models; the first is used if a storyboard names none."""

    def usual_model(self, mode: Mode) -> str:
        """The name of the model that makes pictures, or speech, if a storyboard names none; empty if it makes none."""
        makers = (one.name for one in self.models if any(each.mode is mode for each in one.capabilities))
        return next(makers, "")

    def as_json(self) -> dict[str, Any]:
        """The form that `providers --json` prints."""
        return {
            "provider": self.name,
            "paid": self.paid,
            "key": self.key or None,
            "ready": self.ready,
            "at_once": self.at_once,
            "at_once_by": self.at_once_by or None,
            "poll_seconds": self.poll_seconds,
            "advised_poll_seconds": self.advised_seconds,
            "modes": self.models[0].modes_as_json(),
            "models": [
                {"model": one.name, "at_once": one.at_once, "modes": one.modes_as_json()} for one in self.models
            ],
        }


class BrokenService(Frozen):
    """A service that is installed and cannot be used."""

    name: str
    message: str
    hint: str

    def as_json(self) -> dict[str, Any]:
        """The form that `providers --json` prints."""
        return {"provider": self.name, "broken": self.message}


def installed_services(environment: Mapping[str, str] = os.environ) -> list[Service | BrokenService]:
    """Every installed service, sorted by name. Raises PricesError or ModelsError for a file of the user's own."""
    prices = PriceList.read(environment)
    return [_service(name, environment, prices) for name in providers.names()]


def loadable_providers() -> dict[str, type[Provider]]:
    """The class of every service that can be loaded, by name."""
    return {name: found for name in providers.names() if not isinstance(found := loaded_service(name), BrokenService)}


def transport_of(capability: Capability, use: Use, *, has_bucket: bool) -> Transport:
    """The way of a local file for this use to a service in this mode."""
    if capability.draws_board:
        return "read here"
    if not _takes(capability, use):
        return "not taken"
    if use in capability.data_uris:
        return "inside the request"
    if capability.uploads:
        return "the service's own store"
    return "your bucket" if has_bucket else "links only"


def _takes(capability: Capability, use: Use) -> bool:
    if use in ("first_frame", "first_clip", "last_frame", "voice", "sound"):
        return bool(getattr(capability, use))
    if use == "edited":
        return capability.edits is not None
    most = capability.images if use == "image" else capability.videos
    return capability.mode in _WITH_REFERENCES and most != 0


def loaded_service(name: str) -> type[Provider] | BrokenService:
    """The class of an installed service, or what is wrong with its package."""
    try:
        return providers.load(name)
    except Exception as error:  # A third-party package can fail in any way.
        message = f"cannot be loaded: {shown(f'{type(error).__name__}: {error}', 200)}"
        return BrokenService(name=name, message=message, hint=f"update or remove the package that contains {name}")


def _service(name: str, environment: Mapping[str, str], prices: PriceList) -> Service | BrokenService:
    adapter = loaded_service(name)
    if isinstance(adapter, BrokenService):
        return adapter
    try:
        at_once = adapter.concurrency_limit(environment)
    except SettingsError as error:
        return BrokenService(name=name, message=error.message, hint=error.hint)
    has_bucket, limit_variable = bool(Settings.read(environment).media_url), service_variable(name, "AT_ONCE")

    def sold(called: str, model: Model) -> SoldModel:
        capabilities = tuple(model.modes.values())
        return SoldModel(
            name=called,
            at_once=model.max_concurrent,
            capabilities=capabilities,
            transports={
                each.mode.value: {use: transport_of(each, use, has_bucket=has_bucket) for use in USES}
                for each in capabilities
            },
            rates={each.mode.value: prices.rates(name, each.model, each.mode.product) for each in capabilities},
        )

    return Service(
        name=name,
        paid=adapter.paid,
        key=adapter.missing_variable({}),
        ready=not adapter.missing_variable(environment),
        at_once=at_once,
        at_once_by=limit_variable if ServiceSettings.read(name, environment).at_once else "",
        poll_seconds=adapter.min_poll_seconds if adapter.paid else 0,
        advised_seconds=adapter.advised_poll_seconds,
        models=tuple(sold(called, model) for called, model in models_of(adapter, environment).items()),
    )


def print_services(console: Terminal, found: Iterable[Service | BrokenService]) -> None:
    """Print for each service whether it can be used, then a few lines on each of its models; fits a narrow terminal."""
    for service in found:
        if isinstance(service, BrokenService):
            line = styled((service.name, "bold"), " ", (service.message, "red"), f"; {service.hint}")
            console.print(line, soft_wrap=True)
            continue
        console.print(_heading(service), soft_wrap=True)
        for number, model in enumerate(service.models):
            if len(service.models) > 1:
                pace = f"; at most {model.at_once} at once" if model.at_once else ""
                which = "; made if a storyboard names no `model`" if number == 0 else ""
                for mode, does in ((Mode.STILL, "makes the pictures"), (Mode.SPEECH, "speaks the lines")):
                    which += f"; {does} if none is named" if model.name == service.usual_model(mode) else ""
                console.print(styled("  ", (f"model: {model.name}", "bold"), f"{which}{pace}"), soft_wrap=True)
            for line in _of_model(model, service):
                console.print(line, soft_wrap=True)
        console.print()


def _of_model(model: SoldModel, service: Service) -> Iterator[Text]:
    """The lines about a model: its pictures and prices, then each mode. Facts that all modes share are printed once."""
    for pictures, modes in _pictures(model.capabilities).items():
        is_of_all = len(modes) == sum(each.mode is not Mode.SPEECH for each in model.capabilities)
        only = "" if is_of_all else f" in {', '.join(modes)}"
        yield Text(f"    pictures{only}: {pictures}")
    costs = {tuple(_costs(rates)) for rates in model.rates.values()} if service.paid else set()
    if len(costs) == 1:
        yield from (Text(f"    {line}") for line in costs.pop())
    if twin := _twin(model, service):
        yield Text(f"    takes what {twin} takes")
        return
    for capability in model.capabilities:
        yield styled(f"    {capability.mode.value}  ", (capability.model, "dim"))
        own = _costs(model.rates[capability.mode]) if costs else ()
        for line in (*_abilities(capability, model.transports[capability.mode]), *own):
            yield Text(f"      {line}")


def _twin(model: SoldModel, service: Service) -> str:
    """The first model before this one that takes the same, or empty."""
    nameless = [capability.model_copy(update={"model": ""}) for capability in model.capabilities]
    before = service.models[: service.models.index(model)]
    return next(
        (
            one.name
            for one in before
            if [each.model_copy(update={"model": ""}) for each in one.capabilities] == nameless
        ),
        "",
    )


def _heading(service: Service) -> Text:
    key = Text("needs no key")
    if service.key:
        key = Text(f"{service.key} is set", "green") if service.ready else Text(f"{service.key} is not set", "yellow")
    variable = f" ({service.at_once_by})" if service.at_once_by else ""
    polls = f"polled at most every {service.poll_seconds:g} s"
    pace = f"; {service.at_once} takes at once{variable}, {polls}" if service.paid else ""
    pace += f" ({service.advised_seconds:g} s advised)" if service.advised_seconds else ""
    return Text.assemble((service.name, "bold"), ": ", "paid" if service.paid else "free", "; ", key, pace)


def _pictures(capabilities: Iterable[Capability]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for capability in capabilities:
        if capability.mode is Mode.SPEECH:
            continue
        sizes = () if capability.mode is Mode.STILL else (", ".join(capability.resolutions),)
        pictures = "; ".join((", ".join(capability.ratios), *sizes))
        found.setdefault(pictures, []).append(capability.mode.value)
    return found


def _of_speech(capability: Capability) -> Iterator[str]:
    most = f"lines of {capability.prompt_length} characters" if capability.prompt_length else "lines of any length"
    chinese = f"; a Chinese character counts as {capability.han_counts}" if capability.han_counts > 1 else ""
    yield f"speaks {most}{chinese}" + ("; is told how a line is spoken" if capability.delivery else "")
    voices = "any" if capability.speakers is None else ", ".join(capability.speakers)
    languages = "any" if capability.languages is None else ", ".join(capability.languages)
    yield f"voices: {voices}"
    yield f"languages: {languages}"


def _abilities(capability: Capability, transports: Mapping[Use, Transport]) -> Iterator[str]:
    if capability.mode is Mode.SPEECH:
        yield from _of_speech(capability)
        return
    takes = [_references(capability)] if capability.mode in _WITH_REFERENCES else []
    all_of_it = "" if capability.edits_part else ", always all of it"
    takes += ["a take of {}–{} s to edit{}".format(*capability.edits, all_of_it)] if capability.edits else []
    takes += ["a first frame"] if capability.first_frame else []
    takes += ["the end of a clip to go on from"] if capability.first_clip else []
    takes += ["a last frame"] if capability.last_frame else []
    counted = f"{capability.voices} voices" if capability.voices is not None else "a voice beside a reference"
    takes += [counted] if capability.voice else []
    takes += ["a recording that it is made to"] if capability.sound else []
    marks = "; can mark the clip as AI generated" if capability.watermark else ""
    if not (capability.negative_prompt or capability.draws_board):
        marks += "; what to avoid is put into the prompt"
    yield f"sells {_sold(capability)}" + (f"; takes {', '.join(takes)}" if takes else "") + marks
    if lines := list(_transport_lines(transports)):
        yield f"local files: {'; '.join(lines)}"


def _costs(rates: Iterable[Rate]) -> Iterator[str]:
    lines = [f"costs {rate}" + (f"; {rate.doubt}" if rate.doubt else "") for rate in rates]
    yield from lines or [f"its price is not known; give it in your price file ({PRICES}), or see storyreel prices"]


def _sold(capability: Capability) -> str:
    if capability.mode is Mode.STILL:
        return "pictures"
    if capability.durations is None:
        return "any length"
    alone = f"{_seconds(capability.durations)} s"
    if most := capability.seconds_with_video:
        return f"{alone}; {most} s together with videos"
    with_video = capability.durations_with_video
    return f"{alone}; {_seconds(with_video)} s with a video" if with_video else alone


def _seconds(lengths: tuple[int, ...]) -> str:
    """`5, 10, 15`, or `2–15` for three or more without a gap."""
    if len(lengths) > 2 and lengths == tuple(range(lengths[0], lengths[-1] + 1)):
        return f"{lengths[0]}–{lengths[-1]}"
    return ", ".join(map(str, lengths))


def _references(capability: Capability) -> str:
    limits = {"images": capability.images, "videos": capability.videos, "references": capability.references}
    stated = [f"{most or 'no'} {what}" for what, most in limits.items() if most is not None]
    return ", ".join(stated) or "any number of references"


def _transport_lines(transports: Mapping[Use, Transport]) -> Iterator[str]:
    """`first frame, image: inside the request`, a line for each transport."""
    for each in dict.fromkeys(transports.values()):
        uses = [use.replace("_", " ") for use, transport in transports.items() if transport == each]
        if each == "read here":
            yield each
        elif each != "not taken":
            yield f"{', '.join(uses)}: {each}"
