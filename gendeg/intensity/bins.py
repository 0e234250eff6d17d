"""The bins that mu and sigma are told to the model in (GenDeg's stats projection: 128 equal bins and a null bin)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Bins:
    """`count` equal bins over [0, high]; index `count` is the null bin of classifier-free guidance."""

    high: float
    count: int = 128

    @property
    def null(self) -> int:
        return self.count

    @property
    def width(self) -> float:
        return self.high / self.count

    @property
    def edges(self) -> Float[np.ndarray, " edges"]:
        """The `count` + 1 borders, the last of them `high` itself."""
        return np.linspace(0.0, self.high, self.count + 1)

    def index(self, value: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Bin of each value, for all who ask: tables, plans, what the model is told. Raises `ValueError` outside.

        As in the published code a value is compared with the edges in float64, and one on an edge is in the bin above;
        of the last edge it is the bin below. A float32 counts as the decimal it stands for: .15, not .15000000596.
        """
        value = value if value.dtype == np.float64 else value.astype(str).astype(np.float64)
        if not np.all((value >= 0) & (value <= self.high)):
            raise ValueError(f"values must lie in [0, {self.high}], got {value.tolist()}")
        return np.minimum(np.searchsorted(self.edges, value, side="right") - 1, self.count - 1)

    def contains(self, value: float) -> bool:
        return bool(0.0 <= value <= self.high)


MU_BINS = Bins(0.7)
SIGMA_BINS = Bins(0.4)
