"""The transfer function of BT.709 (ITU-R BT.709-6, 1.2), of values from 0 to 1."""

from __future__ import annotations


def light_of(signal: float) -> float:
    """The linear light of a signal."""
    return signal / 4.5 if signal < 0.081 else float(((signal + 0.099) / 1.099) ** (1 / 0.45))


def signal_of(light: float) -> float:
    """The signal of linear light."""
    return 4.5 * light if light < 0.018 else float(1.099 * light**0.45 - 0.099)


MIDDLE_GREY = signal_of(0.18)
"""The signal of a grey card."""
