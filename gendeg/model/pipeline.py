"""GenDegPipeline: clean images + prompts + (mu, sigma) → degraded images (GenDeg, CVPR 2025, section 3)."""

import inspect
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float, Int
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from gendeg.model.conditioner import Conditioner, Conditioning
from gendeg.model.guidance import Branch, branches, combine
from gendeg.model.latents import Autoencoder, CleanLatent, decode, encode, factor, onto_photo
from gendeg.model.limits import photo_limits, within
from gendeg.model.nafnet import NAFNet
from gendeg.model.response import checked_response, told_statistics
from gendeg.model.strength import Target, meet
from gendeg.model.tiles import over_tiles, pad_to_multiple
from gendeg.primitives.memory import OwnMemory

CORRECTED = ("haze", "motion_blur", "raindrop")  # where the published model corrects structure (GenDeg, section 3.4)
TILE_OVERLAP = 4  # a window overlaps its neighbours by a quarter of itself


class GenDegPipeline(OwnMemory, DiffusionPipeline):
    """Latent diffusion over the degraded image, told the clean image, the prompt and the statistics.

    With a `residual_gain`, what is generated is the change from the clean latent to the degraded one, times the gain: a
    small model need not learn to copy the photo, and its noise reaches the image divided by the gain. Published: 0.
    With `residual_decoding` structure correction starts from the photo plus what decoding makes of the change, so that
    the autoencoder's own error on the photo is not in it. Published: not so.
    With a `strength_gain` above 1 the finished change is scaled, by that much at most, to the asked mu. Published: 1.
    Where all of a mix is among `spread_degradations`, it is then spread to the asked sigma. Published: nowhere.
    With a `blur_extent` motion blur asks of a photo no more than a blur of that part of its side takes. Published: 0.
    With a `darkening` low light asks for no more than that share of a photo's brightness, and what the `strength_gain`
    leaves too bright is exposed shorter. Published: 0.
    With a `calibration` (`gendeg calibrate`) mu and sigma are told to the model so that its image measures as asked.
    Call it with signed images; `encode_clean` and `encode_prompt` may be called before, to share their results.
    """

    model_cpu_offload_seq = "text_encoder->conditioner->unet->vae->structure"
    _optional_components: ClassVar[list[str]] = ["structure"]

    def __init__(
        self,
        vae: Autoencoder,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        unet: UNet2DConditionModel,
        scheduler: SchedulerMixin,
        conditioner: Conditioner,
        structure: NAFNet | None = None,
        steps: int = 100,
        guidance_text: float = 7.5,
        guidance_image: float = 1.5,
        structure_degradations: list[str] | None = None,
        tile: int = 512,
        residual_gain: float = 0.0,
        strength_gain: float = 1.0,
        blur_extent: float = 0.0,
        darkening: float = 0.0,
        residual_decoding: bool = False,
        spread_degradations: list[str] | None = None,
        calibration: dict[str, Any] | None = None,
    ):
        super().__init__()
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            scheduler=scheduler,
            conditioner=conditioner,
            structure=structure,
        )
        self.register_to_config(
            steps=steps,
            guidance_text=guidance_text,
            guidance_image=guidance_image,
            structure_degradations=list(CORRECTED if structure_degradations is None else structure_degradations),
            tile=tile,
            residual_gain=residual_gain,
            strength_gain=strength_gain,
            blur_extent=blur_extent,
            darkening=darkening,
            residual_decoding=residual_decoding,
            spread_degradations=list(spread_degradations or []),
            calibration=checked_response(calibration or {}),
        )

    def with_parts(self, **changed: Any) -> "GenDegPipeline":
        """The same with other components or numbers, by name."""
        kept = {name: self.config[name] for name in inspect.signature(type(self)).parameters if name in self.config}
        return GenDegPipeline(**{**kept, **self.components, **changed})

    @contextmanager
    def altered(self, **numbers: object) -> Iterator[None]:
        """Other numbers in the configuration, for as long as this lasts."""
        before = {name: self.config[name] for name in numbers}
        self.register_to_config(**numbers)
        try:
            yield
        finally:
            self.register_to_config(**before)

    @property
    def multiple(self) -> int:
        """Image sides are padded to this many pixels: one latent times the UNet's own halvings."""
        return factor(self.vae) * 2 ** (len(self.unet.config.block_out_channels) - 1)

    def check_inputs(self, prompts: list[str], mu: list[float], sigma: list[float], generators: list[Any]) -> None:
        """Raises `ValueError` when the lists differ in length or are empty."""
        lengths = {len(prompts), len(mu), len(sigma), len(generators)}
        if len(lengths) != 1 or not prompts:
            raise ValueError("prompts, mu, sigma and generators need one entry for each sample")

    @torch.no_grad()
    def encode_clean(self, image: Float[Tensor, "1 3 h w"]) -> CleanLatent:
        """A signed image of any size ≥ 1 × 1 → its padded self and its latent (not scaled, as published)."""
        height, width = image.shape[-2:]
        padded = pad_to_multiple(image.to(self.device, self.vae.dtype), self.multiple)
        latent = over_tiles(
            lambda x: encode(self.vae, x), [padded], self._tile, self._tile // TILE_OVERLAP, factor(self.vae)
        )
        decoded = self._decode(latent) if self.config.residual_decoding and self.structure is not None else None
        return CleanLatent(padded, latent, height, width, decoded)

    @torch.no_grad()
    def encode_prompt(self, prompts: list[str], mu: Sequence[float], sigma: Sequence[float]) -> Conditioning:
        """Prompts and statistics (NaN: null) → what the UNet reads. Long prompts are cut at the encoder's length."""
        return self.condition(*self.encode_text(prompts), mu, sigma)

    @torch.no_grad()
    def encode_text(self, prompts: list[str]) -> tuple[Float[Tensor, "b tokens dim"], Float[Tensor, "b dim"]]:
        """The text encoder's last hidden state and pooled output, which samples with one prompt can share."""
        text = self.text_encoder(self.tokenize(prompts).to(self.device))
        return text.last_hidden_state, text.pooler_output

    def tokenize(self, prompts: list[str]) -> Int[Tensor, "b tokens"]:
        """Token numbers, each prompt filled up or cut to the text encoder's length."""
        return self.tokenizer(
            prompts,
            padding="max_length",
            truncation=True,
            max_length=self.text_encoder.config.max_position_embeddings,
            return_tensors="pt",
        ).input_ids

    @torch.no_grad()
    def condition(
        self,
        text: Float[Tensor, "b tokens dim"],
        pooled: Float[Tensor, "b dim"],
        mu: Sequence[float],
        sigma: Sequence[float],
    ) -> Conditioning:
        """Encoded text and the statistics (NaN: null) → what the UNet reads."""
        statistics = [torch.tensor(list(s), dtype=torch.float32, device=self.device) for s in (mu, sigma)]
        return self.conditioner(text, pooled, *statistics)

    def possible(self, clean: CleanLatent, degradations: Sequence[str], mu: Sequence[float]) -> list[float]:
        """The asked mu, lower where this photo cannot lose so much: see `blur_extent` and `darkening`."""
        limits = photo_limits(clean.photo, degradations, self.config.blur_extent, self.config.darkening)
        pairs = zip(degradations or [""] * len(mu), mu, strict=True)
        return [within(one, limits.get(name, math.inf)) for name, one in pairs]

    def targets(self, degradations: Sequence[str], mu: Sequence[float], sigma: Sequence[float]) -> list[Target]:
        """What finished images are brought to: their mu, and their sigma in the `spread_degradations`."""
        spread, dark = set(self.config.spread_degradations), self.config.darkening > 0
        names = degradations or [""] * len(mu)
        return [
            Target(one_mu, one_sigma if set(name.split("+")) <= spread else float("nan"), dark and name == "low_light")
            for name, one_mu, one_sigma in zip(names, mu, sigma, strict=True)
        ]

    def told(
        self, degradations: Sequence[str], mu: Sequence[float], sigma: Sequence[float]
    ) -> tuple[list[float], list[float]]:
        """mu and sigma as the model is to be told them: through its calibration, for degradations that have one."""
        names = degradations or [""] * len(mu)
        pairs = [told_statistics(self.config.calibration, *one) for one in zip(names, mu, sigma, strict=True)]
        return [pair.mu for pair in pairs], [pair.sigma for pair in pairs]

    def prepare_latents(self, clean: CleanLatent, generators: list[torch.Generator]) -> Float[Tensor, "b c y x"]:
        """Each sample's own starting noise, at the scheduler's first noise level."""
        channels, size = self.unet.config.out_channels, clean.latent.shape[-2:]
        noise = [randn_tensor((1, channels, *size), generator=g, dtype=torch.float32) for g in generators]
        return torch.cat(noise).to(self.device) * self.scheduler.init_noise_sigma

    @torch.no_grad()
    def __call__(
        self,
        clean: CleanLatent | Float[Tensor, "1 3 h w"],
        prompts: list[str],
        mu: list[float],
        sigma: list[float],
        generators: list[torch.Generator],
        steps: int | None = None,
        guidance_text: float | None = None,
        guidance_image: float | None = None,
        structure_correction: Sequence[bool] | bool = True,
        degradations: Sequence[str] = (),
    ) -> Float[Tensor, "b 3 h w"]:
        """Degrade one clean image once per prompt → signed images in [−1, 1], of the clean image's size.

        `mu` in [0, 0.7] and `sigma` in [0, 0.4]; one generator per sample makes a sample independent of its batch.
        `structure_correction` says for each sample whether the correction network runs (where there is one).
        `degradations` names each sample's (`rain+haze`) for calibration, limits and spread, which rest without it.
        """
        if not isinstance(structure_correction, bool) and len(structure_correction) != len(prompts):
            raise ValueError("structure_correction needs one entry for each sample, or one for all")
        shared = clean if isinstance(clean, CleanLatent) else self.encode_clean(clean)
        mu = self.possible(shared, degradations, mu)
        latents = self.generate(
            shared, prompts, mu, sigma, generators, steps, guidance_text, guidance_image, degradations
        )
        return self.decode_latents(latents, shared, structure_correction, self.targets(degradations, mu, sigma))

    @torch.no_grad()
    def generate(
        self,
        clean: CleanLatent,
        prompts: list[str],
        mu: list[float],
        sigma: list[float],
        generators: list[torch.Generator],
        steps: int | None = None,
        guidance_text: float | None = None,
        guidance_image: float | None = None,
        degradations: Sequence[str] = (),
    ) -> Float[Tensor, "b c y x"]:
        """The middle of a call, from `possible` mu up to what `decode_latents` takes: for those who decode it twice."""
        self.check_inputs(prompts, mu, sigma, generators)
        chosen = branches(
            self.config.guidance_text if guidance_text is None else guidance_text,
            self.config.guidance_image if guidance_image is None else guidance_image,
        )
        full = self.encode_prompt(prompts, *self.told(degradations, mu, sigma))
        null = self.encode_prompt([""], [float("nan")], [float("nan")])
        return self.denoise(clean, full, null, chosen, generators, steps or self.config.steps)

    @torch.no_grad()
    def denoise(
        self,
        clean: CleanLatent,
        full: Conditioning,
        null: Conditioning,
        chosen: list[Branch],
        generators: list[torch.Generator],
        steps: int,
        noise: Sequence[Float[Tensor, "b c y x"]] = (),
    ) -> Float[Tensor, "b c y x"]:
        """The sampling loop; returns scaled latents.

        `noise`, for comparisons, takes the place of the generators: what to start from, then what each step adds.
        """
        self.scheduler.set_timesteps(steps, device=self.device)
        start = noise[0] * self.scheduler.init_noise_sigma if noise else self.prepare_latents(clean, generators)
        takes, latents = inspect.signature(self.scheduler.step).parameters, start
        for number, timestep in enumerate(self.progress_bar(self.scheduler.timesteps), start=1):
            random = {"noise": noise[number]} if noise else {"generator": generators} if "generator" in takes else {}
            model_input = self.scheduler.scale_model_input(latents, timestep)
            predictions = [self._predict(model_input, timestep, clean, full, null, branch) for branch in chosen]
            latents = self.scheduler.step(combine(predictions, chosen), timestep, latents, **random).prev_sample
        return latents

    def _predict(
        self,
        latents: Float[Tensor, "b c y x"],
        timestep: Tensor,
        clean: CleanLatent,
        full: Conditioning,
        null: Conditioning,
        branch: Branch,
    ) -> Float[Tensor, "b c y x"]:
        """One UNet pass over the whole image, in windows when it is large."""
        count, dtype = len(latents), self.unet.dtype
        read = full if branch.text else null.expand(count)
        image = clean.latent if branch.image else torch.zeros_like(clean.latent)
        both = torch.cat([latents.to(dtype), image.to(dtype).expand(count, -1, -1, -1)], dim=1)
        labels = {} if read.vector is None else {"class_labels": read.vector.to(dtype)}

        def unet(window: Float[Tensor, "b two_c y x"]) -> Float[Tensor, "b c y x"]:
            return self.unet(window, timestep, encoder_hidden_states=read.context.to(dtype), **labels).sample.to(
                latents.dtype
            )

        side = self._tile // factor(self.vae)
        return over_tiles(unet, [both], side, side // TILE_OVERLAP, self.multiple // factor(self.vae))

    def to_generated(
        self, degraded: Float[Tensor, "*b c y x"], clean: Float[Tensor, "*b c y x"]
    ) -> Float[Tensor, "*b c y x"]:
        """What the UNet is to generate for a pair of unscaled latents."""
        scale, gain = self.vae.config.scaling_factor, self.config.residual_gain
        return (degraded - clean) * scale * gain if gain else degraded * scale

    def from_generated(
        self, generated: Float[Tensor, "b c y x"], clean: Float[Tensor, "n c y x"]
    ) -> Float[Tensor, "b c y x"]:
        """The inverse: generated → the unscaled latent of the degraded image; n is b, or 1 for a shared photo."""
        scale, gain = self.vae.config.scaling_factor, self.config.residual_gain
        return generated / (scale * gain) + clean.to(generated) if gain else generated / scale

    @torch.no_grad()
    def decode_latents(
        self,
        latents: Float[Tensor, "b c y x"],
        clean: CleanLatent,
        structure_correction: Sequence[bool] | bool = True,
        targets: Sequence[Target] = (),
    ) -> Float[Tensor, "b 3 h w"]:
        """What was generated → signed images of the clean image's size, one at a time, corrected where asked.

        With `targets`, one for each, each is brought to its own: see `strength.meet`.
        """
        flags = (
            [structure_correction] * len(latents) if isinstance(structure_correction, bool) else structure_correction
        )
        degraded = self.from_generated(latents, clean.latent).to(self.vae.dtype)
        images = []
        for latent, correct, target in zip(degraded.split(1), flags, targets or [Target()] * len(latents), strict=True):
            image = self._decode(latent)
            if correct and self.structure is not None:
                start = onto_photo(clean.image, image, clean.decoded).clamp(-1, 1)
                image = over_tiles(self.structure, [clean.image, start], self._tile, self._tile // TILE_OVERLAP)
            image = image[..., : clean.height, : clean.width].float().clamp(-1, 1)
            images.append(meet(clean.photo.float(), image, target, self.config.strength_gain))
        return torch.cat(images)

    def _decode(self, latent: Float[Tensor, "1 c y x"]) -> Float[Tensor, "1 3 h w"]:
        side = self._tile // factor(self.vae)
        return over_tiles(lambda z: decode(self.vae, z), [latent], side, side // TILE_OVERLAP)

    @property
    def _tile(self) -> int:
        """The window's side in pixels, a multiple of what the networks need."""
        return max(self.config.tile // self.multiple, 1) * self.multiple
