"""Real pairs for a study, from manifests, tables, datasets → one manifest, pictures as large as the recipe says."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from gendeg.intensity.measure import measure_intensity
from gendeg.pairs.pair import GENERATED, Pair, listed, open_pairs, write_manifest
from gendeg.pairs.split import TEST, TRAIN
from gendeg.primitives.errors import BadImage, NoPairs
from gendeg.primitives.files import sha256_lines, write_jsonl
from gendeg.primitives.images import resize_short_side, write_image
from gendeg.prompts import words
from gendeg.study.recipe import DataRecipe


def find_real(data: DataRecipe) -> list[Pair]:
    """Every pair of every place, of split test or train. Those of `unseen_sources` are for testing, all or their own.

    Raises as `open_pairs`, and `NoPairs` where none is left.
    """
    found = []
    for one in open_pairs(data.pairs) if data.pairs else ():
        unseen = one.source in data.unseen_sources
        if one.split == TEST or not unseen or data.unseen_whole:
            found.append(replace(one, split=TEST if unseen or one.split == TEST else TRAIN))
    if data.pairs and not found:
        raise NoPairs(", ".join(data.pairs), "pairs but of unseen_sources, none of them of split test,")
    return found


def missing_sources(data: DataRecipe) -> list[str]:
    """Those of `unseen_sources` that no pair comes from: misspelt, or not at hand."""
    return sorted(set(data.unseen_sources) - {pair.source for pair in find_real(data)})


def real_digest(data: DataRecipe) -> str:
    """SHA-256 over what is named, with the files' sizes."""
    lines = [
        f"{one.degradation} {one.source} {one.split} {Path(one.degraded.place).name} {stands}"
        for one in find_real(data)
        if (stands := _stands(one))
    ]
    return sha256_lines(lines)


def _stands(one: Pair) -> str:
    """What changes when the pair does: the file's size, or the name of a dataset's photo; "" where it is gone."""
    if not one.degraded.is_file:
        return one.photo
    return str(one.degraded.length()) if one.degraded.file.exists() else ""


def write_real(data: DataRecipe, out: Path) -> None:
    """`manifest.jsonl`, and `failures.jsonl` of pairs that cannot be used. Raises `NoPairs` when none can."""
    kept, failures, found = [], [], find_real(data)
    if made := sum(one.origin == GENERATED for one in found):
        print(f"gendeg: {made} of the {len(found)} pairs that count as real here were generated", file=sys.stderr)
    for number, one in enumerate(found):
        try:
            kept.append(_written(data, one, out, number))
        except (BadImage, ValueError) as error:
            failures.append({"degraded": one.degraded.name, "message": str(error)})
    write_jsonl(out / "failures.jsonl", failures)
    if not kept:
        raise NoPairs(out / "manifest.jsonl", f"real pairs (failures.jsonl has {len(failures)} reasons)")
    write_manifest(out / "manifest.jsonl", kept)


def _written(data: DataRecipe, one: Pair, out: Path, number: int) -> Pair:
    clean, degraded = one.read()
    if clean.shape != degraded.shape:
        raise ValueError(f"{one.degraded.name}: the halves differ in size")
    halves = (one.clean, one.degraded)
    places = [os.path.relpath(half.file.absolute(), out.absolute()) for half in halves]
    smaller = data.real_size and min(clean.shape[:2]) > data.real_size
    if smaller:
        clean, degraded = (resize_short_side(image, data.real_size) for image in (clean, degraded))
    if smaller or not all(half.is_file for half in halves):
        places = [f"{half}/{number:05d}.png" for half in ("clean", "degraded")]
        for place, image in zip(places, (clean, degraded), strict=True):
            (out / place).parent.mkdir(parents=True, exist_ok=True)
            write_image(image, out / place, "png")
    mu, sigma = measure_intensity(clean, degraded)
    return listed(
        out, places[0], places[1], degradation=one.degradation, source=one.source, split=one.split,
        caption=words().fallback_caption, mu=round(mu, 6), sigma=round(sigma, 6), width=clean.shape[1],
        height=clean.shape[0],
    )  # fmt: skip
