"""What the doctor says of one thing, on the screen and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal["ok", "note", "off"]
"""As it should be; worth knowing, everything runs all the same; something does not run."""
WIDTH = 9


@dataclass(frozen=True)
class Finding:
    """One line: a thing, its state, what was found, and what to do about it ("": nothing)."""

    thing: str
    state: State
    found: str
    advice: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """For a screen."""
        first = f"{self.state:4}  {self.thing:{WIDTH}} {self.found}"
        return [first] + ([f"{'':6}{'':{WIDTH}} -> {self.advice}"] if self.advice else [])

    def as_row(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def runs(findings: Sequence[Finding]) -> bool:
    """Whether nothing is off."""
    return all(one.state != "off" for one in findings)


def closing(findings: Sequence[Finding]) -> str:
    """The last line of the screen."""
    off = [one.thing for one in findings if one.state == "off"]
    notes = [one.thing for one in findings if one.state == "note"]
    if off:
        return f"Off: {', '.join(off)}. Do what stands behind the arrow, then ask again: gendeg doctor"
    return "Everything runs" + (f"; worth a look: {', '.join(notes)}." if notes else ".")


def homely(path: str | Path) -> str:
    """A path as it may be shown to strangers: without the user's name."""
    text, home = str(path), str(Path.home())
    return "~" + text.removeprefix(home) if text == home or text.startswith(home.rstrip("/") + "/") else text
