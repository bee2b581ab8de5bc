"""Reads the Content Credentials of a file, whoever wrote them, and checks them against the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import reason
from storyreel.tasks.credentials.claim import SOURCES
from storyreel.tasks.credentials.library import OF_TAKE, CredentialsError, context, library

State = Literal["valid", "tampered", "unknown_signer", "none"]
"""`valid`: the file is what was signed, by a signer that is known here. `unknown_signer`: it is what was signed, and no
one here vouches for who signed it. `tampered`: the file or its credentials were changed. `none`: it has none."""

_OF_SIGNER = ("signingCredential.", "timeStamp.", "timestamp.")
"""How the codes of failures begin that say something of who signed, and nothing of the file."""


class NamedTake(Frozen):
    """Something that a film is made of, as its credentials name it."""

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
    """Who wrote the credentials that its file had itself; empty if it had none."""
    own_is_intact: bool | None = None
    """Whether its file was what those say; None if it had none."""


class Credentials(Frozen):
    """The Content Credentials of a file."""

    file: Path
    state: State
    problems: tuple[str, ...] = ()
    """What does not hold, in the words of c2pa-python."""
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
        return Credentials(file=file, state="tampered", problems=(str(error),))
    if reader is None:
        return Credentials(file=file, state="none")
    with reader:
        return _told(file, json.loads(reader.json()))


def _told(file: Path, store: Mapping[str, Any]) -> Credentials:
    manifests = store.get("manifests", {})
    active: Mapping[str, Any] = manifests.get(store.get("active_manifest"), {})
    failures = _failures(store.get("validation_results"))
    signature = active.get("signature_info") or {}
    said = {assertion["label"]: assertion.get("data") or {} for assertion in active.get("assertions", ())}
    actions = [action for label, data in said.items() if label.startswith("c2pa.actions") for action in data["actions"]]
    begun: Mapping[str, Any] = next((one for one in actions if one["action"] == "c2pa.created"), {})
    return Credentials(
        file=file,
        state=_state(str(store.get("validation_state")), failures),
        problems=tuple(f"{each.get('explanation') or each['code']} ({each['code']})" for each in failures),
        signer=signature.get("common_name") or signature.get("issuer") or "",
        issuer=signature.get("issuer") or "",
        signed=signature.get("time") or begun.get("when") or "",
        generator=_generator(active),
        title=active.get("title") or "",
        author=_author(said),
        source=str(begun.get("digitalSourceType", "")).removeprefix(SOURCES),
        edits=tuple(one["description"] for one in actions if one["action"] == "c2pa.edited" and "description" in one),
        takes=tuple(_takes(active, manifests, actions)),
    )


def _state(state: str, failures: list[Mapping[str, Any]]) -> State:
    if state == "Trusted":
        return "valid"
    return "unknown_signer" if all(each["code"].startswith(_OF_SIGNER) for each in failures) else "tampered"


def _takes(
    active: Mapping[str, Any], manifests: Mapping[str, Any], actions: list[Mapping[str, Any]]
) -> Iterator[NamedTake]:
    """Its ingredients, with what their metadata or else the actions say of each."""
    placed = {
        str(part.get("url", "")).rpartition("/")[2]: action
        for action in actions
        for part in (action.get("parameters") or {}).get("ingredients", ())
    }
    for ingredient in active.get("ingredients", ()):
        name = ingredient.get("title") or ingredient.get("label") or ""
        take = (ingredient.get("metadata") or {}).get(OF_TAKE) or {}
        action = placed.get(ingredient.get("label", ""), {})
        agent = action.get("softwareAgent") or ""
        facts = {
            "model": agent.get("name", "") if isinstance(agent, Mapping) else str(agent),
            "source": action.get("digitalSourceType", ""),
        } | {key: value for key, value in take.items() if key in NamedTake.model_fields}
        own = manifests.get(ingredient.get("active_manifest"))
        failed = [each for each in _failures(ingredient.get("validation_results")) if not _is_of_signer(each)]
        yield NamedTake.model_validate(
            facts
            | {"name": name, "source": str(facts["source"]).removeprefix(SOURCES)}
            | ({"own": _generator(own) or "an unnamed program", "own_is_intact": not failed} if own else {})
        )


def _is_of_signer(failure: Mapping[str, Any]) -> bool:
    return str(failure["code"]).startswith(_OF_SIGNER)


def _failures(results: Any) -> list[Mapping[str, Any]]:
    return list(((results or {}).get("activeManifest") or {}).get("failure") or ())


def _generator(manifest: Mapping[str, Any]) -> str:
    programs = manifest.get("claim_generator_info") or ({"name": manifest.get("claim_generator") or ""},)
    return " ".join(filter(None, (programs[0].get("name"), programs[0].get("version"))))


def _author(said: Mapping[str, Any]) -> str:
    """The first one of the metadata of the CAWG; that of schema.org, which earlier versions of C2PA had."""
    creators = said.get("cawg.metadata", {}).get("dc:creator") or ()
    creators = [creators] if isinstance(creators, str) else list(creators)
    named = said.get("stds.schema-org.CreativeWork", {}).get("author") or ()
    return next(iter([*creators, *(one.get("name", "") for one in named if isinstance(one, Mapping))]), "")
