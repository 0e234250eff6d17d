"""From the scores of all runs to every number of a study's page; nothing here reads pictures or trains."""

from collections.abc import Sequence
from typing import Any

from gendeg.metrics.uncertainty import bootstrap_blocks
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.options import PHYSICS
from gendeg.primitives.rng import for_sample
from gendeg.study.data import EXISTING, GENERATED, REAL, STRANGE, WITHIN, data_digest, generated_place, rain_name
from gendeg.study.plan import BOTH, SCHEMA, StudyRun, arms_of, compared, mixture_name, mixture_seeds, share_name
from gendeg.study.scores import OOD, Blocks, Place, Scores, by_degradation, chosen, difference, mean_over, read_scores
from gendeg.study.scores import WITHIN as WITHIN_SET
from gendeg.study.work import Study, examples_of

INPUT = "degraded, as it is"
MIXES = (0.0, 0.25, 0.5, 0.75, 1.0)
MEASURES = ("psnr", "ssim")
WANTED = 4  # degradations of which the interval has to exclude zero


def study_numbers(study: Study, plan: dict[str, Any], runs: Sequence[StudyRun]) -> dict[str, Any]:
    """`results.json`, without what needs networks (t-SNE, transfer)."""
    scores = {section: read_scores(study, [run for run in runs if run.section == section])
              for section in dict.fromkeys(run.section for run in runs)}  # fmt: skip
    arms, shares = scores["arms"], scores.get("scaling", {})
    trained = {tuple(name.split("/", 1)) for one in arms.values() for told in one.results for name in told["trained"]}
    told: dict[str, Any] = {"schema": SCHEMA, "fingerprint": plan["fingerprint"], "inputs": plan["inputs"]}
    told["data"] = _data(study)
    told["budget"] = _budget(runs, scores)
    told["roles"] = {f"{kind}/{source}": (WITHIN_SET if (kind, source) in trained else OOD)
                     for kind, source in sorted(arms[BOTH].blocks("psnr"))}  # fmt: skip
    told["arms"] = _arms(study, arms, trained)
    told["difference"] = _differences(study, arms, trained)
    told["scaling"] = _scaling(study, arms, shares, trained)
    told["mix"] = _mix(study, arms | shares, trained)
    told["mixtures"] = _mixtures(study, arms, scores.get("mixtures", {}), trained)
    told["complexity"] = _complexity(study, scores.get("complexity", {}))
    told["content_prior"] = _priors(study, scores.get("content_prior", {}))
    return told


def in_set(blocks: Blocks, trained: set[Any], which: str) -> Blocks:
    """Sources that existing data trained on, or all others."""
    return chosen(blocks, lambda place: (place in trained) == (which == WITHIN_SET))


def _arms(study: Study, arms: dict[str, Scores], trained: set[Any]) -> list[dict[str, Any]]:
    """One row an arm and set: measure → degradation → mean. First the images as they are."""
    rows = []
    for which in (WITHIN_SET, OOD):
        for name, one in [(INPUT, arms[EXISTING]), *((arm, arms[arm]) for arm in arms_of(study.recipe))]:
            row: dict[str, Any] = {"arm": name, "set": which}
            for measure in MEASURES:
                column = f"{measure}_input" if name == INPUT else measure
                blocks = in_set(one.blocks(column), trained, which)
                row[measure] = by_degradation(study, blocks, f"{name}/{which}/{measure}") if blocks else {}
            rows.append(row)
    return rows


