"""Train the UNet, the conditioner and (of small models) the text encoder on pairs (GenDeg, CVPR 2025, section 4)."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import CLIPTextModel

from gendeg.model.base import load_base
from gendeg.model.bundled import (
    make_change_scheduler,
    make_conditioner,
    make_text_encoder,
    make_tokenizer,
    make_unet,
    sizes_of,
)
from gendeg.model.conditioner import Conditioner
from gendeg.model.latents import check_side, factor
from gendeg.model.loading import check_folder, quiet
from gendeg.model.lora import add_lora, fuse_lora, save_lora
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.saving import write_folder
from gendeg.model.schedulers import noised, target_of
from gendeg.model.text import PromptWriter
from gendeg.model.weights import load_autoencoder, load_pipeline
from gendeg.pairs.pair import Pair
from gendeg.primitives.errors import BadOption
from gendeg.primitives.hub import upload
from gendeg.primitives.kinds import mix_name, parse_mix, parse_mixes
from gendeg.primitives.parallel import world
from gendeg.report.card_merge import write_card
from gendeg.training.batches import Views, crops, encoded, make_batch, simulated, windows
from gendeg.training.captions import corpus
from gendeg.training.card import model_card
from gendeg.training.config import DiffusionConfig
from gendeg.training.examples import Deal, parse_weights, shuffled
from gendeg.training.fresh_pairs import FreshPairs, Recipe, fresh_recipe, training_pairs
from gendeg.training.latent_cache import Making, make_cache
from gendeg.training.losses import snr_plus_one_weight
from gendeg.training.published import as_published, check_published, published_average, squashed_views
from gendeg.training.run import Run
from gendeg.training.sheet import draw_samples
from gendeg.training.state import make_ema, read_log
from gendeg.training.statistics import learn_statistics


class Denoiser(nn.Module):
    """Everything that is trained, in one forward call, which is what distributed wrappers hook into."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel, conditioner: Conditioner):
        super().__init__()
        self.unet, self.text_encoder, self.conditioner = unet, text_encoder, conditioner

    def forward(
        self,
        noisy: Float[Tensor, "b c y x"],
        clean: Float[Tensor, "b c y x"],
        timestep: Int[Tensor, " b"],
        tokens: Int[Tensor, "b n"],
        mu: Float[Tensor, " b"],
        sigma: Float[Tensor, " b"],
        direction: Float[Tensor, "b 2"],
    ) -> Float[Tensor, "b c y x"]:
        text = self.text_encoder(tokens)
        read = self.conditioner(text.last_hidden_state, text.pooler_output, mu, sigma, direction)
        labels = {} if read.vector is None else {"class_labels": read.vector}
        both = torch.cat([noisy, clean], dim=1).contiguous(memory_format=torch.channels_last)
        return self.unet(both, timestep, encoder_hidden_states=read.context, **labels).sample


def start_pipeline(config: DiffusionConfig) -> GenDegPipeline:
    """What the run goes on with, a base to fine-tune, or fresh weights. Raises `BadModel`, `HubUnreachable`."""
    if config.init:
        return load_pipeline(config.init)
    return load_base(config.base) if config.base else new_pipeline(config)


def new_pipeline(config: DiffusionConfig) -> GenDegPipeline:
    """Fresh weights of the sizes asked for around a trained autoencoder."""
    sizes = sizes_of(config.sizes)
    tokenizer = make_tokenizer(corpus(), sizes)
    conditioner = make_conditioner(sizes)
    return GenDegPipeline(
        vae=load_autoencoder(Path(config.vae)),
        text_encoder=make_text_encoder(tokenizer, sizes),
        tokenizer=tokenizer,
        unet=make_unet(conditioner, sizes),
        scheduler=make_change_scheduler(),
        conditioner=conditioner,
        steps=config.sample_steps,
        guidance_text=config.guidance_text,
        guidance_image=config.guidance_image,
        residual_decoding=True,
        structure_degradations=[],
    )


