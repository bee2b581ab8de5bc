"""A command says the same in any encoding and width of the output, and ends as it does elsewhere."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storyreel.flows.commands.options import print_json
from storyreel.flows.commands.screen.tables import print_plan
from storyreel.flows.output import make_output_plain
from storyreel.flows.planning.checks.budget import BudgetedPlan
from storyreel.flows.planning.planner import Planner
from storyreel.flows.planning.run_request import RunRequest
from storyreel.flows.terminal import Terminal
from storyreel.tasks.home import Home

ENCODINGS = ("cp1252", "gbk", "cp437", "ascii", "utf-8")


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


def written(output: io.TextIOWrapper) -> str:
    output.flush()
    buffer = output.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(output.encoding)


@given(st.text(), st.sampled_from(ENCODINGS))
def test_every_text_can_be_printed_in_every_encoding(text: str, encoding: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream(encoding))
        make_output_plain()
        Terminal().print(f"✓ {text}", soft_wrap=True)
        told = written(sys.stdout)
    assert told.startswith("✓ " if encoding == "utf-8" else "+ ")


@given(st.text(), st.sampled_from(ENCODINGS))
def test_json_says_the_same_in_every_encoding(text: str, encoding: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream(encoding))
        make_output_plain()
        print_json({"title": f"✓ {text}"})
        told = json.loads(written(sys.stdout))
        patch.setattr(sys, "stdout", stream("utf-8"))
        make_output_plain()
        print_json({"title": f"✓ {text}"})
        assert told == json.loads(written(sys.stdout))


FILM = """storyboard: 1
title: 守灯人
defaults: {duration: 2s}
shots:
  - {shot: 1A, action: Rain., takes: 2}
  - {shot: 1B, action: Rain., provider: dashscope, duration: 3s, review: required}
"""


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_plan_keeps_its_values_and_the_names_of_its_columns_at_any_width(
    tmp_path: Path, width: int, encoding: str
) -> None:
    (tmp_path / "film.yaml").write_text(FILM, encoding="utf-8")
    home = Home(root=tmp_path, ledger_url=f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    plan = Planner.of(RunRequest(storyboard=tmp_path / "film.yaml"), home).plan()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream(encoding))
        make_output_plain()
        console = Terminal(width=width)
        print_plan(console, BudgetedPlan(plan, ()))
        text = written(sys.stdout)
    words = " ".join(text.split())
    for word in ("1A take 1", "1A take 2", "1B take 1", "cut", "made", "price", "state", "why", "from", "dashscope"):
        assert word in words
    table = text.split("2 shots, ")[0]
    assert all(len(line.rstrip()) <= max(width, 42) for line in table.splitlines())


class Counted(tuple[Any, ...]):
    """Takes that count how often all of them are gone through."""

    passes = 0

    def __iter__(self) -> Iterator[Any]:
        Counted.passes += 1
        return super().__iter__()


def test_a_plan_of_more_scenes_is_gone_through_as_often(tmp_path: Path) -> None:
    home = Home(root=tmp_path, ledger_url=f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    passes = []
    for number in (2, 40):
        scenes = "".join(f"  - {{scene: {n}, shots: [{{shot: S{n}, action: Rain.}}]}}\n" for n in range(number))
        head = "storyboard: 1\ntitle: T\ndefaults: {provider: dashscope, duration: 3s}\nscenes:\n"
        (tmp_path / "film.yaml").write_text(head + scenes)
        plan = Planner.of(RunRequest(storyboard=tmp_path / "film.yaml"), home).plan()
        Counted.passes = 0
        counted = plan.model_copy(update={"takes": Counted(plan.takes)})
        print_plan(Terminal(file=io.StringIO()), BudgetedPlan(counted, ()))
        passes.append(Counted.passes)
    assert passes[0] == passes[1] > 0
