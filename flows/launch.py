"""Running the flow from the command line: which server it reports to, how it is shown, how it is stopped."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from flows.failures import Interrupted, RunFailed
from flows.plan import Plan
from flows.screen import shown
from flows.server import LOCAL_UI, reporting, settle_environment

settle_environment()

# Prefect reads the environment when it is imported.
from flows.render import ShotsFailed, render_storyboard  # noqa: E402
from flows.report import Rendering  # noqa: E402
from tasks.media.errors import MediaError  # noqa: E402
from tasks.providers.base import ProviderError  # noqa: E402
from tasks.watching import watched_by  # noqa: E402


def run(
    plan: Plan, storyboard: Path, provider: str | None, words: Mapping[str, str], out: Path | None, console: Console
) -> tuple[Rendering, str]:
    """Render a storyboard; gives the film, and in words where its run can be looked at.

    Raises RunFailed with the command to run next, and Interrupted when it was stopped.
    """
    again = _command(storyboard, provider, words, out)
    with ExitStack() as stack:
        with console.status("starting Prefect"):
            ui = stack.enter_context(reporting())
        try:
            with shown(plan, console) as watcher, watched_by(watcher):
                made = asyncio.run(render_storyboard(storyboard, provider, dict(words) or None, out))
        except (ShotsFailed, MediaError, ProviderError) as error:
            raise RunFailed(f"{error}\nnext: {again}") from error
        except (KeyboardInterrupt, asyncio.CancelledError) as stopped:
            raise Interrupted from stopped
    return made, _where(made, ui)


def _where(made: Rendering, ui: str) -> str:
    if ui:
        return f"run: {ui}/runs/flow-run/{made.flow_run}"
    return f"run: start `prefect server start`, then look at {LOCAL_UI}/runs/flow-run/{made.flow_run}"


def _command(storyboard: Path, provider: str | None, words: Mapping[str, str], out: Path | None) -> str:
    """The command line that does the same again."""
    parts = ["storyreel", "render", str(storyboard)]
    parts += ["--provider", provider] if provider else []
    for name, value in words.items():
        parts += ["--set", f"{name}={value}"]
    parts += ["--out", str(out)] if out else []
    return shlex.join(parts)