def make_denoiser(pipeline: GenDegPipeline, config: DiffusionConfig) -> Denoiser:
    """The part of a pipeline that is trained: all weights or, with a `lora_rank`, few; CLIP stays as it is."""
    denoiser = Denoiser(pipeline.unet, pipeline.text_encoder, pipeline.conditioner).train()
    small = bool(pipeline.conditioner.vector_dim)  # the bundled kind, whose text encoder is no CLIP
    denoiser.text_encoder.requires_grad_(config.train_text and small and not config.lora_rank)
    if config.lora_rank:
        add_lora(pipeline.unet, config.lora_rank)
    if config.gradient_checkpointing:
        pipeline.unet.enable_gradient_checkpointing()
    return denoiser


def parameter_groups(denoiser: Denoiser, config: DiffusionConfig) -> list[dict[str, Any]]:
    """Two learning rates: the statistics' projections learn faster (GenDeg, section 4)."""
    projections = list(denoiser.conditioner.parameters())
    known = {id(p) for p in projections}
    rest = [p for p in denoiser.parameters() if id(p) not in known and p.requires_grad]
    fast = config.learning_rate * config.statistics_rate
    return [{"params": rest}, {"params": projections, "lr": fast}]


def push_model(folder: Path, name: str, api: Any = None) -> str:
    """Upload a whole model, return its address. Raises `BadModel`, and what `upload` raises."""
    check_folder(folder)
    return upload(folder, name, "model", private=False, api=api)


SNR_CAP = 5.0
"""Of a model that says the sample: squared errors count SNR + 1 times, up to this."""

Shown = Callable[[GenDegPipeline, int], None]
"""Gets the pipeline with the averaged weights, and the step, whenever a sheet has been drawn."""


def train_diffusion(config: DiffusionConfig, shown: Shown | None = None) -> None:
    """Write checkpoints, `log.csv`, `calibration.csv`, sheets, and the averaged model as pipelines.

    `best/` is the model with the smallest calibration error on the way, `model/` the one after the last step. A LoRA
    run leaves in `lora/` (and `best/`) the little that it has trained, and in `model/` all of it, fused.
    """
    quiet()
    if config.published:
        config = as_published(config, world().size)
    pairs = training_pairs(config)
    if config.limit:
        pairs = [pairs[shuffled(len(pairs), number, config.seed)] for number in range(min(config.limit, len(pairs)))]
    torch.manual_seed(config.seed)
    pipeline = start_pipeline(config)
    if pipeline.config.guidance_built_in:
        raise BadOption("--init", "this model was distilled: train its teacher, and distil that again")
    # What was measured on weights that are about to change goes.
    pipeline.register_to_config(calibration={})
    if config.sketch:
        pipeline.register_to_config(sketch=config.sketch, sketch_levels={})
    check_start(config, pipeline, pairs)
    drawn = fresh_recipe(config, pairs) if config.clean else Deal(pairs, config.seed, parse_weights(config.weights))
    denoiser = make_denoiser(pipeline, config)
    average = published_average(denoiser.unet) if config.published else make_ema
    run = Run(config, denoiser, parameter_groups(denoiser, config), average, compile_on_cpu=False)  # no faster there
    device, kind = run.accelerator.device, pipeline.scheduler.config.prediction_type
    alphas = pipeline.scheduler.alphas_cumprod.to(device)
    pipeline.vae.to(device).requires_grad_(False)
    say_captions(pipeline, pairs, run.main)
    with views_of(run, pipeline, pairs, drawn, config) as views:
        if config.vae or pipeline.config.change_scale:
            mixes = [mix_name(mix) for mix in parse_mixes(config.types)] if config.clean else []
            run.watch.lap("preparation")
            learn_statistics(pipeline, views, config, [*mixes, *{placed.degradation for placed in pairs}])
            run.watch.lap("statistics")
        batches = run.batches(lambda numbers: make_batch(numbers, views, pipeline, config))
        for _ in run.steps("diffusion", lambda step: _validate(pipeline, config, step, shown)):
            for _ in range(config.accumulate):
                b = encoded(next(batches).to(device), pipeline, config.cache_latents, config.precision != "no")
                kept = alphas[b.timestep]
                with run.accumulate():
                    noisy = noised(b.degraded, b.noise, kept)
                    said = run.model(noisy, b.clean, b.timestep, b.tokens, b.mu, b.sigma, b.direction)
                    error = (said - target_of(kind, b.degraded, b.noise, kept)).square().mean(dim=(1, 2, 3))
                    run.descend((error * snr_plus_one_weight(kept, SNR_CAP) if kind == "sample" else error).mean())
    run.finish(lambda trained: _save(pipeline, trained, config, pairs))
    if config.push_to_hub and run.main:
        push_model(config.out / "model", config.push_to_hub)


