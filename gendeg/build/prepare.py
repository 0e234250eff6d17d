"""The first step of a build: plan it, or find the plan that stands already and see that it is the same build."""

import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow as pa

from gendeg.build.config import ATTEMPTS, PER_IMAGE, BuildConfig
from gendeg.build.inputs import included, look_at_pairs, look_at_photos
from gendeg.build.plan import write_plan
from gendeg.build.splits import keep_apart
from gendeg.intensity.ask import drawn_mixes
from gendeg.intensity.draw import levels_of
from gendeg.intensity.priors import priors_digest
from gendeg.model.fitting import PLAIN_BATCH
from gendeg.model.settings import Settings
from gendeg.model.text import PromptWriter
from gendeg.pairs.listers import Asked
from gendeg.pairs.pair import MANIFEST
from gendeg.pairs.photo import Input, Kind
from gendeg.pairs.photos import Opened, find_photos, listing_digest
from gendeg.pairs.split import made_splits
from gendeg.primitives.errors import (
    BadOption,
    DamagedDataset,
    DifferentRun,
    MissingPath,
    NeedsInputs,
    NotADataset,
    OtherPhotos,
)
from gendeg.primitives.files import ensure_writable, read_json_object, sha256_bytes, sha256_of, write_json, write_jsonl
from gendeg.primitives.hub import HUB
from gendeg.primitives.kinds import parse_types
from gendeg.primitives.options import BUNDLED, PHYSICS
from gendeg.primitives.pictures import count_reasons
from gendeg.primitives.silence import doing
from gendeg.shards.description import Description, read_description, write_description
from gendeg.shards.layout import Layout

PLACES = ("clean", "column", "out", "include", "model", "device", "engine", "workers", "grace", "check_disk",
          "estimate", "dry_run", "progress", "priors")  # fmt: skip
"""Fields of the configuration that do not decide the bytes by themselves (inputs and plan have their own hashes)."""


@dataclass(frozen=True)
class ModelFacts:
    """The model, as far as a plan has to know it."""

    sha256: str
    settings: Settings
    precision: str
    write_prompt: PromptWriter = field(default_factory=PromptWriter)
    fitting: Callable[[int, int], int] = lambda height, width: PLAIN_BATCH
    """Images of that size that are made at a time, where nobody says how many."""


def prepare(config: BuildConfig, facts: ModelFacts, anew: bool = True) -> Description:
    """Writes plan and configuration, or finds both. Call it while holding the folder's lock.

    Other settings make another plan as long as nothing was made, as after a dry run, unless not `anew`; a format and a
    batch size that nobody says stay as they were planned. Raises `DifferentRun` naming what differs, `OtherPhotos`,
    `DamagedDataset` when the plan on disk was changed, and what the inputs raise.
    """
    layout = Layout(config.out)
    opened = find_photos(config.clean, Asked(splits=made_splits(config.split), column=config.column, hidden=True))
    digest = sha256_bytes((listing_digest(opened.photos, config.column) + _include_digest(config.include)).encode())
    before = _planned(config, layout, facts, digest, anew)
    if before is None:
        description = _plan(config, layout, facts, opened, digest)
        _write_inputs(layout, config, opened.inputs)
        write_description(layout, description)
        return description
    if not layout.plan.is_file() or sha256_of(layout.plan) != before.plan_sha256:
        _plan(_as_before(config, before), layout, facts, opened, digest)
        if not sha256_of(layout.plan) == before.plan_sha256:
            raise DamagedDataset(layout.plan, "the plan was damaged and cannot be made again from these photos")
    _write_inputs(layout, config, opened.inputs)
    return before


def _planned(config: BuildConfig, layout: Layout, facts: ModelFacts, digest: str, anew: bool) -> Description | None:
    """What was planned there with the same settings; None where nothing was, or nothing was made of another plan."""
    try:
        before = read_description(layout)
    except NotADataset:
        return None
    format = str(before.settings["format"])
    differing = before.differing(_described(_as_before(config, before), facts, digest, format))
    if "inputs" in differing:
        raise OtherPhotos(layout.root, differing)
    if not differing:
        return before
    other = DifferentRun(layout.root, differing)
    if not anew or any(layout.marks.glob("*.json")) or any(layout.root.glob("*/*.tar")):
        raise other
    print(f"gendeg: {layout.root}: nothing was made yet, so it is planned anew: other {other.told}", file=sys.stderr)
    return None


def _as_before(config: BuildConfig, before: Description) -> BuildConfig:
    """With the images made at a time that were found for this plan, where nobody says how many."""
    return config if config.batch_size else replace(config, batch_size=before.settings["batch_size"])


