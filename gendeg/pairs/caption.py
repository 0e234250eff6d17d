"""gendeg pairs caption: pair manifests and folders of photos get captions of their clean photos."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gendeg.pairs.captions import cache_file, default_cache, keep_captions, open_cache, plain_caption
from gendeg.pairs.config import CaptionConfig
from gendeg.pairs.listers import Asked
from gendeg.pairs.pair import read_manifest, write_manifest
from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import find_photos
from gendeg.primitives.errors import BadImage, BadOption, HubUnreachable
from gendeg.primitives.files import ensure_writable, refuse_existing, sha256_bytes, write_jsonl
from gendeg.primitives.images import U8Image, resize_short_side
from gendeg.primitives.parallel import in_order
from gendeg.primitives.progress import bar, track
from gendeg.prompts import words

if TYPE_CHECKING:
    from gendeg.pairs.captioner import Captioner, Located, Wording

NONE = "none"
CAPTIONED, CACHED, KEPT = "captioned", "cached", "kept"
NO_MODEL, NO_WORDS = "no_model", "no_words"
UNREACHABLE = (
    "is no folder here and cannot be fetched from the hub: try again with a network, or give a folder "
    "(--model /path/to/model); --model none says that you want none"
)
LARGEST = 768
"""Pixels of the short side that a captioner is shown: they look at 224 to 512 of them, and 64 photos wait in memory."""


class Described(NamedTuple):
    """Photos (SHA-256 of their bytes) and what is said of them, the cache's words too."""

    captions: Mapping[str, str] = {}
    fresh: Set[str] = frozenset()  # described just now
    bad: Mapping[str, BadImage] = {}
    message: str = ""


@dataclass(frozen=True)
class Captions:
    """What came of a run. The counts of items by what became of them are all items."""

    texts: list[str]  # in the items' order
    counts: dict[str, int]  # captioned, cached, kept (had one), or the reason for which it was left as it was
    photos: int  # that a model has looked at
    messages: list[str]
    written: tuple[Path, ...] = ()

    @property
    def left(self) -> dict[str, int]:
        """Reason → items that have the fallback only, or what they had."""
        return {reason: count for reason, count in self.counts.items() if reason not in (CAPTIONED, CACHED, KEPT)}


def caption_manifests(config: CaptionConfig) -> Captions:
    """Rewrite each manifest with captions of its clean photos; what the model cannot have is the fallback.

    Raises `MissingPath`, `BadManifest`, `NoPairs`, `BadModel`, `OutputNotWritable`; nothing is rewritten then.
    """
    manifests = {path: read_manifest(path) for path in dict.fromkeys(map(Path, config.paths))}
    photos = [replace(pair.clean, caption=pair.caption) for pairs in manifests.values() for pair in pairs]
    made = make_captions(photos, config)
    texts = iter(made.texts)
    rewritten = {path: [replace(pair, caption=next(texts)) for pair in pairs] for path, pairs in manifests.items()}
    written = tuple(path for path, pairs in rewritten.items() if pairs != manifests[path])
    for path in written:
        write_manifest(path, rewritten[path])
    return replace(made, written=written)


def caption_photos(config: CaptionConfig, out: Path) -> Captions:
    """Write a table of path and caption that `gendeg build` reads; paths are relative to it.

    Raises as `find_photos`, and `OutputExists`, `BadOption`, `BadModel`.
    """
    if out.suffix.lower() != ".jsonl":
        raise BadOption("--out", f"is a table of captions and must end in .jsonl, not '{out.name}'")
    refuse_existing(config.overwrite, out)
    photos = find_photos(config.paths, Asked(hidden=True)).photos
    packed = next((photo.file for photo in photos if not photo.is_file), None)
    if packed:
        raise BadOption("--out", f"a table names files, and the photos of {packed} are none; unpack them first")
    ensure_writable(out.parent)
    made = make_captions(photos, config)
    folder = os.path.realpath(out.parent)
    places = [photo.file for photo in photos]
    real = [os.path.join(os.path.realpath(os.path.dirname(place)), os.path.basename(place)) for place in places]
    rows = zip(real, made.texts, strict=True)
    write_jsonl(out, ({"path": os.path.relpath(place, folder), "caption": caption} for place, caption in rows))
    return replace(made, written=(out,))


