"""What makes a GPU fast, change by change: images and training steps a second, one table in one run.

make bench-gpu                                        on a GPU, less than five minutes; tables in out/bench-gpu
python benchmarks/gpu.py --cpu                        at toy size, that the script runs
python benchmarks/gpu.py --student folder             a distilled model too

Of a randomly initialised model of Stable Diffusion 1.5's size at 512 x 512, and of the bundled one at 256 and 512, the
first line samples as published: 100 steps, three UNet passes a step one after the other, in fp32, four photos at a
time, each decoded by itself and written as PNG in the loop. Every line below adds one change and keeps the others; from
`batches overlap` on it is a build (`build/shard.py`) with all that it does: reading, judging, encoding, tars. Columns:
images a second and how many times the first line's; the same with `torch.compile`; UNet passes of an image; TFLOP of an
image (counted); share of the card's peak; of a build, share of the time in which the GPU does nothing
(`torch.profiler`); peak memory. Runs of more than 12 steps are timed over a few of them and continued in a straight
line. Then training: a step of ours, and one in the order of diffusers' InstructPix2Pix example, at 256 x 256, batch 16.

A line that runs out of memory, fails, or comes too late for --seconds says so, and the next one goes on. Both tables
(`bench.json`, `bench.md`) are written anew after each line.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.utils import logging
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.build import STAND_IN, photos_folder, plain_loop
from benchmarks.training_step import networks, our_step, their_step
from gendeg.build.config import BuildConfig
from gendeg.build.prepare import ModelFacts, prepare
from gendeg.build.worker import PRECISIONS, Workshop
from gendeg.drive.driver import drive
from gendeg.intensity.ask import ask_intensities
from gendeg.model.compiled import compile_networks, first_line, warm
from gendeg.model.conditioner import Conditioning
from gendeg.model.fitting import fitting_batch
from gendeg.model.generate import Generator
from gendeg.model.guidance import Branch
from gendeg.model.latents import decode, encode, factor
from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.samplers import INTERVAL, LDM_SCHEDULE, MULTISTEP, PAPER, ContinuousEulerAncestralScheduler
from gendeg.model.settings import choose_sampler, settings_of
from gendeg.model.weights import load_pipeline, use_channels_last
from gendeg.shards.index import Mark
from gendeg.shards.layout import Layout

Later = Callable[[], None]

PEAKS = {"H100": 989, "H200": 989, "GH200": 989, "A100": 312, "L40S": 362, "4090": 165}
"""TFLOP/s of fp16 with fp32 sums, dense, by the makers' sheets; of other cards a large product is timed."""
LONG = 12  # steps that are timed in full
PHOTOS = 32  # that images are made of
FEW, MORE = 2, 8  # steps that are timed of longer runs: with many more a slow host takes a minute for a line
EARLIER = 4  # photos at a time in the plain loop


@dataclass(frozen=True)
class Spec:
    """One line: how it samples, and which changes are in."""

    name: str
    steps: int
    sampler: str = "published"  # few: DPM-Solver++ 2M; own, fast: the model's
    guided: bool = True
    interval: bool = False
    half: bool = True
    one_call: bool = True  # all branches of a step
    built: bool = True  # batches decoded together, and everything beside the model in threads


@dataclass
class Line:
    """What was measured; None: not, and `note` may say why."""

    model: str
    name: str
    size: int
    batch: int = 0
    images_a_second: float | None = None
    compiled: float | None = None
    passes: int | None = None
    tflop: float | None = None
    share_of_peak: float | None = None
    idle: float | None = None
    memory_gb: float | None = None
    failed: int = 0
    took: float | None = None  # seconds of the bench itself, with all that is not timed
    note: str = ""


