"""Pictures on a study's page: the first pairs of each degradation of every set."""

from gendeg.jobs.study_data import EXISTING, REAL, STRANGE, WITHIN, generated_place
from gendeg.jobs.study_work import Study, examples_of
from gendeg.pairs.pair import Pair
from gendeg.report.html import Card, Sheet, make_picture

LONGEST = 192  # pixels


def picture_sheet(study: Study) -> Sheet:
    """By the same order, drawn by a seed, that the examples of trainings and tests come in."""
    cards: list[Card] = []
    sets = {
        "existing": (study.data / EXISTING, "train"),
        "existing, real": (study.data / REAL, "train"),
        "generated": (generated_place(study.config, study.recipe.data), "train"),
        "within": (study.data / WITHIN, "train"),
        "unseen, strangers": (study.data / STRANGE, "train"),
        "unseen, real": (study.data / REAL, "test"),
    }
    for origin, (place, split) in sets.items():
        if place.exists():
            cards += _cards(study, origin, examples_of(place, split))
    return Sheet(cards, controls=True, heading="Sample pictures", made_by="Set")


def _cards(study: Study, origin: str, examples: list[Pair]) -> list[Card]:
    seen: dict[str, int] = {}
    cards = []
    for one in examples:
        if origin == "unseen, real" and one.source not in study.recipe.data.unseen_sources:
            continue
        kind = one.degradation
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= study.recipe.results.pictures:
            cards.append(_card(origin, one))
    return cards


def _card(origin: str, one: Pair) -> Card:
    clean, degraded = (make_picture(image, LONGEST) for image in one.read())
    notes = [f"{one.source}", f"mu\u00a0{one.mu:.3f} · sigma\u00a0{one.sigma:.3f}"]
    kind = one.degradation
    return Card(f"{kind} · {origin}", notes, kind, origin, clean, degraded, rank=one.mu)
