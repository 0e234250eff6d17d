"""Words of the command line → values, with errors that name the option."""

import math

from gendeg.primitives.errors import BadOption


def numbers(option: str, text: str) -> tuple[float, ...]:
    """`"0.1,0.5"` → (0.1, 0.5). Raises `BadOption` for what is not a finite number."""
    values = []
    for part in text.split(","):
        try:
            value = float(part)
        except ValueError:
            raise BadOption(option, f"'{part.strip()}' is not a number; write for example 0.6 or 0.2,0.5,0.8") from None
        if not math.isfinite(value):
            raise BadOption(option, f"'{part.strip()}' is not a finite number")
        values.append(value)
    return tuple(values)


def unit_numbers(option: str, text: str) -> tuple[float, ...]:
    """As `numbers`, each in [0, 1]."""
    values = numbers(option, text)
    for value in values:
        if not 0.0 <= value <= 1.0:
            raise BadOption(option, f"must lie in [0, 1], got {value:g}")
    return values
