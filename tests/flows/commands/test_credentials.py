"""`storyreel credentials`: an answer in words and for programs, an exit code for scripts, no orders to the terminal."""

from __future__ import annotations

import json
from pathlib import Path

from storyreel.tasks.credentials.certificate import certificate_of
from storyreel.tasks.credentials.claim import ClaimedTake, FilmClaim
from storyreel.tasks.credentials.sign import Signing
from storyreel.testing.footage import footage
from tests.flows.conftest import Command


def test_a_film_is_told_valid_or_tampered_and_certificates_are_named(
    storyreel: Command, fresh_environment: dict[str, str], tmp_path: Path
) -> None:
    plain, film = tmp_path / "plain.mp4", tmp_path / "film.mp4"
    plain.write_bytes(footage(1, 640, 360, "film"))
    take = ClaimedTake(name="1A take 1", file=plain, digest="d", kind="clip", shots=("1A",), service="apiyi",
                       model="wan\x1b[31m2.7", is_generated=True, key="k", prompt="She climbs.")  # fmt: skip
    home = {"STORYREEL_HOME": str(tmp_path / "signing")}
    Signing(claim=FilmClaim(title="The Keeper", takes=(take,)), certificate=certificate_of(home)).write(plain, film)
    valid = storyreel("credentials", film, **home)
    assert (valid.returncode, valid.stderr) == (0, "")
    assert "film.mp4: valid; the file is as it was signed, with a self-made certificate" in valid.stdout
    assert "1A take 1: She climbs." in valid.stdout and "\x1b" not in valid.stdout
    known = storyreel("credentials", film, "--json", "--trust", tmp_path / "signing" / "credentials.pem")
    told = json.loads(known.stdout)
    assert (told["state"], told["source"], told["takes"][0]["key"]) == ("valid", "trainedAlgorithmicMedia", "k")
    content = film.read_bytes()
    at = content.find(b"mdat") + 500
    film.write_bytes(content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :])
    tampered = storyreel("credentials", film)
    assert tampered.returncode == 1 and "film.mp4: tampered; the file or" in tampered.stdout
    wrong = storyreel("credentials", plain, "--trust", plain)
    assert (wrong.returncode, wrong.stderr) == (1, f"storyreel: {plain} holds no certificate in PEM\n")
