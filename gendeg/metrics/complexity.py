"""How much there is to learn in a background or in a degradation layer: four measures, their mean rank, their ratio.

Why: a network that is to take rain from a background learns whichever of the two is simpler, and generalises to other
rain only where that is the background (Gu et al., "Networks are Slacking Off", NeurIPS 2023; Hu et al., "Revisiting the
Generalization Problem of Low-level Vision Models Through the Lens of Image Deraining", arXiv 2502.12600). The papers
vary number and kind of the backgrounds and the range of the rain; the measures here are ours, each from its own source.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from gendeg.primitives.images import GREY, U8Image, encode_image, u8_to_unit

Unit = Float[np.ndarray, "h w 3"]
Measures = Float[np.ndarray, "n measures"]

MEASURES = ("total_variation", "gradient_entropy", "bits", "autoencoder")
"""The last one needs a network (metrics/reconstruction.py) and may be left out."""
STEP = 2 / 255  # of the histogram of gradients: two grey levels
LEAST = 1e-6  # of a mean that is divided by


def layer_of(clean: U8Image, degraded: U8Image) -> Float[np.ndarray, "h w 3"]:
    """The degradation layer, degraded − clean, in [−1, 1]. Raises `ValueError` when the sizes differ."""
    if clean.shape != degraded.shape:
        raise ValueError(f"clean is {clean.shape} and degraded is {degraded.shape}: a pair has one size")
    return u8_to_unit(degraded) - u8_to_unit(clean)


def total_variation(values: Unit) -> float:
    """Mean |horizontal step| + mean |vertical step|, over channels too (anisotropic; Rudin, Osher and Fatemi, 1992).

    In units of the image's range; 0 for a flat one, 1 for stripes of 0 and 1 that are one pixel wide.
    """
    steps = [np.abs(np.diff(values, axis=axis)) for axis in (0, 1)]
    return float(sum(one.mean() for one in steps if one.size))


def gradient_entropy(values: Unit) -> float:
    """Half the entropy, in bits, of the joint histogram of both gradients of the grey image (delentropy: Larkin, 2016).

    arXiv 1609.01117; forward differences, binned by `STEP`. 0 for a flat image and for an even slope.
    """
    grey = values.astype(np.float64) @ GREY
    across, down = (np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1])
    if not across.size:
        return 0.0
    codes = np.rint(np.stack([across, down]) / STEP).astype(np.int64)
    _, counts = np.unique(codes[0] * 4096 + codes[1], return_counts=True)
    share = counts / counts.sum()
    return float(-0.5 * (share * np.log2(share)).sum()) + 0.0


def compressed_bits(image: U8Image) -> float:
    """Bits a pixel of the image as PNG: an upper bound of its Kolmogorov complexity (Li and Vitányi; cf. Cilibrasi and
    Vitányi, "Clustering by Compression", 2005). Never 0: a flat image keeps the file's head."""
    return 8 * len(encode_image(image, "png")) / (image.shape[0] * image.shape[1])


def layer_as_u8(clean: U8Image, degraded: U8Image) -> U8Image:
    """(degraded − clean + 128) modulo 256: with the clean image all of the degraded one, and so what it adds to it."""
    difference: Int[np.ndarray, "h w 3"] = degraded.astype(np.int16) - clean.astype(np.int16)
    return ((difference + 128) % 256).astype(np.uint8)


def background_complexity(clean: U8Image) -> tuple[float, float, float]:
    """The first three of `MEASURES`, of a clean image."""
    unit = u8_to_unit(clean)
    return total_variation(unit), gradient_entropy(unit), compressed_bits(clean)


def layer_complexity(clean: U8Image, degraded: U8Image) -> tuple[float, float, float]:
    """The first three of `MEASURES`, of degraded − clean in the same units as a background's.

    What a degradation does to the scene (haze fades edges) is part of its layer; of additive ones it is the streaks.
    """
    layer = layer_of(clean, degraded)
    return total_variation(layer), gradient_entropy(layer), compressed_bits(layer_as_u8(clean, degraded))


def mean_ranks(values: Measures) -> Float[np.ndarray, " n"]:
    """The combined score, in [0, 1] and without a unit: of each row the mean over measures of its rank among all rows.

    0 is the simplest by every measure, ties share their mean rank, a row alone has 0.5. Rank backgrounds and layers
    together, so that their scores compare.
    """
    if len(values) < 2:
        return np.full(len(values), 0.5)
    ranks = np.stack([rankdata(column) for column in values.T], axis=1)
    return (ranks.mean(axis=1) - 1) / (len(values) - 1)


def relative_complexity(layers: Measures, backgrounds: Float[np.ndarray, "m measures"]) -> float:
    """How much harder layers are than backgrounds: the geometric mean over measures of mean layer ÷ mean background.

    Above 1 the degradation is the harder half, as it should be.
    """
    tops, bottoms = (np.maximum(values.mean(axis=0), LEAST) for values in (layers, backgrounds))
    return float(np.exp(np.log(tops / bottoms).mean()))