def _differences(study: Study, arms: dict[str, Scores], trained: set[Any]) -> dict[str, Any]:
    """existing+generated minus existing, and what else is `compared`, out of distribution and within."""
    told: dict[str, Any] = {}
    for arm, other in compared(study.recipe):
        for which in (OOD, WITHIN_SET):
            name = f"{arm} - {other}"
            for measure in MEASURES:
                both = difference(arms[arm].blocks(measure), arms[other].blocks(measure))
                blocks = in_set(both, trained, which)
                if not blocks:
                    continue
                means = by_degradation(study, blocks, f"{name}/{which}/{measure}")
                each = {f"{k}/{s}": mean_over(study, {(k, s): b}, f"{name}/{k}/{s}/{measure}")
                        for (k, s), b in blocks.items()}  # fmt: skip
                told.setdefault(name, {}).setdefault(which, {})[measure] = {"means": means, "sources": each}
    claim = told.get(f"{BOTH} - {EXISTING}", {}).get(OOD, {}).get("psnr", {}).get("means", {})
    kinds = [kind for kind in claim if kind in set(Degradation)]
    better = [kind for kind in kinds if claim[kind]["low"] > 0]
    told["claim"] = {"wanted": WANTED, "better": better, "worse": [k for k in kinds if claim[k]["high"] < 0],
                     "met": len(better) >= WANTED}  # fmt: skip
    return told


def _scaling(study: Study, arms: dict[str, Scores], shares: dict[str, Scores], trained: set[Any]) -> list[Any]:
    """Share of the generated samples → PSNR on both sets, and its difference to no generated data."""
    points = [(0.0, arms[EXISTING]), *((s, shares[share_name(s)]) for s in study.recipe.arms.shares), (1.0, arms[BOTH])]
    rows = []
    for share, one in points:
        row: dict[str, Any] = {"share": share, "pairs": one.results[0]["pairs"], "origins": one.results[0]["origins"]}
        for which in (WITHIN_SET, OOD):
            blocks = one.blocks("psnr")
            gained = difference(blocks, arms[EXISTING].blocks("psnr"))
            row[which] = by_degradation(study, in_set(blocks, trained, which), f"scaling/{share}/{which}")
            row[f"{which} gain"] = by_degradation(
                study, in_set(gained, trained, which), f"scaling/{share}/{which}/gain"
            )
        rows.append(row)
    return rows


def _mix(study: Study, scores: dict[str, Scores], trained: set[Any]) -> list[dict[str, Any]]:
    """Mean PSNR over a stream of photos of which a share is out of distribution, the rest within."""
    rows = []
    for name, one in scores.items():
        blocks = one.blocks("psnr")
        row: dict[str, Any] = {"arm": name, "pairs": one.results[0]["pairs"]}
        for share in MIXES:
            row[f"{share:g}"] = _mixed(study, blocks, trained, share, f"mix/{name}/{share:g}")
        rows.append(row)
    return rows


def _mixed(study: Study, blocks: Blocks, trained: set[Any], share: float, name: str) -> dict[str, Any] | None:
    picked, weights = [], []
    for which, part in ((WITHIN_SET, 1 - share), (OOD, share)):
        here = in_set(blocks, trained, which)
        kinds = [kind for kind, _ in here]
        picked += list(here.values())
        weights += [part / (len(set(kinds)) * kinds.count(kind)) for kind in kinds]
    if not picked:
        return None
    settings = study.recipe.results
    generator = for_sample(settings.seed, name, "bootstrap")
    return bootstrap_blocks(picked, weights, settings.draws, generator).as_row()


def _mixtures(
    study: Study, arms: dict[str, Scores], mixtures: dict[str, Scores], trained: set[Any]
) -> list[dict[str, Any]]:
    """Every mixture, and the arms of the same seeds: PSNR gained over existing alone, and over all of both."""
    if not mixtures or study.recipe.mixtures is None:
        return []
    seeds = mixture_seeds(study.recipe)
    existing, both = (arms[name].of_seeds(seeds).blocks("psnr") for name in (EXISTING, BOTH))
    named = {name: arms[name].of_seeds(seeds) for name in (EXISTING, GENERATED, BOTH)}
    named |= {text: mixtures[mixture_name(text)] for text in study.recipe.mixtures.mixtures}
    rows = []
    for name, one in named.items():
        row: dict[str, Any] = {"mixture": name, "origins": one.results[0]["origins"]}
        for column, other in (("gain", existing), ("over both", both)):
            gained = difference(one.blocks("psnr"), other)
            for which in (OOD, WITHIN_SET):
                there = in_set(gained, trained, which)
                row[f"{which} {column}"] = by_degradation(study, there, f"mixtures/{name}/{which}/{column}")
        rows.append(row)
    return rows


