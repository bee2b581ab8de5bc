"""The files of takes that are made, and what is required of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from storyreel.flows.planning.model import PlannedTake
from storyreel.specs.timing import FrameRate
from storyreel.tasks.inspection.inspect import Needed, Wanted
from storyreel.tasks.ledger.purchase import Purchase
from storyreel.tasks.request.attachments import STILL
from storyreel.tasks.storage.clips import ClipStore


def stored_clip(take: PlannedTake, purchases: Mapping[str, Purchase], clips: ClipStore) -> Path | None:
    """The file of a take, on this host; None if it is not made. Raises BucketError."""
    purchase = purchases.get(take.key)
    clip = clips.find(purchase.clip) if take.state == "cached" and purchase and purchase.clip else None
    return clip.path if clip else None


def wanted_of(take: PlannedTake, rate: FrameRate, pictures: Mapping[str, Path]) -> Wanted:
    """The picture that a take must begin with and the frames that it must have, as in the run, but for a first frame
    that is an address, is cut to a shape or is made of another clip. `pictures` are the stills by their digests in
    requests."""
    first, picture = take.request.first_frame, None
    if first and not first.crop and not first.digest.startswith(("url:", "take:")):
        picture = pictures.get(first.digest) if first.digest.startswith(STILL) else Path(first.source)
    sound = take.keep_sound and not take.laid_with(take.chosen)
    return Wanted(first_frame=picture, sound=sound, needed=Needed(frames=take.edit.frames, rate=rate))
