"""The command line `storyreel`: the list of its commands, and the function that runs one.

Nothing is imported here but the standard library: every command waits for the imports of this module.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from io import StringIO
from types import MappingProxyType
from typing import NamedTuple


class Listed(NamedTuple):
    """A command as the help of `storyreel` lists it."""

    module: str
    """Its module in this folder, with a function of its name."""
    summary: str
    """The first paragraph of the function's docstring; a test compares them."""
    only_looks: bool = False
    """Whether it shows something and ends: it works for seconds at most, and starts no program."""


COMMANDS: Mapping[str, Listed] = MappingProxyType(
    {
        "init": Listed(
            "production.init",
            "Write a small storyboard that can be rendered as it is, and the schema for editors.",
            only_looks=True,
        ),
        "validate": Listed(
            "production.plan",
            "Check a storyboard and list everything that is wrong in it. Makes and buys nothing. What a service cannot "
            "make is said by `plan`.",
            only_looks=True,
        ),
        "plan": Listed(
            "production.plan",
            "Show what a render would make and buy, why, and at what price. Makes and buys nothing.",
            only_looks=True,
        ),
        "render": Listed("production.render", "Make the film. Shows the plan and asks before it buys anything."),
        "review": Listed(
            "production.review",
            "Approve takes or ask for retakes. Makes and buys nothing. Without options it shows what waits, and asks.",
        ),
        "retake": Listed(
            "editing.retake",
            "Ask for another take of a shot, still or sheet, by a change in the storyboard. Makes and buys nothing.",
        ),
        "translate": Listed(
            "editing.translate",
            "Show which lines of a film are translated for its subtitles. Makes and buys nothing.",
            only_looks=True,
        ),
        "export": Listed(
            "editing.export",
            "Write the cut for an editing program: shots with all their takes, transitions, sound and marks. Buys "
            "nothing.",
        ),
        "import": Listed(
            "editing.import_cut",
            "Take over an editing program's cut: order, parts of takes, transitions, takes. Shows the change and asks.",
        ),
        "credentials": Listed(
            "credentials",
            "Read the Content Credentials of a film: whether they hold, who signed, which model made what. Changes "
            "nothing.",
            only_looks=True,
        ),
        "explain": Listed(
            "services",
            "Show the request that a shot's service would get, with its headers. Sends nothing and needs no key.",
            only_looks=True,
        ),
        "inspect": Listed(
            "inspect",
            "Show how brightness and colour differ between the shots of each scene, and propose grades. Changes "
            "nothing.",
        ),
        "providers": Listed(
            "services", "Show the services, what each can make and costs, and whether its key is set.", only_looks=True
        ),
        "prices": Listed(
            "prices",
            "Show what the services cost, with days and sources. Buys nothing, and asks no service unless told to.",
            only_looks=True,
        ),
        "ledger": Listed("ledger", "Show purchases: what was ordered, its state and its cost.", only_looks=True),
        "reconcile": Listed(
            "ledger",
            "Settle orders of which it is unknown whether the service accepted them. Orders nothing.",
        ),
        "ui": Listed(
            "ui",
            "Open the page of all runs in the browser. Starts a Prefect server in the background if none is running.",
        ),
        "doctor": Listed(
            "services",
            "Check what is set up on this machine and what is missing, and how to set it up. Never shows a key.",
        ),
        "serve": Listed(
            "deployments.deploy",
            "Render films on this machine, on a schedule or on request, for as long as the command runs. Prints the "
            "log of its runs.",
        ),
        "deploy": Listed(
            "deployments.deploy",
            "Let the workers of a Prefect work pool render films: on a schedule, or whenever a run is started.",
        ),
        "worker": Listed(
            "deployments.worker",
            "Render the runs of a work pool on this machine, as `prefect worker start` does, until Ctrl-C. When it is "
            "stopped, it hands its runs over: another worker continues them at once.",
        ),
        "notify": Listed(
            "deployments.notify",
            "Have people told when a film waits for approval, exceeds its budget, fails or is ready. Alone, "
            "it lists who is told of what.",
        ),
        "webhooks": Listed(
            "services",
            "Receive the callbacks of services, so that a finished clip is downloaded at once. Runs until Ctrl-C.",
        ),
        "player": Listed(
            "services",
            "Play films and takes in browsers, from the links on Prefect's pages. Runs until Ctrl-C.",
        ),
        "schema": Listed(
            "production.init", "Print the JSON Schema of the storyboard language, for editors.", only_looks=True
        ),
    }
)
"""Every command by its name, in the order of the help."""


def main() -> None:
    """Run the command line and end the process with its code."""
    code = run()
    if _only_looks():
        # All is written and closed. Python would free each object that was made, which takes as long as a tenth of a
        # plan, and then the system frees the memory.
        os._exit(code)
    # Python collects once more at its exit, among all that was imported.
    gc.freeze()
    sys.exit(code)


def run() -> int:
    """Run the command line, write all that is printed, and return the exit code."""
    if _only_looks():
        # A short command's objects live until it ends: collecting garbage took a tenth of the time of `plan`.
        gc.disable()
        # pydantic reads the metadata of every installed package to find them.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    else:
        # With Python's threshold of 700 objects, the imports alone begin many collections.
        gc.set_threshold(50_000)
        import signal

        # As Ctrl-C, while the command has no handler of its own: a run that begins or ends is stopped in order too.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    from storyreel.flows.commands.app import app
    from storyreel.flows.commands.exit_codes import FAILED, exit_code
    from storyreel.flows.output import is_all_written, make_output_plain

    make_output_plain()
    code = exit_code(app, sys.stderr or StringIO())  # None where it was closed
    if not is_all_written():
        code = code or FAILED
    return code


def _only_looks() -> bool:
    """Whether the command of this process only looks, or the process prints help alone."""
    # Options of the program, and `--`, may stand before the command.
    command = COMMANDS.get(next((word for word in sys.argv[1:] if not word.startswith("-")), ""))
    return command is None or command.only_looks
