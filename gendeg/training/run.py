"""One training run: what the three loops share around their own few lines (state, schedule, averages, log, sheets)."""

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
from diffusers.training_utils import EMAModel
from torch import nn

from gendeg.primitives.parallel import in_order
from gendeg.primitives.progress import bar
from gendeg.training.average import PublishedAverage
from gendeg.training.config import TrainConfig
from gendeg.training.examples import example_numbers
from gendeg.training.pace import StopWatch, unsteady, write_pace
from gendeg.training.state import (
    Checkpoints,
    LossLog,
    is_sharded,
    learning_rate_factor,
    make_ema,
    make_optimizer,
    set_learning_rate,
    start,
)

Item = TypeVar("Item")


class Run:
    """Opens the run's folder (or goes on with it), wraps the module for its devices, and keeps count of the steps.

    A loop reads: for each of `steps`, for each micro step, `with accumulate(): descend(loss)`; then `finish`.
    """

    def __init__(
        self,
        config: TrainConfig,
        module: nn.Module,
        groups: list[dict[str, Any]] | None = None,
        average: Callable[[list[nn.Parameter], float], EMAModel] = make_ema,
        compile_on_cpu: bool = True,
    ):
        self.config, self.module = config, module
        optimizer = make_optimizer(config, groups or [{"params": list(module.parameters())}], module)
        self.accelerator = start(config)
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._skeleton = _skeleton(module)
        self.model, self.optimizer = self.accelerator.prepare(module, optimizer)
        if config.compile and (compile_on_cpu or self.accelerator.device.type != "cpu"):
            self.model.compile()
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.ema = average(self.trained, config.ema_decay)
        self.ema.to(self.accelerator.device)
        self.accelerator.register_for_checkpointing(self.ema)
        self.checkpoints = Checkpoints(self.accelerator, config)
        self.done = self.checkpoints.restore()
        self.log = LossLog(config.out / "log.csv", self.done, self.main)
        self._loss = torch.zeros((), device=self.accelerator.device)
        self.watch = StopWatch()

    @property
    def main(self) -> bool:
        """Whether this process writes logs, sheets and results."""
        return self.accelerator.is_main_process

    @property
    def sharded(self) -> bool:
        """Whether no process holds all weights (FSDP, DeepSpeed): then there are no sheets on the way."""
        return is_sharded(self.accelerator)

    def batches(self, make: Callable[[list[int]], Item]) -> Iterator[Item]:
        """`make(numbers)` for every micro step that is left, prepared ahead; the numbers are this process's share."""

        def at(micro: int) -> Item:
            rank, world = self.accelerator.process_index, self.accelerator.num_processes
            return make(example_numbers(micro, self.config.batch_size, rank, world))

        micros = range(self.done * self.config.accumulate, self.config.steps * self.config.accumulate)
        return in_order(at, micros, self.config.workers, self.config.workers + 1)

    def steps(self, what: str, draw: Callable[[int], dict[str, float]]) -> Iterator[int]:
        """The optimiser steps that are left; `draw(step)` makes a sheet, with the averaged weights in place.

        What `draw` measures goes to the tracker.
        """
        config = self.config
        with bar(what, total=config.steps, wanted=self.main) as progress:
            progress.update(self.done)
            self.watch.lap("preparation")
            self._began = time.perf_counter()
            for step in range(self.done + 1, config.steps + 1):
                factor = learning_rate_factor(step - 1, config.warmup, config.steps, config.schedule)
                set_learning_rate(self.optimizer, factor)
                self._loss.zero_()
                if isinstance(self.ema, PublishedAverage):
                    self.ema.begin(self.trained)
                yield step
                self.ema.step(self.trained)
                progress.update()
                last = step == config.steps
                if last or step % config.log_every == 0:
                    loss, rate = self._mean_loss(), self.optimizer.param_groups[0]["lr"]
                    progress.set_postfix(loss=f"{loss:.4f}", refresh=False)
                    self.log.add(step=step, loss=loss, learning_rate=rate)
                    self.accelerator.log({"loss": loss, "learning_rate": rate}, step=step)
                self.watch.lap("step")
                if last or step % config.checkpoint_every == 0:
                    self.checkpoints.save(step)
                    self.watch.lap("checkpoint")
                if last or step % config.sheet_every == 0 or self._overdue():
                    self._draw(draw, step)
                    self.watch.lap("sheet")

    def accumulate(self) -> AbstractContextManager[Any]:
        """Around the forward and backward pass of one micro step."""
        return self.accelerator.accumulate(self.model)

    def descend(self, loss: torch.Tensor) -> None:
        """Backward, clip, step: the optimiser moves at the last micro step only."""
        self.accelerator.backward(loss)
        if self.accelerator.sync_gradients and self.config.clip_norm:
            self.accelerator.clip_grad_norm_(self.trained, self.config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._loss += loss.detach() / self.config.accumulate

    def finish(self, save: Callable[[Any], None]) -> None:
        """Gather the averaged weights from all processes; the main one calls `save` with the whole module."""
        self.ema.copy_to(self.trained)
        state = self.accelerator.get_state_dict(self.model)  # all processes take part
        if self.main:
            write_pace(self.watch.pace(unsteady(self.config)), self.config.out)
            self._skeleton.load_state_dict(state, assign=True)
            save(self._skeleton.eval())
        for tracker in self.accelerator.trackers:
            tracker.finish()
        self.accelerator.wait_for_everyone()

    def _swap(self) -> None:
        """The averaged weights into the module and its own into the average, or back; no memory is taken for it."""
        for weight, average in zip(self.trained, self.ema.shadow_params, strict=True):
            weight.data, average.data = average.data, weight.data

    def _mean_loss(self) -> float:
        """Of this step, over the processes."""
        mean: torch.Tensor = self.accelerator.reduce(self._loss.clone(), "mean")
        return mean.item()

    def _overdue(self) -> bool:
        """Whether the time for a sheet has come, whatever the step; several processes would not agree on it."""
        due, since = self.config.sheet_seconds, max(self._began, self.watch.last("sheet"))
        return bool(due) and self.accelerator.num_processes == 1 and time.perf_counter() - since > due

    @torch.no_grad()
    def _draw(self, draw: Callable[[int], dict[str, float]], step: int) -> None:
        if self.main and not self.sharded:
            self._swap()
            self.module.eval()
            self.accelerator.log(draw(step), step=step)
            self.module.train()
            self._swap()
        self.accelerator.wait_for_everyone()


def _skeleton(module: nn.Module) -> nn.Module:
    """A copy without weights, which whole ones can be put into however the module itself is cut up meanwhile."""
    empty = {id(p): nn.Parameter(p.detach().to("meta"), p.requires_grad) for p in module.parameters()}
    return copy.deepcopy(module, empty)
