"""Diffusion training that waits for nothing: crops come when they come, stay on the card, and are drawn many times.

`leg.py train` runs it on a GPU that is lent for minutes. Processes simulate crops and read pairs; each crop is encoded
once and kept; every step draws its examples from all that have come so far, with fresh noise. The learning rate falls
by a cosine over the time, not over steps, so nothing has to be timed before. Unlike `gendeg train` it depends on how
fast the machine is, and cannot be resumed: the averaged weights are handed out on the way.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from itertools import count

import torch
from torch import Tensor

from gendeg.model.pipeline import GenDegPipeline
from gendeg.model.schedulers import noised, target_of
from gendeg.pairs.pair import Pair
from gendeg.training.batches import Batch, View, as_views, encoded, log_normal, make_batch
from gendeg.training.config import DiffusionConfig
from gendeg.training.diffusion import Denoiser, make_denoiser, parameter_groups
from gendeg.training.examples import Deal
from gendeg.training.fresh_pairs import FreshPairs, fresh_recipe, training_pairs
from gendeg.training.muon import Muon, matrix_groups

SIMULATED = "haze=.95,low_light=.75,motion_blur=1.2,rain=1.2,raindrop=1.05,snow=1.15,rain+haze=.35,snow+haze=.35"
"""How often each is simulated."""
PAIRS = {"haze": 0.32, "low_light": 0.22, "motion_blur": 0.28, "rain": 0.13, "raindrop": 0.04, "snow": 0.01}
"""Shares of the pairs' examples, whatever number of pairs there is."""
SOURCES = {"ihaze": 2.0, "nhhaze": 2.5, "lol_v1": 0.4}
"""Within a degradation: real haze counts more than rendered, and the source that most dark pairs are of less."""
LARGE = 5
"""Every so many steps, and jobs of the processes, are of crops twice as large, a quarter as many."""
JOB = 16
"""Crops that a process is asked for at a time."""
FIRST = 1000
"""Crops without which no step is begun."""
ROOM = 200_000
"""Crops that are kept, an eighth of it of the large ones: 60 KB each."""
TAKEN = 12
"""Jobs that are encoded before a step, together, at most."""
WARMUP, TOLD = 100, 15.0
"""Steps; seconds between two lines of the log."""
EDGES = (-1.9, -0.9, 0.0, 0.9, 1.9)
"""ln(noise / signal) between which errors are told apart."""


@dataclass(frozen=True)
class Time:
    """Seconds since 1970 at which it ends, and between two calls of `shown`."""

    end: float
    every: float


class Pool:
    """Encoded crops of one size; the oldest are replaced when it is full."""

    def __init__(self, room: int, device: torch.device):
        self.room, self.device, self.seen = room, device, 0
        self._held: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return min(self.seen, self.room)

    def add(self, batch: Batch) -> None:
        """Latents are kept in half precision."""
        told = {"tokens": batch.tokens, "mu": batch.mu, "sigma": batch.sigma, "direction": batch.direction}
        rows = {"clean": batch.clean.half(), "degraded": batch.degraded.half(), **told}
        at = (torch.arange(len(batch.mu)) + self.seen) % self.room
        for name, values in rows.items():
            if name not in self._held:
                kept = torch.float32 if values.dtype == torch.float64 else values.dtype
                self._held[name] = torch.zeros((self.room, *values.shape[1:]), dtype=kept, device=self.device)
            self._held[name][at.to(self.device)] = values.to(self.device, self._held[name].dtype)
        self.seen += len(batch.mu)

    def draw(self, size: int) -> dict[str, Tensor]:
        """So many of them, some twice."""
        chosen = torch.randint(len(self), (size,), device=self.device)
        rows = {name: values[chosen] for name, values in self._held.items()}
        return {name: values.float() if values.is_floating_point() else values for name, values in rows.items()}


