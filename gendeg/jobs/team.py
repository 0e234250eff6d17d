"""The processes of one build (torchrun, accelerate launch): the first one leads, the others learn what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gendeg.primitives.ranks import World, world

PATIENCE = timedelta(days=30)
"""Shards take hours and processes differ: nobody is given up on. A dead one is the launcher's business."""


@dataclass(frozen=True)
class Team:
    """Who this process is, and two ways to exchange small objects. Alone, both do nothing."""

    world: World
    _said: list[bool] = field(default_factory=list)

    @property
    def told(self) -> bool:
        """Whether `tell` was called."""
        return bool(self._said)

    @property
    def leads(self) -> bool:
        return self.world.rank == 0

    def tell(self, value: Any) -> Any:
        """The leader's value, for everyone."""
        self._said.append(True)
        if self.world.size == 1:
            return value
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def collect(self, value: Any) -> list[Any]:
        """Everyone's value, for everyone; nobody goes on before all have come."""
        if self.world.size == 1:
            return [value]
        import torch.distributed as dist

        boxes: list[Any] = [None] * self.world.size
        dist.all_gather_object(boxes, value)
        return boxes


@contextmanager
def assemble() -> Iterator[Team]:
    """From the variables that the launcher sets. Gloo on any hardware: only a few words are exchanged."""
    here = world()
    if here.size == 1:
        yield Team(here)
        return
    import torch.distributed as dist

    dist.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Team(here)
    finally:
        dist.destroy_process_group()
