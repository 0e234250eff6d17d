"""What a training run keeps: where it is, its averaged weights, its checkpoints and its loss log."""

import csv
import math
import os
import re
import shutil
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.tracking import get_available_trackers
from accelerate.utils import DistributedType
from diffusers.training_utils import EMAModel
from torch import nn

from gendeg.primitives.errors import BadOption, DifferentRun, NothingToResume, OtherLength, RunExists
from gendeg.primitives.files import read_json_object, write_json
from gendeg.primitives.folders import claim, refuse_foreign
from gendeg.primitives.once import CONFIG, describe, same_run
from gendeg.training.config import TrainConfig
from gendeg.training.muon import Muon, matrix_groups

# May differ between a run and its continuation: they change how it is watched, not what it computes.
FREE_TO_CHANGE = {
    "out",
    "workers",
    "log_every",
    "sheet_every",
    "sheet_seconds",
    "checkpoint_every",
    "keep_checkpoints",
    "resume",
    "extend",
    "cpu",
    "compile",
    "tracker",
    "sheet_photos",
    "push_to_hub",
    "memory",
}

TRAIN = "train"  # the mark of a run's folder
PATIENCE = timedelta(hours=12)  # that processes wait for the main one, which encodes latents and draws sheets alone


def start(config: TrainConfig) -> Accelerator:
    """Open the run's folder, the accelerator and its tracker.

    A folder in use is refused unless the run is to be resumed, with the settings and the number of processes that it
    has had; only its end may be put off. Raises `ForeignFolder`, `RunExists`, `NothingToResume`, `DifferentRun`,
    `OtherLength`, and `BadOption` for a tracker that is not installed, or an optimizer that cannot work so.
    """
    check_tracker(config.tracker)
    accelerator = Accelerator(
        gradient_accumulation_steps=config.accumulate,
        mixed_precision=config.precision,
        cpu=config.cpu,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        log_with=None if config.tracker == "none" else config.tracker,
        project_dir=config.out,
    )
    if config.optimizer == "muon" and is_sharded(accelerator):
        raise BadOption("--optimizer", "muon needs whole matrices, which FSDP and DeepSpeed cut; take adamw")
    path = config.out / CONFIG
    described = describe(config) | {"processes": accelerator.num_processes}
    if path.exists():
        if not config.resume:
            raise RunExists(config.out)
        _refuse_other_run(config, described)
    elif config.resume:
        raise NothingToResume(config.out)
    else:
        refuse_foreign(config.out, TRAIN)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        claim(config.out, TRAIN, ours=path.exists())
        write_json(path, described)
    accelerator.wait_for_everyone()
    accelerator.init_trackers("tracked", {name: str(value) for name, value in described.items()})
    return accelerator


def _refuse_other_run(config: TrainConfig, described: dict[str, Any]) -> None:
    """A run may go on to other steps where its learning rate is constant: the steps so far are those of the longer run.

    A cosine is laid over all steps, so there it takes `extend`. Raises `DifferentRun`, `OtherLength`, and `BadOption`
    for an end that the run is already past.
    """
    before = read_json_object(config.out / CONFIG).get("steps", config.steps)
    free = config.schedule == "constant" or (config.extend and config.steps >= before)
    try:
        same_run(config.out, described, FREE_TO_CHANGE | {"steps"} if free else FREE_TO_CHANGE)
    except DifferentRun as error:
        raise OtherLength(config.out, before, config.steps) if error.fields == ("steps",) else error from None
    done = steps_done(config.out)
    if config.steps < done:
        raise BadOption(
            config.steps_flag, f"{config.out} has done {done} already, got {config.steps}; ask for as many or more"
        )


def steps_done(folder: Path) -> int:
    """Of a run's newest checkpoint; 0 where it has none."""
    return max((int(path.name.removeprefix("checkpoint-")) for path in checkpoints_in(folder)), default=0)


def is_sharded(accelerator: Accelerator) -> bool:
    """Whether no process holds all weights."""
    return accelerator.distributed_type in (DistributedType.FSDP, DistributedType.DEEPSPEED)


