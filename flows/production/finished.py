"""The takes of a plan that are finished, by the contents of the stores: no media is read."""

from __future__ import annotations

import asyncio

from storyreel.flows.planning.candidate import Candidate
from storyreel.flows.planning.model import Plan, PlannedTake
from storyreel.tasks.inspection.examine import kept_facts
from storyreel.tasks.join.conform import Conforming, conform_key
from storyreel.tasks.join.recording import LaidSound
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.tasks.media.binary import find_ffmpeg
from storyreel.tasks.media.house_format import HouseFormat
from storyreel.tasks.studio import Studio


async def finished_takes(plan: Plan, studio: Studio, house: HouseFormat, accept: str | None) -> frozenset[str]:
    """The identities of the takes that have their clips and, if they are in the cut, are conformed.

    `accept` is the signature of clips that need no conforming, as in `Conforming`.
    """
    cached = [take for take in plan.takes if take.state == "cached"]
    purchases = await studio.ask(Ledger.find_all, [take.key for take in cached])

    def is_finished(take: PlannedTake) -> bool:
        purchase = purchases.get(take.key)
        if purchase is None or purchase.clip is None:
            return False
        if take.kind != "clip" or take.deliverable or not take.circled:
            return True
        facts = None if take.chosen.is_free else kept_facts(purchase.clip, studio.clips)
        conversion = facts.colour.conversion if facts else ()
        how = conforming_of(plan, take, take.chosen, house, accept)
        key = conform_key(purchase.clip, how, find_ffmpeg().version, conversion)
        return studio.house_cache.folder_of(key).exists()

    return await asyncio.to_thread(lambda: frozenset(take.identity for take in cached if is_finished(take)))


def conforming_of(
    plan: Plan, take: PlannedTake, candidate: Candidate, house: HouseFormat, accept: str | None
) -> Conforming:
    """Everything that is done to the clip of a take's candidate in the film; `accept` as in `Conforming`."""
    return Conforming(
        candidate.edit,
        house,
        keep_sound=take.keep_sound,
        accept=accept,
        laid=LaidSound.of(take.laid_with(candidate), candidate.request, take.sound_begins),
        grading=take.grading,
        label=take.label_of(candidate),
        is_draft=plan.is_draft,
    )
