"""Where the loaders of restoration frameworks want pairs to lie, and what they are told to find them.

By their code: BasicSR and what grew from it (NAFNet, Restormer, neosr, traiNNer-redux), PromptIR, AdaIR, OneRestore.
"""

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gendeg.pairs.pair import Pair
from gendeg.pairs.split import TEST, TRAIN, VALIDATION
from gendeg.primitives.errors import BadImage
from gendeg.primitives.files import sha256_bytes
from gendeg.primitives.kinds import parse_mix, parse_types
from gendeg.primitives.parallel import in_order

PNG, JPG = ".png", ".jpg"
READERS = 4  # threads
RAIN100L, GOPRO, LOL = "Rain100L", "gopro", "lol"
"""Names of folders that the test scripts have written into them."""


class Placed(NamedTuple):
    """A pair and where its halves go, below the exported folder, without the ending that both will have.

    `png`: the loader opens no other. `listed`: a line of which list names it; `{name}` stands for the degraded file.
    `group`: those of one name are of use all together or not at all.
    """

    pair: Pair
    clean: str
    degraded: str
    png: bool = False
    listed: tuple[str, str] | None = None
    group: str = ""


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
    """One loader's way. `forbidden`: words that may not be in the folder's path, for the loader cuts it there.

    `patch`: pixels of a crop's side in its training, unless it is told another; photos may not be smaller.
    """

    arrange: Arrange
    tell: Tell
    forbidden: tuple[str, ...] = ()
    patch: int = 0


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
    """A file for training and one for testing: BasicSR's training refuses options that name a test set."""
    splits, backend = {one.pair.split for one in placed}, "lmdb" if lmdb else "disk"
    texts: dict[str, str] = {}
    for split, part in ((TRAIN, "train"), (VALIDATION, "val"), (TEST, "test_1")):
        if split not in splits:
            continue
        gt, lq = (json.dumps(str(out / split / f"{half}{'.lmdb' if lmdb else ''}")) for half in ("gt", "lq"))
        suffix = "_test" if split == TEST else ""
        yml = (
            f"  {part}:\n    name: gendeg-{split}\n    type: PairedImageDataset\n    dataroot_gt: {gt}\n"
            f"    dataroot_lq: {lq}\n    filename_tmpl: '{{}}'\n    io_backend:\n      type: {backend}\n"
        )
        if not lmdb:
            meta = json.dumps(str(out / split / "meta_info.txt"))
            yml += f"    meta_info_file: {meta}  # BasicSR: saves a scan of the folders; Restormer: leave it out\n"
        texts[f"basicsr{suffix}.yml"] = texts.get(f"basicsr{suffix}.yml", HEAD) + yml
        toml = f'[datasets.{part}]\nname = "gendeg-{split}"\ntype = "paired"\ndataroot_gt = {gt}\ndataroot_lq = {lq}\n'
        toml += f'io_backend = {{ type = "{backend}" }}\n\n'
        texts[f"neosr{suffix}.toml"] = texts.get(f"neosr{suffix}.toml", "") + toml
    return texts


HEAD = """# BasicSR, NAFNet: type PairedImageDataset; Restormer: Dataset_PairedImage;
# traiNNer-redux: pairedimagedataset, whose dataroot_gt and dataroot_lq are lists.
# gt_size may be no larger than the smallest photo. scale: 1 stands at the top of the options.
datasets:
"""


def _tell_folders(out: Path, placed: Sequence[Placed], lmdb: bool) -> Mapping[str, str]:
    return {}


# --- PromptIR and AdaIR ---


@dataclass(frozen=True)
class _Task:
    """One degradation of theirs: its folder of training, and the test set that it is looked for in."""

    option: str
    train: str
    test: str
    test_option: str
    kind: str  # --de_type
    often: int  # times that an epoch takes each of its pairs


RAIN = _Task("derain_dir", "data/Train/Derain", f"derain/{RAIN100L}", "derain_path", "derain", 120)
HAZE = _Task("dehaze_dir", "data/Train/Dehaze", "dehaze", "dehaze_path", "dehaze", 1)
BLUR = _Task("gopro_dir", "data/Train/Deblur", f"deblur/{GOPRO}", "gopro_path", "deblur", 5)
DARK = _Task("enhance_dir", "data/Train/Enhance", f"enhance/{LOL}", "enhance_path", "enhance", 20)
RAIN_LIST, HAZE_LIST = "data_dir/rainy/rainTrain.txt", "data_dir/hazy/hazy_outside.txt"


def _of_tasks(tasks: Mapping[str, _Task], test: str) -> Arrange:
    """A layout that has room for these degradations only."""

    def arrange(pairs: Sequence[Pair]) -> Arranged:
        placed, left_out = [], defaultdict[str, int](int)
        for number, pair in enumerate(pairs):
            task = tasks.get(pair.degradation)
            if task is None:
                left_out[f"{pair.degradation} has no place there"] += 1
            elif pair.split == VALIDATION:
                left_out["split validation has no place there"] += 1
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