@dataclass
class Report:
    """Everything so far; `write` leaves it on the disk."""

    out: Path
    machine: dict[str, Any]
    lines: list[Line] = field(default_factory=list)
    training: list[dict[str, Any]] = field(default_factory=list)

    def write(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        row = {"machine": self.machine, "lines": [asdict(one) for one in self.lines], "training": self.training}
        (self.out / "bench.json").write_text(json.dumps(row, indent=1))
        (self.out / "bench.md").write_text(self.markdown())

    def markdown(self) -> str:
        known = self.machine
        text = [f"{known['card']}, torch {known['torch']}, {known['seconds']:.0f} s", ""]
        for name in dict.fromkeys((one.model, one.size) for one in self.lines):
            group = [one for one in self.lines if (one.model, one.size) == name]
            text += [f"**{name[0]}, {name[1]} × {name[1]}**", "", *_table(group), ""]
        if self.training:
            text += ["| a step of training, 256 × 256 | steps/s | compiled | GB | |", "|---|---|---|---|---|"]
            text += [f"| {row['name']} | {_number(row.get('steps_a_second'))} | {_number(row.get('compiled'))} | "
                     f"{_number(row.get('memory_gb'))} | {row.get('note', '')} |" for row in self.training]  # fmt: skip
        return "\n".join(text) + "\n"


def _table(lines: list[Line]) -> list[str]:
    first = next((one.images_a_second for one in lines if one.images_a_second), None)
    rows = ["| | images/s | × | compiled | × | passes | TFLOP | of peak | idle | GB | batch | |", "|---" * 12 + "|"]
    for one in lines:
        times = [value / first if value and first else None for value in (one.images_a_second, one.compiled)]
        shares = ["" if share is None else f"{share:.0%}" for share in (one.share_of_peak, one.idle)]
        rows.append(
            f"| {one.name} | {_number(one.images_a_second)} | {_number(times[0])} | {_number(one.compiled)} | "
            f"{_number(times[1])} | {one.passes or ''} | {_number(one.tflop)} | {' | '.join(shares)} | "
            f"{_number(one.memory_gb)} | {one.batch or ''} | {one.note} |"
        )
    return rows


def _number(value: float | None) -> str:
    """Three digits that count."""
    return "" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


# --- lines ---


def ladder(options: argparse.Namespace) -> list[Spec]:
    """From the published way on; fewer steps at toy size."""
    full, *few = (4, 3, 2, 1) if options.cpu else (100, 20, 12, 8)
    start = Spec(f"as published: {full} steps, fp32, branches one by one, PNG in the loop", full, half=False,
                 one_call=False, built=False)  # fmt: skip
    half = replace(start, name="+ fp16, channels_last", half=True)
    together = replace(half, name="+ branches in one call", one_call=True)
    built = replace(together, name="+ batches overlap: decoded together, written in threads", built=True)
    shorter = [replace(built, name=f"+ DPM-Solver++, {steps} steps", steps=steps, sampler="few") for steps in few]
    interval = replace(shorter[1], name=f"+ guidance in an interval, {few[1]} steps", interval=True)
    student = [replace(interval, name=f"cost of a distilled student, {steps} steps", steps=steps, guided=False,
                       interval=False) for steps in (4, 2)]  # fmt: skip
    return [start, half, together, built, *shorter, interval, *student]


TRAINED = (("ours", our_step), ("as diffusers' InstructPix2Pix example", their_step))
OWN = [Spec("own sampler", 0, "own"), Spec("--sampler fast", 0, "fast")]
"""A real model as it is meant to be sampled."""


@contextmanager
def sampled(pipeline: GenDegPipeline, spec: Spec) -> Iterator[Generator]:
    """The pipeline as a line samples it, and as before afterwards."""
    numbers = ("steps", "guidance_text", "guidance_image", "guidance_interval")
    scheduler, before = pipeline.scheduler, {name: pipeline.config[name] for name in numbers}
    try:
        if spec.sampler in ("own", "fast"):
            choose_sampler(pipeline, spec.sampler)
            settings = settings_of(pipeline, spec.steps or None)
        else:
            whole = float(scheduler.alphas_cumprod[-1]) >= 1e-6
            if spec.sampler == "few" and whole:
                pipeline.scheduler = DPMSolverMultistepScheduler.from_config({**scheduler.config, **MULTISTEP})
            pipeline.register_to_config(guidance_interval=list(INTERVAL) if spec.interval else [])
            scales = (PAPER["guidance_text"], PAPER["guidance_image"]) if spec.guided else (1.0, 1.0)
            settings = settings_of(pipeline, spec.steps, *scales)
        if not spec.one_call:
            pipeline.predict = _one_by_one(pipeline)  # type: ignore[method-assign]
        if not spec.built:
            pipeline.in_calls = lambda count: [range(row, row + 1) for row in range(count)]  # type: ignore[method-assign]
        yield Generator(pipeline, settings)
    finally:
        for name in ("predict", "in_calls"):
            pipeline.__dict__.pop(name, None)
        pipeline.scheduler = scheduler
        pipeline.register_to_config(**before)


def _one_by_one(pipeline: GenDegPipeline) -> Callable[..., Tensor]:
    plain = pipeline.predict

    def predict(latents: Tensor, timestep: Tensor, clean: Any, read: Conditioning, chosen: list[Branch]) -> Tensor:
        contexts = read.context.chunk(len(chosen))
        vectors = [None] * len(chosen) if read.vector is None else read.vector.chunk(len(chosen))
        parts = zip(chosen, contexts, vectors, strict=True)
        return torch.stack([plain(latents, timestep, clean, Conditioning(c, v), [one]) for one, c, v in parts]).sum(0)

    return predict


class Bench:
    """One run: models, lines, and the time that is left."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.device = options, "cpu" if options.cpu else "cuda"
        self.since = time.monotonic()
        self.folder = tempfile.TemporaryDirectory()
        card = platform.processor() or platform.machine() if options.cpu else torch.cuda.get_device_name()
        self.report = Report(options.out, {"card": card, "torch": torch.__version__, "seconds": 0.0})
        self.peak = None if options.cpu else peak_of(card)
        self.report.machine["peak_tflops"] = self.peak

    @property
    def late(self) -> bool:
        return time.monotonic() - self.since > self.options.seconds

    def save(self) -> None:
        self.report.machine["seconds"] = round(time.monotonic() - self.since, 1)
        self.report.write()

    def models(self, name: str, make: Callable[[], GenDegPipeline], sizes: list[int], specs: list[Spec]) -> Later:
        """All lines of a model at each size; returns what times them again with compiled networks."""
        pipelines: dict[bool, GenDegPipeline] = {}

        def ready(half: bool) -> GenDegPipeline:
            """One at a time on the card; one in fp32 is made into one of fp16."""
            if half not in pipelines:
                pipeline = pipelines.popitem()[1] if half and pipelines else None
                pipelines.clear()
                _free()
                torch.backends.cudnn.benchmark = half and self.device == "cuda"  # in fp32 it takes all memory there is
                pipelines[half] = prepared(pipeline or make(), self.device, half and not self.options.cpu)
            return pipelines[half]

        done: list[tuple[Spec, Line]] = []
        for size in sizes:
            for spec in specs:
                line = Line(name, spec.name, size)
                self.report.lines.append(line)
                self.tried(line, partial(self.plain_on, ready, line, spec, size))
                done.append((spec, line))
        pipelines.clear()
        _free()

        def later() -> None:
            self.compiled([(spec, line) for spec, line in done if spec.built and line.images_a_second], ready)
            pipelines.clear()
            _free()

        return later

    def tried(self, line: Line, work: Callable[[], None]) -> None:
        """A line's work; what goes wrong is its note."""
        if self.late:
            line.note = line.note or "no time left"
        else:
            began = time.monotonic()
            try:
                work()
            except torch.OutOfMemoryError:
                line.note = "out of memory"
            except Exception as error:  # whatever it is, the other lines are worth having
                line.note = first_line(error)
                print(f"{line.name}: {line.note}", file=sys.stderr, flush=True)
            line.took = round((line.took or 0.0) + time.monotonic() - began, 1)
        _free()
        self.save()
        print(_table([line])[-1], flush=True)

    def plain_on(self, ready: Callable[[bool], GenDegPipeline], line: Line, spec: Spec, size: int) -> None:
        self.plain(line, spec, ready(spec.half), size)

    def plain(self, line: Line, spec: Spec, pipeline: GenDegPipeline, size: int) -> None:
        with sampled(pipeline, spec) as generator:
            line.passes = round(mean(generator.used(ask).passes for ask in ask_intensities("all", [0.5])))
            line.tflop = line.passes * flops_of(pipeline, size)[0] + flops_of(pipeline, size)[1]
            line.batch = self.batch(generator, spec, size)
            if self.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            line.images_a_second, line.failed = self.speed(generator, spec, size, line.batch)
            line.memory_gb = peak_memory(self.device)
            if self.peak:
                line.share_of_peak = line.tflop * line.images_a_second / self.peak
                self.save()
                line.idle = self.idle(generator, size, line.batch) if spec.built else None

    def batch(self, generator: Generator, spec: Spec, size: int) -> int:
        if self.options.cpu:
            return 2
        if not spec.built:
            return EARLIER
        one = Generator(generator.pipeline, replace(generator.settings, steps=1))
        return self.options.batch or fitting_batch(one, (size, size), "haze")

    def compiled(self, lines: list[tuple[Spec, Line]], ready: Callable[[bool], GenDegPipeline]) -> None:
        """The same again with compiled networks, of those lines that are a build."""
        known: set[tuple[int, int]] = set()
        for spec, line in lines:

            def work(spec: Spec = spec, line: Line = line) -> None:
                with sampled(ready(True), spec) as generator:
                    if not generator.pipeline.rows:
                        compile_networks(generator, line.batch)
                    generator.pipeline.rows = line.batch
                    shape = (line.size, line.batch)
                    if shape not in known:
                        warm(self.with_steps(generator, 1), [(line.size, line.size)], "haze")
                        known.add(shape)
                    line.compiled, _ = self.speed(generator, spec, line.size, line.batch)
                    if self.peak and line.tflop:
                        line.share_of_peak = line.tflop * line.compiled / self.peak

            self.tried(line, work)

    # --- speed ---

    def photos(self, size: int) -> Path:
        """Drawn once: some tens, of which a build makes as many images as it is asked for."""
        folder = Path(self.folder.name) / str(size)
        return folder if folder.exists() else photos_folder(folder, PHOTOS, size)

    def speed(self, generator: Generator, spec: Spec, size: int, batch: int) -> tuple[float, int]:
        """Images a second in all, and how many came to nothing (random weights overflow)."""
        steps, count = generator.settings.steps, batch * (3 if spec.built else 1)
        run = self.build if spec.built else self.loop
        if steps <= LONG:
            run(self.with_steps(generator, 1), size, batch, batch)
            seconds, failed = run(generator, size, batch, count)
            return count / seconds, failed
        run(self.with_steps(generator, 1), size, batch, batch)
        few, failed = run(self.with_steps(generator, FEW), size, batch, count)
        more, _ = run(self.with_steps(generator, MORE), size, batch, count)
        seconds = few + max(more - few, 0.0) / (MORE - FEW) * (steps - FEW)
        return count / seconds, failed

    @staticmethod
    def with_steps(generator: Generator, steps: int) -> Generator:
        return Generator(generator.pipeline, replace(generator.settings, steps=steps))

    def build(self, generator: Generator, size: int, batch: int, count: int) -> tuple[float, int]:
        """Seconds of so many images as `gendeg build` makes them, from photos on the disk to a tar."""
        with self.planned(size, batch, count) as (config, description):
            workshop = Workshop(config, description, drive(generator.pipeline, generator.settings))
            awake = [workshop.maker.drawers.submit(time.sleep, 0.2) for _ in range(config.workers)]
            for one in awake:
                one.result()
            _wait(self.device)
            marks: list[Mark] = []
            began = time.perf_counter()
            workshop.make_all(description.planned_shards, marks.append)
            _wait(self.device)
            seconds = time.perf_counter() - began
            workshop.close()
            return seconds, sum(len(mark.failures) for mark in marks)

    def loop(self, generator: Generator, size: int, batch: int, count: int) -> tuple[float, int]:
        """Seconds of a loop that reads, runs, measures and writes one after the other."""
        with self.planned(size, batch, count) as (config, description):
            _wait(self.device)
            return plain_loop(
                config, description, drive(generator.pipeline, generator.settings), config.out / "plain"
            ), 0

    @contextmanager
    def planned(self, size: int, batch: int, count: int) -> Iterator[tuple[BuildConfig, Any]]:
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            config = BuildConfig(
                clean=(str(self.photos(size)),), out=root / "out", types="all", intensity="0.5", samples=count,
                shard_size=count, batch_size=batch, attempts=1, tolerance=1.0, structure=-1.0, progress=False,
                workers=self.options.workers,
            )  # fmt: skip
            Layout(config.out).side.mkdir(parents=True)
            yield config, prepare(config, ModelFacts("bench", STAND_IN, "fp16"))

    def idle(self, generator: Generator, size: int, batch: int) -> float | None:
        """Share of the time between the first and the last kernel in which none runs, over two batches of a build."""
        short = self.with_steps(generator, min(generator.settings.steps, FEW))
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            self.build(short, size, batch, 2 * batch)
        return idle_share(kernels(profile, "CUDA"))

    # --- training ---

    def training(self, compiled: bool = False) -> None:
        """Steps a second of ours and of the example's order; compiled ones join the lines that are there."""
        toy = self.options.cpu
        size, batch, counted = (64, 2, 2) if toy else (256, 16, 10)
        for number, (name, make) in enumerate(TRAINED):
            if not compiled:
                self.report.training.append({"name": f"{name}, batch {batch}"})
            row = self.report.training[number]
            if self.late:
                row["note"] = "no time left"
                continue
            parts: tuple[Any, ...] = ()
            try:
                with torch.random.fork_rng(devices=[]):
                    parts = tuple(part.to(self.device) for part in networks(toy, "cpu"))
                if compiled:
                    parts[0].compile()
                speed = steps_a_second(make(parts, batch, size, self.device), counted, self.device)
                row["compiled" if compiled else "steps_a_second"] = speed
                row["memory_gb"] = peak_memory(self.device)
            except torch.OutOfMemoryError:
                row["note"] = "out of memory"
            except Exception as error:  # as in `tried`
                row["note"] = first_line(error)
            parts = ()
            _free()
            self.save()
            print(row, flush=True)


def kernels(profile: torch.profiler.profile, device: str) -> list[tuple[float, float]]:
    """Start and end of each on that device, in seconds. `profile.events()` makes a tree of them: half a minute."""
    assert profile.profiler is not None and profile.profiler.kineto_results is not None
    found = profile.profiler.kineto_results.events()
    mine = (event for event in found if event.device_type().name == device)
    return [(event.start_ns() / 1e9, (event.start_ns() + event.duration_ns()) / 1e9) for event in mine]


def idle_share(spans: list[tuple[float, float]]) -> float | None:
    """Of the time from the first start to the last end, what no span covers."""
    busy, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        busy += max(end - max(start, until), 0.0)
        until = max(until, end)
    whole = until - min((start for start, _ in spans), default=0.0)
    return 1 - busy / whole if spans and whole > 0 else None


def steps_a_second(step: Callable[[], float], counted: int, device: str) -> float:
    for _ in range(2):
        step()
    _wait(device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    for _ in range(counted):
        step()
    _wait(device)
    return counted / (time.perf_counter() - began)


# --- models ---


def stable_diffusion(toy: bool, device: str) -> GenDegPipeline:
    """Random weights at Stable Diffusion 1.5's sizes; the bundled tokenizer, whose numbers CLIP's table holds."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet, vae, text, conditioner = networks(toy, device)
    tokenizer = copy.deepcopy(load_pipeline().tokenizer)
    return GenDegPipeline(
        vae=vae.eval(), text_encoder=text.eval(), tokenizer=tokenizer, unet=unet.eval(),
        scheduler=ContinuousEulerAncestralScheduler(**LDM_SCHEDULE), conditioner=conditioner.eval(), **PAPER,
    )  # fmt: skip


def prepared(pipeline: GenDegPipeline, device: str, half: bool) -> GenDegPipeline:
    """On its device; in half precision with channels last, as a build on a GPU has it."""
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device, PRECISIONS["fp16" if half else "fp32"], silence_dtype_warnings=True)
    return use_channels_last(pipeline) if half else pipeline


FLOPS: dict[tuple[int, int], tuple[float, float]] = {}


def flops_of(pipeline: GenDegPipeline, size: int) -> tuple[float, float]:
    """TFLOP of a UNet pass, and of encoding and decoding, of one image; counted on tensors without numbers."""
    key = (id(pipeline.unet.config), size)
    if key not in FLOPS:
        unet, vae = (copy.deepcopy(part).to("meta", torch.float32) for part in (pipeline.unet, pipeline.vae))
        side, read = size // factor(pipeline.vae), pipeline.encode_prompt([""], [0.1], [0.1])
        half = unet.config.out_channels
        labels = {} if read.vector is None else {"class_labels": torch.empty(read.vector.shape, device="meta")}
        with torch.no_grad(), FlopCounterMode(display=False) as passes:
            unet(
                torch.empty(1, 2 * half, side, side, device="meta"), torch.zeros(1, device="meta"),
                encoder_hidden_states=torch.empty(read.context.shape, device="meta"), **labels,
            )  # fmt: skip
        with torch.no_grad(), FlopCounterMode(display=False) as rest:
            encode(vae, torch.empty(1, 3, size, size, device="meta"))
            decode(vae, torch.empty(1, half, side, side, device="meta"))
        FLOPS[key] = (passes.get_total_flops() / 1e12, rest.get_total_flops() / 1e12)
    return FLOPS[key]


# --- the machine ---


def peak_of(card: str) -> float:
    """TFLOP/s: the maker's number, or what a large product of half precision reaches."""
    for name, peak in sorted(PEAKS.items(), key=lambda item: -len(item[0])):
        if name in card:
            return peak
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.float16)
    for _ in range(3):
        a @ a
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(10):
        a @ a
    torch.cuda.synchronize()
    return 10 * 2 * 8192**3 / (time.perf_counter() - began) / 1e12


def peak_memory(device: str) -> float:
    """GB: of the card, or of this process so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def main() -> None:
    options = _options()
    logging.set_verbosity_error()
    if not options.cpu and not torch.cuda.is_available():
        sys.exit("no GPU here; --cpu shows at toy size that the script runs")
    if options.cpu:
        torch.set_num_threads(1)
    bench = Bench(options)
    wanted, sizes = options.only.split(","), [64] if options.cpu else [256, 512]
    later: list[Later] = []
    first, *rest = ladder(options)
    if "sd15" in wanted:
        name = "Stable Diffusion 1.5's size" if not options.cpu else "Stable Diffusion's layout, toy"
        size = 64 if options.cpu else 512
        later.append(bench.models(name, lambda: stable_diffusion(options.cpu, bench.device), [size], [first, *rest]))
    if "bundled" in wanted:  # as it is meant to be sampled comes before what is only there to compare
        later.append(bench.models("the bundled model", load_pipeline, sizes, [first, *OWN]))
    if options.student:
        later.append(bench.models(options.student.name, lambda: load_pipeline(str(options.student)), sizes, OWN))
    if "training" in wanted:
        bench.training()
        later.append(partial(bench.training, compiled=True))
    if "bundled" in wanted:
        later.append(bench.models("the bundled model", load_pipeline, sizes, rest))
    for compiled in later if options.compile else ():
        compiled()
    bench.save()
    print(f"\n{bench.report.markdown()}\n{options.out / 'bench.md'}, {options.out / 'bench.json'}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="store_true", help="toy sizes on the CPU")
    parser.add_argument("--only", default="sd15,training,bundled", help="sd15, training, bundled: a comma list")
    parser.add_argument("--student", type=Path, help="folder of a distilled model")
    parser.add_argument("--batch", type=int, default=32, help="images at a time; 0: what fits")
    parser.add_argument("--workers", type=int, default=8, help="threads that read and encode")
    parser.add_argument("--seconds", type=float, default=280, help="after which no line is begun")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=None, help="default: on a GPU")
    parser.add_argument("--out", type=Path, default=Path("out/bench-gpu"))
    options = parser.parse_args()
    options.compile = not options.cpu if options.compile is None else options.compile
    return options


if __name__ == "__main__":
    main()
