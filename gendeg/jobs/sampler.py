"""Planned samples → images: the model side of a build, with everything shared that samples of a photo share."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch

from gendeg.intensity.direction import Direction
from gendeg.jobs.samples import Settings, corrects, to_signed_tensor
from gendeg.model.direction import settle_directions
from gendeg.model.guidance import branches
from gendeg.model.latents import CleanLatent
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.strength import Target
from gendeg.model.tiles import pad_to_multiple
from gendeg.primitives.images import U8Image, signed_to_u8
from gendeg.primitives.kinds import mix_name, parse_mix
from gendeg.primitives.rng import torch_generator
from gendeg.shards.plan import PlannedSample

KEPT = 256 << 20
"""Bytes of latents, decoded photos and encoded prompts that are remembered: at 512 pixels 64 KB to 3.5 MB a photo."""


class Recent:
    """The last results by key, as long as they fit into `KEPT` bytes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[torch.Tensor, ...]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], tuple[torch.Tensor, ...]]) -> tuple[torch.Tensor, ...]:
        if key not in self._kept:
            self._kept[key] = make()
            self._bytes += _bytes(self._kept[key])
            while self._bytes > KEPT and len(self._kept) > 1:
                self._bytes -= _bytes(self._kept.popitem(last=False)[1])
        self._kept.move_to_end(key)
        return self._kept[key]


def _bytes(tensors: tuple[torch.Tensor, ...]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


def _remembered(clean: CleanLatent) -> tuple[torch.Tensor, ...]:
    return (clean.latent,) if clean.decoded is None else (clean.latent, clean.decoded)


class Sampler:
    """A pipeline and its settings. A sample depends on its row, its attempt and the make-up of its batch only."""

    def __init__(self, pipeline: GenDegPipeline, settings: Settings):
        self.pipeline, self.settings = pipeline, settings
        self._chosen = branches(settings.guidance_text, settings.guidance_image)
        self._latents, self._texts = Recent(), Recent()
        self._null: Any = None

    def run(self, samples: Sequence[PlannedSample], photos: Sequence[U8Image], attempt: int) -> list[U8Image | None]:
        """One batch of photos of one size; None where the model gave no finite numbers."""
        cleans = [self._clean(sample, photo) for sample, photo in zip(samples, photos, strict=True)]
        together = CleanLatent(
            cleans[0].image, torch.cat([clean.latent for clean in cleans]), cleans[0].height, cleans[0].width
        )
        generators = [torch_generator(sample.seed, f"{sample.key}/{attempt}", "sample") for sample in samples]
        names = [mix_name(parse_mix(sample.degradation)) for sample in samples]
        mu = [
            self.pipeline.possible(clean, [name], [sample.mu])[0]
            for clean, name, sample in zip(cleans, names, samples, strict=True)
        ]
        sigma = [sample.sigma for sample in samples]
        told = self.pipeline.told(names, mu, sigma)
        directions = settle_directions(self.pipeline.config.directions, names, (), generators)
        latents = self.pipeline.denoise(
            together,
            self._condition(samples, *told, directions),
            self._nothing(),
            self._chosen,
            generators,
            self.settings.steps,
            sizes=self.pipeline.sizes(names, mu, sigma),
        )
        targets = self.pipeline.targets(names, mu, sigma)
        return [self._image(*one) for one in zip(samples, targets, latents.split(1), cleans, strict=True)]

    def _clean(self, sample: PlannedSample, photo: U8Image) -> CleanLatent:
        """Photos go through the encoder one by one, so that what is remembered never depends on what was beside it."""
        image = to_signed_tensor(photo)
        key = hashlib.sha1(photo.tobytes()).digest(), photo.shape
        latent, *decoded = self._latents.get(key, lambda: _remembered(self.pipeline.encode_clean(image)))
        padded = pad_to_multiple(image.to(self.pipeline.device, self.pipeline.vae.dtype), self.pipeline.multiple)
        return CleanLatent(padded, latent, *photo.shape[:2], *decoded)

    def _condition(
        self, samples: Sequence[PlannedSample], mu: list[float], sigma: list[float], directions: list[Direction]
    ) -> Any:
        texts = [self._texts.get(s.prompt, lambda s=s: self.pipeline.encode_text([s.prompt])) for s in samples]  # type: ignore[misc]
        text, pooled = (torch.cat(parts) for parts in zip(*texts, strict=True))
        return self.pipeline.condition(text, pooled, mu, sigma, directions)

    def _nothing(self) -> Any:
        if self._null is None:
            self._null = self.pipeline.encode_prompt([""], [float("nan")], [float("nan")])
        return self._null

    def _image(self, sample: PlannedSample, target: Target, latent: torch.Tensor, clean: CleanLatent) -> U8Image | None:
        image = self.pipeline.decode_latents(latent, clean, [self.corrects(sample)], [target])[0]
        try:
            return signed_to_u8(image.permute(1, 2, 0).cpu().numpy())
        except ValueError:  # NaN: a half-precision overflow
            return None

    def corrects(self, sample: PlannedSample) -> bool:
        """Whether structure correction runs for a sample."""
        return corrects(self.pipeline, parse_mix(sample.degradation), self.settings)
