"""Runs the flow from the command line: chooses its Prefect server, shows progress, adds the next command to errors."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import ExitStack, suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from storyreel.flows.commands.screen.consent import with_next
from storyreel.flows.commands.screen.progress import show_progress
from storyreel.flows.errors import Interrupted, RunFailed
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.servers.choose import (
    RunServer,
    is_server_lost,
    report_to_server,
    run_server,
    server_line,
    set_prefect_defaults,
)  # fmt: skip
from storyreel.flows.servers.local import pages_url
from storyreel.flows.servers.prefect_settings import default_port
from storyreel.flows.terminal import Terminal
from storyreel.tasks.ledger.budget import BudgetExceeded
from storyreel.tasks.settings import SettingsError

if TYPE_CHECKING:
    from storyreel.flows.production.report import Rendering


def run(request: RunRequest, plan: Plan, console: Terminal, prepared: RunServer | None = None) -> tuple[Rendering, str]:
    """Carry out a plan that was agreed to. Returns the film, and a line that says where its run is shown.

    `prepared` is what `run_server` gives; to enter that before planning saves the time of planning.

    Says on the console if Prefect's server could not record all of it.

    Raises NotAllowed, RunFailed, BudgetExceeded, and Interrupted if it was stopped; each with the command to run next.
    """
    request.check_recordable()
    console.outlast()
    # Before anything of Prefect, which reads the environment when it is imported.
    set_prefect_defaults()
    with ExitStack() as stack:
        with console.status("starting Prefect") as status:
            server = prepared or stack.enter_context(run_server())
            if server:
                server.begin()
            # While the server starts: asking ffmpeg for its abilities, and more than a second of imports.
            examining = Thread(target=_examine_ffmpeg, daemon=True)
            examining.start()
            import fastapi.encoders  # noqa: F401  # Prefect imports it at the begin of a run

            import storyreel.flows.render  # noqa: F401
            from storyreel.flows.lifecycle.cancellation import Stopped
            from storyreel.flows.production.agreement import NotAgreed
            from storyreel.flows.production.film_folder import FolderTaken
            from storyreel.flows.production.outcomes import ShotsFailed
            from storyreel.flows.review.model import ReviewNeeded
            from storyreel.tasks.media.errors import MediaError
            from storyreel.tasks.progress import listening
            from storyreel.tasks.providers.errors import ProviderError
            from storyreel.tasks.storage.bucket import BucketError
            from storyreel.tasks.storage.disk import DiskError

            # Modules stay until the end; without this each collection would go through all of them.
            gc.freeze()
            # Prefect's client writes to the terminal when it cannot send a log line, unless this says otherwise.
            logging.raiseExceptions = False
            told = partial(console.print, soft_wrap=True)
            pages = stack.enter_context(report_to_server(server, told, status.update))
            examining.join()
            line = server_line(pages, server)
        console.print(line, soft_wrap=True)
        try:
            with show_progress(plan, console) as listener, listening(listener):
                rendering = asyncio.run(_flow(request, plan, console))
        except BudgetExceeded as error:
            raise with_next(error, request) from error
        except NotAgreed as error:
            raise RunFailed(f"{error}; nothing was bought", next=request.command("plan")) from error
        except (
            ShotsFailed, ReviewNeeded, ProviderError, MediaError, BucketError, DiskError, FolderTaken, RunFailed,
        ) as error:  # fmt: skip
            if isinstance(error, ShotsFailed) and error.is_budget:
                raise BudgetExceeded(error.message, next=request.command()) from error
            raise RunFailed(error.message, hint=error.hint, next=error.next or request.command()) from error
        except Stopped as stopped:
            raise Interrupted(str(stopped), next=request.command()) from stopped
        except (KeyboardInterrupt, asyncio.CancelledError) as stopped:
            raise Interrupted("stopped; what was finished is kept", next=request.command()) from stopped
        except Exception as error:
            if not is_server_lost(error):
                raise
            raise RunFailed(
                "the Prefect server does not answer; what was finished is kept",
                hint="storyreel doctor shows whether it answers again",
                next=request.command(),
            ) from error
    path = f"runs/flow-run/{rendering.flow_run}"
    if pages:
        return rendering, f"run: {pages}/{path}"
    return rendering, f"run: storyreel ui, then open {pages_url(default_port())}/{path}"


def _examine_ffmpeg() -> None:
    """Find the ffmpeg of the run by asking programs for their abilities; the result is kept for the run."""
    from storyreel.tasks.media.binary import find_ffmpeg
    from storyreel.tasks.media.errors import MediaError

    with suppress(MediaError, SettingsError):  # The run finds it again, and raises it.
        find_ffmpeg()


async def _flow(request: RunRequest, plan: Plan, console: Terminal) -> Rendering:
    """The film. Says on the console what may be missing in Prefect's record of its run, if anything."""
    from storyreel.flows.lifecycle.late_record import record_late_ends
    from storyreel.flows.lifecycle.outcome import outcome_of
    from storyreel.flows.production.agreement import agreed_keys
    from storyreel.flows.render import render_storyboard
    from storyreel.flows.servers.availability import watch_server
    from storyreel.tasks.home import Home

    async with watch_server(on_wait=partial(console.print, soft_wrap=True)) as server:
        await record_late_ends(Home.of())
        made = ""
        try:
            rendering: Rendering = await outcome_of(
                lambda: render_storyboard(
                    str(request.storyboard),
                    request.provider,
                    request.vars or None,
                    list(request.selection) or None,
                    request.budget.exactly if request.budget else None,
                    str(request.out) if request.out else None,
                    agreed=agreed_keys(plan),
                    draft=request.draft,
                    deliverables=list(request.deliverables) or None,
                )
            )
            made = "; the film itself is complete"
        finally:
            if server.remark:
                console.print(f"{server.remark}{made}", soft_wrap=True)
        return rendering
