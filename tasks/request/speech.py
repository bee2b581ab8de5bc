"""The requests for the takes of a spoken line. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from storyreel.specs.problems.phrases import counted, listed, suggestion
from storyreel.specs.storyboard import Mode
from storyreel.tasks.providers.capability import Capability, Model
from storyreel.tasks.providers.models import models_of, speech_model
from storyreel.tasks.providers.provider import Provider
from storyreel.tasks.providers.request import Request
from storyreel.tasks.request.unsupported import Unsupported, services_with_speech


def build_speech(
    provider: type[Provider],
    model: str | None,
    line: str,
    *,
    voice: str | None,
    language: str = "",
    delivery: str = "",
    takes: int = 1,
) -> Iterator[Request]:
    """Yield the requests for all takes of a spoken line, in order. `voice` is the service's first if it is None,
    `language` a code as `en` or `zh-Hant`, empty if it is not known.

    Lines of the same words, voice and language have one key, wherever they are spoken. A direction counts only where
    the model takes it. Raises Unsupported, whose field is `provider`, `model`, `voice`, `language` or `line`, if the
    service cannot speak the line.
    """
    capability = speech_capability(provider, model)
    who = f"{capability.model} at {provider.name}"
    if provider.paid and not any(map(str.isalnum, line)):
        hint = "write what is said, or let a recording be heard with `sound:`"
        raise Unsupported("line", f"the line has no words that {who} could speak", hint)
    if problem := _too_long(line, capability, who):
        raise problem
    request = Request(
        provider=provider.name,
        model=provider.model_now(capability),
        mode=Mode.SPEECH,
        prompt=line,
        negative_prompt="",
        seed=0,
        seconds=Fraction(0),
        aspect_ratio="",
        resolution="",
        width=0,
        height=0,
        references=(),
        first_frame=None,
        voice=_voice(voice, capability, who),
        language=_language(language, capability, who),
        delivery=delivery if capability.delivery else "",
        take=1,
    )
    for number in range(1, takes + 1):
        yield request.model_copy(update={"take": number}) if number > 1 else request


def speech_capability(provider: type[Provider], model: str | None) -> Capability:
    """The abilities of a service's model that speaks. Raises Unsupported if it has none of that name, or none."""
    models = models_of(provider)
    found = speech_model(provider, model, models)
    if found and (capability := found.modes.get(Mode.SPEECH)):
        return capability
    raise _no_speech(provider, model, found, [name for name, one in models.items() if Mode.SPEECH in one.modes])


def _no_speech(provider: type[Provider], model: str | None, found: Model | None, known: list[str]) -> Unsupported:
    if model and known:
        what = f"has no model `{model}`" if found is None else f"speaks no lines with `{model}`"
        return Unsupported(
            "model",
            f"{provider.name} {what}",
            suggestion(model, known, f"for speech it has {listed(known, 'and')}"),
        )
    able = listed(services_with_speech(), "or")
    write = f"write `provider:` with {able}" if able else "no service here speaks lines"
    return Unsupported("provider", f"{provider.name} speaks no lines", write)


def _voice(voice: str | None, capability: Capability, who: str) -> str:
    known = capability.speakers
    if known is None:
        return voice or ""
    if voice is None:
        return known[0]
    # Voices are names: `cherry` is written for Cherry, and one take is not bought as two.
    meant = next((one for one in known if one.casefold() == voice.casefold()), None)
    if meant is None:
        there_are = f"it has {listed(list(known), 'and')}"
        raise Unsupported("voice", f"{who} has no voice `{voice}`", suggestion(voice, list(known), there_are))
    return meant


def _language(language: str, capability: Capability, who: str) -> str:
    """The code as the service has it: `zh-Hant` is spoken as `zh`."""
    known = capability.languages
    if known is None or not language:
        return language
    code = language.casefold()
    meant = next((one for one in known if one.casefold() in (code, code.partition("-")[0])), None)
    if meant is None:
        hint = f"it speaks {listed(list(known), 'and')}; let a recording be heard with `sound:`, or another service"
        raise Unsupported("language", f"{who} does not speak `{language}`", hint)
    return meant


def _too_long(line: str, capability: Capability, who: str) -> Unsupported | None:
    most, has = capability.prompt_length, capability.characters(line)
    if most is None or has <= most:
        return None
    chinese = f", of which a Chinese one counts as {capability.han_counts}" if has > len(line) else ""
    what = f"the line has {counted(has, 'character')}{chinese}; {who} speaks at most {most}"
    return Unsupported("line", what, "write it as two lines")
