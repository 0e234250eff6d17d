"""GenDegPipeline: clean images + prompts + (mu, sigma) → degraded images (GenDeg, CVPR 2025, section 3)."""

import copy
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from jaxtyping import Float, Int
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from gendeg.intensity.ask import Ask
from gendeg.intensity.direction import UNKNOWN, Direction
from gendeg.model.conditioner import Conditioner, Conditioning
from gendeg.model.guidance import Branch, combine, guided
from gendeg.model.inputs import check_image, check_lists
from gendeg.model.latents import Autoencoder, CleanLatent, checked_veils, decode, encode, factor, onto_photo, put_back
from gendeg.model.moves import draw_noise, filled, put_rows, rows_of, to_device
from gendeg.model.nafnet import NAFNet
from gendeg.model.response import checked_response
from gendeg.model.samplers import ContinuousEulerAncestralScheduler
from gendeg.model.schedulers import NoiseProcess, known_levels, noise_process, share_of, up_to
from gendeg.model.sketch import checked_levels
from gendeg.model.strength import checked_evenness
from gendeg.model.text import Reader
from gendeg.model.tiles import over_tiles, pad_to_multiple
from gendeg.primitives.images import U8Image, signed_to_u8
from gendeg.primitives.kinds import Mix, parse_mix
from gendeg.primitives.memory import OwnMemory

CORRECTED = ("haze", "motion_blur", "raindrop")  # where the published model corrects structure (GenDeg, section 3.4)
TILE_OVERLAP = 4  # a window overlaps its neighbours by a quarter of itself


