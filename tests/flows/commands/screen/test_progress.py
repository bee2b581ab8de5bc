"""The output of a run while it works: each stage and each new reason to wait, once."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest

from storyreel.flows.commands.screen.progress import show_progress
from storyreel.flows.terminal import Terminal
from storyreel.tasks.progress import StageReport


def shown(*reports: StageReport, takes: int = 1, live: bool = False) -> str:
    plan: Any = SimpleNamespace(
        takes=[SimpleNamespace(shot=f"{n}A", take=1, waits_for=(), is_redrawn=False) for n in range(1, takes + 1)],
        deliverables=(),
    )
    written = StringIO()
    console = Terminal(file=written, width=120, force_terminal=live)
    with show_progress(plan, console) as listener:
        for report in reports:
            listener(report)
    return written.getvalue()


def waits(reason: str, again: int, stage: Any = "waiting", slate: str = "1A") -> StageReport:
    return StageReport(slate=slate, take=1, stage=stage, detail=f"{reason}; again in {again} s", waits_for=reason)


def test_a_wait_is_printed_with_its_reason_once_for_each_reason() -> None:
    told = shown(
        waits("slow down", 30),
        waits("slow down", 60),
        StageReport(slate="1A", take=1, stage="generating", detail="running"),
        waits("bad gateway", 3, "generating"),
        waits("bad gateway", 4, "generating"),
        StageReport(slate="1A", take=1, stage="generating", detail="running"),
    )
    assert told.splitlines() == [
        "1A take 1: waiting: slow down; again in 30 s",
        "1A take 1: generating: running",
        "1A take 1: generating: bad gateway; again in 3 s",
    ]


@pytest.mark.parametrize("takes", [3, 300])
def test_a_take_that_waits_for_a_service_is_among_the_rows_of_a_terminal(takes: int) -> None:
    told = shown(waits("slow down", 30, slate=f"{takes}A"), takes=takes, live=True)
    assert "slow down; again in 30 s" in told
    assert ("1A take 1" in told) == (takes == 3), "of many takes only those that something happens to"
