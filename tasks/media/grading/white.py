"""White balance: the colour of light by its temperature, in linear light with the primaries of BT.709."""

from __future__ import annotations

from storyreel.specs.language.grade import NEUTRAL_KELVIN

Triple = tuple[float, float, float]
"""Red, green and blue."""

LUMA: Triple = (0.2126, 0.7152, 0.0722)
"""Parts of red, green and blue in luma (ITU-R BT.709-6, 3.2), and in the light of grey."""


def white_balance(kelvin: float) -> Triple:
    """The factors of linear light that make the grey of a light of this temperature neutral. Grey keeps its luminance;
    at 6500 K all are 1."""
    light, neutral = _light(kelvin), _light(NEUTRAL_KELVIN)
    red, green, blue = (of_neutral / of_light for of_light, of_neutral in zip(light, neutral, strict=True))
    grey = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return red / grey, green / grey, blue / grey


def temperature_of(ratio: float) -> float:
    """The temperature in kelvin, from 2500 to 15000, whose `white_balance` multiplies red by this much more than blue:
    above 1 it is warmer than neutral."""
    low, high = 2500.0, 15000.0
    for _ in range(40):
        middle = (low + high) / 2
        red, _, blue = white_balance(middle)
        low, high = (middle, high) if red / blue < ratio else (low, middle)
    return low


def _light(kelvin: float) -> Triple:
    """Linear light of a black body in the primaries of BT.709: the Planckian locus by Kim et al., US patent 7,024,034,
    from 2222 to 25000 K; the matrix of IEC 61966-2-1."""
    t = 1000 / kelvin
    if kelvin < 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    cie_x, cie_z = x / y, (1 - x - y) / y
    return (
        3.2406 * cie_x - 1.5372 - 0.4986 * cie_z,
        -0.9689 * cie_x + 1.8758 + 0.0415 * cie_z,
        0.0557 * cie_x - 0.2040 + 1.0570 * cie_z,
    )
