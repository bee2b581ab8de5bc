"""The command that wishes for another take: what is written, what is told, and what the plan makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer

from storyreel.flows.commands.editing import retake as retaking
from storyreel.flows.commands.exit_codes import exit_code
from storyreel.flows.planning.history import History
from storyreel.flows.planning.model import Plan
from storyreel.flows.planning.plan import make_plan
from storyreel.specs.reading import read
from storyreel.tasks.ledger.ledger import Order, Purchase, State
from storyreel.tasks.ledger.owner import this_process

FILM = """\
storyboard: 1     # the language
title: Two Rooms
defaults: {duration: 2s}

shots:
  # The baker comes home.
  - shot: 1A
    action: Ana enters.   # quietly
    takes: 2
    circled: 1
  - {shot: 1B, action: She sits., continues: 1A}
  - shot: 1C
    action: Rain.
  - {shot: 1D, action: It stops., continues: 1B}
"""

STILLS = """\
storyboard: 1
title: Two Rooms
defaults: {duration: 2s, provider: animatic, stills: {takes: 2}}
cast:
  ana: {description: a baker, sheet: true}
locations:
  oven: {description: a brick oven}
shots:
  - {shot: 1A, action: Ana enters., cast: [ana], still: true, last_still: The door is shut.}
  - {shot: 1B, action: She sits., continues: 1A, mode: image-to-video}
  - shot: 1C
    action: Bread.
    location: oven
    still:   # the oven
      prompt: The oven glows.  # red
      circled: 1
  - {shot: 1D, action: She eats., cast: [ana]}
"""

NOTHING = History(purchases=lambda _: {}, holds=lambda _: False)
Retake = Callable[..., tuple[int, str, str]]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("film.yaml").write_text(FILM)
    return Path("film.yaml")


@pytest.fixture
def retake(file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Retake:
    """The command on the film: exit code, output, messages."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(retaking.retake)

    def run(*arguments: str, of: str = "film.yaml") -> tuple[int, str, str]:
        messages = StringIO()
        monkeypatch.setattr(sys, "argv", ["storyreel", of, *arguments])
        code = exit_code(app, messages)
        said = capsys.readouterr()
        return code, said.out, said.err + messages.getvalue()

    return run


def test_the_wish_is_told_line_by_line_with_what_to_do_next(retake: Retake, file: Path) -> None:
    assert retake("1C") == (
        0,
        "film.yaml:14: takes: 2, new\nfilm.yaml:15: circled: 2, new\nnext: storyreel plan film.yaml\n",
        "",
    )
    assert file.read_text() == FILM.replace("action: Rain.\n", "action: Rain.\n    takes: 2\n    circled: 2\n")


def test_shots_that_would_be_made_anew_are_named(retake: Retake) -> None:
    _, told, _ = retake("1A", "--takes", "2")
    assert told.splitlines() == [
        "film.yaml:9: takes: 4, before: 2",
        "film.yaml:10: circled: 4, before: 1",
        "`1B` and `1D` continue from its last frame, which changes, and will be made again too.",
        "next: storyreel plan film.yaml",
    ]


def test_a_circle_that_is_kept_makes_nothing_anew(retake: Retake, file: Path) -> None:
    _, told, _ = retake("1A", "--keep-circled")
    assert told == "film.yaml:9: takes: 3, before: 2\nnext: storyreel plan film.yaml\n"
    assert file.read_text() == FILM.replace("takes: 2", "takes: 3")


def test_a_take_is_chosen_and_chosen_again_without_writing(retake: Retake, file: Path) -> None:
    _, told, _ = retake("1A", "--circle", "2")
    assert "film.yaml:10: circled: 2, before: 1\n" in told
    written = file.stat()
    assert retake("1A", "--circle", "2") == (0, "Shot 1A says this already; nothing was written.\n", "")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def test_another_action_takes_the_circle_away_and_says_which_take_counts(retake: Retake, file: Path) -> None:
    _, told, _ = retake("1A", "--action", "Ana leaves: for good.")
    assert told.splitlines() == [
        'film.yaml:8: action: "Ana leaves: for good.", before: Ana enters.',
        "film.yaml:10: circled: 1 is removed",
        "No take of 1A is circled: the last of its 2 will be in the cut.",
        "`1B` and `1D` continue from its last frame, which changes, and will be made again too.",
        "next: storyreel plan film.yaml",
    ]
    assert file.read_text() == FILM.replace("Ana enters.", '"Ana leaves: for good."').replace("    circled: 1\n", "")


def test_of_an_edit_what_is_made_of_it_is_named_and_not_what_is_made_of_a_take_that_stays(
    retake: Retake, file: Path
) -> None:
    file.write_text(
        "storyboard: 1\ntitle: T\ndefaults: {provider: dashscope}\nshots:\n"
        "  - {shot: 1A, action: Rain., edit: {instruction: Dusk}}\n"
        "  - {shot: 1B, action: Sun., continues: 1A}\n"
        "  - {shot: 1C, action: Sun., edit: {of: 1A, take: 1, instruction: Night}}\n"
        "  - {shot: 1D, action: Sun., edit: {of: 1A, take: 2, instruction: Night}}\n"
    )
    _, told, _ = retake("1A")
    assert "`1B` is made of it, directly or through others, and will be made again too." in told
    _, told, _ = retake("1A", "--action", "Dawn")
    assert "`1B` and `1D` are made of it" in told and "No take of 1A is circled: its last edit" in told


