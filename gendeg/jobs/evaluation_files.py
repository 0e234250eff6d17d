"""What `gendeg evaluate` leaves in its folder and `gendeg report` reads there; schema: manifests/README.md."""

from dataclasses import dataclass

from gendeg.primitives.records import Record

RESULTS, SAMPLES = "results.json", "samples.jsonl"


@dataclass(frozen=True)
class Made:
    """One image of an evaluation; `clean` and `degraded` are its files, relative to the evaluation's folder."""

    arm: str
    purpose: str
    photo: str
    clean: str
    degraded: str
    record: Record
