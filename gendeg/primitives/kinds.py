"""The six degradations and the mixes of two of them (GenDeg, CVPR 2025, section 3)."""

from enum import StrEnum

from gendeg.primitives.errors import UnknownDegradation


class Degradation(StrEnum):
    """One of the six kinds the model is told about; the value is what files and records carry."""

    HAZE = "haze"
    RAIN = "rain"
    SNOW = "snow"
    MOTION_BLUR = "motion_blur"
    LOW_LIGHT = "low_light"
    RAINDROP = "raindrop"


Mix = tuple[Degradation, ...]
"""What one image suffers from: a single degradation, or two in the order they are written."""

MIXES: tuple[Mix, ...] = ((Degradation.RAIN, Degradation.HAZE), (Degradation.SNOW, Degradation.HAZE))
SINGLES: tuple[Mix, ...] = tuple((kind,) for kind in Degradation)
KNOWN: tuple[Mix, ...] = SINGLES + MIXES
DIRECTED = (Degradation.RAIN, Degradation.SNOW, Degradation.MOTION_BLUR)
"""What has a direction; of the others (haze, darkness, drops) it would only tell what is in the photo."""


def has_direction(mix: Mix) -> bool:
    """Whether a direction is measured for, and may be asked of, a mix: any member of it has one."""
    return any(kind in DIRECTED for kind in mix)


def mix_name(mix: Mix) -> str:
    """`(RAIN, HAZE)` → `"rain+haze"`, the form used in records, folders and on the command line."""
    return "+".join(mix)


def parse_mix(text: str) -> Mix:
    """`"rain+haze"` or `"motion-blur"` → a known mix.

    Raises `UnknownDegradation` when the name, or the combination, is not one the model knows.
    """
    names = text.strip().lower().replace("-", "_").split("+")
    by_members = {frozenset(map(str, mix)): mix for mix in KNOWN}
    found = by_members.get(frozenset(names))
    if found is None or len(found) != len(names):
        raise UnknownDegradation(text, known=[mix_name(mix) for mix in KNOWN])
    return found


def parse_mixes(text: str) -> list[Mix]:
    """A comma list of names, or `all` for the six single degradations, without repeats."""
    mixes: list[Mix] = []
    for part in text.split(","):
        mixes += SINGLES if part.strip().lower() == "all" else [parse_mix(part)]
    return list(dict.fromkeys(mixes))