def _tell_tasks(tasks: Mapping[str, _Task], test: str) -> Tell:
    def tell(out: Path, placed: Sequence[Placed], lmdb: bool) -> Mapping[str, str]:
        texts = {}
        if trained := [task for kind, task in tasks.items() if _holds(placed, kind, TRAIN)]:
            often = ", ".join(f"{task.kind} {task.often}" for task in trained)
            words = [f"--de_type {' '.join(task.kind for task in trained)}"]
            words += [f"--data_file_dir {shlex.quote(f'{out}/data_dir/')}"]
            words += [f"--{task.option} {shlex.quote(f'{out}/{task.train}/')}" for task in trained]
            note = f"{EPOCH} {often}. For many pairs, change that in its dataset_utils."
            texts["train.sh"] = _command("train.py", words, note)
        if tested := [task for kind, task in tasks.items() if _holds(placed, kind, TEST)]:
            folders = {task: f"{out}/{test}/{task.test.split('/')[0]}/" for task in tested}
            words = [f"--{task.test_option} {shlex.quote(folder)}" for task, folder in folders.items()]
            texts["test.sh"] = _command("test.py", words, "Its script lists its denoising set too, whatever is asked.")
        return texts

    return tell


def _holds(placed: Sequence[Placed], kind: str, split: str) -> bool:
    return any(one.pair.degradation == kind and one.pair.split == split for one in placed)


def _command(script: str, words: Sequence[str], note: str) -> str:
    return f"# To be run in the framework's checkout. {note}\npython {script} " + " \\\n    ".join(words) + "\n"


EPOCH = "Its loader takes a pair so many times an epoch:"
PROMPTIR = {"rain": RAIN, "haze": HAZE}
ADAIR = PROMPTIR | {"motion_blur": BLUR, "low_light": DARK}


# --- OneRestore, on CDD-11's folders ---

CDD_NAMES = {"low_light": "low", "haze": "haze", "rain": "rain", "snow": "snow"}
"""As CDD-11 calls them, in the order of its names."""
CLEAR = "clear"


def cdd_name(degradation: str) -> str:
    """`rain+haze` → haze_rain; nothing for what CDD-11 has not."""
    mix = parse_mix(degradation)
    known = any(mix == wanted.mix for wanted in parse_types("cdd11"))
    return "_".join(name for kind, name in CDD_NAMES.items() if kind in mix) if known else ""


def _in_order(names: Iterable[str]) -> list[str]:
    """As the scripts of OneRestore list them: singles, then mixes of two, of three."""
    places = list(CDD_NAMES.values())
    return sorted(set(names), key=lambda name: (name.count("_"), [places.index(part) for part in name.split("_")]))


def _cdd(pairs: Sequence[Pair]) -> Arranged:
    """split/clear/NUMBER beside split/haze/NUMBER, split/haze_rain/NUMBER …: a photo is in all or none.

    What photo it is, is known by the clean half's bytes: views of one photo are others.
    """
    left_out = Counter(f"{pair.degradation} has no place there" for pair in pairs if not cdd_name(pair.degradation))
    pairs = [pair for pair in pairs if cdd_name(pair.degradation)]
    photos: dict[tuple[str, str], dict[str, list[Pair]]] = defaultdict(lambda: defaultdict(list))
    for pair, digest in zip(pairs, in_order(_clean_digest, pairs, READERS), strict=True):
        photos[pair.split, digest][cdd_name(pair.degradation)].append(pair)
    kinds = {split: _in_order(kind for (own, _), found in photos.items() if own == split for kind in found)
             for split in {pair.split for pair in pairs}}  # fmt: skip
    placed: list[Placed] = []
    for number, ((split, _), found) in enumerate(photos.items(), start=1):
        whole = min(len(found[kind]) for kind in kinds[split])
        for turn in range(whole):
            name = f"{split}/{{}}/{number:06d}{f'-{turn}' if turn else ''}"
            placed += [
                Placed(found[kind][turn], name.format(CLEAR), name.format(kind), png=True, group=name)
                for kind in kinds[split]
            ]
        if short := sum(len(found[kind]) for kind in kinds[split]) - whole * len(kinds[split]):
            lacking = [kind for kind in kinds[split] if len(found[kind]) == whole]
            left_out[f"of their photo there is no (other) {', '.join(lacking)}"] += short
    return Arranged(placed, left_out)


def _clean_digest(pair: Pair) -> str:
    try:
        return sha256_bytes(pair.clean.bytes())
    except BadImage:  # which is said when it is to be written
        return pair.clean.address


def _tell_cdd(out: Path, placed: Sequence[Placed], lmdb: bool) -> Mapping[str, str]:
    """Its names are defaults in the source, for options of `type=list` cannot be given in words."""
    names = _in_order(cdd_name(one.pair.degradation) for one in placed)
    return {"onerestore.txt": (
        f"python makedataset.py --train-path {shlex.quote(str(out / TRAIN))} --gt-name {CLEAR}\n\n"
        "Defaults to edit, both in this order, since the training takes a label by its place:\n"
        f"makedataset.py, --degradation-name: {names}\n"
        f"train_OneRestore_*.py, --degr-type: {[CLEAR, *names]}\n"
    )}  # fmt: skip


CUT = ("rainy", "synthetic", "input")
LAYOUTS: Mapping[str, Layout] = {
    "basicsr": Layout(_flat, _tell_basicsr),
    "promptir": Layout(_of_tasks(PROMPTIR, "test"), _tell_tasks(PROMPTIR, "test"), CUT, 128),
    "adair": Layout(_of_tasks(ADAIR, "data/test"), _tell_tasks(ADAIR, "data/test"), CUT, 128),
    "cdd": Layout(_cdd, _tell_cdd, patch=256),
    "folders": Layout(_folders, _tell_folders),
}