def train(
    pipeline: GenDegPipeline,
    config: DiffusionConfig,
    times: Time,
    shown: Callable[[GenDegPipeline, int], None],
    first: int = FIRST,
) -> int:
    """Go on with a pipeline's weights until the time is over; returns the steps done.

    `shown` gets it with the averaged weights, and the step; `first` crops are waited for. Raises `TimeoutError`.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(config.seed)
    pairs, half = training_pairs(config), device.type == "cuda"
    pipeline.register_to_config(calibration={})
    denoiser = make_denoiser(pipeline, config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    pipeline.vae.to(device).requires_grad_(False)
    optimizer = Muon(matrix_groups(parameter_groups(denoiser, config), denoiser), lr=config.learning_rate)
    peaks = [group["lr"] for group in optimizer.param_groups]
    trained = [weight for weight in denoiser.parameters() if weight.requires_grad]
    average = [weight.detach().clone() for weight in trained]
    alphas = pipeline.scheduler.alphas_cumprod.to(device)
    pools = {False: Pool(ROOM, device), True: Pool(ROOM // 8, device)}
    told = Told(device)
    with coming(pipeline, pairs, config) as ready:

        def take(wait: bool) -> None:
            for large, batch in joined(came(ready, wait)).items():
                pools[large].add(encoded(batch.to(device), pipeline, False, half))

        while min(len(pools[False]), len(pools[True]) * JOB) < first:
            if time.time() > times.end:
                raise TimeoutError("too few crops came in time")
            take(True)
        began = last = time.time()
        for step in count(1):
            take(False)
            done = (time.time() - began) / max(times.end - began, 1.0)
            if done >= 1:
                break
            rate = min(1.0, step / WARMUP) * 0.5 * (1 + math.cos(math.pi * done))
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * rate
            large, size = step % LARGE == 0, config.batch_size * config.repeats
            rows = pools[large].draw(size // 4 if large else size)
            logs, levels = levels_of(len(rows["mu"]), alphas, config)
            error = error_of(denoiser, rows, alphas[levels], levels, half)
            optimizer.zero_grad(set_to_none=True)
            error.mean().backward()
            torch.nn.utils.clip_grad_norm_(trained, config.clip_norm)
            optimizer.step()
            decay = min(config.ema_decay, step / (9 + step))
            torch._foreach_lerp_(average, [weight.detach() for weight in trained], 1 - decay)
            told.add(step, logs, error.detach(), f"crops {pools[False].seen} + {pools[True].seen} large")
            if time.time() - last > times.every:
                with averaged(trained, average):
                    shown(pipeline, step)
                last = time.time()
    for weight, kept in zip(trained, average, strict=True):
        weight.data.copy_(kept)
    print(f"{step - 1} steps, crops {pools[False].seen} + {pools[True].seen} large", flush=True)
    return step - 1


def came(ready: queue.Queue[tuple[bool, Batch]], wait: bool) -> list[tuple[bool, Batch]]:
    """What stands ready, `TAKEN` at most; `wait`: a minute for the first."""
    found: list[tuple[bool, Batch]] = []
    with suppress(queue.Empty):
        for number in range(TAKEN):
            found.append(ready.get(wait and not number, 60))
    return found


def joined(found: Sequence[tuple[bool, Batch]]) -> dict[bool, Batch]:
    """One batch of each size: encoding launches 110 kernels, of one crop or of two hundred."""
    sizes: dict[bool, list[Batch]] = {}
    for large, batch in found:
        sizes.setdefault(large, []).append(batch)
    names = [field.name for field in fields(Batch) if field.name != "posterior"]
    return {
        large: Batch(**{name: torch.cat([getattr(batch, name) for batch in some]) for name in names})
        for large, some in sizes.items()
    }


def levels_of(size: int, alphas: Tensor, config: DiffusionConfig) -> tuple[Tensor, Tensor]:
    """(ln noise / signal, timesteps), log-normal and evenly spread within a batch."""
    device = alphas.device
    spread = (torch.rand((), device=device) + torch.arange(size, device=device).double() / size) % 1.0
    logs, timesteps = log_normal(spread, alphas, config)
    return logs.float(), timesteps


def error_of(denoiser: Denoiser, rows: dict[str, Tensor], kept: Tensor, levels: Tensor, half: bool) -> Tensor:
    """Mean squared error of v of each example."""
    latent = rows["degraded"]
    noise = torch.randn_like(latent)
    noisy = noised(latent, noise, kept)
    with torch.autocast(latent.device.type, torch.bfloat16, enabled=half):
        said = denoiser(
            noisy, rows["clean"], levels, rows["tokens"], rows["mu"], rows["sigma"], rows["direction"]
        )  # fmt: skip
    return (said.float() - target_of("v_prediction", latent, noise, kept)).square().mean(dim=(1, 2, 3))


@contextmanager
def averaged(trained: list[torch.nn.Parameter], average: list[Tensor]) -> Iterator[None]:
    """The averaged weights in the place of those that are trained on."""
    own = [weight.data for weight in trained]
    for weight, kept in zip(trained, average, strict=True):
        weight.data = kept.clone()
    try:
        yield
    finally:
        for weight, before in zip(trained, own, strict=True):
            weight.data = before


@contextmanager
def coming(
    pipeline: GenDegPipeline, pairs: list[Pair], config: DiffusionConfig
) -> Iterator[queue.Queue[tuple[bool, Batch]]]:
    """(large, batch) as processes bring them; threads only hand them on."""
    counts = Counter(pair.degradation for pair in pairs)
    sources = {pair.source for pair in pairs}
    shares = {name: PAIRS.get(name, min(PAIRS.values())) / number for name, number in counts.items()}
    weights = shares | {name: weight for name, weight in SOURCES.items() if name in sources}
    recipe = fresh_recipe(replace(config, weights=SIMULATED), pairs)
    recipe = replace(recipe, deal=Deal(pairs, config.seed, weights)) if pairs else recipe
    one = replace(config, batch_size=JOB, repeats=1)
    ready: queue.Queue[tuple[bool, Batch]] = queue.Queue(256)
    jobs, lock, over = count(), threading.Lock(), threading.Event()

    def work(fresh: FreshPairs) -> None:
        while not over.is_set():
            with lock:
                job = next(jobs)
            large = job % LARGE == LARGE - 1
            numbers = list(range(job * JOB, job * JOB + (JOB // 3 + 1 if large else JOB)))
            size = 2 * config.size if large else config.size

            def views(chosen: list[int], size: int = size) -> list[View]:
                return as_views(fresh.views(chosen, size))

            try:
                ready.put((large, make_batch(numbers, views, pipeline, one)))
            except Exception as error:
                if not over.is_set():
                    print(f"a job failed: {error!r}"[:300], flush=True)
                    time.sleep(0.2)

    with closing(FreshPairs(recipe, config.workers)) as fresh:
        for _ in range(config.workers + 5):
            threading.Thread(target=work, args=(fresh,), daemon=True).start()
        try:
            yield ready
        finally:
            over.set()


class Told:
    """The log: mean errors by noise level since the line before."""

    def __init__(self, device: torch.device):
        self._sums = torch.zeros(len(EDGES) + 1, 2, device=device)
        self._edges, self._last = torch.tensor(EDGES, device=device), time.time()

    def add(self, step: int, logs: Tensor, error: Tensor, about: str) -> None:
        place = torch.bucketize(logs, self._edges)
        self._sums.index_add_(0, place, torch.stack([error, torch.ones_like(error)], dim=1))
        if time.time() - self._last > TOLD:
            means = " ".join(f"{a / max(n, 1):.4f}" for a, n in self._sums.tolist())
            print(f"step {step}, {about}; error of v by ln noise / signal, cut at {EDGES}: {means}", flush=True)
            self._sums.zero_()
            self._last = time.time()