def test_json_tells_the_same(retake: Retake) -> None:
    code, told, _ = retake("1A", "--json")
    assert code == 0
    assert json.loads(told) == {
        "storyboard": "film.yaml",
        "shot": "1A",
        "takes": 3,
        "circled": 3,
        "changes": [
            {"key": "takes", "before": "2", "after": "3", "line": 9},
            {"key": "circled", "before": "1", "after": "3", "line": 10},
        ],
        "made_anew": ["1B", "1D"],
    }


def test_words_of_the_command_line_count_and_are_passed_on(retake: Retake, file: Path) -> None:
    file.write_text(FILM.replace("title:", "vars: {n: 2}\ntitle:").replace("takes: 2", "takes: ${n}"))
    _, told, _ = retake("1A", "--set", "n=5")
    assert "film.yaml:10: takes: 6, before: ${n}\n" in told
    assert told.endswith("next: storyreel plan film.yaml --set n=5\n")


@pytest.mark.parametrize(
    ("arguments", "told", "before", "after"),
    [
        (
            ("1C@still",),
            ["16: takes: 3, new", "17: circled: 3, before: 1", "`1C` is made of it"],
            "still:   # the oven\n      prompt: The oven glows.  # red\n      circled: 1\n",
            "still:   # the oven\n      prompt: The oven glows.  # red\n      takes: 3\n      circled: 3\n",
        ),
        (
            ("1A@still",),
            ["9: still: {takes: 3, circled: 3}, before: true", "`1A` and `1B` are made of it"],
            "still: true",
            "still: {takes: 3, circled: 3}",
        ),
        (
            ("1A@last-still", "--action", "The door, open."),
            ["9: last_still: \"The door, open.\", before: The door is shut.",
             "No take of 1A@last-still is circled: the last of its 2 will be used.", "`1A` and `1B` are made of it"],
            "last_still: The door is shut.",
            'last_still: "The door, open."',
        ),
        (
            ("ana@sheet", "--takes", "1"),
            ["5: sheet: {takes: 3, circled: 3}, before: true",
             "`1A@still`, `1A@last-still`, `1A`, `1B` and `1D` are made of it"],
            "sheet: true",
            "sheet: {takes: 3, circled: 3}",
        ),
        (("1C@still", "--keep-circled"), ["16: takes: 3, new"], "# red\n", "# red\n      takes: 3\n"),
        (
            ("1A", "--action", "Ana leaves."),
            ["9: action: Ana leaves., before: Ana enters.", "`1A@still` shows its action, and will be made again too.",
             "`1B` continues from its last frame, which changes,"],
            "Ana enters.",
            "Ana leaves.",
        ),
        (("1C", "--action", "Cake."), ["12: action: Cake., before: Bread."], "Bread.", "Cake."),
    ],
)  # fmt: skip
def test_a_picture_is_asked_for_again_as_a_shot_is(
    retake: Retake, file: Path, arguments: tuple[str, ...], told: list[str], before: str, after: str
) -> None:
    file.write_text(STILLS)
    code, out, _ = retake(*arguments)
    *lines, last = out.splitlines()
    assert (code, last) == (0, "next: storyreel plan film.yaml")
    for line, expected in zip(lines, told, strict=True):
        assert line.removeprefix("film.yaml:").startswith(expected)
    assert file.read_text() == STILLS.replace(before, after)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("1AA",), "there is no shot `1AA`; did you mean `1A`?"),
        (("1A", "--circle", "2", "--takes", "1"), "only chooses among the takes"),
        (("1A", "--circle", "2", "--action", "x"), "only chooses among the takes"),
        (("1A", "--action", "x", "--keep-circled"), "none to keep"),
        (("1A", "--takes", "0"), "--takes"),
        (("1A", "--takes", "19"), "film.yaml:9:12: shot 1A would have 21 takes, and a shot has at most 20"),
        (("1A", "--circle", "3"), "film.yaml:10:14: take 3 is circled, but there are 2"),
        (("1A", "--action", "{mira} turns."), "film.yaml:8:13: `{mira}` is neither cast nor location"),
    ],
)
def test_a_retake_that_is_not_possible_is_refused_and_nothing_is_written(
    retake: Retake, file: Path, arguments: tuple[str, ...], told: str
) -> None:
    code, out, messages = retake(*arguments)
    assert (code, out) == (2, "")
    assert told in " ".join(messages.replace("│", " ").split())
    assert file.read_text() == FILM


def test_a_storyboard_with_mistakes_is_told_and_left_alone(retake: Retake, file: Path) -> None:
    file.write_text(FILM.replace("action: Rain.", "acton: Rain."))
    code, _, messages = retake("1A")
    assert code == 2
    assert "film.yaml:13:5: unknown key `acton` (did you mean `action`?)" in messages
    assert "acton: Rain." in file.read_text() and "takes: 2" in file.read_text()


