"""What tells of a user's money is readable for that user alone, or for the group that a folder is shared with."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from storyreel.tasks.home import Home
from storyreel.tasks.ledger.ledger import Ledger
from storyreel.tasks.storage.answers import keep_answer
from storyreel.tasks.storage.clips import ClipStore, Receipt

pytestmark = pytest.mark.skipif("os.name == 'nt'")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def others(root: Path) -> dict[str, str]:
    """The modes of those files in a folder that others than the user may use in any way."""
    return {str(path.relative_to(root)): oct(mode(path)) for path in root.rglob("*") if mode(path) & 0o077}


def opened(root: Path) -> None:
    ledger = Home.of({"STORYREEL_HOME": str(root)}).ledger()
    ledger.renew_leases()
    assert [path.name for path in root.iterdir() if path.suffix != ".sqlite"], "the files beside the database are there"
    assert others(root) == {}
    ledger.close()


def test_a_new_home_and_its_ledger_are_the_users_alone(tmp_path: Path) -> None:
    opened(tmp_path / "some" / ".storyreel")
    assert mode(tmp_path / "some" / ".storyreel") == 0o700
    assert mode(tmp_path / "some" / ".storyreel" / "ledger.sqlite") == 0o600


def test_an_older_home_is_tightened(tmp_path: Path) -> None:
    root = tmp_path / ".storyreel"
    root.mkdir()
    Ledger(f"sqlite:///{root / 'ledger.sqlite'}").close()
    root.chmod(0o755)
    (root / "ledger.sqlite").chmod(0o644)
    opened(root)
    assert mode(root) == 0o700


def test_a_folder_that_the_user_chose_keeps_its_rights_and_hides_the_files(tmp_path: Path) -> None:
    root = tmp_path / "films"
    root.mkdir(mode=0o755)
    root.chmod(0o755)
    opened(root)
    assert mode(root) == 0o755


def test_in_a_folder_that_its_group_shares_the_group_reads_and_writes_and_nobody_else(tmp_path: Path) -> None:
    root = tmp_path / "team"
    root.mkdir()
    root.chmod(0o2775)
    ledger = Home.of({"STORYREEL_HOME": str(root)}).ledger()
    ledger.close()
    assert mode(root) == 0o2775
    assert mode(root / "ledger.sqlite") == 0o660
    path = keep_answer(root / "answers", "k" * 64, b"{}")
    assert path is not None and mode(path) == 0o660 and mode(path.parent) == 0o770


def test_a_receipt_is_the_users_alone(tmp_path: Path) -> None:
    (arrived := tmp_path / "take.mp4").write_bytes(b"frames")
    ClipStore(tmp_path / "clips").keep(arrived, Receipt(key="k" * 64, task="t"))
    (receipt,) = (tmp_path / "clips").rglob("*.json")
    assert mode(receipt) == 0o600
