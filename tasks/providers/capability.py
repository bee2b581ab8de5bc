"""What a service's model can do in one mode."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from storyreel.specs.frozen import Frozen
from storyreel.specs.storyboard import Mode
from storyreel.specs.timing import FrameRate
from storyreel.tasks.providers.request import Use


class MediaLimits(Frozen):
    """What a service takes for a picture, a video or a voice."""

    image_formats: tuple[str, ...]
    """As Pillow calls them."""
    alpha: bool
    """Whether a PNG may have an alpha channel."""
    image_bytes: int
    image_sides: tuple[int, int]
    """Pixels, at least and at most, of each side."""
    video_formats: tuple[str, ...]
    """As FFmpeg calls their container."""
    video_bytes: int
    video_sides: tuple[int, int]
    video_seconds: tuple[int, int]
    voice_formats: tuple[str, ...]
    voice_bytes: int
    voice_seconds: tuple[int, int]
    shape: int
    """How many times the longer side of a picture or video may be as long as the shorter."""


class Capability(Frozen):
    """What a service's model is able to do in one mode. None means no limit."""

    mode: Mode
    model: str
    durations: tuple[int, ...] | None = None
    """Sold seconds in rising order; None where any length to the frame can be had."""
    durations_with_video: tuple[int, ...] | None = None
    """Sold seconds when a reference video is sent; None where it makes no difference."""
    ratios: tuple[str, ...] = ("16:9", "9:16", "1:1", "4:3", "3:4")
    resolutions: tuple[str, ...] = ("720p", "1080p")
    images: int | None = None
    """Reference images at most."""
    videos: int | None = None
    """Reference videos at most."""
    references: int | None = None
    """Images and videos together at most."""
    first_frame: bool = True
    """Whether the clip can be made to begin with a given picture."""
    last_frame: bool = False
    """Whether the clip can be made to end with a given picture, beside the one that it begins with."""
    follows_first_frame: bool = False
    """Whether the clip takes the first frame's shape, whatever the aspect ratio."""
    voice: bool = False
    """Whether a reference can be given a voice."""
    data_uris: tuple[Use, ...] = ()
    """What may travel inside the request; everything else needs a link."""
    uploads: bool = False
    """Whether the service keeps files for us."""
    media: MediaLimits | None = None
    """What files may be like."""
    negative_prompt: bool = True
    """Whether what to avoid is a field of its own; else it stands at the end of the prompt."""
    prompt_length: int | None = None
    """Characters."""
    negative_length: int | None = None

    label: Literal["Image 1", "image 1"] = "Image 1"
    """How the service's prompts call the first reference image; videos alike."""
    draws_board: bool = False
    """Takes the shot's words and timing as a `Board` and has no prompt."""

    def reads_file(self, use: Use) -> bool:
        """Whether a local file can be sent without a bucket of the user's."""
        return self.draws_board or self.uploads or use in self.data_uris

    def sold_for(self, frames: int, rate: FrameRate, with_video: bool) -> Fraction | None:
        """The shortest sold length, in seconds, that covers `frames`; None when none does.

        A length covers what it reaches to the nearest frame: 5 s cover the 120 frames of 5 s at 23.976.
        """
        durations = self.sold(with_video)
        if durations is None:
            return rate.seconds(frames)
        lengths = map(Fraction, durations)
        return next((sold for sold in lengths if rate.nearest_frames(sold) >= frames), None)

    def sold(self, with_video: bool) -> tuple[int, ...] | None:
        """Sold seconds in rising order, with or without a reference video; None for any length."""
        return self.durations_with_video if with_video and self.durations_with_video else self.durations
