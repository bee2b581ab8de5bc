"""Running the flow from the command line: which server it reports to, how it is shown, how it is stopped."""

from __future__ import annotations

import asyncio
import gc
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rich.console import Console

from storyreel.flows.commands.consent import with_next
from storyreel.flows.commands.progress import shown
from storyreel.flows.errors import Interrupted, RunFailed
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.servers.choose import prepared_server, report_to_server, set_prefect_defaults
from storyreel.flows.servers.local import PORT, pages_url
from storyreel.tasks.ledger.budget import BudgetExceeded

if TYPE_CHECKING:
    from storyreel.flows.production.report import Rendering


def run(sheet: RunRequest, plan: Plan, console: Console) -> tuple[Rendering, str]:
    """Carry out a plan that was agreed to; gives the film, and in words where its run can be looked at.

    Raises RunFailed with the command to run next, BudgetExceeded, and Interrupted when it was stopped.
    """
    # Prefect reads the environment when it is imported.
    set_prefect_defaults()
    with ExitStack() as stack:
        with console.status("starting Prefect"):
            server = stack.enter_context(prepared_server())
            # More than a second of imports, while the server has its own.
            from storyreel.flows.lifecycle.cancellation import Stopped
            from storyreel.flows.production.agreement import NotAgreed
            from storyreel.flows.render import ShotsFailed
            from storyreel.flows.review.model import ReviewNeeded
            from storyreel.tasks.bucket import BucketError
            from storyreel.tasks.media.errors import MediaError
            from storyreel.tasks.progress import listening
            from storyreel.tasks.providers.errors import ProviderError

            # What is imported stays; the collector would look through all of it, and longest at the end.
            gc.freeze()
            ui = stack.enter_context(report_to_server(server))
        try:
            with shown(plan, console) as watcher, listening(watcher):
                made = asyncio.run(_flow(sheet, plan))
        except BudgetExceeded as error:
            raise with_next(error, sheet) from error
        except NotAgreed as error:
            raise RunFailed(f"{error}; nothing was bought", next=sheet.command("plan")) from error
        except ShotsFailed as error:
            if error.is_budget:
                raise BudgetExceeded(error.message, next=sheet.command()) from error
            raise RunFailed(error.message, next=sheet.command()) from error
        except ReviewNeeded as error:
            raise RunFailed(error.message, next=error.next) from error
        except ProviderError as error:
            raise RunFailed(error.message, hint=error.hint, next=error.next or sheet.command()) from error
        except (MediaError, BucketError) as error:
            raise RunFailed(error.message, hint=error.hint, next=sheet.command()) from error
        except Stopped as stopped:
            raise Interrupted(str(stopped), next=sheet.command()) from stopped
        except (KeyboardInterrupt, asyncio.CancelledError) as stopped:
            raise Interrupted("stopped; what was finished is kept", next=sheet.command()) from stopped
    return made, _where(made, ui)


async def _flow(sheet: RunRequest, plan: Plan) -> Rendering:
    from storyreel.flows.production.agreement import agreed_keys
    from storyreel.flows.render import render_storyboard

    return await render_storyboard(
        str(sheet.storyboard),
        sheet.provider,
        sheet.vars or None,
        list(sheet.selection) or None,
        sheet.budget.exactly if sheet.budget else None,
        str(sheet.out) if sheet.out else None,
        agreed=agreed_keys(plan),
    )


def _where(made: Rendering, ui: str) -> str:
    if ui:
        return f"run: {ui}/runs/flow-run/{made.flow_run}"
    return f"run: storyreel ui, then look at {pages_url(PORT)}/runs/flow-run/{made.flow_run}"
