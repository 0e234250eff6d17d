"""Work splitting: complete, disjoint, even."""

import pytest

from gendeg.primitives.parallel import World, share, world


@pytest.mark.parametrize("count", [0, 1, 7, 16])
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_shares_are_a_partition_of_even_sizes(count, size):
    shares = [share(range(count), rank, size) for rank in range(size)]
    assert sorted(item for items in shares for item in items) == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_round_robin():
    assert share("abcdefg", 1, 3) == ["b", "e"]
    assert share(iter("abcdefg"), 0, 3) == ["a", "d", "g"]


@pytest.mark.parametrize("rank, size", [(2, 2), (-1, 2), (0, 0)])
def test_rank_outside_the_world(rank, size):
    with pytest.raises(ValueError):
        share([], rank, size)


def test_world_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert world() == World(0, 1)
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert world() == World(rank=3, size=8)
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(ValueError, match="RANK"):
        world()
