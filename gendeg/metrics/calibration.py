"""Asked against measured: does the model deliver the mu and sigma that it was asked for?"""

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

Values = Float[np.ndarray, " n"]


def mean_absolute_error(asked: Values, measured: Values) -> float:
    """Mean |measured − asked| (Willmott and Matsuura, Climate Research 2005): in units of mu, 0 is perfect."""
    return float(np.abs(measured - asked).mean())


def bias(asked: Values, measured: Values) -> float:
    """Mean (measured − asked): above 0 the model makes it stronger than asked."""
    return float((measured - asked).mean())


def spearman(asked: Values, measured: Values) -> float:
    """Rank correlation in [−1, 1] (Spearman, 1904), ties at their mean rank: does more asked always give more?

    Where many photos are asked the same k levels it stays below sqrt(1 − 1/k²), .994 for nine, for what was asked alike
    never measures alike. NaN where either side is constant.
    """
    if len(asked) < 2 or np.ptp(asked) == 0 or np.ptp(measured) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(asked), rankdata(measured))[0, 1])


def share(flags: Values) -> float:
    """The share of samples for which a flag (0 or 1) is set: refused by the filter, aligned, named rightly."""
    return float(flags.mean())
