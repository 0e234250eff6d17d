"""Numbers as people read them: an estimate with its interval as text, as a cell of a table, as a column of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from gendeg.metrics.uncertainty import Estimate
from gendeg.primitives.records import Part, Record
from gendeg.report.html import Cell

Some = Estimate | Mapping[str, Any] | None
"""An estimate, its row in a file, or None for what was not measured."""
NOTHING = "–"


def number(value: float, digits: int, signed: bool = False) -> str:
    """`−0.012`; `signed`: `+0.42`. Zero has no sign."""
    rounded = round(value, digits) + 0.0
    return f"{rounded:{'+' if signed and rounded else ''}.{digits}f}".replace("-", "−")


def interval(one: Some, digits: int = 3, scale: float = 1.0, signed: bool = False) -> str:
    """`0.012 [0.010, 0.015]`, times `scale`; a dash for what was not measured."""
    if not one:
        return NOTHING
    value, low, high = (number(scale * end, digits, signed) for end in ends(one))
    return f"{value} [{low}, {high}]"


def verdict(one: Some, digits: int = 2) -> Cell:
    """A difference: green where its interval lies above zero, red where it lies below."""
    if not one:
        return Cell(NOTHING)
    _, low, high = ends(one)
    return Cell(interval(one, digits, signed=True), good=True if low > 0 else False if high < 0 else None)


def column(estimates: Sequence[Some], digits: int = 3, scale: float = 1.0) -> list[Cell]:
    """Numbers with their intervals drawn on one scale, which begins at 0 or below."""
    there = [ends(one) for one in estimates if one]
    bottom = min([0.0, *(low for _, low, _ in there)])
    span = max([1e-12, *(high - bottom for _, _, high in there)])

    def drawn(one: Some) -> tuple[float, float, float] | None:
        if not one:
            return None
        value, low, high = ends(one)
        return (low - bottom) / span, (value - bottom) / span, (high - bottom) / span

    return [Cell(interval(one, digits, scale), interval=drawn(one)) for one in estimates]


def strength_notes(record: Record, generated: bool = True) -> list[str]:
    """mu and sigma of a picture and what was asked: of a mix in parts nothing as a whole, but of each part."""

    def said(one: Record | Part, name: str, asked: bool) -> str:
        told = f" (asked\u00a0{getattr(one, f'{name}_requested'):.3f})" if asked else ""
        return f"{name}\u00a0{getattr(one, name):.3f}{told}"

    several = record.parts if len(record.parts) > 1 else ()
    whole = [said(record, name, generated and not several) for name in ("mu", "sigma")]
    return whole + [f"{part.degradation}: {said(part, 'mu', True)} · {said(part, 'sigma', True)}" for part in several]


def ends(one: Estimate | Mapping[str, Any]) -> tuple[float, float, float]:
    """(value, low, high)."""
    if isinstance(one, Estimate):
        return one.value, one.low, one.high
    return one["value"], one["low"], one["high"]
