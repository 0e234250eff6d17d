"""gendeg restore apply: photos → restored photos, a list of them, and a sheet of before and after."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import open_photos
from gendeg.pairs.tables import REAL
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import BadImage, CannotRestore, TooLongForFormat
from gendeg.primitives.files import append_jsonl, ensure_writable, json_line, refuse_existing, write_jsonl
from gendeg.primitives.images import LONGEST_SIDE, write_image
from gendeg.primitives.progress import track
from gendeg.primitives.records import Failure
from gendeg.report.sheet import Tile, draw_sheet, thumbnail
from gendeg.restore.config import RestoreApplyConfig
from gendeg.restore.loading import open_restorer
from gendeg.restore.whole import Network, check_windows, restore_photo

ENDING = ".restored"  # of the names: an earlier run's results are not restored a second time
SHEET_ROWS, SHEET_WIDTH = 24, 320


@dataclass(frozen=True)
class Restored:
    """One restored photo; `restored` is the name of its file below the output folder."""

    photo: str
    restored: str
    width: int
    height: int
    model: str

    def to_json(self) -> str:
        return json_line(asdict(self))


@dataclass(frozen=True)
class ToRestore:
    photo: Photo
    target: Path


def restore_photos(config: RestoreApplyConfig) -> Iterator[Restored | Failure]:
    """Restore every photo, yielding its row once the image is on disk; a photo that cannot be read is a failure.

    Raises `BadOption`, `MissingPath`, `NoImages`, `BadModel`, and `OutputExists` when an output is there already.
    """
    check_windows(config.tile, config.overlap)
    tasks = plan_restoration(config)
    restorer = open_restorer(config.model).to(choose_device(config.device))
    ensure_writable(config.out)
    records = config.out / "restored.jsonl"
    write_jsonl(records, [])
    rows: list[list[Tile]] = []
    for task in track(tasks, "restoring", total=len(tasks), wanted=config.progress):
        row = _restore(task, restorer, config, rows)
        append_jsonl(records, [asdict(row)])
        yield row
    if rows:
        write_image(draw_sheet(rows, SHEET_WIDTH), config.out / "sheet.png", "png")


def plan_restoration(config: RestoreApplyConfig) -> list[ToRestore]:
    """Each photo and where its result goes. Raises `MissingPath`, `NoImages`, `OutputExists`."""
    found = open_photos(config.paths, REAL, skip=lambda path: _is_own(path, config.out), gaps=True)
    names = [f"{photo.stem}{ENDING}.{config.format}" for photo in found]
    tasks = [ToRestore(one, config.out / name) for one, name in zip(found, names, strict=True)]
    targets = (task.target for task in tasks)
    refuse_existing(config.overwrite, config.out / "restored.jsonl", config.out / "sheet.png", *targets)
    return tasks


def _restore(
    task: ToRestore, restorer: Network, config: RestoreApplyConfig, rows: list[list[Tile]]
) -> Restored | Failure:
    try:
        degraded = task.photo.image()
        height, width = degraded.shape[:2]
        longest = LONGEST_SIDE[config.format]
        if max(height, width) > longest:
            raise TooLongForFormat(width, height, config.format, longest)
        restored = restore_photo(restorer, degraded, config.tile, config.overlap)
    except (BadImage, TooLongForFormat) as error:
        return Failure.of(error, task.photo.name)
    except CannotRestore as error:
        return Failure.of(error.named(task.photo.name), task.photo.name)
    write_image(restored, task.target, config.format)
    if len(rows) < SHEET_ROWS:
        before, after = (thumbnail(image, SHEET_WIDTH) for image in (degraded, restored))
        rows.append([Tile(before, task.photo.title), Tile(after, "restored")])
    return Restored(task.photo.name, task.target.name, width, height, str(config.model))


def _is_own(path: Path, out: Path) -> bool:
    """Whether a picture found in a folder is what an earlier run wrote into `out`."""
    written = path.stem.endswith(ENDING) or (
        path.name in ("sheet.png", "restored.jsonl") and (out / "restored.jsonl").is_file()
    )
    return written and os.path.realpath(path.parent) == os.path.realpath(out)
