"""What is known about one sample, and about one that could not be made: the lines of records.jsonl and the dataset.

Hugging Face `datasets` infers a schema from the first samples, so every record has the same keys in the same order,
floats are written as floats (0.0, not 0), and nothing is ever null.
"""

import json
import math
import operator
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

from gendeg.primitives.errors import (
    BadImage,
    BadRecord,
    CannotRestore,
    ForeignFolder,
    GendegError,
    SizesDiffer,
    TooLongForFormat,
)
from gendeg.primitives.files import json_line, read_jsonl
from gendeg.primitives.kinds import EVERY, mix_name

SCHEMA = "gendeg-record-2"
FAILURE_SCHEMA = "gendeg-failure-1"
"""Raise the number when a field is added, renamed or changes its meaning."""

ORIGINS = ("generated", "existing", "simulated")
NAMES = tuple(map(mix_name, EVERY))
DECIMALS = 6
"""Digits after the point: far below one grey level, and the same text on every machine."""


Row = TypeVar("Row", bound="_Row")
PhotoError = BadImage | TooLongForFormat | SizesDiffer | CannotRestore
"""What is wrong with one photo, and not with the others."""


class _Row:
    """What both kinds of line share: fields are checked and normalised when made, so a read line equals the written."""

    def __post_init__(self) -> None:
        for one in fields(self):  # type: ignore[arg-type]
            value = _NORMALISE[one.type](one.name, getattr(self, one.name))  # type: ignore[index]
            object.__setattr__(self, one.name, value)

    def as_row(self) -> dict[str, Any]:
        """Field name → value, in the schema's order."""
        row = asdict(self)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}

    def to_json(self) -> str:
        """One line, without its newline."""
        return json_line(self.as_row())

    @classmethod
    def from_row(cls: type[Row], row: Mapping[str, Any]) -> Row:
        """Raises `BadRecord` for missing, unknown or wrongly typed fields."""
        known = {one.name: one.default for one in fields(cls)}  # type: ignore[arg-type]
        if "schema" in known and row.get("schema", known["schema"]) != known["schema"]:
            raise BadRecord([f"it is of version {row['schema']!r}, and this gendeg reads {known['schema']}"])
        names = list(known)
        problems = [f"'{name}' is missing" for name in names if name not in row]
        problems += [f"'{name}' is not a known field" for name in row if name not in names]
        if problems:
            raise BadRecord(problems)
        try:
            return cls(**row)
        except ValueError as error:
            raise BadRecord([str(error)]) from error

    @classmethod
    def from_json(cls: type[Row], text: str) -> Row:
        """As `from_row`; text that is not a JSON object is a `BadRecord` too."""
        try:
            row = json.loads(text)
        except ValueError as error:
            raise BadRecord([f"not JSON ({error})"]) from error
        if not isinstance(row, dict):
            raise BadRecord([f"not a JSON object but {type(row).__name__}"])
        return cls.from_row(row)


@dataclass(frozen=True, kw_only=True)
class Part(_Row):
    """What one pass through the model, or through one simulator, was asked for and made of the picture it was given."""

    degradation: str  # a mix name, where a model makes the mix in one pass
    intensity: float
    mu_requested: float
    sigma_requested: float
    mu: float
    sigma: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _expect("degradation", self.degradation, NAMES)
        _in_unit(self, PART_NUMBERS)


PART_NUMBERS = ("intensity", "mu_requested", "sigma_requested", "mu", "sigma")