class GenDegPipeline(OwnMemory, DiffusionPipeline):
    """Latent diffusion over the degraded image, told the clean image, the prompt and the statistics.

    With a `change_scale` (mix name → r), what is generated is the change from the clean latent to the degraded one,
    divided by r · hypot(mu, sigma): unit variance at every intensity (see `model.change`). Published: none.
    `directions` (mix name → measured ones) is what a sample's direction is drawn from where it is neither asked for nor
    that of its `sketch`.
    With `residual_decoding` what the autoencoder loses of the photo is put back as far as the degraded image keeps the
    photo's detail (`latents.keep_detail`), or structure correction starts from the photo plus the decoded change.
    With a `sketch`, and no correction, it is the sketch's detail: the photo's, and that of streaks and flakes.
    Published: not so. Degradations that `veils` names are then a · photo + b over squares of so many pixels
    (`latents.as_veil`). Published: none.
    With a `strength_gain` above 1 the finished change is scaled, by that much at most, to the asked mu; those that
    `evenness` names are laid so that sigma comes nearer, with powers of at most that much (`strength.spread`).
    Published: 1, and none.
    With a `guidance_interval` [low, high] of noise / signal there is guidance only there. Published: everywhere.
    With a `calibration` (`gendeg calibrate`) mu and sigma are told to the model so that its image measures as asked.
    With `guidance_built_in` (`gendeg train distill`) one pass says what the guidance scales in the configuration would
    make of three; it takes no others, and no other number of steps.
    With a `sketch` sampling begins at that noise / signal, with a simulator's draw under the noise (`model.sketch`);
    degradations that `sketch_levels` names begin at less and keep more of the draw, or (0) with noise alone. A mix
    begins as its member with the lowest level above 0. Published: with noise alone.
    Call it with signed images; `encode_clean` may be called before, to share its result.
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
        change_scale: dict[str, float] | None = None,
        directions: dict[str, list[list[float]]] | None = None,
        strength_gain: float = 1.0,
        evenness: dict[str, float] | None = None,
        veils: dict[str, int] | None = None,
        residual_decoding: bool = False,
        calibration: dict[str, Any] | None = None,
        guidance_interval: list[float] | None = None,
        guidance_built_in: bool = False,
        sketch: float = 0.0,
        sketch_levels: dict[str, float] | None = None,
    ):
        super().__init__()
        self.rows = 0  # that a compiled network's batches are filled up to
        self._trained = scheduler  # another may take its place; this one tells of the model's noise levels
        self.register_modules(
            vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, unet=unet, scheduler=scheduler,
            conditioner=conditioner, structure=structure,
        )  # fmt: skip
        self.register_to_config(
            steps=steps,
            guidance_text=guidance_text,
            guidance_image=guidance_image,
            structure_degradations=list(CORRECTED if structure_degradations is None else structure_degradations),
            tile=tile,
            change_scale=dict(change_scale or {}),
            directions=dict(directions or {}),
            strength_gain=strength_gain,
            evenness=checked_evenness(evenness or {}),
            veils=checked_veils(veils or {}),
            residual_decoding=residual_decoding,
            calibration=checked_response(calibration or {}),
            guidance_interval=list(guidance_interval or []),
            guidance_built_in=guidance_built_in,
            sketch=sketch,
            sketch_levels=checked_levels(sketch, sketch_levels or {}),
        )

    def with_parts(self, **changed: Any) -> "GenDegPipeline":
        """The same with other components or numbers, by name."""
        return GenDegPipeline(**self.components | changed)

    @property
    def components(self) -> dict[str, Any]:
        """What the pipeline is made of, its numbers too: `type(p)(**p.components)` is the same pipeline again."""
        numbers = {name: self.config[name] for name in inspect.signature(type(self)).parameters if name in self.config}
        return numbers | super().components

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

    @torch.no_grad()
    def encode_clean(self, image: Float[Tensor, "1 3 h w"]) -> CleanLatent:
        """A signed image of any size ≥ 1 × 1 → its padded self and its latent (not scaled, as published).

        Raises `ValueError` for several images, or values that are not in [−1, 1].
        """
        check_image(image)
        pixels = (signed_to_u8(image[0].permute(1, 2, 0).cpu().numpy()),) if self.config.sketch else ()
        return self.encode_photos(image.to(self.device), pixels)

    @torch.no_grad()
    def encode_photos(self, images: Float[Tensor, "n 3 h w"], pixels: tuple[U8Image, ...] = ()) -> CleanLatent:
        """Signed images of one size, on the device already, in one call; in float32 they lose no grey level to fp16.

        `pixels` are the same images in main memory, which a model with a `sketch` needs.
        """
        return self._encode(images, self.config.residual_decoding and not self._keeps_sketch, pixels)

    @torch.no_grad()
    def encode_sketches(self, images: Float[Tensor, "b 3 h w"]) -> CleanLatent:
        """The simulators' draws that a batch begins with, signed and on the device already."""
        decoded = self.config.residual_decoding and self._keeps_sketch
        rows = self.in_calls(len(images))
        return CleanLatent.batch([self._encode(images[one.start : one.stop], decoded) for one in rows])

    def with_detail(self, clean: CleanLatent) -> CleanLatent:
        """Photos, as `encode_sketches` gives draws: with what the latents decode to, where that is wanted of them."""
        decoded = clean.decoded
        if decoded is None and self.config.residual_decoding and self._keeps_sketch:
            rows = self.in_calls(len(clean.latent))
            decoded = torch.cat([self._decode(clean.latent[one.start : one.stop]) for one in rows])
        return replace(clean, decoded=decoded, pixels=())

    def _encode(self, images: Float[Tensor, "n 3 h w"], decoded: bool, pixels: tuple[U8Image, ...] = ()) -> CleanLatent:
        padded = pad_to_multiple(images.float(), self.multiple)
        latent = over_tiles(
            lambda x: encode(self.vae, x), [padded.to(self.vae.dtype)], self._tile, self._tile // TILE_OVERLAP,
            factor(self.vae),
        )  # fmt: skip
        height, width = images.shape[-2:]
        return CleanLatent(padded, latent, height, width, self._decode(latent) if decoded else None, pixels)

    @property
    def _keeps_sketch(self) -> bool:
        """Whether what the autoencoder loses is put back of the sketch, not of the photo."""
        return bool(self.config.sketch) and self.structure is None

    @torch.no_grad()
    def encode_prompt(
        self, prompts: list[str], mu: Sequence[float], sigma: Sequence[float], directions: Sequence[Direction] = ()
    ) -> Conditioning:
        """Prompts and statistics (NaN: null) → what the UNet reads. Of prompts that are too long see `Reader`."""
        return self.condition(*self.encode_text(prompts), mu, sigma, directions)

    @torch.no_grad()
    def encode_text(self, prompts: list[str]) -> tuple[Float[Tensor, "b tokens dim"], Float[Tensor, "b dim"]]:
        """The text encoder's last hidden state and pooled output, which samples with one prompt can share."""
        text = self.text_encoder(self.tokenize(prompts).to(self.device))
        return text.last_hidden_state, text.pooler_output

    @property
    def reader(self) -> Reader:
        """How much text the text encoder takes, and how it is cut."""
        return Reader(self.tokenizer, self.text_encoder.config.max_position_embeddings)

    def tokenize(self, prompts: list[str]) -> Int[Tensor, "b tokens"]:
        """Token numbers, each prompt filled up or shortened to the text encoder's length."""
        return self.reader.numbers(prompts)

    @torch.no_grad()
    def condition(
        self,
        text: Float[Tensor, "b tokens dim"],
        pooled: Float[Tensor, "b dim"],
        mu: Sequence[float],
        sigma: Sequence[float],
        directions: Sequence[Direction] = (),
    ) -> Conditioning:
        """Encoded text and the statistics (NaN: null) → what the UNet reads; without `directions` they are null."""
        told = directions or [UNKNOWN] * len(text)
        statistics = [torch.tensor(list(s), dtype=torch.float64) for s in (mu, sigma, told)]  # see `Bins.index`
        return self.conditioner(text, pooled, *statistics)

    def prepare_latents(self, clean: CleanLatent, generators: list[torch.Generator]) -> Float[Tensor, "b c y x"]:
        """Each sample's own starting noise, of variance 1."""
        channels, size = self.unet.config.out_channels, clean.latent.shape[-2:]
        return draw_noise((len(generators), channels, *size), generators, self.device)

    @property
    def together(self) -> bool:
        """Whether a batch goes through the autoencoder in one call; on a CPU that is no faster and takes memory."""
        return self.device.type != "cpu"

    def in_calls(self, count: int) -> list[range]:
        """The samples of a batch that go through the autoencoder together."""
        size = count if self.together else 1
        return [range(first, min(first + size, count)) for first in range(0, count, size)]

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
        directions: Sequence[Direction] = (),
    ) -> Float[Tensor, "b 3 h w"]:
        """Degrade one clean image once per prompt → signed images in [−1, 1], of the clean image's size.

        `mu` in [0, 0.7] and `sigma` in [0, 0.4]; one generator per sample makes a sample independent of its batch.
        `structure_correction` says for each sample whether the correction network runs (where there is one).
        `degradations` names each sample's (`rain+haze`) for a calibration, `evenness` and `veils`, which rest without
        it, and for a model with a `change_scale`, which needs it. `directions`, one for each, take the place of drawn
        ones.
        Raises `ValueError` for lists that do not fit each other, `UnknownDegradation`.
        """
        from gendeg.model.generate import Generator  # which drives any pipeline, this one too
        from gendeg.model.settings import Settings

        check_lists(prompts, mu, sigma, generators)
        if not isinstance(structure_correction, bool) and len(structure_correction) != len(prompts):
            raise ValueError("structure_correction needs one entry for each sample, or one for all")
        mixes = [parse_mix(name) for name in degradations] or [()] * len(prompts)
        told = list(directions) or [UNKNOWN] * len(prompts)
        rows = zip(mixes, prompts, mu, sigma, told, strict=True)
        asks = [Ask(mix, "", prompt, float("nan"), m, s, "", direction) for mix, prompt, m, s, direction in rows]
        scales = (
            self.config.guidance_text if guidance_text is None else guidance_text,
            self.config.guidance_image if guidance_image is None else guidance_image,
        )
        generator = Generator(self, Settings(steps or self.config.steps, *scales, structure_correction=True))
        shared = clean if isinstance(clean, CleanLatent) else self.encode_clean(clean)
        settled = generator.settle(asks)
        made = generator.generate(shared, settled, generators)
        images = self.decode_latents(
            made.latents, shared, structure_correction, made.sketch, [one.ask.name for one in settled]
        )
        return generator.bring(shared, settled, images)

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
        sizes: Float[Tensor, " b"] | None = None,
        sketch: Float[Tensor, "b c y x"] | None = None,
        level: float | None = None,
    ) -> Float[Tensor, "b c y x"]:
        """The sampling loop; returns scaled latents, of a model with a `change_scale` multiplied by their `sizes`.

        `noise`, for comparisons, takes the place of the generators: what to start from, then what each step adds.
        `sketch` is what to begin with under the noise, at `level` (0: all noise levels; None: the longest way's).
        """
        process = self.noise_process(steps, level)
        latents = process.begin(noise[0] if noise else self.prepare_latents(clean, generators), sketch)
        timesteps = to_device(process.scheduler.timesteps, self.device)  # all at once; the scheduler keeps its own
        read: dict[tuple[Branch, ...], Conditioning] = {}
        for number, timestep in enumerate(self.progress_bar(process.scheduler.timesteps)):
            random = {"noise": noise[number + 1]} if noise else {"generator": generators}
            now = self.branches_at(process, timestep, chosen)
            if tuple(now) not in read:
                nothing = null.expand(len(latents))
                read[tuple(now)] = Conditioning.batch([full if branch.text else nothing for branch in now])
            model_input = process.scale_model_input(latents, timestep)
            said = self.predict(model_input, timesteps[number], clean.latent, read[tuple(now)], now)
            latents = process.step(said, timestep, latents, random)
        return latents if sizes is None else latents * sizes[:, None, None, None]

    def level_of(self, mix: Mix) -> float:
        """Noise / signal at which samples of a mix begin, the lowest of its members'; 0, the highest: noise alone."""
        own, less = float(self.config.sketch), self.config.sketch_levels
        levels = [float(less.get(kind, own)) for kind in mix] or [own]
        return min((level for level in levels if level), default=0.0)

    @property
    def highest(self) -> float:
        """The level at which the longest way begins, whose steps `steps` are."""
        return 0.0 if 0 in self.config.sketch_levels.values() else float(self.config.sketch)

    def noise_process(self, steps: int, level: float | None = None) -> NoiseProcess:
        """The sampler, set to so many steps of the longest way; one that begins further down (`level`) takes fewer.

        It counts on the host, where nothing has to be waited for. A way that begins low has few levels; with more steps
        than these the first two of most schedulers would be one.
        """
        scheduler = copy.copy(self.scheduler)  # it keeps where it stands, and others ask while one samples
        process = noise_process(scheduler, self._trained, self.highest if level is None else level)
        own = share_of(steps, process.levels, up_to(known_levels(self._trained), self.highest))
        # The steps of a continuous one lie between levels, too.
        between = isinstance(process.scheduler, ContinuousEulerAncestralScheduler)
        process.scheduler.set_timesteps(own if between else min(own, len(process.levels)), device="cpu")
        return process

    def branches_at(self, process: NoiseProcess, timestep: Tensor, chosen: list[Branch]) -> list[Branch]:
        """The UNet passes of one step."""
        return guided(chosen, self.config.guidance_interval, process.noise_at(timestep))

    def passes(self, steps: int, chosen: list[Branch], level: float | None = None) -> int:
        """UNet passes that an image takes: of every branch at every call, however many windows it is cut into."""
        process = self.noise_process(steps, level)
        return sum(len(self.branches_at(process, timestep, chosen)) for timestep in process.scheduler.timesteps)

    def predict(
        self,
        latents: Float[Tensor, "b c y x"],
        timestep: Tensor,
        clean: Float[Tensor, "n c y x"],
        read: Conditioning,
        chosen: list[Branch],
    ) -> Float[Tensor, "b c y x"]:
        """All branches of a step in one UNet call (in windows when the image is large), and their weighted sum.

        `read` are the conditionings of all branches, one behind the other, as their samples are.
        """
        count, dtype = len(latents), self.unet.dtype
        photo = clean.to(dtype).expand(count, -1, -1, -1)
        nothing = torch.zeros_like(photo)
        image = torch.cat([photo if branch.image else nothing for branch in chosen])
        both = torch.cat([latents.to(dtype).repeat(len(chosen), 1, 1, 1), image], dim=1)
        rows = len(chosen) * self.rows
        context = filled(read.context.to(dtype), rows)
        labels = {} if read.vector is None else {"class_labels": filled(read.vector.to(dtype), rows)}

        def unet(window: Float[Tensor, "b two_c y x"]) -> Float[Tensor, "b c y x"]:
            said = self.unet(filled(window, rows), timestep, encoder_hidden_states=context, **labels).sample
            return said[: len(window)].to(latents.dtype)

        side = self._tile // factor(self.vae)
        said = over_tiles(unet, [both], side, side // TILE_OVERLAP, self.multiple // factor(self.vae))
        return combine(said.chunk(len(chosen)), chosen)

    def to_generated(
        self, degraded: Float[Tensor, "*b c y x"], clean: Float[Tensor, "*#b c y x"]
    ) -> Float[Tensor, "*b c y x"]:
        """What the UNet is to generate for a pair of unscaled latents, before it is divided by its `sizes`."""
        return (degraded - clean if self.config.change_scale else degraded) * self.vae.config.scaling_factor

    def from_generated(
        self, generated: Float[Tensor, "b c y x"], clean: Float[Tensor, "n c y x"]
    ) -> Float[Tensor, "b c y x"]:
        """The inverse: generated → the unscaled latent of the degraded image; n is b, or 1 for a shared photo."""
        latent = generated / self.vae.config.scaling_factor
        return latent + clean.to(generated) if self.config.change_scale else latent

    @torch.no_grad()
    def decode_latents(
        self,
        latents: Float[Tensor, "b c y x"],
        clean: CleanLatent,
        structure_correction: Sequence[bool] | bool = True,
        sketch: CleanLatent | None = None,
        degradations: Sequence[str] = (),
    ) -> Float[Tensor, "b 3 h w"]:
        """What was generated → signed images of the clean image's size, corrected where asked.

        `sketch` is what it began with, where it began with one; without it none of its detail is put back.
        `degradations` names each sample's, for `veils`.
        """
        flags = (
            [structure_correction] * len(latents) if isinstance(structure_correction, bool) else structure_correction
        )
        degraded = self.from_generated(latents, clean.latent).to(self.vae.dtype)
        images = []
        for rows in self.in_calls(len(latents)):
            decoded = self._decode(degraded[rows.start : rows.stop])
            kept = (clean if sketch is None else sketch).of(*rows)
            sides = [self.config.veils.get(name, 0) for name in degradations[rows.start : rows.stop]]
            image = self._finished(clean.of(*rows), kept, decoded, flags[rows.start : rows.stop], sides)
            images.append(image[..., : clean.height, : clean.width].clamp(-1, 1))
        return torch.cat(images)

    def _finished(
        self,
        clean: CleanLatent,
        kept: CleanLatent,
        images: Float[Tensor, "b 3 h w"],
        flags: Sequence[bool],
        sides: Sequence[int],
    ) -> Float[Tensor, "b 3 h w"]:
        """Decoded images with what the autoencoder lost: the detail of `kept` or, where flagged, by the correction."""
        if self.structure is None:
            return images if kept.decoded is None else put_back(kept, images, sides)
        decoded = None if clean.decoded is None else clean.decoded.float()
        rows = [row for row, correct in enumerate(flags) if correct]
        if not rows:
            return images
        own, some = clean.of(*rows), rows_of(images, rows)
        start = onto_photo(
            own.image, some, None if decoded is None else rows_of(decoded, rows) if clean.several else decoded
        )
        pair = [image.to(self.structure.dtype) for image in (own.image.expand_as(start), start.clamp(-1, 1))]
        some = over_tiles(self.structure, pair, self._tile, self._tile // TILE_OVERLAP).float()
        return put_rows(images, rows, some)

    def _decode(self, latent: Float[Tensor, "b c y x"]) -> Float[Tensor, "b 3 h w"]:
        side = self._tile // factor(self.vae)

        def decoded(window: Float[Tensor, "b c y x"]) -> Float[Tensor, "b 3 h w"]:
            return decode(self.vae, filled(window, self.rows))[: len(window)]

        return over_tiles(decoded, [latent], side, side // TILE_OVERLAP).float()

    @property
    def _tile(self) -> int:
        """The window's side in pixels, a multiple of what the networks need."""
        return max(self.config.tile // self.multiple, 1) * self.multiple
