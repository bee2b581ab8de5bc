"""A shot that names several services is cast with all of them."""

from __future__ import annotations

from pathlib import Path

from storyreel.flows.services.catalogue import loadable_providers
from storyreel.flows.services.compatibility import check_compatibility
from storyreel.specs.reading import read

FILM = """
storyboard: 1
title: Several
defaults: {providers: [dashscope, freepik], duration: 3s}
shots:
  - {shot: 1A, action: Rain.}
  - {shot: 1B, action: Fog., provider: apiyi}
  - {shot: 1C, action: Sun., first_frame: "https://x.example/a.png", last_frame: "https://x.example/b.png"}
"""


def test_every_service_that_a_shot_names_is_its_choice(tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text(FILM)
    auditions = check_compatibility(read(tmp_path / "film.yaml"), loadable_providers(), {})
    chosen = {
        slate: {each.provider for each in auditions if each.shot == slate and each.chosen} for slate in ("1A", "1B")
    }
    assert chosen == {"1A": {"dashscope", "freepik"}, "1B": {"apiyi"}}
    refused = {each.provider for each in auditions if each.shot == "1C" and each.obstacles}
    assert refused == {"aimlapi", "apiyi"}
