"""A shot of which a part is used: nothing is bought again, whatever part it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.planning.histories import plan_of

FILM = """\
storyboard: 1
title: Recut
format: {{fps: 24}}
defaults: {{duration: 5s, provider: {service}}}
shots:
  - {{shot: 1A, action: She climbs.{first}}}
  - {{shot: 1B, action: She waits., continues: 1A{second}}}
"""


@pytest.mark.parametrize("service", ["dashscope", "animatic"])
def test_a_part_of_a_take_is_used_without_another_take(tmp_path: Path, service: str) -> None:
    whole = plan_of(tmp_path, FILM.format(service=service, first="", second=""))
    parts = {"first": ", use: {from: 12f, length: 2s}", "second": ", use: {length: 30f}"}
    recut = plan_of(tmp_path, FILM.format(service=service, **parts))
    assert [take.key for take in recut.takes] == [take.key for take in whole.takes]
    assert [take.request.seconds for take in recut.takes] == [take.request.seconds for take in whole.takes]
    first, second = recut.takes
    assert (first.edit.first, first.edit.frames, second.edit.first, second.edit.frames) == (12, 48, 0, 30)
    assert (recut.cut.frames, whole.cut.frames) == (78, 240)
