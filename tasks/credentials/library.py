"""c2pa-python, which `storyreel[credentials]` installs: found when it is needed, and its errors in our words.

Read on 2026-11-29 in c2pa-python 0.38.1, which has c2pa-rs 0.91.3 in it: wheels for Linux, macOS and Windows, under MIT
or Apache 2.0.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from storyreel.specs.errors import StoryreelError

REMEDY = "pip install 'storyreel[credentials]'"
_PACKAGE = "c2pa"


class CredentialsError(StoryreelError):
    """Content Credentials cannot be written or read."""


def is_installed() -> bool:
    """Whether c2pa-python is installed. Does not load it."""
    return importlib.util.find_spec(_PACKAGE) is not None


def library() -> Any:
    """The module `c2pa`. Raises CredentialsError if it is not installed, or does not run on this machine."""
    if not is_installed():
        raise CredentialsError("Content Credentials need c2pa-python, which is not installed", next=REMEDY)
    try:
        return importlib.import_module(_PACKAGE)
    except (ImportError, OSError, RuntimeError) as error:  # its own library is missing, or made for other systems
        raise CredentialsError(f"c2pa-python does not run on this machine: {error}", next=REMEDY) from error


def context(anchors: str = "") -> Any:
    """The settings of one use: `anchors` are certificates of known issuers, PEM. Asks nothing of the network."""
    c2pa = library()
    return c2pa.Context(
        c2pa.Settings.from_dict(
            {
                "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
                "trust": {"user_anchors": anchors} if anchors else {},
                "builder": {
                    "thumbnail": {"enabled": False},
                    # Said by Storyreel itself; what is in no such list counts as gathered from elsewhere.
                    "created_assertion_labels": ["c2pa.actions", "c2pa.actions.v2", "cawg.metadata"],
                },
            }
        )
    )


OF_TAKE = "storyreel.take"
"""In the metadata of an ingredient, what no standard field has a place for: shots, service, key."""
