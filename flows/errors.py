"""The errors that end a command or a run. Each carries a message, a hint and the command to run next."""

from __future__ import annotations

from storyreel.specs.errors import StoryreelError


class RunFailed(StoryreelError):
    """A command or a run could not be completed."""


class NotAllowed(StoryreelError):
    """An action is not possible, or needs a consent that was not given; nothing was bought or changed."""


class Interrupted(StoryreelError):
    """The user stopped the run: by Ctrl-C, SIGTERM, or in Prefect."""
