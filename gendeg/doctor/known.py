"""The bundled model's known image: a small picture that no file is needed for, and what the model makes of it."""

import base64
import json
from pathlib import Path

import numpy as np

from gendeg.intensity.ask import ask_statistics
from gendeg.model.generate import Generator, finite, noise_of
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.settings import settings_of
from gendeg.model.weights import load_pipeline, model_sha256
from gendeg.primitives.files import write_json
from gendeg.primitives.images import U8Image, encode_image, read_rgb
from gendeg.primitives.kinds import parse_mix

FILE = Path(__file__).with_name("known.json")
SIDE, MU, SIGMA = 64, 0.06, 0.06


def clean_image() -> U8Image:
    """A slope of brightness with squares on it, in whole numbers: the same on every machine."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    squares = ((x // 16 + y // 16) % 2) * 60
    return np.stack([x * 2 + squares, y * 2 + squares, (x + y) + 20], axis=2).astype(np.uint8)


def known_image(pipeline: GenDegPipeline) -> U8Image:
    """The picture in rain, with seed 0."""
    generator = Generator(pipeline, settings_of(pipeline))
    ask = ask_statistics(parse_mix("rain"), MU, SIGMA)
    (image,) = finite(generator.degrade(generator.encode([clean_image()]), [ask], [noise_of(0, "known", ask)]))
    return image


def difference(pipeline: GenDegPipeline) -> int:
    """Between what this machine makes and what is known: grey levels, at the worst pixel."""
    known = read_rgb(base64.b64decode(_kept()["image"]))
    return int(np.abs(known.astype(int) - known_image(pipeline).astype(int)).max())


def same_weights(pipeline: GenDegPipeline) -> bool:
    """Whether the model is, bit for bit, the one that the known image was made with."""
    return model_sha256(pipeline) == _kept()["model_sha256"]


def keep_known() -> None:
    """Make the known image anew: the bundled model is another one now."""
    pipeline = load_pipeline()
    image = base64.b64encode(encode_image(known_image(pipeline), "png")).decode()
    write_json(FILE, {"model_sha256": model_sha256(pipeline), "image": image})


def _kept() -> dict[str, str]:
    return json.loads(FILE.read_text(encoding="utf-8"))
