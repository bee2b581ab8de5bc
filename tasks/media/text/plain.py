"""Whether a text needs more than DejaVu Sans from left to right. Loads neither fonts nor Pillow: most texts do not."""

from __future__ import annotations

import re
import unicodedata

_PLAIN = re.compile(
    r"[ -~\u00A1-\u024F\u0384-\u038A\u038C\u038E-\u03A1\u03A3-\u03CE\u0400-\u0481\u048A-\u04FF\u1E00-\u1EF9"
    r"–—‘’“”…•·№€™→×½]*"
)
_SHAPED = r"[\u0590-\u08FF\u0900-\u0DFF\u0E31-\u0E3A\u0E47-\u0E4E\u0E80-\u109F\u1780-\u17FF\uFB1D-\uFDFF\uFE70-\uFEFE]"


def is_plain(text: str) -> bool:
    """Whether a text is certainly in DejaVu Sans, from left to right and without emoji. Fast, and looks for no font."""
    return _PLAIN.fullmatch(unicodedata.normalize("NFC", text)) is not None


def needs_shaping(text: str) -> bool:
    """Whether letters of a text join, or change their order or place: it is drawn wrong without Raqm."""
    return re.search(_SHAPED, text) is not None
