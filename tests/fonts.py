"""Fonts for tests, which must not depend on those of the machine: the packages' alone, or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storyreel.tasks.media.text import layout as text
from storyreel.tasks.media.text import typefaces

LINES = {
    "Chinese": "清晨的菜市场，路灯下地面反光，李雷推着自行车走过。",
    "Japanese": "夜の踏切で、彼女は振り返る。遮断機が下りる音。",
    "Korean": "비 오는 골목, 우산 없이 서 있는 소년.",
    "Arabic": "سارة تقف عند النافذة؛ لن أعود (أبدًا) في 2025!",
    "Hebrew": "הוא פותח את הדלת, 12 שניות של שקט. מי שם? Tom?",
    "Devanagari": "रवि खेत में खड़ा होकर बादलों को देखता है।",
    "Thai": "เด็กหญิงวิ่งข้ามสะพานในสายฝน รอฉันด้วย!",
    "emoji": "She smiles 😀🔥 and waves 👋🏽 at the 👨‍👩‍👧 family 🇩🇪 1️⃣ ❤️.",
    "mixed": "测试 · اختبار · परीक्षा · 😀 · 日本語 한국어 · Żółć Ẳẫ ṩ q̃",
}
"""A line of each script."""


def package(name: str) -> Path:
    """The file of a font in an installed package."""
    return next(face.path for face in typefaces._of_packages() if face.path.name.startswith(name))


def _forget() -> None:
    for cached in (typefaces._face, typefaces._of_emoji, typefaces._of_system, typefaces._of_packages, text._runs):
        cached.cache_clear()


@pytest.fixture
def packaged_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The fonts of the extras, and none of the system."""
    _forget()
    monkeypatch.setattr(typefaces.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(typefaces, "_FOLDERS", {"linux": ()})
    yield
    _forget()


@pytest.fixture
def no_fonts(packaged_fonts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """DejaVu Sans alone."""
    _forget()
    monkeypatch.setattr(typefaces, "_PACKAGES", {"no_such_package": ""})
