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

    def index(self, value: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Bin of each value; the upper end belongs to the last bin. Raises `ValueError` outside [0, high]."""
        if not np.all((value >= 0) & (value <= self.high)):
            raise ValueError(f"values must lie in [0, {self.high}], got {np.asarray(value).tolist()}")
        return np.minimum(np.floor(value / self.width).astype(np.int64), self.count - 1)

    def contains(self, value: float) -> bool:
        return bool(0.0 <= value <= self.high)


MU_BINS = Bins(0.7)
SIGMA_BINS = Bins(0.4)
