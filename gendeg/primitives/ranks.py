"""Who does what when several processes work: every process takes its own share of the same list."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class World:
    """This process (`rank`, from 0) among all (`size`, from 1)."""

    rank: int = 0
    size: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.size:
            raise ValueError(f"rank {self.rank} is not in 0..{self.size - 1}")


def world() -> World:
    """From the variables RANK and WORLD_SIZE that torchrun and accelerate set; alone when they are not there."""
    return World(rank=_number("RANK", 0), size=_number("WORLD_SIZE", 1))


def share(items: Iterable[Item], rank: int, world: int) -> list[Item]:
    """Items rank, rank + world, rank + 2 world, …: disjoint, complete, and sizes differ by at most one.

    Round-robin rather than blocks, because neighbours in a plan cost about the same.
    """
    checked = World(rank, world)
    return list(islice(items, checked.rank, None, checked.size))


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "").strip()
    try:
        return int(text) if text else default
    except ValueError as error:
        raise ValueError(f"the environment variable {name} must be a whole number, not '{text}'") from error
