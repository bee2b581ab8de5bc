"""The commands for a new film: `init` writes a small storyboard, `schema` prints the schema of the language."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from storyreel.flows.terminal import Terminal, styled
from storyreel.specs.problems.phrases import reason
from storyreel.specs.problems.problem import StoryboardError

_STARTER = """\
# yaml-language-server: $schema=./storyboard.schema.json
storyboard: 1
title: First Light

look: {prompt: "35mm film, soft morning light, muted colours", avoid: "text, watermark"}

cast:
  ana:
    name: Ana
    description: baker in her thirties, flour on her sleeves, hair tied up
    # references: [ana.png]         # pictures of her, beside this file

locations:
  bakery:
    name: the bakery
    description: small bakery before dawn, one lamp over the oven

defaults: {location: bakery, cast: [ana], duration: 4s}

shots:
  - shot: 1A
    action: The street is dark; one window glows. Snow falls past the lamp.
    cast: []
    size: wide
    camera: push in
    transition: {type: fade, duration: 1s}

  - shot: 1B
    action: Ana pulls the first loaves out of the oven and breathes in.
    size: medium
    dialogue:
      - {ana: "Good morning, everybody."}

  - shot: 1C
    action: The shop bell rings. She looks up and smiles.
    size: close up
    duration: 3s
    transition: dissolve

ending: {type: fade, duration: 1s}
"""


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to write to; created if it does not exist.")] = Path(),
) -> None:
    """Write a small storyboard that can be rendered as it is, and the schema for editors."""
    written = write_starter(folder)
    command = f"storyreel render {shlex.quote(str(written))}"
    Terminal().print(styled("Wrote ", (str(written), "bold"), f". Next:\n\n  {command}"))


def schema() -> None:
    """Print the JSON Schema of the storyboard language, for editors."""
    from storyreel.specs.schema import text

    print(text(), end="")  # noqa: T201


def write_starter(folder: Path) -> Path:
    """Write `storyboard.yaml` and its schema into a folder; returns its path. Raises StoryboardError."""
    from storyreel.specs.schema import PUBLISHED

    storyboard = folder / "storyboard.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with storyboard.open("x", encoding="utf-8") as file:
            file.write(_STARTER)
        (folder / PUBLISHED.name).write_bytes(PUBLISHED.read_bytes())
    except FileExistsError as error:
        raise StoryboardError.in_file(
            storyboard, "the file exists already, and is not changed", "name another folder: `storyreel init FOLDER`"
        ) from error
    except OSError as error:
        raise StoryboardError.in_file(
            storyboard, f"the file cannot be written: {reason(error)}", "choose another folder"
        ) from error
    return storyboard
