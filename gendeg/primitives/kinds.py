"""The six degradations (GenDeg, CVPR 2025, section 3) and the mixes of two or three, as people write them."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from itertools import combinations

from gendeg.primitives.errors import BadMix, UnknownDegradation


class Degradation(StrEnum):
    """One of the six kinds the model is told about; the value is what files and records carry."""

    HAZE = "haze"
    RAIN = "rain"
    SNOW = "snow"
    MOTION_BLUR = "motion_blur"
    LOW_LIGHT = "low_light"
    RAINDROP = "raindrop"


LIGHT_PATH = (
    Degradation.HAZE,
    Degradation.SNOW,
    Degradation.RAIN,
    Degradation.RAINDROP,
    Degradation.MOTION_BLUR,
    Degradation.LOW_LIGHT,
)
"""From the scene to the sensor. Haze gathers over the whole distance while the streaks and flakes one can tell apart
fall within a few metres of the lens, so haze lies behind them; then the glass, the shaking camera, the noisy sensor."""

Mix = tuple[Degradation, ...]
"""What one image suffers from: a single degradation, or two or three in the order they are written."""

MIXES: tuple[Mix, ...] = ((Degradation.RAIN, Degradation.HAZE), (Degradation.SNOW, Degradation.HAZE))
"""The two that models have learnt, and make in one pass; they keep the names that their prompts and priors have."""
SINGLES: tuple[Mix, ...] = tuple((kind,) for kind in Degradation)
KNOWN: tuple[Mix, ...] = SINGLES + MIXES
MOST = 3  # of a mix

_ORDERED = [mix for size in (2, MOST) for mix in combinations(LIGHT_PATH, size)]
COMPOSITES: tuple[Mix, ...] = tuple(mix for mix in _ORDERED if not any(set(mix) == set(known) for known in MIXES))
"""All other mixes of two or three, written in the order of the light's path, in which they are applied."""
EVERY: tuple[Mix, ...] = KNOWN + COMPOSITES

DIRECTED = (Degradation.RAIN, Degradation.SNOW, Degradation.MOTION_BLUR)
"""What has a direction; of the others (haze, darkness, drops) it would only tell what is in the photo."""

LISTS = {
    "all": tuple(map(str, Degradation)),
    "cdd11": (
        "low_light", "haze", "rain", "snow", "haze+low_light", "rain+low_light", "snow+low_light", "haze+rain",
        "haze+snow", "haze+rain+low_light", "haze+snow+low_light",
    ),
}  # fmt: skip
"""Names for several at once. cdd11: the classes of CDD-11 (Guo et al., OneRestore, ECCV 2024)."""

MEANT = {
    Degradation.HAZE: ("fog", "mist", "smog", "smoke", "dust"),
    Degradation.RAIN: ("rain_streak", "rain_streaks", "streaks", "shower", "storm"),
    Degradation.SNOW: ("snowfall", "flakes", "hail", "sleet"),
    Degradation.MOTION_BLUR: ("blur", "blurry", "motion", "shake", "camera_shake", "deblur"),
    Degradation.LOW_LIGHT: ("dark", "darkness", "night", "dim", "light", "underexposed", "underexposure"),
    Degradation.RAINDROP: ("drop", "drops", "rain_drops", "droplet", "droplets", "waterdrop", "waterdrops"),
}  # fmt: skip
"""Words of others for them. They are answered with ours, never taken for it: files and records have one for each."""
_BY_MEMBERS = {frozenset(mix): mix for mix in EVERY}


@dataclass(frozen=True)
class Wanted:
    """What a word of --type asks for: a mix, and the intensities that members of it have of their own (others: None).

    In the order of the light's path, not of the mix's name.
    """

    mix: Mix
    own: tuple[float | None, ...]

    @property
    def kinds(self) -> Mix:
        """The members in the order they are applied."""
        return in_light(self.mix)

    @property
    def name(self) -> str:
        """As it is written: the mix's name, with intensities where parts have their own."""
        if not any(one is not None for one in self.own):
            return mix_name(self.mix)
        return "+".join(k if q is None else f"{k}={q:g}" for k, q in zip(self.kinds, self.own, strict=True))


def has_direction(mix: Mix) -> bool:
    """Whether a direction is measured for, and may be asked of, a mix: any member of it has one."""
    return any(kind in DIRECTED for kind in mix)


def in_light(mix: Mix) -> Mix:
    """The members from the scene to the sensor."""
    return tuple(sorted(mix, key=LIGHT_PATH.index))


def mix_name(mix: Mix) -> str:
    """`(RAIN, HAZE)` → `"rain+haze"`, the form used in records, folders and on the command line."""
    return "+".join(mix)


def parse_mix(text: str) -> Mix:
    """`"rain+haze"` or `"motion-blur"`, in any order → the mix as named. Raises `UnknownDegradation`, `BadMix`."""
    names = [_kind(name) for name in text.split("+")]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadMix(text, f"has {twice} twice; each kind once")
    if len(names) > MOST:
        raise BadMix(text, f"has {len(names)} parts; a mix has two or three")
    return _BY_MEMBERS[frozenset(names)]


def parse_wanted(text: str) -> Wanted:
    """`"haze=0.6+rain"` → the mix, .6 for haze and None for rain. Raises `UnknownDegradation`, `BadMix`."""
    pairs = [part.partition("=") for part in text.split("+")]
    mix = parse_mix("+".join(name for name, _, _ in pairs))
    own = {_kind(name): _strength(value, text) if equals else None for name, equals, value in pairs}
    return Wanted(mix, tuple(own[kind] for kind in in_light(mix)))


def parse_types(text: str) -> list[Wanted]:
    """A comma list of what `parse_wanted` reads and of `LISTS` (all: the six), without repeats."""
    words = [word for part in text.split(",") for word in LISTS.get(part.strip().lower(), (part,))]
    return list(dict.fromkeys(map(parse_wanted, words)))


def parse_mixes(text: str) -> list[Mix]:
    """As `parse_types`, where no intensities can be given. Raises `BadMix` for one."""
    wanted = parse_types(text)
    if any(one is not None for each in wanted for one in each.own):
        raise BadMix(text, "gives intensities, which this command does not take")
    return list(dict.fromkeys(each.mix for each in wanted))


def parse_known(text: str) -> list[Mix]:
    """As `parse_mixes`, for what models are told in one prompt. Raises `UnknownDegradation` for other mixes."""
    mixes = parse_mixes(text)
    for mix in mixes:
        if mix not in KNOWN:
            raise UnknownDegradation(mix_name(mix), known=[mix_name(one) for one in KNOWN])
    return mixes


def _kind(name: str) -> Degradation:
    try:
        return Degradation(name.strip().lower().replace("-", "_"))
    except ValueError:
        raise UnknownDegradation(name.strip(), [mix_name(mix) for mix in KNOWN], _meant(name)) from None


def _meant(name: str) -> str:
    """The degradation that a word stands for elsewhere, or that is spelt nearly so; "" where there is none."""
    word = re.sub(r"[\s_-]+", "_", name.strip().lower())
    words = {str(kind): kind for kind in Degradation} | {one: kind for kind, those in MEANT.items() for one in those}
    near = get_close_matches(word, words, n=1, cutoff=0.7)
    return str(words[near[0]]) if near else ""


def _strength(value: str, text: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise BadMix(text, f"'{value.strip()}' is not a number; write for example haze=0.6+rain=0.4") from None
    if not 0 <= number <= 1:
        raise BadMix(text, f"an intensity must lie in [0, 1], got {value.strip()}")
    return number
