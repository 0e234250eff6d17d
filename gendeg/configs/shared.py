"""Options that several configs have in the same words."""

from functools import partial

from gendeg.primitives.options import option

MODEL = partial(option, "bundled", "bundled, a model folder, or a hub id.")
SAMPLER = partial(option, "own", "paper: Euler ancestral, 100 steps, guidance 7.5 and 1.5.")
STEPS = partial(option, None, "Sampling steps; default: the model's.", min=1)
GUIDANCE_TEXT = partial(option, None, "Text guidance; default: the model's.")
GUIDANCE_IMAGE = partial(option, None, "Image guidance; default: the model's.")
STRUCTURE_CORRECTION = partial(option, True, "Put the photo's detail back after decoding.")
IMAGE_SEED = partial(option, 0, "Same seed, same images.", min=0)
IMAGE_BATCH = partial(option, 4, "Images of one photo made at a time.", min=1)
DEVICE = partial(option, "auto", "auto, cpu, cuda or mps.")