def make_captions(items: Sequence[Photo], config: CaptionConfig) -> Captions:
    """A caption for every photo: its own, or the cache's, or the model's; equal photos are described once."""
    fallback = words().fallback_caption

    def wants(item: Photo) -> bool:
        return config.overwrite or item.caption.strip() in ("", fallback)

    looks = _look(list(dict.fromkeys(replace(item, caption="") for item in items if wants(item))), config)
    described = _describe(looks, config)
    texts, counts = [], Counter[str]()
    for item in items:
        has = item.caption.strip()
        caption, what = _answer(looks.get(replace(item, caption="")), described) if wants(item) else (has, KEPT)
        texts.append(caption or has or fallback)
        counts[what] += 1
    bad = [look for look in looks.values() if isinstance(look, BadImage)] + list(described.bad.values())
    messages = [described.message] * bool(described.message) + [str(error) for error in bad]
    return Captions(texts, dict(counts), len(described.fresh), messages)


def _answer(look: str | BadImage | None, described: Described) -> tuple[str, str]:
    """(caption or "", what became of the item)."""
    error = described.bad.get(look) if isinstance(look, str) else look
    if error is not None:
        return "", str(error.reason)
    if look is None or look not in described.captions:
        return "", NO_MODEL
    caption = described.captions[str(look)]
    return caption, (CAPTIONED if look in described.fresh else CACHED) if caption else NO_WORDS


def _look(places: Sequence[Photo], config: CaptionConfig) -> dict[Photo, str | BadImage]:
    """Place → SHA-256 of the photo's bytes, or why they cannot be read. Without a model nothing is looked at."""
    if config.model == NONE:
        return {}
    looks = in_order(_digest, places, config.workers)
    return dict(zip(places, track(looks, "looking at photos", total=len(places), wanted=config.progress), strict=True))


def _digest(photo: Photo) -> str | BadImage:
    try:
        return sha256_bytes(photo.bytes())
    except BadImage as error:
        return error


def _describe(looks: Mapping[Photo, str | BadImage], config: CaptionConfig) -> Described:
    """Captions of the photos that were found; what the cache has not goes to the model, which is loaded only then."""
    photos = {look: place for place, look in looks.items() if isinstance(look, str)}
    if not photos:
        return Described()
    from gendeg.pairs.captioner import Captioner, locate_captioner
    from gendeg.primitives.device import choose_device

    try:
        located = locate_captioner(config.model)
    except HubUnreachable as error:
        return Described(message=f"model '{error.name}' {UNREACHABLE}")
    wording = _wording(config)
    cache = cache_file(config.cache or default_cache(), _captioner_facts(located, wording, config))
    captions = open_cache(cache)
    todo = {photo: place for photo, place in photos.items() if photo not in captions}
    if not todo:
        return Described(captions)
    captioner = Captioner(located, wording, config.beams, config.tokens, choose_device(config.device))
    bad: dict[str, BadImage] = {}
    with bar("captioning", total=len(todo), wanted=config.progress) as progress:
        for batch in _batches(todo, config, bad):
            said = _caption_batch(captioner, batch, wording)
            keep_captions(cache, said)
            captions |= said
            progress.update(len(batch))
    return Described(captions, todo.keys() - bad.keys(), bad)


def _wording(config: CaptionConfig) -> "Wording":
    from gendeg.pairs.captioner import Wording

    if config.prompt is not None:
        return Wording(config.prompt, config.prompt)
    return Wording(words().captioner_prefix, words().captioner_request)


def _captioner_facts(located: "Located", wording: "Wording", config: CaptionConfig) -> dict[str, object]:
    """Everything that decides what is said of a photo."""
    return {"model": located.identity, "prefix": wording.prefix, "request": wording.request, "beams": config.beams,
            "tokens": config.tokens, "openings": list(words().captioner_openings)}  # fmt: skip


def _batches(todo: dict[str, Photo], config: CaptionConfig, bad: dict[str, BadImage]) -> Iterator[dict[str, U8Image]]:
    """Photo → image, `batch_size` at a time; what cannot be decoded goes to `bad`."""

    def good() -> Iterator[tuple[str, U8Image]]:
        for photo, image in zip(todo, in_order(_read, todo.values(), config.workers), strict=True):
            if isinstance(image, BadImage):
                bad[photo] = image
            else:
                yield photo, image

    images = good()
    while batch := dict(islice(images, config.batch_size)):
        yield batch


def _read(photo: Photo) -> U8Image | BadImage:
    try:
        image = photo.image()
    except BadImage as error:
        return error
    return resize_short_side(image, LARGEST) if min(image.shape[:2]) > LARGEST else image


def _caption_batch(captioner: "Captioner", batch: dict[str, U8Image], wording: "Wording") -> dict[str, str]:
    said = captioner.caption(list(batch.values()))
    openings = [opening for opening in (wording.prefix, *words().captioner_openings) if opening]
    return {photo: plain_caption(text, openings) for photo, text in zip(batch, said, strict=True)}
