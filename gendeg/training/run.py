"""One training run: what the three loops share around their own few lines (state, schedule, averages, log, sheets)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
from torch import nn

from gendeg.configs import TrainConfig
from gendeg.primitives.progress import bar
from gendeg.training.examples import example_numbers, prefetch
from gendeg.training.state import Checkpoints, LossLog, learning_rate_factor, make_ema, set_learning_rate, start

Item = TypeVar("Item")


class Run:
    """Opens the run's folder (or goes on with it), wraps the module for its devices, and keeps count of the steps.

    A loop reads: for each of `steps`, for each micro step, `with accumulate(): descend(loss)`; then `finish`.
    """

    def __init__(self, config: TrainConfig, module: nn.Module, groups: list[dict[str, Any]] | None = None):
        self.config, self.module = config, module
        self.accelerator = start(config)
        parameters = groups or [{"params": list(module.parameters())}]
        optimizer = torch.optim.AdamW(parameters, config.learning_rate, weight_decay=config.weight_decay)
        self.ema = make_ema([module], config.ema_decay)
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model, self.optimizer = self.accelerator.prepare(module, optimizer)
        if config.compile:
            self.model.compile()
        self.ema.to(self.accelerator.device)
        self.accelerator.register_for_checkpointing(self.ema)
        self.checkpoints = Checkpoints(self.accelerator, config)
        self.done = self.checkpoints.restore()
        self.log = LossLog(config.out / "log.csv", self.done, self.main)
        self._loss = 0.0

    @property
    def main(self) -> bool:
        """Whether this process writes logs, sheets and results."""
        return self.accelerator.is_main_process

    def batches(self, make: Callable[[list[int]], Item]) -> Iterator[Item]:
        """`make(numbers)` for every micro step that is left, prepared ahead; the numbers are this process's share."""

        def at(micro: int) -> Item:
            rank, world = self.accelerator.process_index, self.accelerator.num_processes
            return make(example_numbers(micro, self.config.batch_size, rank, world))

        micros = range(self.done * self.config.accumulate, self.config.steps * self.config.accumulate)
        return prefetch(at, micros, self.config.workers)

    def steps(self, what: str, draw: Callable[[int], None]) -> Iterator[int]:
        """The optimiser steps that are left; `draw(step)` makes a sheet, with the averaged weights in place."""
        config = self.config
        with bar(what, total=config.steps, wanted=self.main) as progress:
            progress.update(self.done)
            for step in range(self.done + 1, config.steps + 1):
                set_learning_rate(self.optimizer, learning_rate_factor(step - 1, config.warmup, config.steps))
                self._loss = 0.0
                yield step
                self.ema.step(self.module.parameters())
                progress.update()
                progress.set_postfix(loss=f"{self._loss:.4f}")
                last = step == config.steps
                if last or step % config.log_every == 0:
                    self.log.add(step=step, loss=self._loss, learning_rate=self.optimizer.param_groups[0]["lr"])
                if last or step % config.checkpoint_every == 0:
                    self.checkpoints.save(step)
                if last or step % config.sheet_every == 0:
                    self._draw(draw, step)

    def accumulate(self) -> AbstractContextManager[Any]:
        """Around the forward and backward pass of one micro step."""
        return self.accelerator.accumulate(self.model)

    def descend(self, loss: torch.Tensor) -> None:
        """Backward, clip, step: the optimiser moves at the last micro step only."""
        self.accelerator.backward(loss)
        if self.accelerator.sync_gradients:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._loss += loss.item() / self.config.accumulate

    def finish(self, save: Callable[[], None]) -> None:
        """Put the averaged weights in place for good, and save the result from the main process."""
        self.ema.copy_to(self.module.parameters())
        self.module.eval()
        if self.main:
            save()
        self.accelerator.wait_for_everyone()

    @torch.no_grad()
    def _draw(self, draw: Callable[[int], None], step: int) -> None:
        if self.main:
            self.ema.store(self.module.parameters())
            self.ema.copy_to(self.module.parameters())
            self.module.eval()
            draw(step)
            self.module.train()
            self.ema.restore(self.module.parameters())
        self.accelerator.wait_for_everyone()
