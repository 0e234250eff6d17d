"""The work of a study: every run of its plan, by a pool of processes of one thread each; what is done is skipped.

runs/<name>-s<seed>/train/         the training, with its checkpoints until it is done
                   /scores.jsonl   one row a test image
                   /result.json    written last: the run is done
times.jsonl                        seconds of every run, which no number depends on
"""

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from gendeg.pairs.pair import Pair, open_pairs
from gendeg.primitives.device import choose_device
from gendeg.primitives.errors import NoPairs, RunsFailed
from gendeg.primitives.files import append_jsonl, ensure_writable, write_json, write_jsonl
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.parallel import per_core, processes
from gendeg.primitives.progress import bar
from gendeg.restore.config import RestoreTrainConfig
from gendeg.restore.loading import RESULT as MODEL
from gendeg.restore.loading import load_restorer
from gendeg.restore.score import evaluate_restorer
from gendeg.restore.train import train_restorer
from gendeg.study.config import StudyConfig
from gendeg.study.data import GENERATED, REAL, STRANGE, WITHIN, generated_place
from gendeg.study.mixtures import some
from gendeg.study.noise import with_noise
from gendeg.study.plan import CHECKPOINTS, Part, StudyRun
from gendeg.study.recipe import StudyRecipe
from gendeg.training.state import checkpoints_in

TRAINED, RESULT, SCORES, LOG, TIMES = "trained.json", "result.json", "scores.jsonl", "log.txt", "times.jsonl"
Job = tuple[str, Callable[[], None]]
"""Its name, and the call that does it."""


@dataclass(frozen=True)
class Study:
    """What a worker has to know."""

    config: StudyConfig
    recipe: StudyRecipe

    @property
    def data(self) -> Path:
        return self.config.out / "data"

    def folder(self, run: StudyRun) -> Path:
        return self.config.out / "runs" / run.folder


def missing_runs(study: Study, runs: Sequence[StudyRun]) -> list[Job]:
    """Those that are not done."""
    missing = [run for run in runs if not (study.folder(run) / RESULT).exists()]
    return [(run.folder, partial(make_run, study, run)) for run in missing]


def run_all(config: StudyConfig, tasks: Sequence[Job]) -> int:
    """All tasks, several at a time; each one's seconds go to times.jsonl as it ends. Returns how many.

    Raises `RunsFailed` when a worker was killed.
    """
    if not tasks:
        return 0
    device = choose_device(config.device)
    workers = min(len(tasks), per_core(config.workers or (0 if device == "cpu" else 1)))
    ended = _here(tasks) if workers == 1 else _in_processes(tasks, workers)
    with bar("runs", total=len(tasks), wanted=config.progress) as progress:
        for name, seconds in ended:
            append_jsonl(config.out / TIMES, [{"run": name, "seconds": round(seconds, 2), "at": round(time.time(), 1)}])
            progress.update()
    return len(tasks)


def _here(tasks: Sequence[Job]) -> Iterator[tuple[str, float]]:
    """One after the other in this process, with one thread, as in a worker."""
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        for name, task in tasks:
            yield name, _timed(task)
    finally:
        torch.set_num_threads(threads)


