"""The dataset card: README.md with the YAML that Hugging Face `datasets` reads, and what people want to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import yaml

from gendeg.report.card_merge import body_part, head_part

ALL = "default"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True)
class Part:
    """The samples of one degradation in one split; mu at three quantiles."""

    degradation: str
    split: str
    samples: int
    bytes: int
    mu: tuple[float, float, float]


@dataclass(frozen=True)
class Level:
    """The generated samples of one degradation at one intensity."""

    samples: int
    mu: float  # their mean


@dataclass(frozen=True)
class IncludedSource:
    """Existing pairs that stand beside the generated ones."""

    name: str
    pairs: int
    licence: str
    homepage: str


@dataclass(frozen=True)
class CardFacts:
    """Everything that the card says."""

    name: str  # a title, and never that of the folder: where a dataset lies is no part of what it is
    license: str
    clean_column: str  # clean.png or clean.jpg
    record: pa.Schema  # of a sample's JSON
    parts: Sequence[Part]
    failures: Mapping[str, int]
    left_out: Mapping[str, int]
    included: Sequence[IncludedSource]
    model: str
    model_sha256: str
    settings: Mapping[str, object]
    fingerprint: str
    graded: Mapping[str, Mapping[float, Level]] = field(default_factory=dict)  # degradation → level of intensity
    parquet: "Parquet | None" = None  # the card of the Parquet files, not of the shards


@dataclass(frozen=True)
class Parquet:
    """What only the card of the Parquet files says: whose pairs they are, and how many were made smaller to fit."""

    beside: str  # user/name of the shards
    smaller: int


def make_card(facts: CardFacts) -> str:
    """The whole README.md, our parts between marks. A pure function of the facts: no date, no place."""
    head = _yaml(_proposed(facts)) + head_part(_yaml(_counted(facts)))
    return f"---\n{head}---\n\n{body_part(_text(facts))}\n"


def _yaml(values: Mapping[str, object]) -> str:
    return yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=1000)


def _kinds(facts: CardFacts) -> list[str]:
    return list(dict.fromkeys(part.degradation for part in facts.parts))


def _proposed(facts: CardFacts) -> dict[str, object]:
    """What people may know better."""
    return {
        "license": facts.license,
        "pretty_name": facts.name,
        "task_categories": ["image-to-image"],
        "tags": ["image-restoration", "parquet" if facts.parquet else "webdataset", "gendeg", *_kinds(facts)],
    }


def _counted(facts: CardFacts) -> dict[str, object]:
    """What readers go by: it has to fit the files.

    Parquet files carry their features; and of a count of samples a reader that filters would say that it is not met.
    """
    names, total = [ALL, *_kinds(facts)], sum(part.samples for part in facts.parts)
    return {
        "size_categories": [next((name for limit, name in SIZES if total < limit), "n>1M")],
        "configs": [_config(facts, name) for name in names],
    } | ({} if facts.parquet else {"dataset_info": [_info(facts, name) for name in names]})


def _of(facts: CardFacts, name: str) -> dict[str, list[Part]]:
    """Split → parts of one config."""
    splits: dict[str, list[Part]] = {}
    for part in facts.parts:
        if name in (ALL, part.degradation):
            splits.setdefault(part.split, []).append(part)
    return splits


def _config(facts: CardFacts, name: str) -> dict[str, object]:
    ending = "parquet" if facts.parquet else "tar"
    files = [
        {"split": split, "path": [f"{part.degradation}/{split}-*.{ending}" for part in parts]}
        for split, parts in _of(facts, name).items()
    ]
    return {"config_name": name, "data_files": files} | ({"default": True} if name == ALL else {})


def _info(facts: CardFacts, name: str) -> dict[str, object]:
    """Features are given, not inferred: inference would look at five samples and take 0 and 1 for whole numbers."""
    splits = [
        {"name": split, "num_bytes": sum(p.bytes for p in parts), "num_examples": sum(p.samples for p in parts)}
        for split, parts in _of(facts, name).items()
    ]
    size = sum(part.bytes for parts in _of(facts, name).values() for part in parts)
    return {
        "config_name": name,
        "features": [
            {"name": facts.clean_column, "dtype": "image"},
            {"name": "degraded.png", "dtype": "image"},
            {"name": "json", "struct": [_feature(field) for field in facts.record]},
            {"name": "__key__", "dtype": "string"},
            {"name": "__url__", "dtype": "string"},
        ],
        "splits": splits,
        "download_size": size,
        "dataset_size": size,
    }


def _feature(field: pa.Field) -> dict[str, object]:
    """One of `datasets`' features, as a card writes it."""
    if pa.types.is_list(field.type):
        return {"name": field.name, "list": [_feature(one) for one in field.type.value_type]}
    return {"name": field.name, "dtype": {"double": "float64"}.get(str(field.type), str(field.type))}


