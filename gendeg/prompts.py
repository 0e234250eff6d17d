"""(caption, degradation) → the whole text the model reads; the words live in prompts/degradations.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache

from gendeg.primitives.errors import BadManifest
from gendeg.primitives.files import data_root
from gendeg.primitives.kinds import KNOWN, Mix, in_light, mix_name


@dataclass(frozen=True)
class Words:
    """The texts of prompts/degradations.toml."""

    fallback_caption: str
    captioner_prefix: str
    captioner_request: str
    captioner_openings: tuple[str, ...]
    phrases: dict[str, str]


@cache
def words() -> Words:
    """Read the words once. Raises `BadManifest` when a degradation has no phrase."""
    path = data_root("prompts") / "degradations.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    missing = [mix_name(mix) for mix in KNOWN if mix_name(mix) not in table.get("phrases", {})]
    if missing:
        raise BadManifest(path, 0, f"no phrase for {', '.join(missing)}")
    table["captioner_openings"] = tuple(table["captioner_openings"])
    return Words(**table)


def phrase_of(mix: Mix) -> str:
    """What is said of a mix; of one that no model has learnt, what is said of each, in the order of the light."""
    phrases = words().phrases
    return phrases.get(mix_name(mix)) or " and ".join(phrases[kind] for kind in in_light(mix))


def make_prompt(caption: str, mix: Mix) -> str:
    """`("a street", (RAIN,))` → `"a street, in rainy conditions"`; an empty caption becomes the fallback one."""
    caption = " ".join(caption.split()) or words().fallback_caption
    return f"{caption}, {phrase_of(mix)}"