def test_the_first_mark_and_the_ends_of_lines_stay(retake: Retake, file: Path) -> None:
    before = b"\xef\xbb\xbf" + FILM.replace("\n", "\r\n").encode()
    file.write_bytes(before)
    assert retake("1A")[0] == 0
    assert file.read_bytes() == before.replace(b"takes: 2", b"takes: 3").replace(b"circled: 1", b"circled: 3")


def test_a_link_still_leads_to_the_film_and_its_mode_stays(retake: Retake, file: Path) -> None:
    Path("shelf").mkdir()
    kept = file.rename("shelf/kept.yaml")
    kept.chmod(0o640)
    file.symlink_to("shelf/kept.yaml")
    assert retake("1A")[0] == 0
    assert file.is_symlink()
    assert "takes: 3" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in Path("shelf").iterdir()] == ["kept.yaml"], "nothing is left beside it"


def test_a_change_by_another_program_at_the_same_moment_is_not_lost(
    retake: Retake, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = FILM.replace("Rain.", "Snow.")
    monkeypatch.setattr(os, "fsync", lambda _: file.write_text(theirs))
    code, _, messages = retake("1A")
    assert code == 2
    assert "another program has just changed the file; it is left as it is (run it again)" in messages
    assert file.read_text() == theirs
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []


def test_a_full_disk_leaves_the_film_whole(retake: Retake, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, messages = retake("1A")
    assert code == 2
    assert "film.yaml:1:1: the file cannot be written: no space left on device" in messages
    assert file.read_text() == FILM
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []


def test_a_film_that_may_not_be_written_to_is_left_alone(
    retake: Retake, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(0o444)
    opened = Path.open

    def as_a_user(path: Path, mode: str = "r", *more: Any, **others: Any) -> Any:
        if mode == "r+b":  # root may do it all the same
            raise PermissionError(13, "Permission denied")
        return opened(path, mode, *more, **others)

    monkeypatch.setattr(Path, "open", as_a_user)
    code, _, messages = retake("1A")
    assert code == 2
    assert "the file cannot be written: permission denied" in messages
    assert file.read_text() == FILM


def past(plan: Plan) -> History:
    """A history in which all takes of a plan are made, and their clips are there."""
    made, now = {take.key for take in plan.takes}, datetime.now(UTC)

    def purchases(wanted: Iterable[str]) -> dict[str, Purchase]:
        return {
            key: Purchase(
                order=Order(key=key, provider="p", model="m", request="{}", film="f", slate="1A", take=1),
                state=State.FINISHED, task="", clip="c", cost=None, reason="", owner=this_process(),
                created=now, changed=now,
            )
            for key in wanted
            if key in made
        }  # fmt: skip

    return History(purchases=purchases, holds=lambda digest: digest == "c")


@pytest.mark.parametrize("provider", ["animatic", "dashscope"])
@pytest.mark.parametrize(
    ("arguments", "new", "in_the_cut"),
    [
        (("1C",), {("1C", 2)}, 2),
        (("1C", "--takes", "3"), {("1C", 2), ("1C", 3), ("1C", 4)}, 4),
        (("1C", "--keep-circled"), {("1C", 2)}, 1),
        (("1A", "--keep-circled"), {("1A", 3)}, 1),
        (("1A",), {("1A", 3), ("1B", 1), ("1D", 1)}, 3),
        (("1A", "--circle", "2"), {("1B", 1), ("1D", 1)}, 2),
        (("1C", "--action", "Snow."), {("1C", 1)}, 1),
    ],
)
def test_only_what_was_wished_for_is_new_in_the_plan(
    retake: Retake, file: Path, provider: str, arguments: tuple[str, ...], new: set[tuple[str, int]], in_the_cut: int
) -> None:
    history = past(make_plan(read(file), NOTHING, provider))
    assert retake(*arguments)[0] == 0
    plan = make_plan(read(file), history, provider)
    assert {(take.shot, take.take) for take in plan.takes if take.state == "new"} == new
    assert {take.state for take in plan.takes} <= {"new", "cached"}
    assert [take.take for take in plan.takes if take.shot == arguments[0] and take.circled] == [in_the_cut]


@pytest.mark.parametrize("slate", ["1A", "1A@still", "1A@last-still", "1C@still", "ana@sheet"])
def test_what_the_command_says_is_made_again_is_what_the_plan_makes_again(
    retake: Retake, file: Path, slate: str
) -> None:
    file.write_text(STILLS)
    history = past(make_plan(read(file), NOTHING))
    made_anew = json.loads(retake(slate, "--json")[1])["made_anew"]
    plan = make_plan(read(file), history)
    assert {take.shot for take in plan.takes if take.state == "new"} == {slate, *made_anew}


def test_wishing_never_imports_prefect(file: Path) -> None:
    look = (
        "import sys; from storyreel.flows.commands.editing.retake import retake\n"
        "from pathlib import Path\n"
        "retake(Path('film.yaml'), '1A')\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'prefect']\n"
    )
    child = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    assert "takes: 3" in file.read_text()
