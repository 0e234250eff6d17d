"""Quality against sampling steps: what more steps buy, and what they cost.

python benchmarks/steps.py --clean photos/ --steps 2,4,6,8,12,20,50

The bundled sampler is deterministic (DDIM), so images of one noise converge with the steps. `to converged` is the PSNR
to the image of the most steps, `error of mu` the mean |mu asked - made| and `error of sigma` likewise, of the model
itself (no strength gain), `seconds` the median time in which one image is denoised.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gendeg.intensity.ask import Ask, ask_intensity
from gendeg.intensity.measure import measure_intensity
from gendeg.jobs.evaluate_photos import clean_photos
from gendeg.jobs.synth_plan import sample_photos
from gendeg.metrics.alignment import psnr
from gendeg.model.generate import Generator, finite, noise_of, settings_of
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.weights import BUNDLED, load_pipeline
from gendeg.primitives.images import U8Image, read_rgb, resize_short_side
from gendeg.primitives.kinds import SINGLES

INTENSITIES = (0.2, 0.5, 0.8)


def make(pipeline: GenDegPipeline, photo: U8Image, ask: Ask, steps: int) -> tuple[U8Image, float]:
    """The image, and the seconds of its denoising."""
    generator = Generator(pipeline, settings_of(pipeline, steps))
    clean, noise = generator.encode([photo]), [noise_of(0, "steps", ask)]
    settled = generator.settle(clean, [ask])
    began = time.perf_counter()
    latents = generator.latents(clean, settled, noise)
    seconds = time.perf_counter() - began
    return finite(generator.images(clean, settled, latents))[0], seconds


def main() -> None:
    options = _options()
    counts = sorted(int(text) for text in options.steps.split(","))
    paths = clean_photos(options.clean, "test", options.photos) if options.clean else tuple(sample_photos())
    photos = [resize_short_side(read_rgb(path), options.size) for path in paths]
    pipeline = load_pipeline(options.model)
    pipeline.register_to_config(strength_gain=1.0, spread_degradations=[])
    wanted = [(photo, ask_intensity(mix, q)) for photo in photos for mix in SINGLES for q in INTENSITIES]
    made = {steps: [make(pipeline, photo, ask, steps) for photo, ask in wanted] for steps in counts}
    best = [image for image, _ in made[counts[-1]]]
    print(f"model {options.model}, {len(photos)} photos of short side {options.size}, {len(wanted)} images each")
    print(f"{'steps':>6}{'seconds':>10}{'error of mu':>13}{'error of sigma':>16}{'to converged':>14}")
    for steps, images in made.items():
        measured = [measure_intensity(photo, image) for (photo, _), (image, _) in zip(wanted, images, strict=True)]
        asked = [ask for _, ask in wanted]
        mu, sigma = (
            np.mean([abs(getattr(one, name) - getattr(told, name)) for one, told in zip(measured, asked, strict=True)])
            for name in ("mu", "sigma")
        )
        close = np.mean([psnr(image, final) for (image, _), final in zip(images, best, strict=True)])
        print(f"{steps:>6}{np.median([s for _, s in images]):>10.3f}{mu:>13.4f}{sigma:>16.4f}{close:>11.1f} dB")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=BUNDLED, help="bundled, a folder or a hub id")
    parser.add_argument("--clean", type=Path, help="photos; none: the samples that come along")
    parser.add_argument("--photos", type=int, default=4)
    parser.add_argument("--size", type=int, default=128, help="short side in pixels")
    parser.add_argument("--steps", default="2,4,8,16")
    return parser.parse_args()


if __name__ == "__main__":
    main()