def check_tracker(name: str) -> None:
    """Raises `BadOption` for a tracker that accelerate does not know, or whose package is missing."""
    usable = ["none", *(str(getattr(tracker, "value", tracker)) for tracker in get_available_trackers())]
    if name not in usable:
        raise BadOption("--tracker", f"'{name}' is not installed here; usable are {', '.join(usable)}")


def make_optimizer(config: TrainConfig, groups: list[dict[str, Any]], module: nn.Module) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, ICLR 2019), if asked with 8-bit states (Dettmers et al., ICLR 2022); or Muon.

    Raises `BadOption` when that needs a package that is not installed.
    """
    if config.optimizer == "muon":
        return Muon(matrix_groups(groups, module), config.learning_rate, config.weight_decay)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, config.learning_rate, weight_decay=config.weight_decay)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise BadOption("--optimizer", "adamw8bit needs bitsandbytes: pip install 'gendeg[adam8bit]'") from error
    return AdamW8bit(groups, config.learning_rate, weight_decay=config.weight_decay)


def learning_rate_factor(step: int, warmup: int, steps: int, schedule: str = "cosine") -> float:
    """Linear warm-up, then constant, or half a cosine down to zero at the last step."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Each group's own rate (`initial_lr`) times the factor."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def make_ema(parameters: Iterable[nn.Parameter], decay: float) -> EMAModel:
    """Exponential moving average of the parameters, warmed up so that short runs profit too."""
    return EMAModel(parameters, decay=decay, use_ema_warmup=True, inv_gamma=1.0, power=0.75)


class Checkpoints:
    """`checkpoint-<step>` folders of a run, written whole or not at all, the oldest dropped."""

    def __init__(self, accelerator: Accelerator, config: TrainConfig):
        self.accelerator, self.config = accelerator, config

    def save(self, step: int) -> None:
        """All ranks call this; `step` is the number of steps done."""
        final = self.config.out / f"checkpoint-{step:08d}"
        partial = final.with_name(f".{final.name}.partial")
        if self.accelerator.is_main_process:
            shutil.rmtree(partial, ignore_errors=True)  # of a run that was stopped while it wrote
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(partial))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            shutil.rmtree(final, ignore_errors=True)
            os.replace(partial, final)
            for old in self.found()[: -self.config.keep_checkpoints]:
                shutil.rmtree(old)
        self.accelerator.wait_for_everyone()

    def found(self) -> list[Path]:
        return checkpoints_in(self.config.out)

    def restore(self) -> int:
        """Load the newest checkpoint when the run is to be resumed; returns the number of steps done.

        0 when the run was stopped before its first checkpoint: it begins again.
        """
        if not self.config.resume or not self.found():
            return 0
        self.accelerator.load_state(str(self.found()[-1]))
        return steps_done(self.config.out)


def checkpoints_in(folder: Path) -> list[Path]:
    """A run's own, the oldest first: what people have copied or called alike is not touched."""
    return sorted(path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d{8,}", path.name))


def read_log(path: Path) -> list[dict[str, str]]:
    """The rows of a `LossLog`; none where there is no such file."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


class LossLog:
    """`log.csv`: one row every few steps; rows after the resumed step are dropped, so that the file tells one run."""

    def __init__(self, path: Path, first_step: int, main: bool):
        self.path, self.main = path, main
        if main:
            whole = [row for row in read_log(path) if None not in row.values()]  # a stopped run may leave half a row
            kept = [row for row in whole if int(row["step"]) <= first_step]
            self._write(kept)

    def add(self, **values: Any) -> None:
        """Append one row; the first row of a file names the columns."""
        if not self.main:
            return
        new = not self.path.exists()
        with open(self.path, "a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(values))
            if new:
                writer.writeheader()
            writer.writerow(values)  # floats to their last digit

    def _write(self, rows: list[dict[str, str]]) -> None:
        self.path.unlink(missing_ok=True)
        for row in rows:
            self.add(**row)
