"""The Content Credentials of a film: the claim about its takes, and the certificate that signs it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC
from typing import NamedTuple

from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.flows.planning.takes.pictures import STAND_IN
from storyreel.flows.production.outcomes import MadeTake
from storyreel.flows.production.takes import TakeRuns
from storyreel.specs.cut import Cut
from storyreel.specs.problems.phrases import counted
from storyreel.specs.secrets import hidden
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.credentials.certificate import certificate_of
from storyreel.tasks.credentials.claim import ClaimedTake, FilmClaim
from storyreel.tasks.credentials.sign import Signing, try_certificate
from storyreel.tasks.ledger.ledger import Ledger, Purchase
from storyreel.tasks.studio import Studio


def check_signing(film: Storyboard) -> None:
    """Return if a film can be signed, or need not be; called before anything is bought.

    Raises CredentialsError and SettingsError.
    """
    if film.credentials is not None:
        try_certificate(certificate_of())


class Joined(NamedTuple):
    """The pieces that a film, or a deliverable of it, is joined of."""

    cut: Cut
    takes: Sequence[PlannedTake]
    """The takes that are in the cut."""
    has_words: bool
    """Whether words lie over its picture."""
    as_edit: str = ""
    """The change of the film that made a deliverable of it, as a sentence; empty for the film itself."""


async def signing_of(film: Storyboard, plan: Plan, joined: Joined, takes: TakeRuns, studio: Studio) -> Signing | None:
    """The claim about a film whose takes are all made, and its certificate; None if it has no credentials.

    Raises CredentialsError and SettingsError.
    """
    if film.credentials is None:
        return None
    made = {take.identity: (take, each) for take in plan.takes if (each := takes.finished_take(take))}
    used = _used(plan, joined.takes, made)
    purchases = await studio.ask(Ledger.find_all, [each.candidate.key for _, each in used])
    claim = FilmClaim(
        title=hidden(plan.name),
        author=hidden(film.credentials.author),
        takes=tuple(_claimed(film, used, {take.identity for take in joined.takes}, purchases)),
        edits=tuple(_edits(film, plan, joined)),
    )
    return Signing(claim=claim, certificate=await asyncio.to_thread(certificate_of))


_Made = tuple[PlannedTake, MadeTake]


def _used(plan: Plan, in_cut: Sequence[PlannedTake], made: Mapping[str, _Made]) -> list[_Made]:
    """The takes in the cut, the speech that is heard, and all that these were made of, in the order of the plan."""
    heard = (take for take in plan.speech if take.circled)
    found, waiting = set[str](), [take.identity for take in (*in_cut, *heard)]
    while waiting:
        identity = waiting.pop()
        if identity in made and identity not in found:
            found.add(identity)
            waiting += made[identity][0].needs
    return [made[take.identity] for take in plan.takes if take.identity in found]


def _claimed(
    film: Storyboard, used: Sequence[_Made], in_cut: Set[str], purchases: Mapping[str, Purchase]
) -> Iterator[ClaimedTake]:
    """Each clip, picture and spoken line once, however often it is in the film."""
    same: dict[str, list[_Made]] = defaultdict(list)
    for take, each in used:
        same[each.candidate.key].append((take, each))
    for key, several in same.items():
        take, each = several[0]
        request, purchase = each.candidate.request, purchases.get(key)
        # Not by a model: what is drawn, and the guide voice.
        is_generated = request.board is None and request.provider != STAND_IN
        finished = purchase.finished if purchase and is_generated else None
        yield ClaimedTake(
            name=f"{take.shot} take {take.take}",
            file=each.clip.path,
            digest=each.clip.digest,
            kind=take.kind,
            shots=tuple(dict.fromkeys(one.shot for one, _ in several)),
            service=request.provider,
            model=request.model,
            is_generated=is_generated,
            key=key,
            made=f"{finished.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if finished else "",
            prompt=hidden(request.prompt) if film.credentials and film.credentials.prompts else "",
            is_seen=take.kind == "speech" or any(one.identity in in_cut for one, _ in several),
        )


def _edits(film: Storyboard, plan: Plan, joined: Joined) -> Iterator[str]:
    """The edits of the takes, a sentence for each kind."""
    dissolves = sum(bool(event.dissolve_in) for event in joined.cut.events)
    yield f"cut and joined: {counted(len(joined.cut.events), 'shot')}, {counted(dissolves, 'dissolve')}"
    if any(take.grading for take in joined.takes):
        yield "colours graded"
    if joined.has_words:
        yield "words laid over the picture"
    for label in {label for take in joined.takes if (label := take.label_of(take.chosen))}:
        yield f"a label drawn into the picture: {hidden(label.text)}"
    if film.music or plan.narration or any(take.recordings for take in joined.takes):
        yield "sound mixed with recordings, music or narration"
    if joined.as_edit:
        yield joined.as_edit