# --- derainers and content priors ---


def _complexity(study: Study, scores: dict[str, Scores]) -> dict[str, Any]:
    """PSNR, E_R and E_B on unseen rain along both axes; and the images as they are."""
    complexity = study.recipe.complexity
    if complexity is None or not scores:
        return {}
    fixed = complexity.fixed_range
    along = [{"backgrounds": count} | _rain(study, scores[rain_name(count, fixed)]) for count in complexity.backgrounds]
    across = [
        {"range": list(limits)} | _rain(study, scores[rain_name(complexity.fixed_backgrounds, number)])
        for number, limits in enumerate(complexity.ranges)
    ]
    first = next(iter(scores.values()))
    return {
        "backgrounds": along, "ranges": across, "input": _rain(study, first, "_input"), "pairs": complexity.pairs,
        "fixed_range": list(complexity.ranges[fixed]), "fixed_backgrounds": complexity.fixed_backgrounds,
    }  # fmt: skip


def _rain(study: Study, one: Scores, column: str = "") -> dict[str, Any]:
    return {
        measure: mean_over(study, one.blocks(f"{measure}{column}"), f"complexity/{one.name}/{measure}{column}")
        for measure in ("psnr", "ssim", "e_r", "e_b")
    }


def _priors(study: Study, scores: dict[str, Scores]) -> list[dict[str, Any]]:
    """A row a task, network and test source: PSNR and SSIM, and the difference to the plain network."""
    rows = []
    for name, one in scores.items():
        task, network = name.split("-", 1)
        plain = scores[f"{task}-plain"]
        for place in sorted(one.blocks("psnr")):
            row: dict[str, Any] = {"task": task, "network": network, "source": place[1]}
            row["seen"] = _seen(study, task, place)
            for measure in ("psnr", "ssim", "psnr_input"):
                block = {place: one.blocks(measure)[place]}
                row[measure] = mean_over(study, block, f"prior/{name}/{place[1]}/{measure}")
            gained = difference({place: one.blocks("psnr")[place]}, plain.blocks("psnr"))
            row["gain"] = None if network == "plain" else mean_over(study, gained, f"prior/{name}/{place[1]}/gain")
            rows.append(row)
    return sorted(rows, key=lambda row: (row["task"], not row["seen"], row["source"]))


def _seen(study: Study, task: str, place: Place) -> bool:
    prior = study.recipe.content_prior
    assert prior is not None
    return place[1] == (f"gaussian={prior.noise:g}" if task == "noise" else "simulated")


# --- what went in ---


def _data(study: Study) -> list[dict[str, Any]]:
    """Every set with its counts by degradation and source, and its digest."""
    places = {EXISTING: "train", REAL: "train", GENERATED: "train", PHYSICS: "train", WITHIN: "train", STRANGE: "train"}
    rows = []
    for name, split in [*places.items(), (REAL, "test")]:
        place = generated_place(study.config, study.recipe.data) if name == GENERATED else study.data / name
        if not place.exists():
            continue
        counts: dict[str, int] = {}
        for one in examples_of(place, split):
            key = f"{one.degradation}/{one.source}" if name == REAL else one.degradation
            counts[key] = counts.get(key, 0) + 1
        used = "test" if split == "test" or name in (WITHIN, STRANGE) else "train"
        rows.append({"set": name, "used": used, "counts": dict(sorted(counts.items())), "sha256": data_digest(place)})
    return rows


def _budget(runs: Sequence[StudyRun], scores: dict[str, dict[str, Scores]]) -> list[dict[str, Any]]:
    """A row a section: how many trainings, and steps and examples of each (equal for all: the smallest and largest)."""
    rows = []
    for section, named in scores.items():
        results = [told for one in named.values() for told in one.results]
        rows.append({"section": section, "runs": len(results)} | {
            key: [min(told[key] for told in results), max(told[key] for told in results)]
            for key in ("steps", "batch", "seen", "pairs", "tested")
        })  # fmt: skip
    return rows
