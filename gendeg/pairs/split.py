"""Splits: their names, and which one a photo belongs to where nothing says so."""

import math

from gendeg.primitives.errors import BadOption

SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = SPLITS
HELD_OUT = ("test", "validation", "train")
"""A clean photo that appears in several splits belongs to the first of these."""
LEAK = "leak"
"""Why a pair is left out whose clean photo is in another split too."""
SPLIT_WORDS = {"train": "train", "training": "train", "val": "validation", "validation": "validation",
               "valid": "validation", "test": "test", "testing": "test"}  # fmt: skip


def said_split(name: str) -> str:
    """`"val"` → validation; a word that means none of ours stays as it is."""
    return SPLIT_WORDS.get(name.strip().lower(), name.strip())


def parse_split(text: str) -> dict[str, float]:
    """`"train=0.98,validation=0.02"` → shares that sum to 1. Raises `BadOption`."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError as error:
            raise BadOption(
                "--split", f"needs name=share, for example train=0.98,validation=0.02, not '{part}'"
            ) from error
    if not set(shares) <= set(SPLITS) or min(shares.values()) < 0 or not math.isclose(sum(shares.values()), 1):
        raise BadOption("--split", f"needs shares of {', '.join(SPLITS)} that sum to 1, not '{text}'")
    return shares


def made_splits(text: str) -> list[str]:
    """The splits that get photos. Raises `BadOption`."""
    return [name for name, share in parse_split(text).items() if share > 0]


def split_of(sha256: str, shares: dict[str, float]) -> str:
    """By the photo's content, so that a photo never changes sides, whatever its name, the seed or the other photos."""
    place, total = int(sha256[:13], 16) / 16**13, 0.0
    for name, share in shares.items():
        total += share
        if place < total:
            return name
    return next(reversed(shares))
