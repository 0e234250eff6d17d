"""Asked against measured: does the model deliver the mu and sigma that it was asked for?"""

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr

Values = Float[np.ndarray, " n"]


def spearman(asked: Values, measured: Values) -> float:
    """Rank correlation in [−1, 1] (Spearman, 1904), ties at their mean rank: does more asked always give more?

    Where many photos are asked the same k levels it stays below sqrt(1 − 1/k²), .994 for nine, for what was asked alike
    never measures alike. NaN where either side is constant.
    """
    if len(asked) < 2 or np.ptp(asked) == 0 or np.ptp(measured) == 0:
        return float("nan")
    return float(spearmanr(asked, measured).statistic)
