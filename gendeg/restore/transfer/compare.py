"""What transfer was worth: its arms on test pairs, over seeds and photos, and real photos that have no clean half."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import PartialState
from jaxtyping import Float

from gendeg.metrics.uncertainty import bootstrap_blocks
from gendeg.pairs.pair import Pair
from gendeg.primitives.files import read_json_object, sha256_lines, write_json
from gendeg.primitives.images import write_image
from gendeg.primitives.rng import for_sample
from gendeg.report.cells import interval
from gendeg.report.sheet import Tile, draw_sheet
from gendeg.restore.config import TransferConfig
from gendeg.restore.loading import load_restorer
from gendeg.restore.networks.network import Restorer
from gendeg.restore.score import evaluate_restorer
from gendeg.restore.transfer.photos import RealPhotos, read_view
from gendeg.restore.whole import restore_photo

TRANSFERRED, SCRATCH, ALL_PAIRS = "transferred", "scratch", "all"
ARMS = (TRANSFERRED, SCRATCH, ALL_PAIRS)
MEASURES = ("psnr", "ssim", "e_r", "e_b")
SHOWN = 6  # real photos on the sheet


def compare_arms(trained: dict[str, list[Path]], examples: Sequence[Pair], config: TransferConfig) -> dict[str, Any]:
    """Arm → measure → mean and interval over seeds and pairs; `transferred - …`: of the differences, paired.

    `trained`: the restorers of every arm, one a seed. Nothing without examples.
    """
    if not examples:
        return {}
    rows = {arm: [_scores(folder, examples, config.cpu) for folder in folders] for arm, folders in trained.items()}
    names = [name for name in MEASURES if name in rows[TRANSFERRED][0][0]]
    told: dict[str, Any] = {"n": len(examples), "seeds": len(trained[TRANSFERRED])}
    for name in names:
        values = {arm: _table(rows[arm], name) for arm in trained} | {
            "input": _table(rows[TRANSFERRED], f"{name}_input")
        }
        values |= {f"{TRANSFERRED} - {arm}": values[TRANSFERRED] - values[arm] for arm in trained if arm != TRANSFERRED}
        for which, table in values.items():
            generator = for_sample(config.seed, f"{which}/{name}", "bootstrap")
            told.setdefault(which, {})[name] = bootstrap_blocks([table], [1.0], config.draws, generator).as_row()
    return told


def _table(rows: list[list[dict[str, Any]]], name: str) -> Float[np.ndarray, "seeds images"]:
    return np.array([[row[name] for row in one] for one in rows], np.float64)


def _scores(folder: Path, examples: Sequence[Pair], cpu: bool) -> list[dict[str, Any]]:
    """One row an example, in their order; kept beside the restorer, and measured again for other examples."""
    place, used = folder.parent / "scores.json", _digest(examples)
    if place.exists() and (kept := read_json_object(place))["examples"] == used:
        return list(kept["rows"])
    rows = [row.as_row() for row in evaluate_restorer(_loaded(folder, cpu), examples)]
    write_json(place, {"examples": used, "rows": rows})
    return rows


def _loaded(folder: Path, cpu: bool) -> Restorer:
    """On the device that the stages ran on."""
    restorer = load_restorer(folder)
    restorer.to(PartialState(cpu=cpu).device)
    return restorer


def _digest(examples: Sequence[Pair]) -> str:
    return sha256_lines(f"{one.photo} {one.degraded.place}" for one in examples)


def draw_real_photos(folders: dict[str, Path], photos: RealPhotos, config: TransferConfig) -> None:
    """Real degraded photos that no stage has seen, as they are and as each arm restores them: `real.png`."""
    restorers = {arm: _loaded(folder, config.cpu) for arm, folder in folders.items()}
    rows = []
    for photo in photos.degraded.held_out[:SHOWN]:
        image = read_view(photo, config.short_side)
        restored = [Tile(restore_photo(network, image), arm) for arm, network in restorers.items()]
        rows.append([Tile(image, photo.title), *restored])
    write_image(draw_sheet(rows, 320), config.out / "real.png", "png")


def tabulate(told: dict[str, Any]) -> str:
    """What `transfer` returns, as lines for people."""
    teachers, accuracy = told["teachers"], told["teachers"]["classifier"]["accuracy"]
    lines = [
        f"teacher 1, degraded or not: accuracy {interval(accuracy)} on {accuracy['n']} photos",
        "teacher 2, scattering: {psnr_scattered:.2f} dB → {psnr:.2f} dB".format(**teachers["scattering"]),
        *(f"student, seed {seed}: loss {one['loss']:.3f}" for seed, one in told["students"].items()),
    ]
    test = told.get("test")
    if not test:
        return "\n".join(lines)
    lines += ["", f"{test['n']} test pairs, {test['seeds']} seeds; mean [95 % interval over seeds and photos]"]
    for which, measured in test.items():
        if isinstance(measured, dict):
            arm = told["arms"].get(which)
            size = f"{arm['pairs']} pairs, {arm['steps']} steps" if arm else ""
            lines.append(
                f"{which:<26}{size:<24}"
                + "  ".join(f"{name} {interval(one, 2 if name == 'psnr' else 4)}" for name, one in measured.items())
            )
    return "\n".join(lines)