def _in_processes(tasks: Sequence[Job], workers: int) -> Iterator[tuple[str, float]]:
    """As they end. Raises `RunsFailed` when a worker was killed; whatever ends this ends the workers too."""
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that are to be started
    with processes(workers, torch.set_num_threads, 1) as pool:  # so that sums are the same, however many there are
        waiting = {pool.submit(_timed, task): name for name, task in tasks}
        try:
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        except BrokenProcessPool as error:
            raise RunsFailed([waiting[one] for one in waiting if not one.done() or one.exception()]) from error
        except BaseException:
            for process in list((getattr(pool, "_processes", None) or {}).values()):
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _timed(task: Callable[[], None]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def make_run(study: Study, run: StudyRun) -> None:
    """Train, test, and write the result last. Called again after an interruption it goes on from a checkpoint."""
    log = ensure_writable(study.folder(run)) / LOG
    with open(log, "a", encoding="utf-8") as stream, redirect_stderr(stream):  # the bars of many runs at once
        _make_run(study, run, study.folder(run))


def _make_run(study: Study, run: StudyRun, folder: Path) -> None:
    config = training_config(study, run)
    examples = training_examples(study, run)
    mark, model = folder / TRAINED, config.out / MODEL
    if not mark.exists():
        if (config.out / "config.json").exists() and not config.resume:
            shutil.rmtree(config.out)  # stopped before its first checkpoint
        train_restorer(config, examples)
        write_json(mark, {"steps": config.steps})
    restorer = load_restorer(model).to(choose_device(study.config.device))
    rows = evaluate_restorer(restorer, test_examples(study, run), progress=False)
    write_jsonl(folder / SCORES, [row.as_row() | {"photo": _within(study, row.photo)} for row in rows])
    told = {
        "run": run.folder, "name": run.name, "seed": run.seed, "section": run.section, "steps": config.steps,
        "batch": config.batch_size * config.accumulate, "seen": config.steps * config.batch_size * config.accumulate,
        "pairs": len(examples), "origins": dict(sorted(Counter(_origin(one) for one in examples).items())),
        "trained": sorted({f"{one.degradation}/{one.source}" for one in examples if one.origin != GENERATED}),
        "tested": len(rows),
    }  # fmt: skip
    for checkpoint in checkpoints_in(config.out):
        shutil.rmtree(checkpoint)
    write_json(folder / RESULT, told)


def training_config(study: Study, run: StudyRun) -> RestoreTrainConfig:
    """The recipe's [train], and what a run adds to it."""
    out = study.folder(run) / "train"
    cpu = choose_device(study.config.device) == "cpu"
    config = RestoreTrainConfig(
        pairs=(), out=out, seed=run.seed, cpu=cpu, tracker="none", workers=1, held_out=6, keep_checkpoints=1,
        resume=bool(checkpoints_in(out)), **study.recipe.train | run.settings,
    )  # fmt: skip
    return replace(config, sheet_every=config.steps, checkpoint_every=max(1, -(-config.steps // CHECKPOINTS)))


def training_examples(study: Study, run: StudyRun) -> list[Pair]:
    """The examples of every part; smaller shares of one seed lie within larger ones."""
    found = [example for part in run.parts for example in _part(study, run, part)]
    return with_noise(found, run.noise, run.seed) if run.noise else found


def _part(study: Study, run: StudyRun, part: Part) -> list[Pair]:
    place = generated_place(study.config, study.recipe.data) if part.place == GENERATED else study.data / part.place
    examples = examples_of(place, "train", run.seed)
    return part.mixture.chosen(examples) if part.mixture else some(examples, part.share)


def test_examples(study: Study, run: StudyRun) -> list[Pair]:
    """The same images for every run of a section, in the same order."""
    prior = study.recipe.content_prior
    most = (prior.test_photos or None) if prior is not None and run.section == "content_prior" else None
    if run.noise:
        inner = _tests(study, WITHIN)
        inner = [one for one in inner if one.degradation == inner[0].degradation][:most]
        return [one for noise in (run.noise, *run.unseen_noise) for one in with_noise(inner, noise, 0)]
    if run.section in ("arms", "scaling", "mixtures"):
        return [one for test in run.tests for one in _tests(study, test)]
    rain = [[one for one in _tests(study, test) if one.degradation == Degradation.RAIN] for test in run.tests]
    return [one for examples in rain for one in examples[:most]]


def _tests(study: Study, place: str) -> list[Pair]:
    """Simulated test sets are for testing whole; real pairs by their split."""
    return examples_of(study.data / place, "train" if place in (WITHIN, STRANGE) else "test", 0)


def examples_of(place: Path, split: str, seed: int = 0) -> list[Pair]:
    """None where real pairs are all of the other split."""
    try:
        return open_pairs([place], split, seed)
    except NoPairs:
        if place.name != REAL:
            raise
        return []


def _within(study: Study, photo: str) -> str:
    """Its place below data/, so that a study reads the same wherever it lies."""
    return os.path.relpath(photo, study.data) if photo.startswith(str(study.data)) else photo


def _origin(example: Pair) -> str:
    """existing (simulated or real) or generated."""
    return "generated" if example.origin == "generated" else "existing"