@dataclass(frozen=True, kw_only=True)
class Record(_Row):
    """One pair. mu and sigma are those of |clean − degraded| in [0, 1], measured on the stored image.

    Where nothing applies the value is empty, not absent: "" for text, 0.0 for numbers (`origin` "existing" has no
    model, and its requested mu and sigma are the measured ones; a direction of coherence 0 was not asked for, or is
    none). `parts` are never none: of a degradation made in one pass the only one is the whole. Raises `ValueError` for
    a bad value, NaN included.
    """

    schema: str = SCHEMA
    key: str  # [A-Za-z0-9_-]+, unique in its dataset
    degradation: str  # a mix name: haze, rain+haze
    caption: str  # what the photo shows
    prompt: str  # the whole text the model read; it does not begin with a caption that was too long: `shortened`
    intensity: float  # [0, 1], the quantile of mu that was asked for
    mu_requested: float
    sigma_requested: float
    direction_requested: float  # degrees from the vertical in (-90, 90], positive to the right on the way down
    coherence_requested: float  # [0, 1]: how strong a direction; 1: as strong as the model knows it
    mu: float
    sigma: float
    direction: float  # of the change
    coherence: float
    parts: tuple[Part, ...] = ()  # in the order they were applied
    source: str  # of the prior
    seed: int
    attempt: int  # 0 is the first
    model: str
    model_sha256: str
    sampler: str  # own, paper; physics: simulated
    steps: int
    passes: int  # through the network, for this image
    guidance_text: float
    guidance_image: float
    structure_correction: bool
    origin: str  # one of ORIGINS
    clean_path: str
    clean_sha256: str
    width: int  # pixels, of the stored pair
    height: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _expect("schema", self.schema, (SCHEMA,))
        _expect("degradation", self.degradation, NAMES)
        _expect("origin", self.origin, ORIGINS)
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.key):
            raise ValueError(f"'key' may hold letters, digits, '_' and '-', not '{self.key}'")
        _in_unit(self, (*PART_NUMBERS, "coherence_requested", "coherence"))
        for name in ("direction_requested", "direction"):
            if not -90 <= getattr(self, name) <= 90:
                raise ValueError(f"'{name}' must be in [-90, 90], not {getattr(self, name)}")
        if not self.parts:
            whole = {name: getattr(self, name) for name in ("degradation", *PART_NUMBERS)}
            object.__setattr__(self, "parts", (Part(**whole),))

    @property
    def shortened(self) -> bool:
        """Whether the model read less of the caption than there is. No column: `caption` and `prompt` tell it."""
        return bool(self.prompt) and not self.prompt.startswith(" ".join(self.caption.split()))


@dataclass(frozen=True, kw_only=True)
class Failure(_Row):
    """A sample that was planned and not made. `failed`, which no record has, is its reason as a short stable code."""

    schema: str = FAILURE_SCHEMA
    key: str = ""  # "" when it failed before it had one
    failed: str  # [a-z0-9_]+, for example BadImage.reason
    message: str  # one line for people
    degradation: str = ""  # a mix name, or "" when every degradation of this image failed
    seed: int = 0
    attempt: int = 0
    clean_path: str

    @classmethod
    def of(cls, error: PhotoError, path: str | Path, **known: Any) -> "Failure":
        """A photo that cannot be used, for the error's reason."""
        return cls(failed=error.reason, message=str(error), clean_path=str(path), **known)

    def __post_init__(self) -> None:
        super().__post_init__()
        _expect("schema", self.schema, (FAILURE_SCHEMA,))
        _expect("degradation", self.degradation, ("", *NAMES))
        if not re.fullmatch(r"[a-z0-9_]+", self.failed):
            raise ValueError(f"'failed' must be a short code like 'truncated', not '{self.failed}'")


def refuse_foreign_failures(path: Path) -> None:
    """A list of failures is written anew by every run; raises `ForeignFolder` for a file of that name that is none."""
    try:
        for row in read_jsonl(path) if path.exists() else ():
            Failure.from_row(row)
    except GendegError as error:
        raise ForeignFolder(path.parent, path.name) from error


def parse_row(row: Mapping[str, Any]) -> Record | Failure:
    """A line of records.jsonl, whichever it is. Raises `BadRecord`."""
    return Failure.from_row(row) if "failed" in row else Record.from_row(row)


def _expect(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"'{name}' must be one of {', '.join(map(repr, allowed))}, not '{value}'")


def _in_unit(row: _Row, names: tuple[str, ...]) -> None:
    for name in names:
        if not 0 <= getattr(row, name) <= 1:
            raise ValueError(f"'{name}' must be in [0, 1], not {getattr(row, name)}")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"'{name}' must be text, not {value!r}")
    return str(value)  # an enum member becomes plain text


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(f"'{name}' must be a whole number, not {value!r}")
    return operator.index(value)


def _number(name: str, value: object) -> float:
    """Finite, rounded to DECIMALS; minus zero becomes zero."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"'{name}' must be a finite number, not {value!r}")
    return round(float(value), DECIMALS) + 0.0


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"'{name}' must be true or false, not {value!r}")
    return value


def _parts(name: str, value: Any) -> tuple[Part, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"'{name}' must be a list, not {value!r}")
    return tuple(one if isinstance(one, Part) else Part.from_row(_object(name, one)) for one in value)


def _object(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"'{name}' must hold objects, not {value!r}")
    return value


_NORMALISE = {str: _text, int: _whole, float: _number, bool: _flag, tuple[Part, ...]: _parts}
