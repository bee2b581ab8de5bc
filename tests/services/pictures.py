"""Small pictures for creates."""

from __future__ import annotations

import base64
import io

from PIL import Image


def picture(width: int = 640, height: int = 360, *, form: str = "PNG", mode: str = "RGB") -> bytes:
    """An image of one colour."""
    buffer = io.BytesIO()
    Image.new(mode, (width, height), 90).save(buffer, form)
    return buffer.getvalue()


def data_uri(content: bytes, mime: str = "image/png") -> str:
    """`data:image/png;base64,…`."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"
