"""Mixtures of existing and generated pairs: what share, which strengths, how many of each degradation.

FoundIR-v2 finds that one restorer for all degradations depends on their proportions; here they are varied one by one,
every training making equally many steps.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gendeg.pairs.pair import EXISTING, GENERATED, Pair
from gendeg.primitives.errors import BadMix
from gendeg.primitives.kinds import mix_name, parse_mix

STRENGTH = "strength"
ALL_STRENGTHS = (0.0, 1.0)
MOST = 10.0  # times that a pair may count
WORDS = f"existing, generated, a degradation (each a share, 0 to {MOST:g}) and {STRENGTH}=0:0.5"


@dataclass(frozen=True)
class Mixture:
    """`existing=0.25,snow=2,strength=0.5:1`; what is not named stays as it is.

    Shares are of the pairs there are, above 1 some count twice; a degradation's is of the generated pairs, and so is
    `strength`, from the weakest (0) to the strongest (1) of each degradation by mu.
    """

    text: str
    existing: float
    generated: float
    kinds: tuple[tuple[str, float], ...]
    strength: tuple[float, float]

    def chosen(self, examples: Sequence[Pair]) -> list[Pair]:
        """Those of the generated pairs that are trained on, in their order, degradation by degradation."""
        groups: dict[str, list[Pair]] = {}
        for one in examples:
            groups.setdefault(one.degradation, []).append(one)
        shares, found = dict(self.kinds), []
        for kind, group in sorted(groups.items()):
            found += some(self._of_strength(group), self.generated * shares.get(kind, 1.0))
        return found

    def leaves(self, kinds: Collection[str]) -> bool:
        """Whether anything is left of generated pairs of these degradations."""
        return self.generated > 0 and any(dict(self.kinds).get(kind, 1.0) for kind in kinds)

    def _of_strength(self, group: Sequence[Pair]) -> list[Pair]:
        weakest_first = sorted(range(len(group)), key=lambda i: (group[i].mu, group[i].name))
        low, high = (round(end * len(group)) for end in self.strength)
        low = min(low, len(group) - 1)
        high = max(high, low + 1)  # one at least
        return [group[i] for i in sorted(weakest_first[low:high])]


def parse_mixture(text: str) -> Mixture:
    """Raises `BadMix` with what is wrong, `UnknownDegradation`."""
    shares: dict[str, float] = {}
    text, strength = "".join(text.split()), ALL_STRENGTHS
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            numbers = tuple(map(float, value.split(":")))
        except ValueError:
            raise BadMix(text, f"has '{part}'; known are {WORDS}") from None
        if name == STRENGTH:
            if len(numbers) != 2 or not 0 <= numbers[0] < numbers[1] <= 1:
                raise BadMix(text, f"has '{part}'; a strength is two numbers of 0 to 1, the lower first")
            if strength != ALL_STRENGTHS:
                raise BadMix(text, f"has {STRENGTH} twice")
            strength = (numbers[0], numbers[1])
            continue
        name = name if name in (EXISTING, GENERATED) else mix_name(parse_mix(name))
        if len(numbers) != 1 or not 0 <= numbers[0] <= MOST:
            raise BadMix(text, f"has '{part}'; a share is a number of 0 to {MOST:g}")
        if name in shares:
            raise BadMix(text, f"has {name} twice")
        shares[name] = numbers[0]
    existing, generated = (shares.pop(name, 1.0) for name in (EXISTING, GENERATED))
    kinds = tuple((name, share) for name, share in sorted(shares.items()) if share != 1)
    if existing == generated == 1 and not kinds and strength == ALL_STRENGTHS:
        raise BadMix(text, "changes nothing")
    return Mixture(text, existing, generated, kinds, strength)


def some(examples: Sequence[Pair], share: float) -> list[Pair]:
    """The first of them, at least one of any share above 0; beyond 1 they begin again."""
    count = max(1, round(share * len(examples))) if share and examples else 0
    return (list(examples) * math.ceil(share))[:count]
