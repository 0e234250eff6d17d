"""What a training run keeps: where it is, its averaged weights, its checkpoints and its loss log."""

import csv
import json
import math
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from diffusers.training_utils import EMAModel
from torch import nn

from gendeg.configs import TrainConfig
from gendeg.primitives.errors import DifferentRun, NothingToResume, RunExists
from gendeg.primitives.files import atomic_write, ensure_writable

# May differ between a run and its continuation: they change how it is watched, not what it computes.
FREE_TO_CHANGE = {
    "out",
    "workers",
    "log_every",
    "sheet_every",
    "checkpoint_every",
    "keep_checkpoints",
    "resume",
    "cpu",
    "compile",
}

PATIENCE = timedelta(hours=12)  # that processes wait for the main one, which encodes latents and draws sheets alone


def start(config: TrainConfig) -> Accelerator:
    """Open the run's folder and the accelerator. A folder in use is refused unless the run is to be resumed."""
    accelerator = Accelerator(
        gradient_accumulation_steps=config.accumulate,
        mixed_precision=config.precision,
        cpu=config.cpu,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
    )
    path = config.out / "config.json"
    described = json.loads(json.dumps(asdict(config), default=str))
    if path.exists():
        if not config.resume:
            raise RunExists(config.out)
        earlier = json.loads(path.read_text(encoding="utf-8"))
        changed = [k for k, v in described.items() if k not in FREE_TO_CHANGE and earlier.get(k) != v]
        if changed:
            raise DifferentRun(config.out, changed)
    elif config.resume:
        raise NothingToResume(config.out)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        ensure_writable(config.out)
        atomic_write(path, json.dumps(described, indent=1) + "\n")
    accelerator.wait_for_everyone()
    return accelerator


def learning_rate_factor(step: int, warmup: int, steps: int) -> float:
    """Linear warm-up, then half a cosine down to zero at the last step."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Each group's own rate (`initial_lr`) times the factor."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def make_ema(modules: Iterable[nn.Module], decay: float) -> EMAModel:
    """Exponential moving average of all parameters of the modules, warmed up so that short runs profit too."""
    parameters = [p for module in modules for p in module.parameters()]
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
        return sorted(self.config.out.glob("checkpoint-*"))

    def restore(self) -> int:
        """Load the newest checkpoint when the run is to be resumed; returns the number of steps done.

        0 when the run was stopped before its first checkpoint: it begins again.
        """
        if not self.config.resume or not self.found():
            return 0
        newest = self.found()[-1]
        self.accelerator.load_state(str(newest))
        return int(newest.name.removeprefix("checkpoint-"))


class LossLog:
    """`log.csv`: one row every few steps; rows after the resumed step are dropped, so that the file tells one run."""

    def __init__(self, path: Path, first_step: int, main: bool):
        self.path, self.main = path, main
        if main:
            whole = [row for row in self._rows() if None not in row.values()]  # a stopped run may leave half a row
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
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in values.items()})

    def _rows(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        with open(self.path, newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def _write(self, rows: list[dict[str, str]]) -> None:
        self.path.unlink(missing_ok=True)
        for row in rows:
            self.add(**row)