def _plan(config: BuildConfig, layout: Layout, facts: ModelFacts, opened: Opened, digest: str) -> Description:
    for folder in (layout.root, layout.side, layout.marks, layout.logs):
        ensure_writable(folder)
    seen = look_at_photos(config, opened)
    manifests, pairs, bad_pairs = look_at_pairs(config, len(opened.inputs), seen.format)
    opened.inputs.extend(manifests)
    apart = keep_apart(config, opened.inputs, seen.table, pairs)
    included = apart.pairs if len(apart.pairs) else None
    if not config.batch_size:
        config = replace(config, batch_size=facts.fitting(*_largest(apart.photos)))
    with doing("writing the plan"):
        planned = write_plan(config, apart.photos, layout.plan, included, facts.write_prompt)
    facts.write_prompt.say()
    left_out = seen.left_out + opened.left_out + bad_pairs + apart.leaks
    write_jsonl(layout.left_out, (one.as_row() for one in left_out))
    described = _described(config, facts, digest, seen.format)
    return Description(
        **(asdict(described) | {
            "plan_sha256": sha256_of(layout.plan),
            "shards": [[s.name.degradation, s.name.split, s.name.number, s.samples] for s in planned],
            "photos": len(seen.table),
            "left_out": count_reasons(one.failed for one in left_out),
            "moved": apart.moved,
        })
    )  # fmt: skip


def _largest(photos: pa.Table) -> tuple[int, int]:
    """Height and width of the photo with most pixels."""
    sides = (photos.column(name).to_pylist() for name in ("height", "width"))
    return max(zip(*sides, strict=True), key=lambda size: size[0] * size[1], default=(1, 1))


def _described(config: BuildConfig, facts: ModelFacts, digest: str, format: str) -> Description:
    """All but the plan."""
    asked = config.format
    settings = {name: value for name, value in asdict(config).items() if name not in PLACES}
    if not config.compile:
        del settings["compile"]  # a build without it is what it was before there was one
    levels = levels_of(config.intensity)
    settings |= {
        "per_image": None if levels else config.per_image or PER_IMAGE,
        "attempts": 1 if levels else config.attempts or ATTEMPTS,
        "intensity": ",".join(f"{level:g}" for level in levels) or config.intensity,
        "types": ",".join(wanted.name for wanted in parse_types(config.types)),
        "format": format if asked == "auto" else asked,
        **{
            name: value for name, value in asdict(facts.settings).items() if name != "passes"
        },  # follows from the others
        "precision": facts.precision,
        "priors": priors_digest(
            drawn_mixes(config.types, config.model), Path(config.priors) if config.priors else None
        ),
    }
    return Description(model_label(config.model), facts.sha256, settings, digest, "", [], 0, {}, made_with=versions())


def model_label(name: str) -> str:
    """What records say: a folder's own name, for its path is nobody's business."""
    return Path(name).absolute().name if is_folder(name) else name


def is_folder(model: str) -> bool:
    """Whether a model's name is a folder here; the names that we give are none, whatever lies beside."""
    return model not in (BUNDLED, PHYSICS) and Path(model).is_dir()


def _include_digest(places: Sequence[Path]) -> str:
    """Of the manifests. Raises `BadOption` for a folder without one, and as `sha256_of`."""
    for place in places:
        if place.is_dir() and not (place / MANIFEST).is_file():
            raise BadOption("--include", f"{place} has no {MANIFEST}; gendeg curate writes one, with files of its own")
    return " ".join(sha256_of(place / MANIFEST if place.is_dir() else place) for place in places)


def versions() -> dict[str, str]:
    """Of what turns numbers into bytes. Equal bytes are promised for equal versions on equal hardware."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("gendeg", "torch", "diffusers", "transformers", "pillow", "numpy", "pyarrow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "?"
    return found


# --- where things are on this machine ---


def _write_inputs(layout: Layout, config: BuildConfig, inputs: Sequence[Input]) -> None:
    """What `repair` and `retry` need to go on without being told everything again, from wherever they are called."""
    known = list(inputs)
    for manifest in config.include:
        one = included(manifest)
        known += [one] if one not in known else []
    row = {
        "inputs": [asdict(one) for one in known],
        "clean": [name if name.startswith(HUB) else str(Path(name).absolute()) for name in map(str, config.clean)],
        "column": config.column,
        "include": [str(path.absolute()) for path in config.include],
        "priors": str(Path(config.priors).absolute()) if config.priors else "",
        "model": str(Path(config.model).absolute()) if is_folder(config.model) else config.model,
    }
    write_json(layout.inputs, row)


def read_inputs(layout: Layout) -> list[Input]:
    """The inputs that the plan's numbers point at. Raises `DamagedDataset`."""
    try:
        rows = read_json_object(layout.inputs)["inputs"]
        return [Input(Kind(row["kind"]), row["place"], row.get("column", "")) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedDataset(layout.inputs, f"not a list of inputs ({error})") from error


def stored_config(layout: Layout, description: Description, **changes: object) -> BuildConfig:
    """The configuration of the build that made a folder, with other workers, device and the like.

    Raises `NeedsInputs` in a copy that came from the hub.
    """
    try:
        row = read_json_object(layout.inputs)
    except MissingPath as error:
        raise NeedsInputs(layout.root) from error
    found = {"priors"} | ({one.name for one in fields(Settings)} if row["model"] == PHYSICS else set())
    settings = {name: value for name, value in description.settings.items() if name not in found}
    places = {
        "clean": tuple(row["clean"]),
        "column": row.get("column", ""),
        "include": tuple(map(Path, row["include"])),
        "priors": row["priors"],
    }
    return BuildConfig(**(settings | places | {"out": layout.root, "model": row["model"]} | changes))
