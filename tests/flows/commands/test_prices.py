"""`storyreel prices`: what is used, what has moved, and a file that changes only when its user agrees."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from storyreel.flows.commands.app import app
from storyreel.flows.commands.exit_codes import exit_code
from storyreel.flows.services import price_refresh
from storyreel.tasks.prices.price_list import PriceList
from storyreel.testing.faults import Answer, Call, Page, Reset, Silence, Trouble
from tests.services.aimlapi import Aimlapi
from tests.services.aimlapi_models import ListedModel, by_resolution, per_unit

Told = Callable[..., subprocess.CompletedProcess[str]]

T2V, R2V, WAN = "alibaba/wan-2-7-t2v", "alibaba/wan-2-7-r2v", "wan2.7-r2v"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STORYREEL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def aimlapi(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aimlapi]:
    emulator = Aimlapi()
    with emulator.served() as base_url:
        monkeypatch.setenv("AIMLAPI_BASE_URL", base_url)
        yield emulator


@pytest.fixture
def prices(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setenv("COLUMNS", "250")

    def run(*arguments: str, command: str = "prices") -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        code = exit_code(lambda: app([command, *arguments]), sys.stderr)
        told = capsys.readouterr()
        return subprocess.CompletedProcess([command, *arguments], code, told.out, told.err)

    return run


def lists(emulator: Aimlapi, **models: Any) -> None:
    """Have the service list these prices from now on, by the mode of the model."""
    listed = tuple(ListedModel(f"alibaba/wan-2-7-{mode}", pricing) for mode, pricing in models.items())
    emulator.doubts = type(emulator.doubts)(catalogue=listed)


def test_the_list_has_days_and_sources_and_says_what_is_unknown(prices: Told, home: Path) -> None:
    told = prices()
    assert told.returncode == 0, told.stderr
    for words in ("0.13 USD / s", "2026-11-21", "APIYI's overview of Wan", "unknown", "in Beijing", "reckoned from"):
        assert words in told.stdout
    assert f"would be in {home / 'prices.yaml'}" in told.stdout and not home.exists()
    (dashscope,) = json.loads(prices("--json", "--service", "dashscope").stdout)["services"]
    assert (dashscope["region"], dashscope["host"]) == ("Beijing", "dashscope.aliyuncs.com")
    (rate,) = (
        price["rate"] for price in dashscope["prices"] if (price["models"][0], price["resolution"]) == (WAN, "720p")
    )
    assert (rate["price"], rate["as_of"]) == ({"amount": "0.6", "currency": "CNY"}, "2026-11-21")
    wrong = prices("--service", "aimlap")
    assert wrong.returncode == 2 and "there is no service" in wrong.stderr


def test_the_price_of_one_of_two_sizes_may_be_unknown(prices: Told) -> None:
    (aimlapi,) = json.loads(prices("--json", "--service", "aimlapi").stdout)["services"]
    known = {(price["models"][0], price["resolution"]): price["rate"] is not None for price in aimlapi["prices"]}
    assert known == {(R2V, "1080p"): True, (R2V, "720p"): False, ("alibaba/wan-2-7-i2v", None): False}


def test_a_refresh_shows_what_moved_and_writes_it_only_if_the_user_agrees(
    aimlapi: Aimlapi, prices: Told, home: Path
) -> None:
    file = home / "prices.yaml"
    lists(aimlapi, t2v=by_resolution(p720="0.1"), r2v=by_resolution(p1080="0.15"), i2v=per_unit("second", 0.2, 1))
    shown = prices("--refresh")
    assert shown.returncode == 2 and "nothing was written" in shown.stderr and "--yes" in shown.stderr
    assert "+15.4 %" in shown.stdout and f"+    model: {T2V}" in shown.stdout and not file.exists()
    written = prices("--refresh", "--yes")
    assert written.returncode == 0 and f"3 prices written to {file}." in written.stdout, written.stderr
    (row,) = (line for line in prices("--service", "aimlapi").stdout.splitlines() if T2V in line and "720p" in line)
    assert "0.10 USD / s" in row and "/v1/models (yours)" in row
    again = prices("--refresh", "--yes")
    assert again.returncode == 0 and again.stdout.endswith("No published price differs from those that are used.\n")
    assert not aimlapi.accepted and all("authorization" not in sent.headers for sent in aimlapi.requests)


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_the_user_is_asked(
    aimlapi: Aimlapi, prices: Told, home: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("storyreel.flows.commands.options.can_ask", lambda console: True)
    monkeypatch.setattr("sys.stdin", StringIO(f"{answer}\n"))
    told = prices("--refresh")
    assert f"Write this to {home / 'prices.yaml'}?" in told.stderr
    assert (home / "prices.yaml").exists() == (answer == "y") and told.returncode == (0 if answer == "y" else 2)


def test_no_other_command_asks_for_prices_or_writes_the_file(aimlapi: Aimlapi, prices: Told, home: Path) -> None:
    film = (
        "storyboard: 1\ntitle: One\ndefaults: {provider: aimlapi, duration: 5s}\nshots: [{shot: 1A, action: Rain.}]\n"
    )
    Path("film.yaml").write_text(film)
    before = json.loads(prices("film.yaml", "--json", command="plan").stdout)["shots"]
    assert before[0]["price"] is None
    for command in ((), ("--json",)):
        assert prices(*command).returncode == 0
    assert prices(command="providers").returncode == 0
    assert aimlapi.requests == [] and not (home / "prices.yaml").exists()
    assert prices("--refresh", "--yes").returncode == 0
    (shot,) = json.loads(prices("film.yaml", "--json", command="plan").stdout)["shots"]
    assert shot["price"] == {"amount": "0.45", "currency": "USD"}, "the file in the home is used without a variable"


def test_other_entries_and_comments_of_the_file_stay(
    aimlapi: Aimlapi, prices: Told, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "# ours\nprices: 1\nrates:\n  # by contract\n"
        "  - {service: freepik, seconds: 5, price: 0.9, currency: USD}  # 5 s\n"
        "regions:\n  dashscope: {Singapore: [proxy.example]}\n"
    )
    file = Path("own.yaml")
    file.write_text(text)
    file.chmod(0o640)
    Path("link.yaml").symlink_to(file)
    monkeypatch.setenv("STORYREEL_PRICES", "link.yaml")
    lists(aimlapi, t2v=by_resolution(p720="0.1"))
    assert prices("--refresh", "--yes").returncode == 0
    after = file.read_text()
    begin, added, end = after.partition("  - service: aimlapi\n")
    assert added and begin + end[end.index("regions:") :] == text
    assert Path("link.yaml").is_symlink() and stat.S_IMODE(file.stat().st_mode) == 0o640
    lists(aimlapi, t2v=by_resolution(p720="0.25"))
    told = json.loads(prices("--refresh", "--yes", "--json").stdout)
    assert told["written"] and [move["published"]["price"]["amount"] for move in told["moves"]] == ["0.25"]
    assert file.read_text() == after.replace("per_second: 0.1\n", "per_second: 0.25\n")


def test_a_price_of_your_own_is_told_beside_the_published_one_and_kept(
    aimlapi: Aimlapi, prices: Told, home: Path
) -> None:
    home.mkdir()
    text = "prices: 1\nrates: [{service: aimlapi, per_second: 0.05, currency: USD, source: our contract}]\n"
    (home / "prices.yaml").write_text(text)
    told = prices("--refresh", "--yes")
    assert told.returncode == 0 and "kept: your own, from our contract" in told.stdout
    assert (home / "prices.yaml").read_text() == text


@pytest.mark.parametrize("trouble", [Answer(503), Page(), Reset(), Silence(), Answer(200, {"data": {}})], ids=str)
def test_a_service_that_does_not_answer_loses_nothing(
    aimlapi: Aimlapi, prices: Told, home: Path, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prices("--refresh", "--yes").returncode == 0
    before, listed = (home / "prices.yaml").read_bytes(), prices().stdout
    monkeypatch.setattr(price_refresh, "_ANSWER_SECONDS", 0.5)
    aimlapi.fault(Call.PRICES, trouble)
    told = prices("--refresh", "--yes")
    assert told.returncode == 1 and "stays" in told.stderr and "Traceback" not in told.stderr
    assert (home / "prices.yaml").read_bytes() == before and prices().stdout == listed


def test_a_model_that_is_not_listed_any_more_keeps_its_price(aimlapi: Aimlapi, prices: Told, home: Path) -> None:
    assert prices("--refresh", "--yes").returncode == 0
    before = (home / "prices.yaml").read_bytes()
    lists(aimlapi, t2v=per_unit("token", 1, 1000))
    told = prices("--refresh", "--yes")
    assert told.returncode == 0 and (home / "prices.yaml").read_bytes() == before
    assert f"aimlapi {T2V}: the list has no price of a second" in told.stdout
    assert f"aimlapi {R2V}: the list does not have it" in told.stdout


def test_the_video_of_a_model_whose_terms_are_unknown_is_assumed_to_be_billed(
    aimlapi: Aimlapi, prices: Told, home: Path
) -> None:
    models = ("wan3.0-video", "happyhorse-1.1", "happyhorse-1-0", "wan-2-7-r2v")
    listed = tuple(ListedModel(f"alibaba/{name}", by_resolution(p720="0.1")) for name in models)
    aimlapi.doubts = type(aimlapi.doubts)(catalogue=listed)
    assert prices("--refresh", "--yes").returncode == 0
    used = PriceList.read()
    terms = {name: used.rates("aimlapi", f"alibaba/{name}")[0] for name in models}
    assert [(terms[name].input_video, terms[name].input_seconds) for name in models] == [
        ("assumed", 15), (None, 0), ("assumed", 15), ("billed", 5),
    ]  # fmt: skip
    assert all(used.own_rates("aimlapi", f"alibaba/{name}") for name in models)


def test_a_file_with_mistakes_is_not_touched_and_told_whole(aimlapi: Aimlapi, prices: Told, home: Path) -> None:
    home.mkdir()
    (home / "prices.yaml").write_text("prices: 1\nrates: [{service: nobody}]\n")
    told = prices("--refresh", "--yes")
    assert told.returncode == 2 and "there is no such service" in told.stderr
    assert (home / "prices.yaml").read_text() == "prices: 1\nrates: [{service: nobody}]\n" and aimlapi.requests == []


def test_a_folder_in_the_way_of_the_file_is_told(prices: Told, home: Path) -> None:
    (home / "prices.yaml").mkdir(parents=True)
    for arguments in ((), ("--refresh", "--yes")):
        told = prices(*arguments)
        assert told.returncode == 2 and "this is a folder (it is read for your own prices" in told.stderr


def test_a_file_that_cannot_be_written_is_told(aimlapi: Aimlapi, prices: Told, home: Path) -> None:
    home.write_text("a file in the way")
    told = prices("--refresh", "--yes")
    assert told.returncode == 2 and "Traceback" not in told.stderr and str(home / "prices.yaml") in told.stderr


def test_a_named_file_is_made_by_a_refresh_and_missed_by_all_else(
    aimlapi: Aimlapi, prices: Told, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORYREEL_PRICES", str(Path("deep", "own.yaml")))
    assert prices().returncode == 2
    assert prices("--refresh", "--yes").returncode == 0
    assert prices().returncode == 0 and Path("deep/own.yaml").is_file()
