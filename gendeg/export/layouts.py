"""Where the loaders of restoration frameworks want pairs to lie, and what they are told to find them.

By their code: BasicSR and what grew from it (NAFNet, Restormer, neosr, traiNNer-redux), PromptIR, AdaIR, OneRestore.
"""

import json
import shlex
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gendeg.pairs.pair import Pair
from gendeg.pairs.split import TEST, TRAIN, VALIDATION
from gendeg.primitives.kinds import parse_mix

PNG, JPG = ".png", ".jpg"
RAIN100L, GOPRO, LOL = "Rain100L", "gopro", "lol"
"""Names of folders that the test scripts have written into them."""


class Placed(NamedTuple):
    """A pair and where its halves go, below the exported folder, without the ending that both will have.

    `png`: the loader opens no other. `listed`: a line of which list names it; `{name}` stands for the degraded file.
    """

    pair: Pair
    clean: str
    degraded: str
    png: bool = False
    listed: tuple[str, str] | None = None


@dataclass(frozen=True)
class Arranged:
    """What a layout takes, and the reasons for what it does not, with their numbers."""

    placed: list[Placed]
    left_out: Mapping[str, int]


Arrange = Callable[[Sequence[Pair]], Arranged]
Tell = Callable[[Path, Sequence[Placed], bool], Mapping[str, str]]
"""(the exported folder, what lies there, whether in databases) → a text file's name → its text, settings to copy."""


@dataclass(frozen=True)
class Layout:
    """One loader's way. `forbidden`: words that may not be in the folder's path, for the loader cuts it there."""

    arrange: Arrange
    tell: Tell
    forbidden: tuple[str, ...] = ()


# --- BasicSR and its family; plain folders ---


def _flat(pairs: Sequence[Pair]) -> Arranged:
    """split/gt/NAME and split/lq/NAME. Keys of an lmdb end at the first dot, lines of a list at the first space."""
    placed = []
    for number, pair in enumerate(pairs):
        name = f"{number:07d}-{pair.degradation.replace('+', '-').replace('_', '-')}"
        placed.append(Placed(pair, f"{pair.split}/gt/{name}", f"{pair.split}/lq/{name}"))
    return Arranged(placed, {})


def _folders(pairs: Sequence[Pair]) -> Arranged:
    """split/degradation/clean/NUMBER and split/degradation/degraded/NUMBER."""
    names = [(f"{pair.split}/{pair.degradation}", f"{number:07d}") for number, pair in enumerate(pairs)]
    placed = [
        Placed(pair, f"{folder}/clean/{name}", f"{folder}/degraded/{name}")
        for pair, (folder, name) in zip(pairs, names, strict=True)
    ]
    return Arranged(placed, {})


def _tell_basicsr(out: Path, placed: Sequence[Placed], lmdb: bool) -> Mapping[str, str]:
    splits = sorted({one.pair.split for one in placed}, key=(TRAIN, VALIDATION, TEST).index)
    parts = {split: "train" if split == TRAIN else "val" if split == VALIDATION else "test" for split in splits}
    yml = (
        "# BasicSR, NAFNet: type PairedImageDataset; Restormer: Dataset_PairedImage;\n"
        "# traiNNer-redux: pairedimagedataset, whose dataroot_gt and dataroot_lq are lists.\n"
        "# scale: 1 stands at the top of the options.\ndatasets:\n"
    )
    toml = "# neosr\n"
    for split, part in parts.items():
        gt, lq = (str(out / split / f"{half}{'.lmdb' if lmdb else ''}") for half in ("gt", "lq"))
        yml += f"  {part}:\n    name: gendeg-{split}\n    type: PairedImageDataset\n    dataroot_gt: {json.dumps(gt)}\n"
        yml += f"    dataroot_lq: {json.dumps(lq)}\n    filename_tmpl: '{{}}'\n"
        yml += f"    io_backend:\n      type: {'lmdb' if lmdb else 'disk'}\n"
        if not lmdb:
            yml += f"    # meta_info_file: {json.dumps(str(out / split / 'meta_info.txt'))}\n"
        toml += f'[datasets.{part}]\nname = "gendeg-{split}"\ntype = "paired"\n'
        toml += f"dataroot_gt = {json.dumps(gt)}\ndataroot_lq = {json.dumps(lq)}\n\n"
    return {"basicsr.yml": yml, "neosr.toml": toml}


def _tell_folders(out: Path, placed: Sequence[Placed], lmdb: bool) -> Mapping[str, str]:
    return {}


# --- PromptIR and AdaIR ---


@dataclass(frozen=True)
class _Task:
    """One degradation of theirs: its folder of training, and the test set that it is looked for in."""

    option: str
    train: str
    test: str
    kind: str  # --de_type


RAIN = _Task("derain_dir", "data/Train/Derain", f"derain/{RAIN100L}", "derain")
HAZE = _Task("dehaze_dir", "data/Train/Dehaze", "dehaze", "dehaze")
BLUR = _Task("gopro_dir", "data/Train/Deblur", f"deblur/{GOPRO}", "deblur")
DARK = _Task("enhance_dir", "data/Train/Enhance", f"enhance/{LOL}", "enhance")
RAIN_LIST, HAZE_LIST = "data_dir/rainy/rainTrain.txt", "data_dir/hazy/hazy_outside.txt"


