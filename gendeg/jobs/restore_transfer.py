"""Task transfer: what real photos teach without pairs, then a minority of pairs (Wang et al., arXiv 2208.13133).

    teachers/classifier, teachers/scattering     once, on real photos
    seed-<n>/student                             both distilled into one encoder
    seed-<n>/transferred                         the student, fine-tuned on a share of the pairs: the result
    seed-<n>/scratch, seed-<n>/all               compared: without transfer, on that share and on all pairs

Arms of one seed start with the same weights (but for what was distilled), make the same number of steps, and the two on
a share see the same pairs. Every stage is done once; an interrupted one goes on (jobs/stages.py).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from gendeg.configs import RestoreTrainConfig, TaskConfig, TrainConfig, TransferConfig
from gendeg.jobs.restore_data import Example, load_examples
from gendeg.jobs.restore_distill import train_student
from gendeg.jobs.restore_teachers import fresh_restorer, train_classifier, train_descatterer
from gendeg.jobs.restore_train import train_restorer
from gendeg.jobs.stages import run_once
from gendeg.jobs.transfer_compare import ALL_PAIRS, ARMS, TRANSFERRED, compare_arms, draw_real_photos
from gendeg.jobs.transfer_photos import RealPhotos, find_real_photos
from gendeg.primitives.errors import BadOption, NoPairs
from gendeg.primitives.files import write_json
from gendeg.primitives.folders import claim, refuse_foreign
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.primitives.once import CONFIG, describe, same_run
from gendeg.primitives.ranks import world
from gendeg.primitives.rng import for_sample
from gendeg.restore.loading import RESULT, load_restorer, save_restorer
from gendeg.restore.network import Restorer
from gendeg.restore.presets import make_restorer
from gendeg.training.state import FREE_TO_CHANGE

CLASSIFIER, SCATTERING = "classifier", "scattering"
TRANSFER = "restore transfer"  # the mark of its folder
FREE = FREE_TO_CHANGE | {"compare", "test", "seeds", "draws", "progress"}
"""What the same command may say anew: more seeds, arms or test pairs. They change no number that was made before."""


@dataclass(frozen=True)
class Task:
    """What the stages work on: the settings, and what was found."""

    config: TransferConfig
    photos: RealPhotos
    pairs: tuple[Example, ...]  # of the degradation, split train
    test: tuple[Example, ...]  # pairs that the arms are measured on

    def pairs_of(self, arm: str, seed: int) -> list[Example]:
        """All pairs, or the share of them that arms of this seed may see, at least one; another seed draws others."""
        if arm == ALL_PAIRS:
            return list(self.pairs)
        order = for_sample(seed, len(self.pairs), "minority").permutation(len(self.pairs))
        return [self.pairs[i] for i in sorted(order[: max(1, round(self.config.share * len(self.pairs)))])]


def transfer(config: TransferConfig) -> dict[str, Any]:
    """All of it; returns what `results.json` holds: the stages' own measures and, compared, the arms'.

    The fine-tuned student of the first seed is `model/`. Raises `BadOption`, `NoPairs`, `DifferentRun` where the folder
    was begun with other settings, and what reading photos and pairs raises.
    """
    task = open_task(config)
    config = task.config
    arms = ARMS if config.compare else (TRANSFERRED,)
    seeds = [config.seed + number for number in range(config.seeds if config.compare else 1)]
    told: dict[str, Any] = {"config": describe(config), "teachers": train_teachers(task)}
    told["students"] = {str(seed): distill_once(task, seed) for seed in seeds}
    trained = {arm: [fine_tune(task, arm, seed) for seed in seeds] for arm in arms}
    told["arms"] = {arm: {"pairs": len(task.pairs_of(arm, config.seed)), "steps": config.steps} for arm in arms}
    if world().rank == 0:
        save_restorer(load_restorer(trained[TRANSFERRED][0]), config.out / RESULT)
        told["test"] = compare_arms(trained, task.test, config)
        draw_real_photos({arm: folders[0] for arm, folders in trained.items()}, task.photos, config)
        write_json(config.out / "results.json", told)
    return told


# --- what it works on ---


def open_task(config: TransferConfig) -> Task:
    """Check the settings, find photos and pairs, and open the folder. Raises as `transfer`."""
    config = replace(config, type=mix_name(parse_mix(config.type)))
    _check(config)
    photos = find_real_photos(config)
    pairs = _of_type(load_examples(config.pairs, "train", config.seed), config)
    task = Task(config, photos, tuple(pairs), tuple(_test_examples(config, pairs)))
    described = describe(config) | {"photos": photos.digest(), "train pairs": _digest(pairs)}
    if same_run(config.out, described, FREE):
        return task
    refuse_foreign(config.out, TRANSFER)
    if world().rank == 0:
        claim(config.out, TRANSFER)
        write_json(config.out / CONFIG, described)
    return task


def _check(config: TransferConfig) -> None:
    if not 0 < config.share <= 1:
        raise BadOption("--share", f"must lie above 0 and at most at 1, got {config.share:g}")
    if config.compare and not config.test:
        raise BadOption("--test", "is needed with --compare: pairs that the arms are measured on")
    factor = make_restorer(config.model, config.preset).factor
    if config.size % factor:
        raise BadOption("--size", f"must be a multiple of {factor} for this network, got {config.size}")


def _of_type(examples: list[Example], config: TransferConfig) -> list[Example]:
    found = [example for example in examples if example.pair.degradation == config.type]
    if not found:
        raise NoPairs(", ".join(map(str, config.pairs)), f"pairs of {config.type}")
    return found


def _test_examples(config: TransferConfig, pairs: list[Example]) -> list[Example]:
    """The pairs of split test, or all where no pair has that split; none that is trained on."""
    if not config.test:
        return []
    splits = {split: _load_if_any(config.test, split) for split in ("test", "validation", "train")}
    found = _of_type(splits["test"] or [one for examples in splits.values() for one in examples], config)
    learned = {(one.photo, one.pair.degraded) for one in pairs}
    shared = sum((one.photo, one.pair.degraded) in learned for one in found)
    if shared:
        raise BadOption("--test", f"{shared} of its pairs are trained on; give pairs of their own, or of split test")
    return found


def _load_if_any(places: tuple[Path, ...], split: str) -> list[Example]:
    try:
        return load_examples(places, split)
    except NoPairs:
        return []


def _digest(examples: list[Example]) -> str:
    """SHA-256 over the pairs, in order."""
    lines = [f"{one.photo} {one.pair.degraded} {one.pair.mu}" for one in examples]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


# --- stages ---


def train_teachers(task: Task) -> dict[str, Any]:
    """Both, once for all seeds and arms; returns the accuracy of one and the PSNR of the other on photos held out."""
    work: dict[str, Callable[[TaskConfig, RealPhotos], dict[str, Any]]] = {
        CLASSIFIER: train_classifier,
        SCATTERING: train_descatterer,
    }
    told = {}
    for name, train in work.items():
        seed = int(for_sample(task.config.seed, name, "teacher").integers(2**31))  # not a student's first weights
        stage = _stage(task, _teacher(task, name), seed, task.config.teacher_steps)
        told[name] = run_once(stage, lambda config, train=train: train(config, task.photos))  # type: ignore[misc]
    return told


def distill_once(task: Task, seed: int) -> dict[str, Any]:
    """The student of this seed, from the two teachers; returns its loss at the end."""
    stage = _stage(task, _arm(task, "student", seed), seed, task.config.distill_steps)

    def work(config: TaskConfig) -> dict[str, Any]:
        teachers = [load_restorer(_teacher(task, name)) for name in (CLASSIFIER, SCATTERING)]
        return train_student(config, task.photos, teachers)

    return run_once(stage, work)


def distill(task: Task, seed: int) -> Restorer:
    """The student of this seed, trained if it is not there yet: encoder distilled, decoder as the seed makes it."""
    distill_once(task, seed)
    return load_restorer(_arm(task, "student", seed)).train()


def fine_tune(task: Task, arm: str, seed: int) -> Path:
    """Train one arm of one seed on its pairs, if that is not done; returns the folder of its restorer."""
    stage = RestoreTrainConfig(**_shared(task, RestoreTrainConfig) | {"out": _arm(task, arm, seed), "seed": seed})
    examples = task.pairs_of(arm, seed)

    def work(stage: RestoreTrainConfig) -> dict[str, Any]:
        network = distill(task, seed) if arm == TRANSFERRED else fresh_restorer(stage)
        train_restorer(stage, examples, network)
        return {"pairs": len(examples), "steps": stage.steps}

    run_once(stage, work)
    return stage.out / RESULT


def _teacher(task: Task, name: str) -> Path:
    return task.config.out / "teachers" / name


def _arm(task: Task, name: str, seed: int) -> Path:
    return task.config.out / f"seed-{seed}" / name


def _stage(task: Task, out: Path, seed: int, steps: int) -> TaskConfig:
    own = {"pairs": (), "out": out, "seed": seed, "steps": steps, "photos": task.photos.digest()}
    return TaskConfig(**_shared(task, TaskConfig) | own)


def _shared(task: Task, stage: type[TrainConfig]) -> dict[str, Any]:
    """The settings that the whole has in common with a stage (what is held out are photos here, and crops there)."""
    names = {one.name for one in fields(stage)} & {one.name for one in fields(task.config)} - {"held_out"}
    return {name: getattr(task.config, name) for name in names}
