"""Turns a storyboard in YAML into a film, as a Prefect flow.

    import storyreel

    print(storyreel.plan("film.yaml").totals)
    made = storyreel.render_sync("film.yaml", budget="20 USD")
    print(made.sequence)

`read`, `plan`, `render` and `render_sync` are functions; `render_storyboard` is the Prefect flow, to be called from
flows of your own. Everything is imported when it is first used. All names are explained in docs/python.md.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storyreel.flows.errors import Interrupted, NotAllowed
    from storyreel.flows.planning.finishing.deliverables import PlannedDeliverable, UnknownDeliverable
    from storyreel.flows.planning.model import Plan, PlannedTake
    from storyreel.flows.planning.selection import NothingSelected
    from storyreel.flows.production.agreement import NotAgreed
    from storyreel.flows.production.film_folder import FolderTaken
    from storyreel.flows.production.outcomes import ClipsToBuy, DeliverablesFailed, ShotsFailed
    from storyreel.flows.production.report import RenderedDeliverable, RenderedTake, Rendering
    from storyreel.flows.production.slots.service_limits import LimitMissing
    from storyreel.flows.render import render_storyboard
    from storyreel.flows.review.model import ReviewNeeded
    from storyreel.flows.review.suspend import NotApproved
    from storyreel.interface import plan, read, render, render_sync
    from storyreel.specs.errors import StoryreelError
    from storyreel.specs.money import Money
    from storyreel.specs.problems.problem import Problem, StoryboardError
    from storyreel.specs.storyboard import Storyboard
    from storyreel.tasks.ledger.budget import BudgetExceeded
    from storyreel.tasks.ledger.errors import LedgerError
    from storyreel.tasks.media.errors import MediaError
    from storyreel.tasks.providers.errors import Ambiguous, ProviderError, Terminal, Transient
    from storyreel.tasks.settings import SettingsError
    from storyreel.tasks.storage.bucket import BucketError
    from storyreel.tasks.storage.disk import DiskError

__all__ = [
    "Ambiguous", "BucketError", "BudgetExceeded", "ClipsToBuy", "DeliverablesFailed", "DiskError", "FolderTaken",
    "Interrupted", "LedgerError", "LimitMissing", "MediaError", "Money", "NotAgreed", "NotAllowed", "NotApproved",
    "NothingSelected", "Plan", "PlannedDeliverable", "PlannedTake", "Problem", "ProviderError",
    "RenderedDeliverable", "RenderedTake", "Rendering", "ReviewNeeded", "SettingsError", "ShotsFailed",
    "Storyboard", "StoryboardError", "StoryreelError", "Terminal", "Transient", "UnknownDeliverable", "plan",
    "read", "render", "render_storyboard", "render_sync",
]  # fmt: skip

_MODULES = MappingProxyType(
    {
        "flows.errors": ("Interrupted", "NotAllowed"),
        "flows.planning.finishing.deliverables": ("PlannedDeliverable", "UnknownDeliverable"),
        "flows.planning.model": ("Plan", "PlannedTake"),
        "flows.planning.selection": ("NothingSelected",),
        "flows.production.agreement": ("NotAgreed",),
        "flows.production.film_folder": ("FolderTaken",),
        "flows.production.outcomes": ("ClipsToBuy", "DeliverablesFailed", "ShotsFailed"),
        "flows.production.report": ("RenderedDeliverable", "RenderedTake", "Rendering"),
        "flows.production.slots.service_limits": ("LimitMissing",),
        "flows.render": ("render_storyboard",),
        "flows.review.model": ("ReviewNeeded",),
        "flows.review.suspend": ("NotApproved",),
        "interface": ("plan", "read", "render", "render_sync"),
        "specs.errors": ("StoryreelError",),
        "specs.money": ("Money",),
        "specs.problems.problem": ("Problem", "StoryboardError"),
        "specs.storyboard": ("Storyboard",),
        "tasks.storage.bucket": ("BucketError",),
        "tasks.storage.disk": ("DiskError",),
        "tasks.ledger.budget": ("BudgetExceeded",),
        "tasks.ledger.errors": ("LedgerError",),
        "tasks.media.errors": ("MediaError",),
        "tasks.providers.errors": ("Ambiguous", "ProviderError", "Terminal", "Transient"),
        "tasks.settings": ("SettingsError",),
    }
)
"""The module that defines each public name; a test compares it with the imports above."""

if (Path(__file__).parent / "flows").is_file():
    # Git writes a symbolic link as a text file where it may not make one.
    raise ImportError(
        "this checkout of storyreel has text files in place of symbolic links; "
        "next: git config core.symlinks true && git checkout -- storyreel"
    )

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        module = next((module for module, names in _MODULES.items() if name in names), None)
        if module is None:
            raise AttributeError(f"module 'storyreel' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"storyreel.{module}"), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