def _of_tasks(tasks: Mapping[str, _Task], test: str) -> Arrange:
    """A layout that has room for these degradations only."""

    def arrange(pairs: Sequence[Pair]) -> Arranged:
        placed, left_out = [], defaultdict[str, int](int)
        for number, pair in enumerate(pairs):
            task = tasks.get(pair.degradation)
            if task is None:
                left_out[f"{pair.degradation} has no place in it"] += 1
            elif pair.split == VALIDATION:
                left_out["it has no place for split validation"] += 1
            elif pair.split == TEST:
                placed.append(_tested(pair, number, task, f"{test}/{task.test}"))
            else:
                placed.append(_trained(pair, number, task))
        return Arranged(placed, left_out)

    return arrange


def _tested(pair: Pair, number: int, task: _Task, folder: str) -> Placed:
    """`input` becomes `target`; of haze the name ends at the first `_`, which has to be there, and is a PNG's."""
    name = f"{number:07d}"
    return Placed(
        pair, f"{folder}/target/{name}", f"{folder}/input/{_hazy(name, pair) if task is HAZE else name}", png=True
    )


def _hazy(name: str, pair: Pair) -> str:
    """ID_A_beta; mu and sigma, in thousandths, stand in the place of the physical parameters."""
    return f"{name}_{round(1000 * pair.mu):03d}_{round(1000 * pair.sigma):03d}"


def _trained(pair: Pair, number: int, task: _Task) -> Placed:
    name = f"{number:07d}"
    if task is RAIN:
        listed = (RAIN_LIST, "rainy/{name}")
        return Placed(pair, f"{task.train}/gt/norain-{name}", f"{task.train}/rainy/rain-{name}", listed=listed)
    if task is HAZE:
        hazy, listed = f"{task.train}/synthetic/gendeg/{_hazy(name, pair)}", (HAZE_LIST, "synthetic/gendeg/{name}")
        return Placed(pair, f"{task.train}/original/{name}", hazy, listed=listed)
    clean, degraded = ("sharp", "blur") if task is BLUR else ("gt", "low")
    return Placed(pair, f"{task.train}/{clean}/{name}", f"{task.train}/{degraded}/{name}")


def _tell_tasks(tasks: Mapping[str, _Task]) -> Tell:
    def tell(out: Path, placed: Sequence[Placed], lmdb: bool) -> Mapping[str, str]:
        there = [task for kind, task in tasks.items() if any(one.pair.degradation == kind and one.pair.split == TRAIN
                                                             for one in placed)]  # fmt: skip
        if not there:
            return {}
        words = [
            f"--de_type {' '.join(task.kind for task in there)}",
            f"--data_file_dir {shlex.quote(f'{out}/data_dir/')}",
        ]
        words += [f"--{task.option} {shlex.quote(f'{out}/{task.train}/')}" for task in there]
        return {"train.sh": "python train.py " + " \\\n    ".join(words) + "\n"}

    return tell


PROMPTIR = {"rain": RAIN, "haze": HAZE}
ADAIR = PROMPTIR | {"motion_blur": BLUR, "low_light": DARK}


# --- OneRestore, on CDD-11's folders ---

CDD_NAMES = {"low_light": "low", "haze": "haze", "rain": "rain", "snow": "snow", "motion_blur": "blur",
             "raindrop": "raindrop"}  # fmt: skip
"""As CDD-11 calls them, and in its order; it has none of the last two."""
CLEAR = "clear"


def cdd_name(degradation: str) -> str:
    """`rain+haze` → haze_rain."""
    kinds = {kind.value for kind in parse_mix(degradation)}
    return "_".join(name for kind, name in CDD_NAMES.items() if kind in kinds)


def _cdd(pairs: Sequence[Pair]) -> Arranged:
    """split/clear/NUMBER beside split/haze/NUMBER, split/haze_rain/NUMBER …: a photo is in all or none."""
    photos: dict[tuple[str, str, int, int], dict[str, list[Pair]]] = defaultdict(lambda: defaultdict(list))
    for pair in pairs:
        photos[pair.split, pair.photo, pair.width, pair.height][cdd_name(pair.degradation)].append(pair)
    kinds = {split: {kind for (own, *_), found in photos.items() if own == split for kind in found}
             for split in {pair.split for pair in pairs}}  # fmt: skip
    placed, number, there = [], 0, 0
    for (split, *_), found in photos.items():
        for turn in range(min(len(found[kind]) for kind in kinds[split])):
            number += 1
            placed += [
                Placed(found[kind][turn], f"{split}/{CLEAR}/{number:06d}", f"{split}/{kind}/{number:06d}", png=True)
                for kind in sorted(kinds[split])
            ]
            there += len(kinds[split])
    short = len(pairs) - there
    return Arranged(placed, {"not every degradation was made of their photo": short} if short else {})


def _tell_cdd(out: Path, placed: Sequence[Placed], lmdb: bool) -> Mapping[str, str]:
    names = sorted({cdd_name(one.pair.degradation) for one in placed}, key=lambda name: (name.count("_"), name))
    return {"onerestore.txt": (
        f"python makedataset.py --train-path {shlex.quote(str(out / TRAIN))} --gt-name {CLEAR}\n"
        f"degradation-name, a default in makedataset.py: {names}\n"
    )}  # fmt: skip


CUT = ("rainy", "synthetic", "input")
LAYOUTS: Mapping[str, Layout] = {
    "basicsr": Layout(_flat, _tell_basicsr),
    "promptir": Layout(_of_tasks(PROMPTIR, "test"), _tell_tasks(PROMPTIR), CUT),
    "adair": Layout(_of_tasks(ADAIR, "data/test"), _tell_tasks(ADAIR), CUT),
    "cdd": Layout(_cdd, _tell_cdd),
    "folders": Layout(_folders, _tell_folders),
}