def check_start(config: DiffusionConfig, pipeline: GenDegPipeline, pairs: list[Pair]) -> None:
    """Raises `BadOption` for what the model that the run starts from cannot do, before a folder is made."""
    check_side(pipeline.vae, config.size)
    if config.published:
        check_published(pipeline)
        return  # every picture is squashed: none is too small
    config.check_sides()
    small = [pair for pair in pairs if 0 < min(pair.width, pair.height) < config.size]
    if small and not config.short_side:
        first = f"{small[0].degraded.place} of {small[0].width} x {small[0].height}"
        reason = f"{len(small)} pairs are smaller than {config.size} pixels, for example {first}"
        raise BadOption("--size", f"{reason}; --short-side {config.size} would enlarge them")


def say_captions(pipeline: GenDegPipeline, pairs: list[Pair], aloud: bool) -> None:
    """How many captions this model cannot read whole. Raises `BadOption` for a degradation that it cannot be told."""
    write = PromptWriter(pipeline.reader)
    for placed in pairs:
        write(placed.caption, parse_mix(placed.degradation))
    if aloud:
        write.say()


@contextmanager
def views_of(
    run: Run, pipeline: GenDegPipeline, pairs: list[Pair], drawn: Recipe | Deal, config: DiffusionConfig
) -> Iterator[Views]:
    """What is simulated on the way, crops of the images, or windows of latents that each machine makes once."""
    if config.compile:
        pipeline.vae.encoder.compile()
    if isinstance(drawn, Recipe):
        with closing(FreshPairs(drawn, config.workers)) as fresh:
            yield simulated(fresh, config)
    elif config.published:
        yield squashed_views(drawn, pairs, config)
    elif not config.cache_latents:
        yield crops(drawn, pairs, config)
    else:
        making = Making(config.short_side, config.flips)
        with run.accelerator.local_main_process_first():
            cache = make_cache(pipeline.vae, pairs, config.out, making, wanted=run.main)
        yield windows(drawn, pairs, cache, config.size // factor(pipeline.vae), config)


def _validate(pipeline: GenDegPipeline, config: DiffusionConfig, step: int, shown: Shown | None) -> dict[str, float]:
    """Draw the sheet, and keep the model as `best/` when its calibration error is the smallest of the run."""
    earlier = [float(row["mu_error"]) for row in read_log(config.out / "calibration.csv") if int(row["step"]) < step]
    measured = draw_samples(pipeline, config, step)
    if measured["mu_error"] < min(earlier, default=float("inf")):
        save = (lambda folder: _save_lora(pipeline, folder, config)) if config.lora_rank else pipeline.save_pretrained
        write_folder(config.out / "best", save)
    if shown:
        shown(pipeline, step)
    return {f"calibration/{name}": value for name, value in measured.items()}


def _save(pipeline: GenDegPipeline, trained: Denoiser, config: DiffusionConfig, pairs: list[Pair]) -> None:
    done = pipeline.with_parts(
        unet=trained.unet, text_encoder=trained.text_encoder, conditioner=trained.conditioner
    )  # fmt: skip
    if config.lora_rank:
        write_folder(config.out / "lora", lambda folder: _save_lora(done, folder, config))
        fuse_lora(done.unet)
    write_folder(config.out / "model", done.save_pretrained)
    counts = Counter((placed.degradation, placed.source) for placed in pairs)
    rows = read_log(config.out / "calibration.csv")
    error = float(rows[-1]["mu_error"]) if rows else None
    card = model_card(config.init or config.base, counts, config, error)
    write_card(config.out / "model" / "README.md", card)


def _save_lora(pipeline: GenDegPipeline, folder: Path, config: DiffusionConfig) -> None:
    save_lora(pipeline, folder, config.init or config.base, "init" if config.init else "base")
