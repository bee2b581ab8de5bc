"""The storyboard that `storyreel init` writes."""

from __future__ import annotations

from pathlib import Path

from storyreel.specs.problems.problem import Position, Problem, StoryboardError

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


def write_starter(folder: Path) -> Path:
    """Write `storyboard.yaml`, and its schema for editors, into a folder; gives the storyboard's path.

    Raises StoryboardError when there is one already: it is somebody's work.
    """
    from storyreel.specs.schema import PUBLISHED

    storyboard = folder / "storyboard.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with storyboard.open("x", encoding="utf-8") as file:
            file.write(_STARTER)
        (folder / PUBLISHED.name).write_bytes(PUBLISHED.read_bytes())
    except FileExistsError as error:
        raise _cannot(storyboard, "is there already, and is left as it is", "storyreel init ANOTHER_FOLDER") from error
    except OSError as error:
        raise _cannot(storyboard, f"cannot be written: {error.strerror}", "choose another folder") from error
    return storyboard


def _cannot(path: Path, what: str, fix: str) -> StoryboardError:
    return StoryboardError([Problem(Position(str(path), 1, 1), what, fix)])
