"""The command line: exit codes, messages, what is printed where."""

from __future__ import annotations

import inspect
import json
import os
import platform
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import av
import psutil
import pytest

from storyreel.flows.commands.app import app, function_of
from storyreel.flows.commands.main import COMMANDS
from storyreel.tasks.ledger.ledger import Ledger, Order
from tests.flows.conftest import Command
from tests.flows.staging import STORYREEL

HELLO = """\
storyboard: 1
title: Hello
shots:
  - {shot: 1A, action: A paper boat sets sail., duration: 12f}
  - {shot: 1B, action: It meets the sea., duration: 12f, transition: {type: dissolve, duration: 4f}}
"""


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    file = tmp_path / "hello.yaml"
    file.write_text(HELLO)
    return file


def test_the_version_is_told_with_those_of_prefect_and_python(storyreel: Command) -> None:
    told = storyreel("--version")
    own = f"storyreel {version('storyreel')} (Prefect {version('prefect')}, Python {platform.python_version()})"
    assert (told.returncode, told.stdout, told.stderr) == (0, f"{own}\n", "")


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_says_what_an_option_takes_and_not_its_type_in_python(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    app([*([name] if name else []), "--help"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "--help" in shown
    assert not re.search(r"<(bool|str|int|float|path|Path)\b|[{}]|\b(BOOLEAN|INTEGER|PATH)\b", shown), shown


def test_the_help_lists_each_command_by_the_first_paragraph_of_its_own() -> None:
    docs = {name: (inspect.getdoc(function_of(name)) or "").partition("\n\n")[0] for name in COMMANDS}
    assert {name: " ".join(doc.split()) for name, doc in docs.items()} == {
        name: listed.summary for name, listed in COMMANDS.items()
    }


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("storyreel re", ["reconcile", "render", "retake", "review"]),
        ("storyreel ledger --by ", ["film", "month", "scene", "service"]),
        ("storyreel plan --provider a", ["aimlapi", "animatic", "apiyi"]),
        ("storyreel ledger --service da", ["dashscope"]),
        ("storyreel plan fi", []),
        ("storyreel explain hello.yaml 1", ["1A", "1A@still", "1B"]),
        ("storyreel review hello.yaml --approve 1A@", ["1A@still"]),
        ("storyreel plan hello.yaml --select 1A,sti", ["1A,stills"]),
        ("storyreel plan none.yaml --select s", []),
    ],
)
def test_a_shell_completes_commands_values_services_and_slates(
    storyreel: Command, hello: Path, typed: str, offered: list[str]
) -> None:
    """As the script of bash asks; where nothing is offered, the shell offers files."""
    hello.write_text(HELLO.replace("1A,", "1A, still: true,"))
    asked = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_STORYREEL_COMPLETE": "complete_bash"}
    assert sorted(storyreel(**asked).stdout.split()) == offered


def test_a_shell_is_given_the_script_of_its_completion(tmp_path: Path, fresh_environment: dict[str, str]) -> None:
    # The shell is the one that has begun the command. The tests may have none above them, as when begun by nohup.
    installing = [shutil.which("bash") or "bash", "-c", '"$0" --install-completion; exit $?', STORYREEL]
    installed = subprocess.run(installing, cwd=tmp_path, env=fresh_environment, timeout=240, check=False)
    script = Path(fresh_environment["HOME"]) / ".bash_completions" / "storyreel.sh"
    assert installed.returncode == 0 and "complete -o default -F _storyreel_completion storyreel" in script.read_text()


def test_a_valid_storyboard_is_confirmed_with_its_length(cold_storyreel: Command, hello: Path) -> None:
    done = cold_storyreel("validate", "hello.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Hello: 2 shots, 00:00:00:24 at 30 fps; nothing is wrong.\n"


def test_all_problems_are_printed_at_once_with_their_places(storyreel: Command, hello: Path) -> None:
    hello.write_text(HELLO.replace("duration: 12f}", "duraton: 12f, continues: 1Z}"))
    done = storyreel("render", "hello.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    first, second, count, last = done.stderr.strip().splitlines()
    assert first.startswith("hello.yaml:4:") and "did you mean `duration`?" in first
    assert second.startswith("hello.yaml:4:") and "1Z" in second
    assert (count, last) == ("2 problems, nothing was made", "next: storyreel validate hello.yaml")


def test_a_server_that_does_not_answer_is_no_bug(storyreel: Command, hello: Path) -> None:
    done = storyreel("render", "hello.yaml", PREFECT_API_URL="http://127.0.0.1:9/away/api")
    assert done.returncode == 1
    assert "http://127.0.0.1:9/away, which PREFECT_API_URL names, does not answer: " in done.stderr
    assert done.stderr.endswith("next: unset PREFECT_API_URL, and storyreel ui starts one here\n")


def test_an_address_without_its_end_is_told(storyreel: Command, hello: Path, standing_server: str) -> None:
    done = storyreel("render", "hello.yaml", PREFECT_API_URL=standing_server.removesuffix("/api"))
    assert done.returncode == 1
    assert "404 Not Found" in done.stderr and "the address of Prefect's API ends in /api\n" in done.stderr


@pytest.mark.parametrize(
    ("profiles", "variables", "told"),
    [
        ("active = ", {}, ["Invalid value", "; correct ", "profiles.toml"]),
        pytest.param(
            'active = "a"\n[profiles.a]\nPREFECT_API_REQUEST_TIMEOUT = "x"',
            {},
            ["request_timeout: Input should be"],
            marks=pytest.mark.matrix,
        ),
        (None, {"PREFECT_LOGGING_LEVEL": "LOUD"}, ["level: Input should be", "variables, which begin with PREFECT_"]),
    ],
)
def test_settings_of_prefect_that_it_cannot_read_are_told(
    cold_storyreel: Command, hello: Path, tmp_path: Path, profiles: str | None, variables: dict[str, str],
    told: list[str],
) -> None:  # fmt: skip
    if profiles is not None:
        (tmp_path / "prefect").mkdir()
        (tmp_path / "prefect" / "profiles.toml").write_text(profiles)
    done = cold_storyreel("render", "hello.yaml", PREFECT_HOME=str(tmp_path / "prefect"), **variables)
    assert done.returncode == 2, done.stderr
    assert all(words in done.stderr for words in ("Prefect's settings cannot be read: ", *told)), done.stderr
    assert "Traceback" not in done.stderr and "bug" not in done.stderr


def test_a_named_server_of_this_machine_that_does_not_run_is_started_by_the_next_command(
    storyreel: Command, hello: Path
) -> None:
    done = storyreel("render", "hello.yaml", PREFECT_API_URL="http://localhost:9/api")
    assert done.returncode == 1
    assert "http://localhost:9 does not run, and PREFECT_API_URL names it" in done.stderr
    assert "to render without it: unset PREFECT_API_URL" in done.stderr
    assert done.stderr.endswith("next: storyreel ui\n")


@pytest.mark.parametrize(
    "arguments",
    [("plan",), ("render", "hello.yaml", "--out"), ("plan", "hello.yaml", "--set", "weather"), ("shoot", "hello.yaml")],
)
def test_a_wrong_command_line_ends_with_2(storyreel: Command, hello: Path, arguments: tuple[str, ...]) -> None:
    done = storyreel(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", [("plan", "hello.yaml"), ("render", "hello.yaml"), ("ledger",), ("doctor",)])
def test_a_wrong_variable_ends_with_2_before_anything_is_made(
    storyreel: Command, hello: Path, command: tuple[str, ...]
) -> None:
    done = storyreel(*command, STORYREEL_POLL_SECONDS="3s")
    assert done.returncode == 2
    wrong = "STORYREEL_POLL_SECONDS must be a number of seconds greater than 0, and is '3s'"
    assert done.stderr == f"storyreel: {wrong}; for example STORYREEL_POLL_SECONDS=3\n"


def test_a_missing_file_says_how_to_begin(storyreel: Command) -> None:
    done = storyreel("plan", "nowhere.yaml")
    assert done.returncode == 2
    assert "nowhere.yaml:1:1: there is no such file" in done.stderr
    assert "storyreel init" in done.stderr and "next: " not in done.stderr


def test_a_mistyped_file_is_found_by_its_name(storyreel: Command, hello: Path) -> None:
    told = storyreel("plan", "helo.yml").stderr.splitlines()
    assert told == ["helo.yml:1:1: there is no such file (did you mean `hello.yaml`?)", "1 problem, nothing was made"]


def test_what_only_a_plan_finds_wrong_is_shown_again_by_the_next_command(storyreel: Command, hello: Path) -> None:
    """`validate` reads the language alone: to be sent there would be to be told that nothing is wrong."""
    hello.write_text(HELLO.replace("duration: 12f}", "duration: 12f, model: wan9}"))
    first = storyreel("render", "hello.yaml", "--provider", "dashscope", "--select", "1A")
    assert first.returncode == 2 and "has no model `wan9`" in first.stderr
    command = first.stderr.splitlines()[-1].removeprefix("next: storyreel ").split()
    assert command == ["plan", "hello.yaml", "--provider", "dashscope", "--select", "1A"]
    again = storyreel(*command)
    assert (again.returncode, again.stderr) == (2, first.stderr)


def test_a_plan_is_shown_and_leaves_nothing_behind(
    cold_storyreel: Command, hello: Path, fresh_environment: dict[str, str]
) -> None:
    shown, raw = cold_storyreel("plan", "hello.yaml"), cold_storyreel("plan", "hello.yaml", "--json")
    assert "2 to make" in shown.stdout and "free" in shown.stdout
    assert [shot["state"] for shot in json.loads(raw.stdout)["shots"]] == ["new", "new"]
    assert not list(Path(fresh_environment["HOME"]).iterdir()), "a plan is a look"


def test_init_writes_a_storyboard_that_is_good_and_never_overwrites_one(storyreel: Command, tmp_path: Path) -> None:
    assert storyreel("init", "film").returncode == 0
    assert storyreel("validate", "film/storyboard.yaml").returncode == 0
    before = (tmp_path / "film" / "storyboard.yaml").read_text()
    again = storyreel("init", "film")
    assert again.returncode == 2
    assert "is not changed" in again.stderr
    assert (tmp_path / "film" / "storyboard.yaml").read_text() == before


def test_letters_without_a_font_are_told_by_validate_and_plan(storyreel: Command, tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text("storyboard: 1\ntitle: Old\nshots: [{shot: 1, action: 𒀀}]\n", "utf-8")
    shown, raw = storyreel("validate", "film.yaml"), json.loads(storyreel("validate", "film.yaml", "--json").stdout)
    told = "no font here has 1 letter of 1: 𒀀; they are drawn as empty boxes"
    assert shown.returncode == 0 and told in shown.stdout
    assert told in raw["warnings"][0]
    assert told in json.loads(storyreel("plan", "film.yaml", "--json").stdout)["warnings"][0]


def test_the_schema_is_printed_for_editors(storyreel: Command) -> None:
    schema = json.loads(storyreel("schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "shots" in schema["properties"]


def test_a_word_of_the_storyboard_is_changed_on_the_command_line(storyreel: Command, tmp_path: Path) -> None:
    film = 'storyboard: 1\ntitle: ${place}\nvars: {place: Lyon}\nshots: [{shot: 1A, action: "Rain over ${place}."}]\n'
    (tmp_path / "film.yaml").write_text(film)
    assert json.loads(storyreel("plan", "film.yaml", "--set", "place=Oslo", "--json").stdout)["title"] == "Oslo"


def test_a_damaged_ledger_ends_with_1_and_a_hint_to_restore_it(storyreel: Command, hello: Path, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    damaged = tmp_path / "state" / "ledger.sqlite"
    damaged.write_text("this is no database, and it is long enough to be looked at")
    for command in (("plan", "hello.yaml"), ("ledger",)):
        done = storyreel(*command, STORYREEL_HOME=str(tmp_path / "state"))
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert f"the ledger {damaged} is damaged" in done.stderr
        assert f"; restore {damaged} from a backup" in done.stderr
    assert not (tmp_path / "state" / "faults").exists(), "it is no fault of ours"


def test_an_unforeseen_error_is_one_line_and_its_traceback_is_kept(
    storyreel: Command, hello: Path, tmp_path: Path
) -> None:
    state = {"STORYREEL_HOME": str(tmp_path / "state")}
    Ledger(f"sqlite:///{tmp_path / 'state' / 'ledger.sqlite'}").close()
    key = json.loads(storyreel("plan", "hello.yaml", "--json", **state).stdout)["shots"][0]["key"]
    order = Order(key=key, provider="animatic", model="animatic", request="{}", film="Hello", slate="1A", take=1)
    with closing(Ledger(f"sqlite:///{tmp_path / 'state' / 'ledger.sqlite'}")) as ledger:
        ledger.intend(order)
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite")) as raw, raw:
        raw.execute("update purchases set state = 'a state that nobody wrote'")
    done = storyreel("plan", "hello.yaml", **state)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (report,) = (tmp_path / "state" / "faults").iterdir()
    assert str(report) in done.stderr
    assert "Traceback" in report.read_text()


def test_a_fresh_machine_renders_beside_other_folders_called_flows_and_tasks(
    cold_storyreel: Command, hello: Path, tmp_path: Path, fresh_environment: dict[str, str]
) -> None:
    for name in ("flows", "tasks", "specs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('a folder of the user's own')")
    done = cold_storyreel("render", "hello.yaml", "--json", "--out", "out")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert set(made) == {
        "sequence", "frames", "fps", "seconds", "shots", "spent", "spent_at_least", "unpriced", "flow_run",
        "storyboard", "version", "play", "price_warnings", "draft", "stills",
    }  # fmt: skip
    assert set(made["shots"][0]) == {"shot", "take", "key", "clip", "cached", "cost"}
    with av.open(made["sequence"]) as film:
        assert sum(1 for _ in film.decode(video=0)) == made["frames"] == 24
    assert "1A take 1: done" in done.stderr, "without a terminal, plain lines"
    assert not (tmp_path / "renders").exists()
    _assert_prefect_kept_everything(Path(fresh_environment["HOME"]), made["flow_run"])


def _assert_prefect_kept_everything(home: Path, flow_run: str) -> None:
    with sqlite3.connect(home / ".prefect" / "prefect.db") as database:
        states = dict(database.execute("select name, state_name from task_run").fetchall())
        runs = database.execute("select id, state_name from flow_run").fetchall()
    assert runs == [(flow_run, "Completed")]
    assert states == dict.fromkeys(
        ("1A take 1", "1B take 1", "conform 1A", "conform 1B", "dissolve 1A to 1B", "assemble"), "Completed"
    )


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_before_it_begins_says_so(
    hello: Path, tmp_path: Path, fresh_environment: dict[str, str], stop: signal.Signals
) -> None:
    command = [Path(sys.executable).with_name("storyreel"), "render", "hello.yaml"]
    run = subprocess.Popen(command, cwd=tmp_path, env=fresh_environment, stderr=subprocess.PIPE, text=True)
    assert run.stderr and "to make" in run.stderr.readline()
    run.send_signal(stop)
    told = run.stderr.read()
    assert run.wait(30) == 130
    assert "stopped; what was finished is kept" in told and "Traceback" not in told


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_ends_its_children_and_leaves_nothing_half_written(
    hello: Path, tmp_path: Path, fresh_environment: dict[str, str], stop: signal.Signals
) -> None:
    shots = "".join(f"  - {{shot: S{n}, action: Slowly {n}., duration: 10s}}\n" for n in range(12))
    hello.write_text(f"storyboard: 1\ntitle: Long\nformat: {{resolution: 1080p}}\nshots:\n{shots}")
    command = [Path(sys.executable).with_name("storyreel"), "render", "hello.yaml", "--out", "out"]
    run = subprocess.Popen(
        command, cwd=tmp_path, env=fresh_environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert run.stderr
    begun = next(line for line in run.stderr if "generating" in line)
    assert begun
    children = psutil.Process(run.pid).children(recursive=True)
    if stop is signal.SIGINT:
        os.killpg(run.pid, stop)  # a terminal's Ctrl-C goes to everything in the foreground
    else:
        run.terminate()
    told = run.stderr.read()
    assert run.wait(30) == 130
    assert "what was finished is kept" in told
    assert "Traceback" not in told
    deadline = time.monotonic() + 5
    while any(child.is_running() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [child for child in children if child.is_running()]
    state = Path(fresh_environment["HOME"]) / ".storyreel"
    assert not list((state / "clips" / "arriving").iterdir())
    assert not (tmp_path / "out" / "sequence.mp4").exists()
    for clip in (state / "clips").glob("??/*.mp4"):
        with av.open(str(clip)) as whole:
            assert sum(1 for _ in whole.demux(video=0)) >= 300
