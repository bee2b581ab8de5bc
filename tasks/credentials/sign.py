"""Writes a signed copy of a film, with its credentials in it."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import Any

from storyreel.specs.errors import StoryreelError
from storyreel.specs.frozen import Frozen
from storyreel.tasks.credentials.certificate import Certificate
from storyreel.tasks.credentials.claim import ClaimedTake, FilmClaim
from storyreel.tasks.credentials.library import CredentialsError, context, library
from storyreel.tasks.settings import CERTIFICATE, TIMESTAMP_URL

_VERSION = 1
"""Part of the identity; increased when something else is said of the same takes."""


class Signing(Frozen):
    """The claim about a film, and the certificate that signs it."""

    claim: FilmClaim
    certificate: Certificate

    @property
    def identity(self) -> tuple[object, ...]:
        """All that the credentials state but the time. Signatures cannot be compared: no two have the same bytes."""
        takes = [take.model_dump(mode="json", exclude={"file"}) for take in self.claim.takes]
        claim = self.claim.model_dump(mode="json", exclude={"takes"})
        return _VERSION, claim, takes, self.certificate.chain, self.certificate.timestamps

    def write(self, film: Path, into: Path) -> None:
        """Write a signed copy of a film, whose signature is checked.

        A take whose file has credentials brings them along. Raises CredentialsError, SettingsError for the key, and
        OSError.
        """
        c2pa = library()
        try:
            with c2pa.Builder(self.claim.definition(), context=context()) as builder:
                for take in self.claim.takes:
                    _add(builder, take)
                with self._signer() as signer:
                    builder.sign_file(film, into, signer)
        except c2pa.C2paError as error:
            if isinstance(error.__cause__, OSError):  # a full disk, for instance
                raise error.__cause__ from error
            raise self._not_signed(error) from error

    def _signer(self) -> Any:
        c2pa, certificate = library(), self.certificate
        info = c2pa.C2paSignerInfo(
            certificate.algorithm, certificate.chain.encode(), certificate.key(), certificate.timestamps or None
        )
        return c2pa.Signer.from_info(info)

    def _not_signed(self, error: Exception) -> StoryreelError:
        named = f"{CERTIFICATE} and {TIMESTAMP_URL}" if self.certificate.timestamps else CERTIFICATE
        message = f"the film cannot be signed: {str(error).splitlines()[0]}"
        return CredentialsError(message, hint=f"check {named}; everything that was made is kept")


def try_certificate(certificate: Certificate) -> None:
    """Return if films can be signed with a certificate, by signing a small picture.

    Raises CredentialsError, and SettingsError for the key.
    """
    from PIL import Image

    c2pa, picture = library(), io.BytesIO()
    Image.new("L", (8, 8)).save(picture, "JPEG")
    picture.seek(0)
    signing = Signing(claim=FilmClaim(title="a small picture", takes=()), certificate=certificate)
    try:
        with c2pa.Builder(signing.claim.definition(), context=context()) as builder, signing._signer() as signer:
            builder.sign(signer, "image/jpeg", picture, io.BytesIO())
    except c2pa.C2paError as error:
        raise signing._not_signed(error) from error


def _add(builder: Any, take: ClaimedTake) -> None:
    """Add a take as an ingredient, with the credentials that its file has, unless they cannot be read."""
    c2pa = library()
    with suppress(c2pa.C2paError, OSError), take.file.open("rb") as file:
        builder.add_ingredient(take.as_ingredient(), take.form, file)
        return
    # An unknown type is not looked into.
    builder.add_ingredient(take.as_ingredient(), "application/octet-stream", io.BytesIO())
