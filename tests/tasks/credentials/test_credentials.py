"""What a file says of itself holds: written here, it is read by the library of those who wrote the standard; a change
of the file is found, and who signs is told as it is."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storyreel.tasks.credentials import certificate as certificates
from storyreel.tasks.credentials import library
from storyreel.tasks.credentials.certificate import Certificate, certificate_of, issuers_in, known_issuers, signing_note
from storyreel.tasks.credentials.claim import ClaimedTake, FilmClaim
from storyreel.tasks.credentials.library import CredentialsError
from storyreel.tasks.credentials.read import _told, read_credentials
from storyreel.tasks.credentials.sign import Signing, try_certificate
from storyreel.tasks.settings import SettingsError
from storyreel.testing.footage import footage, still


@pytest.fixture
def here(tmp_path: Path) -> dict[str, str]:
    """An environment with a home of its own."""
    return {"STORYREEL_HOME": str(tmp_path / "home")}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    file = tmp_path / "film.mp4"
    file.write_bytes(footage(1, 640, 360, "film"))
    return file


def take(file: Path, name: str = "1A take 1", **more: Any) -> ClaimedTake:
    facts = {"digest": "d", "kind": "clip", "shots": ("1A",), "service": "apiyi", "model": "wan2.7", "key": "k"}
    return ClaimedTake.model_validate({"name": name, "file": file, "is_generated": True, **facts, **more})


def signed(film: Path, certificate: Certificate, *takes: ClaimedTake, name: str = "signed.mp4", **more: Any) -> Path:
    claim = FilmClaim(title="The Keeper", takes=takes, **more)
    Signing(claim=claim, certificate=certificate).write(film, film.with_name(name))
    return film.with_name(name)


def read_by_others(file: Path) -> dict[str, Any]:
    """The active manifest, as the library reads it without any of our settings."""
    with c2pa.Reader(file) as reader:
        store = json.loads(reader.json())
    found: dict[str, Any] = store["manifests"][store["active_manifest"]]
    return found


def test_a_film_says_which_model_made_what_and_others_read_it(film: Path, tmp_path: Path, here: dict[str, str]) -> None:
    picture = tmp_path / "still.png"
    picture.write_bytes(still(64, 36, "still"))
    made = signed(
        film,
        certificate_of(here),
        take(film, made="2026-11-28T10:00:00Z", prompt="She climbs."),
        take(film, "1B take 1", is_generated=False, service="animatic", model="animatic"),
        take(picture, "1A@still take 1", kind="still", is_seen=False),
        author="Ana Film",
        edits=("cut and joined",),
    )
    manifest = read_by_others(made)
    (actions,) = (one["data"]["actions"] for one in manifest["assertions"] if one["label"] == "c2pa.actions.v2")
    kinds = [(one["action"], one.get("digitalSourceType", "").rpartition("/")[2]) for one in actions]
    assert kinds == [
        ("c2pa.created", "compositeSynthetic"), ("c2pa.placed", "trainedAlgorithmicMedia"),
        ("c2pa.placed", "digitalCreation"), ("c2pa.edited", ""),
    ]  # fmt: skip
    assert [(one["title"], one["relationship"]) for one in manifest["ingredients"]] == [
        ("1A take 1", "componentOf"), ("1B take 1", "componentOf"), ("1A@still take 1", "inputTo"),
    ]  # fmt: skip
    assert actions[1]["softwareAgent"] == {"name": "wan2.7"}
    assert manifest["ingredients"][0]["metadata"]["dateTime"] == "2026-11-28T10:00:00Z"
    assert len(actions[1]["parameters"]["ingredients"]) == 1 and len(actions[0]["parameters"]["ingredients"]) == 1
    found = read_credentials(made, known_issuers(here))
    assert (found.state, found.author, found.title, found.problems) == ("valid", "Ana Film", "The Keeper", ())
    assert [(one.name, one.service, one.prompt, one.source) for one in found.takes] == [
        ("1A take 1", "apiyi", "She climbs.", "trainedAlgorithmicMedia"),
        ("1B take 1", "animatic", "", "digitalCreation"),
        ("1A@still take 1", "apiyi", "", "trainedAlgorithmicMedia"),
    ]


def test_any_change_of_the_file_is_found(film: Path, here: dict[str, str]) -> None:
    made = signed(film, certificate_of(here), take(film))
    content, issuers = made.read_bytes(), known_issuers(here)
    assert read_credentials(made, issuers).state == "valid"
    places = {
        "the picture": content.find(b"mdat") + 1000, "the index": content.find(b"stsz") + 20,
        "what is said": content.find(b"apiyi") + 1, "how it is stored": content.find(b"jumd"),
    }  # fmt: skip
    for what, at in places.items():
        made.write_bytes(content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :])
        found = read_credentials(made, issuers)
        assert found.state == "tampered" and found.problems, what
    made.write_bytes(content + b"\0\0\0\x10mdat01234567")
    assert read_credentials(made, issuers).state == "tampered"


def test_a_clips_own_manifest_is_kept_and_told_also_when_the_clip_was_changed(
    film: Path, tmp_path: Path, here: dict[str, str]
) -> None:
    certificate = certificate_of(here)
    of_service = signed(film, certificate, take(film), name="clip.mp4")
    content = of_service.read_bytes()
    changed, broken = tmp_path / "changed.mp4", tmp_path / "broken.mp4"
    at, stored = content.find(b"mdat") + 1000, content.find(b"jumb") + 8
    changed.write_bytes(content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :])
    broken.write_bytes(content[:stored] + bytes(100) + content[stored + 100 :])
    named = (
        take(of_service, "1A take 1"),
        take(changed, "1B take 1"),
        take(broken, "1C take 1"),
        take(film, "2A take 1"),
    )
    found = read_credentials(signed(film, certificate, *named), known_issuers(here))
    assert found.state == "valid"
    assert [(one.own.partition(" ")[0], one.own_is_intact) for one in found.takes] == [
        ("Storyreel", True), ("Storyreel", False), ("", None), ("", None),
    ]  # fmt: skip


_PLACED = {"action": "c2pa.placed", "softwareAgent": {"name": "wan"}, "parameters": {"ingredients": [{"url": "b"}]}}
_INGREDIENT = {
    "title": "1A", "label": "b", "active_manifest": "a", "metadata": {"storyreel.take": {"shots": ["1A"]}},
    "validation_results": {"activeManifest": {"failure": [{"code": "c"}]}},
}  # fmt: skip
_MANIFEST = {
    "claim_generator_info": [{"name": "S", "version": "1"}], "title": "T", "signature_info": {"common_name": "Ana"},
    "assertions": [
        {"label": "c2pa.actions.v2", "data": {"actions": [{"action": "c2pa.created", "when": "now"}, _PLACED]}},
        {"label": "cawg.metadata", "data": {"dc:creator": ["Ana"]}},
    ],
    "ingredients": [_INGREDIENT],
}  # fmt: skip
_REPORT = {
    "active_manifest": "a", "validation_state": "Trusted", "validation_results": {"activeManifest": {"failure": []}},
    "manifests": {"a": _MANIFEST},
}  # fmt: skip
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_stranger_writes_into_a_manifest_is_read_without_a_fault(data: st.DataObject) -> None:
    """Any part of a report may be anything."""

    def changed(value: Any) -> Any:
        if data.draw(st.integers(0, 12)) == 12:
            return data.draw(_ANYTHING)
        if isinstance(value, dict):
            return {key: changed(inner) for key, inner in value.items()}
        return [changed(inner) for inner in value] if isinstance(value, list) else value

    report = changed(_REPORT)
    found = _told(Path("film.mp4"), report)
    is_trusted = isinstance(report, dict) and report.get("validation_state") == "Trusted"
    assert (found.state == "valid") is is_trusted
    json.dumps(found.as_json())


@pytest.mark.parametrize(
    ("place", "is_intact"),
    [
        ({"validation_status": [{"code": "claimSignature.mismatch"}]}, False),
        ({"validation_status": [{"code": "timeStamp.mismatch"}, {"code": "cawg.x509.credential.untrusted"}]}, True),
        ({"validation_results": {"activeManifest": {"failure": [{"code": "assertion.bmffHash.mismatch"}]}}}, False),
        ({}, True),
    ],
)
def test_a_take_that_was_changed_is_told_wherever_its_credentials_say_so(
    place: dict[str, Any], is_intact: bool
) -> None:
    """Forms of credentials as the samples of c2pa-python have them: made by versions from 0.12 on."""
    ingredient = {"title": "a.mp4", "label": "c2pa.ingredient.v2", "active_manifest": "b", **place}
    report = {
        "active_manifest": "a",
        "validation_state": "Valid",
        "manifests": {"a": {"ingredients": [ingredient]}, "b": {"title": "b"}},
    }
    (found,) = _told(Path("film.mp4"), report).takes
    assert (found.own, found.own_is_intact) == ("an unnamed program", is_intact)
    uri = "self#jumbf=/c2pa/a/c2pa.assertions/c2pa.ingredient.v2"
    failure = {"failure": [{"code": "claimSignature.mismatch"}]}
    report["validation_results"] = {"ingredientDeltas": [{"ingredientAssertionURI": uri, "validationDeltas": failure}]}
    (found,) = _told(Path("film.mp4"), report).takes
    assert found.own_is_intact is False


def test_credentials_of_people_whom_nobody_knows_are_no_change_of_the_file() -> None:
    codes = ("signingCredential.untrusted", "cawg.x509.credential.untrusted", "signingCredential.expired")
    report = {
        "validation_state": "Invalid",
        "validation_results": {"activeManifest": {"failure": [{"code": code} for code in codes]}},
    }
    assert _told(Path("film.mp4"), report).state == "unknown_signer"


def test_credentials_that_are_kept_elsewhere_are_not_fetched_and_told(film: Path, here: dict[str, str]) -> None:
    signing, elsewhere = (
        Signing(claim=FilmClaim(title="T", takes=()), certificate=certificate_of(here)),
        "http://a.example/m",
    )
    with c2pa.Builder(signing.claim.definition(), context=library.context()) as builder, signing._signer() as signer:
        builder.set_no_embed()
        builder.set_remote_url(elsewhere)
        builder.sign_file(film, film.with_name("elsewhere.mp4"), signer)
    found = read_credentials(film.with_name("elsewhere.mp4"))
    assert (found.state, found.problems) == ("none", (f"its credentials are at {elsewhere}; nothing is fetched",))
    kept = read_credentials(signed(film, certificate_of(here), take(film.with_name("elsewhere.mp4"))))
    assert [(one.own, one.own_is_intact) for one in kept.takes] == [(elsewhere, None)]


def test_files_without_credentials_are_told_from_files_that_are_none(film: Path, tmp_path: Path) -> None:
    assert read_credentials(film).state == "none"
    assert read_credentials(film).as_json()["takes"] == []
    (tmp_path / "text.txt").write_text("words")
    (tmp_path / "half.mp4").write_bytes(b"words")
    for name, said in {
        "text.txt": "kind",
        "half.mp4": "no whole",
        "nothing.mp4": "no such file",
        ".": "directory",
    }.items():
        with pytest.raises(CredentialsError, match=said):
            read_credentials(tmp_path / name)


def test_the_self_made_certificate_is_one_for_a_home_private_and_known_there_alone(
    film: Path, tmp_path: Path, here: dict[str, str]
) -> None:
    with ThreadPoolExecutor(4) as several:
        made = set(several.map(lambda _: certificate_of(here), range(4)))
    assert len({one.chain for one in made}) == 1 and all(one.is_self_made for one in made)
    file = tmp_path / "home" / "credentials.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and list(file.parent.iterdir()) == [file]
    result = signed(film, made.pop(), take(film))
    assert read_credentials(result, known_issuers(here)).state == "valid"
    assert (
        read_credentials(result, known_issuers({"STORYREEL_HOME": str(tmp_path / "other")})).state == "unknown_signer"
    )
    assert not (tmp_path / "other").exists(), "to look makes nothing"
    assert "self-made" in signing_note(here)
    file.write_text("no key")
    with pytest.raises(CredentialsError, match="remove it"):
        certificate_of(here)


def owned(folder: Path, key: Any, *, curve_of_issuer: Any = None) -> dict[str, str]:
    """The variables for a certificate of a user with this key, made as the self-made one is."""
    parts = certificates._make()
    chain = x509.load_pem_x509_certificates(parts.encode())
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    issuer = _again(chain[1], issuer_key.public_key(), issuer_key)
    leaf = _again(chain[0], key.public_key(), issuer_key)
    folder.mkdir(exist_ok=True)
    (folder / "cert.pem").write_bytes(b"".join(one.public_bytes(form.Encoding.PEM) for one in (leaf, issuer)))
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return {"STORYREEL_CERTIFICATE": str(folder / "cert.pem"), "STORYREEL_CERTIFICATE_KEY": str(folder / "key.pem")}


def _again(like: x509.Certificate, key: Any, issuer: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    made = x509.CertificateBuilder(like.issuer, like.subject, key, like.serial_number, like.not_valid_before_utc,
                                   like.not_valid_after_utc)  # fmt: skip
    for extension in like.extensions:
        value: Any = extension.value
        if isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(key)
        if isinstance(value, x509.AuthorityKeyIdentifier):
            value = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
        made = made.add_extension(value, extension.critical)
    return made.sign(issuer, hashes.SHA256())


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "RSA", "Ed25519"])
def test_every_kind_of_key_that_c2pa_takes_signs(film: Path, tmp_path: Path, here: dict[str, str], kind: str) -> None:
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    key: Any = ec.generate_private_key(curves[kind]) if kind in curves else (
        rsa.generate_private_key(65537, 2048) if kind == "RSA" else ed25519.Ed25519PrivateKey.generate()
    )  # fmt: skip
    environment = here | owned(tmp_path / "own", key)
    certificate = certificate_of(environment)
    assert signing_note(environment) == "" and not certificate.is_self_made
    result = signed(film, certificate, take(film))
    assert read_credentials(result, known_issuers(environment)).state == "valid"
    assert read_credentials(result, issuers_in(tmp_path / "own" / "cert.pem")).state == "valid"
    assert not (tmp_path / "home").exists()


def test_a_certificate_that_cannot_sign_is_refused_before_anything_is_made(
    tmp_path: Path, here: dict[str, str]
) -> None:
    own = here | owned(tmp_path / "own", ec.generate_private_key(ec.SECP256R1()))
    cert, key = tmp_path / "own" / "cert.pem", tmp_path / "own" / "key.pem"
    content = cert.read_bytes(), key.read_bytes()
    try_certificate(certificate_of(own))

    def refused(environment: dict[str, str]) -> str:
        with pytest.raises(SettingsError) as caught:
            certificate_of(environment)
        assert caught.value.hint and caught.value.message in signing_note(environment), "a plan says it, too"
        return str(caught.value)

    assert "STORYREEL_CERTIFICATE_KEY is not" in refused({**own, "STORYREEL_CERTIFICATE_KEY": ""})
    key.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))  # fmt: skip
    assert "is not that of the first certificate" in refused(own)
    key.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"secret")))  # fmt: skip
    assert "passphrase" in refused(own)
    key.write_bytes(ec.generate_private_key(ec.SECP256K1()).private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))  # fmt: skip
    cert.write_bytes(content[0])
    assert refused(own)
    key.write_text("words")
    assert "no private key" in refused(own)
    key.unlink()
    assert "cannot be read" in refused(own)
    key.write_bytes(content[1])
    cert.write_text("words")
    assert "no certificate" in refused(own)
    # One that is for other uses passes all of these, and is refused by the library.
    issuer = content[0].split(b"-----BEGIN")[2]
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    wrong = _again(x509.load_pem_x509_certificate(b"-----BEGIN" + issuer), issuer_key.public_key(), issuer_key)
    cert.write_bytes(wrong.public_bytes(form.Encoding.PEM))
    key.write_bytes(issuer_key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    with pytest.raises(CredentialsError, match="cannot be signed"):
        try_certificate(certificate_of(own))


def test_an_authority_that_gives_no_timestamp_is_told_before_anything_is_made(
    tmp_path: Path, here: dict[str, str]
) -> None:
    own = here | owned(tmp_path / "own", ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(CredentialsError, match="STORYREEL_TIMESTAMP_URL"):
        try_certificate(certificate_of({**own, "STORYREEL_TIMESTAMP_URL": "http://127.0.0.1:9/"}))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux that is always full")
def test_a_full_disk_is_told_as_one(film: Path, here: dict[str, str]) -> None:
    signing = Signing(claim=FilmClaim(title="T", takes=(take(film),)), certificate=certificate_of(here))
    with pytest.raises(OSError, match="No space left"):
        signing.write(film, Path("/dev/full"))


def test_what_is_said_and_who_says_it_are_its_identity_and_not_where_the_takes_are(
    film: Path, tmp_path: Path, here: dict[str, str]
) -> None:
    certificate, other = certificate_of(here), certificate_of({"STORYREEL_HOME": str(tmp_path / "other")})

    def identity(file: Path, by: Certificate = certificate, **more: Any) -> object:
        return Signing(claim=FilmClaim(title="T", takes=(take(file, **more),)), certificate=by).identity

    assert identity(film) == identity(tmp_path / "moved.mp4")
    different = [identity(film), identity(film, other), identity(film, made="2026-11-28T10:00:00Z"),
                 identity(film, prompt="p"), identity(film, digest="e")]  # fmt: skip
    assert len(set(map(repr, different))) == len(different)


def test_without_the_library_the_command_that_installs_it_is_told(
    film: Path, here: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_PACKAGE", "c2pa_that_is_not_installed")
    for refused in (lambda: certificate_of(here), lambda: read_credentials(film)):
        with pytest.raises(CredentialsError) as caught:
            refused()
        assert caught.value.next == "pip install 'storyreel[credentials]'"
    assert "not installed" in signing_note(here)
