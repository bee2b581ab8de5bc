"""Reads the Content Credentials of a file, those of other programs too, and checks them against the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import reason
from storyreel.tasks.credentials.claim import SOURCES
from storyreel.tasks.credentials.library import OF_TAKE, CredentialsError, context, library

State = Literal["valid", "tampered", "unknown_signer", "none"]
"""`valid`: the file is what was signed, by a signer that is known here. `unknown_signer`: it is what was signed, and no
one here vouches for who signed it. `tampered`: the file or its credentials were changed. `none`: it has none."""

_Map: TypeAlias = Mapping[str, Any]

_ELSEWHERE = "Remote:"
"""Beginning of the error for a file with an address in place of its credentials; that error has no class of its own."""
_BEFORE_ITS_TIME = "prerelease"
_OF_SIGNER = ("credential", "timestamp")
"""Words in the codes of failures that say something of who signed and when, and nothing of the file:
`signingCredential.untrusted`, `cawg.x509.credential.untrusted`, `timeStamp.mismatch`."""


class NamedTake(Frozen):
    """A take or another part of a film, as its credentials name it."""

    name: str
    kind: str = ""
    """`clip`, `still`, `sheet` or `speech`; empty if the credentials do not say it."""
    shots: tuple[str, ...] = ()
    service: str = ""
    model: str = ""
    made: str = ""
    key: str = ""
    prompt: str = ""
    source: str = ""
    """The last part of its digital source type: `trainedAlgorithmicMedia`."""
    own: str = ""
    """The program that made the credentials that its file had itself, or their address; empty if it had none."""
    own_is_intact: bool | None = None
    """Whether its file was what those say; None if it had none, or they were not fetched."""


class Credentials(Frozen):
    """The Content Credentials of a file."""

    file: Path
    state: State
    problems: tuple[str, ...] = ()
    """Checks that failed, in the words of c2pa-python."""
    signer: str = ""
    issuer: str = ""
    signed: str = ""
    """When, as the program says that has made them; empty if it does not."""
    generator: str = ""
    """The program that has made them, with its version."""
    title: str = ""
    author: str = ""
    source: str = ""
    """The last part of the film's digital source type."""
    edits: tuple[str, ...] = ()
    takes: tuple[NamedTake, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The form that `credentials --json` prints."""
        return self.model_dump(mode="json", exclude={"takes"}) | {
            "takes": [take.model_dump(mode="json") for take in self.takes]
        }


def read_credentials(file: Path, anchors: str = "") -> Credentials:
    """The credentials of a file; `anchors` are the certificates of known issuers, in PEM.

    Raises CredentialsError if the file cannot be read, is of a kind that has none, or the certificates are none.
    """
    c2pa = library()
    try:
        checks = context(anchors)
    except c2pa.C2paError as error:
        raise CredentialsError(f"the certificates of known issuers cannot be used: {error}") from error
    try:
        with file.open("rb"):  # c2pa has no words for what prevents it
            pass
        reader = c2pa.Reader.try_create(file, context=checks)
    except OSError as error:
        raise CredentialsError(f"{file} cannot be read: {reason(error)}") from error
    except c2pa.C2paError.NotSupported as error:
        raise CredentialsError(f"{file} is of a kind that has no Content Credentials") from error
    except c2pa.C2paError.Io as error:
        raise CredentialsError(f"{file} is no whole film, picture or sound") from error
    except c2pa.C2paError as error:
        if str(error).startswith(_ELSEWHERE):
            told = f"its credentials are at {str(error).rpartition(' ')[2]}; nothing is fetched"
            return Credentials(file=file, state="none", problems=(told,))
        if _BEFORE_ITS_TIME in str(error):
            raise CredentialsError(
                f"{file} has credentials in a form from before C2PA 1.0, which is not read"
            ) from error
        return Credentials(file=file, state="tampered", problems=(str(error),))
    if reader is None:
        return Credentials(file=file, state="none")
    with reader:
        return _told(file, json.loads(reader.json()))


def _told(file: Path, store: object) -> Credentials:
    """The credentials in a report of c2pa-python. Its manifest comes from outside: any field may have any type."""
    manifests = _map(_map(store).get("manifests"))
    active = _map(manifests.get(_text(_map(store).get("active_manifest"))))
    failures = _failures(_map(store).get("validation_results"))
    signature = _map(active.get("signature_info"))
    said = {_text(one.get("label")): _map(one.get("data")) for one in _maps(active.get("assertions"))}
    of_actions = (data for label, data in said.items() if label.startswith("c2pa.actions"))
    actions = [action for data in of_actions for action in _maps(data.get("actions"))]
    begun = next((one for one in actions if one.get("action") == "c2pa.created"), {})
    edits = (_text(one.get("description")) for one in actions if one.get("action") == "c2pa.edited")
    return Credentials(
        file=file,
        state=_state(_text(_map(store).get("validation_state")), failures),
        problems=tuple(f"{_text(each.get('explanation'))} ({_text(each.get('code'))})" for each in failures),
        signer=_text(signature.get("common_name")) or _text(signature.get("issuer")),
        issuer=_text(signature.get("issuer")),
        signed=_text(signature.get("time")) or _text(begun.get("when")),
        generator=_generator(active),
        title=_text(active.get("title")),
        author=_author(said),
        source=_source(begun),
        edits=tuple(filter(None, edits)),
        takes=tuple(_takes(active, manifests, actions, _map(store).get("validation_results"))),
    )


def _state(state: str, failures: list[_Map]) -> State:
    if state == "Trusted":
        return "valid"
    return "unknown_signer" if failures and all(map(_is_of_signer, failures)) else "tampered"


def _takes(active: _Map, manifests: _Map, actions: list[_Map], results: object) -> Iterator[NamedTake]:
    """Its ingredients, with what their metadata or else the actions say of each."""
    placed = {
        _text(part.get("url")).rpartition("/")[2]: action
        for action in actions
        for part in _maps(_map(action.get("parameters")).get("ingredients"))
    }
    for ingredient in _maps(active.get("ingredients")):
        told = _map(_map(ingredient.get("metadata")).get(OF_TAKE))
        action = placed.get(_text(ingredient.get("label")), {})
        agent = action.get("softwareAgent")
        shots = told.get("shots")
        own = _map(manifests.get(_text(ingredient.get("active_manifest"))))
        failed = [each for each in _failures_of(ingredient, results) if not _is_of_signer(each)]
        yield NamedTake(
            name=_text(ingredient.get("title")) or _text(ingredient.get("label")),
            kind=_text(told.get("kind")),
            shots=tuple(filter(None, map(_text, shots))) if isinstance(shots, list) else (),
            service=_text(told.get("service")),
            model=_text(told.get("model")) or _text(_map(agent).get("name")) or _text(agent),
            made=_text(told.get("made")),
            key=_text(told.get("key")),
            prompt=_text(told.get("prompt")),
            source=_text(told.get("source")).removeprefix(SOURCES) or _source(action),
            own=(_generator(own) or "an unnamed program") if own else _elsewhere(ingredient),
            own_is_intact=not failed if own else None,
        )


def _elsewhere(ingredient: _Map) -> str:
    failures = _failures(ingredient.get("validation_results"))
    return next((_text(one.get("url")) for one in failures if one.get("code") == "manifest.inaccessible"), "")


def _is_of_signer(failure: _Map) -> bool:
    code = _text(failure.get("code")).lower()
    return any(word in code for word in _OF_SIGNER)


def _failures(results: object) -> list[_Map]:
    return _maps(_map(_map(results).get("activeManifest")).get("failure"))


def _failures_of(ingredient: _Map, results: object) -> list[_Map]:
    """The failed checks of an ingredient: those from when it was added, which older credentials store in another place,
    and those of today."""
    deltas = (
        each for each in _maps(_map(results).get("ingredientDeltas"))
        if _text(each.get("ingredientAssertionURI")).rpartition("/")[2] == ingredient.get("label")
    )  # fmt: skip
    now = [one for delta in deltas for one in _maps(_map(delta.get("validationDeltas")).get("failure"))]
    return [*_failures(ingredient.get("validation_results")), *_maps(ingredient.get("validation_status")), *now]


def _source(action: _Map) -> str:
    return _text(action.get("digitalSourceType")).strip().removeprefix(SOURCES)


def _generator(manifest: _Map) -> str:
    program: _Map = next(iter(_maps(manifest.get("claim_generator_info"))), {})
    named = " ".join(filter(None, (_text(program.get("name")), _text(program.get("version")))))
    return named or _text(manifest.get("claim_generator"))


def _author(said: Mapping[str, _Map]) -> str:
    """The first one of the metadata of the CAWG; that of schema.org, which earlier versions of C2PA had."""
    creators = _map(said.get("cawg.metadata")).get("dc:creator")
    named = _maps(_map(said.get("stds.schema-org.CreativeWork")).get("author"))
    listed = creators if isinstance(creators, list) else [creators]
    return next(filter(None, map(_text, [*listed, *(one.get("name") for one in named)])), "")


def _map(value: object) -> _Map:
    return value if isinstance(value, dict) else {}


def _maps(value: object) -> list[_Map]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