def _text(facts: CardFacts) -> str:
    total = sum(part.samples for part in facts.parts)
    rows = [
        f"| {p.degradation} | {p.split} | {p.samples} | {p.mu[0]:.3f} | {p.mu[1]:.3f} | {p.mu[2]:.3f} |"
        for p in facts.parts
    ]
    settings = ", ".join(f"{name} {value}" for name, value in facts.settings.items() if value not in ("", None))
    sections = [
        f"# {facts.name}",
        f"{total} pairs of a clean photograph and its degraded version, made with gendeg.",
        "![clean and degraded](preview.png)",
        "| degradation | split | pairs | mu, 5 % | mu, median | mu, 95 % |\n|---|---|---|---|---|---|\n"
        + "\n".join(rows),
        "mu: mean of |clean - degraded| over all pixels and channels, images in [0, 1], measured as stored.",
        _graded(facts),
        _reading(facts),
        (
            f"## How it was made\n\nModel `{facts.model}`, SHA-256 of its weights and numbers `{facts.model_sha256}`. "
            f"Settings: {settings}. Fingerprint of the build: `{facts.fingerprint}`."
        ),
        _missing(facts),
        _included(facts),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _reading(facts: CardFacts) -> str:
    kind = facts.parts[0].degradation if facts.parts else "haze"
    if facts.parquet:
        return _reading_parquet(facts, facts.parquet, kind)
    return f"""## Reading

```python
from datasets import load_dataset

pairs = load_dataset("path/or/name")["train"]  # every degradation
some = load_dataset("path/or/name", "{kind}", streaming=True)  # one of them
```

Each sample has `{facts.clean_column}`, `degraded.png` and `json`, its record: {", ".join(facts.record.names)}."""


def _graded(facts: CardFacts) -> str:
    if not facts.graded:
        return ""
    levels = sorted({level for row in facts.graded.values() for level in row})
    lines = ["| degradation | " + " | ".join(f"{level:g}" for level in levels) + " |", "|---" * (len(levels) + 1) + "|"]
    for kind, row in sorted(facts.graded.items()):
        cells = [f"{row[level].mu:.3f} ({row[level].samples})" if level in row else "" for level in levels]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return (
        "## Graded\n\nEvery photo at every one of these intensities, made with the same noise, so that only the "
        "strength differs. Mean mu of the pairs (and their number) at each:\n\n" + "\n".join(lines)
    )


def _reading_parquet(facts: CardFacts, parquet: Parquet, kind: str) -> str:
    smaller = (
        f"{parquet.smaller} pairs would have made a row of more than 2 MB. Here both of their pictures are smaller "
        "JPEG files, and `untouched` is false; mu, sigma, width and height are still those of the pair in the shards."
        if parquet.smaller
        else "All pictures are the shards' own bytes."
    )
    return f"""## Reading

The pairs of [{parquet.beside}](https://huggingface.co/datasets/{parquet.beside}) as Parquet, to look at and to filter.

```python
from datasets import load_dataset

pairs = load_dataset("path/or/name")["train"]  # every degradation
weak = load_dataset("path/or/name", "{kind}", filters=[("mu", "<", 0.05)])  # one of them, by strength
```

Each row has `clean`, `degraded`, the record ({", ".join(facts.record.names)}) and `untouched`. {smaller}"""


def _missing(facts: CardFacts) -> str:
    if not facts.failures and not facts.left_out:
        return ""
    lines = [f"- {count} planned samples were not made: {reason}" for reason, count in facts.failures.items()]
    lines += [f"- {count} photos were left out: {reason}" for reason, count in facts.left_out.items()]
    return "## What is not in it\n\n" + "\n".join(lines)


def _included(facts: CardFacts) -> str:
    if not facts.included:
        return ""
    rows = [f"| {s.name} | {s.pairs} | {s.licence} | {s.homepage} |" for s in facts.included]
    head = "| source | pairs | licence | homepage |\n|---|---|---|---|\n"
    return (
        "## Existing pairs in it (`origin` is not `generated`)\n\nTheir own licences apply to them:\n\n"
        + head
        + "\n".join(rows)
    )
