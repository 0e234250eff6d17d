"""Where everything lies in a dataset's folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ShardName:
    """`haze/train-00012`: one tar of one degradation and split."""

    degradation: str
    split: str
    number: int

    def __str__(self) -> str:
        return f"{self.degradation}/{self.split}-{self.number:05d}"

    @property
    def flat(self) -> str:
        """The same as the name of a file."""
        return str(self).replace("/", "-")


@dataclass(frozen=True)
class Layout:
    """The paths of one dataset. `.gendeg` is hidden, for readers choose a loader by the files that they see."""

    root: Path

    @property
    def side(self) -> Path:
        return self.root / ".gendeg"

    @property
    def plan(self) -> Path:
        return self.side / "plan.parquet"

    @property
    def config(self) -> Path:
        """What the dataset is a function of: model, settings, plan; with the fingerprint over all three."""
        return self.side / "config.json"

    @property
    def inputs(self) -> Path:
        """Where the photos are on this machine; never uploaded."""
        return self.side / "inputs.json"

    @property
    def left_out(self) -> Path:
        """Photos that no sample was planned for, with the reason."""
        return self.side / "left_out.jsonl"

    @property
    def marks(self) -> Path:
        return self.side / "shards"

    @property
    def manifest(self) -> Path:
        """Every record of the finished dataset in one table."""
        return self.side / "manifest.parquet"

    @property
    def logs(self) -> Path:
        return self.side / "logs"

    @property
    def lock(self) -> Path:
        return self.side / "lock.json"

    @property
    def drawn(self) -> Path:
        """The hash of the picture that we drew: one that somebody put in its place is theirs."""
        return self.side / "preview.json"

    @property
    def card(self) -> Path:
        return self.root / "README.md"

    @property
    def picture(self) -> Path:
        return self.root / "preview.png"

    def shard(self, name: ShardName) -> Path:
        return self.root / f"{name}.tar"

    def mark(self, name: ShardName) -> Path:
        return self.marks / f"{name.flat}.json"

    def index(self, name: ShardName) -> Path:
        return self.marks / f"{name.flat}.parquet"
