"""A small evaluation as `gendeg evaluate` writes it (gendeg-evaluation-1): images, samples.jsonl, results.json."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from gendeg.intensity.measure import measure_intensity
from gendeg.primitives.files import write_jsonl
from gendeg.primitives.records import Record
from tests.tiny import photo

KINDS = ("haze", "rain", "raindrop")
INTENSITIES = (0.2, 0.5, 0.8)
PHOTOS = 5


def estimate(value: float, width: float = 0.1, n: int = 15) -> dict[str, float]:
    return {"value": value, "low": value - width * abs(value), "high": value + width * abs(value), "n": n}


def write_evaluation(folder: Path, caption: str = "a hill", size: tuple[int, int] = (40, 56)) -> Path:
    """Two arms over a grid; images are veiled by as much as their intensity says, one in eleven is refused."""
    (folder / "images/clean").mkdir(parents=True)
    rows = []
    for number in range(PHOTOS):
        clean = photo(*size, seed=number)
        Image.fromarray(clean).save(folder / f"images/clean/p{number}.png")
        for arm in ("model", "simulator"):
            (folder / "images" / arm).mkdir(exist_ok=True)
            rows += [
                _sample(folder, arm, number, clean, kind, intensity, caption, refused=(number + len(kind)) % 11 == 5)
                for kind in KINDS
                for intensity in INTENSITIES
            ]
    write_jsonl(folder / "samples.jsonl", rows)
    (folder / "results.json").write_text(json.dumps(results()))
    return folder


def _sample(
    folder: Path, arm: str, number: int, clean: np.ndarray, kind: str, intensity: float, caption: str, refused: bool
) -> dict:
    veil = intensity * (0.5 + 0.1 * KINDS.index(kind))
    degraded = np.rint(clean * (1 - veil) + 220 * veil).astype(np.uint8)
    name = f"images/{arm}/p{number}.{kind}.i{round(100 * intensity):03d}.s0.png"
    Image.fromarray(degraded).save(folder / name)
    mu, sigma = measure_intensity(clean, degraded)
    height, width = clean.shape[:2]
    record = Record(
        key=f"p{number}-{kind}-{round(100 * intensity)}", degradation=kind, caption=caption, prompt=caption,
        intensity=intensity, mu_requested=mu * (1 + 0.02 * (number - 2)), sigma_requested=sigma * 0.9,
        direction_requested=0.0, coherence_requested=0.0, direction=0.0, coherence=0.0, sampler="own", passes=8, mu=mu,
        sigma=sigma, source="simulated", seed=0, attempt=0, model="bundled", model_sha256="ab" * 32, steps=8,
        guidance_text=1.0, guidance_image=1.0, structure_correction=True,
        origin="generated" if arm == "model" else "simulated", clean_path=f"p{number}.jpg", clean_sha256="cd" * 32,
        width=width, height=height,
    )  # fmt: skip
    said = {"verdict": "intensity_off", "message": "measured mu 0.300, asked for 0.100"}
    told = said if refused and arm == "model" else {"verdict": "", "message": ""}
    metrics = {"psnr": 30 - 20 * intensity, "shift": 0.1, "shift_peak": 0.6, "ssim": 0.9,
               "detail": 1 - intensity / 4 - number / 50, "named": KINDS[0] if number == 4 else kind,
               "named_probability": 0.9 - number / 10}  # fmt: skip
    places = {"photo": f"p{number}", "clean": f"images/clean/p{number}.png", "degraded": name}
    return {"arm": arm, "purpose": "grid", **places, **told, "metrics": metrics, "record": record.as_row()}


def results() -> dict:
    """Every section that the schema knows."""
    measures = {
        "mu_mae": estimate(0.004), "mu_bias": estimate(-0.001), "mu_spearman": estimate(0.99, 0.005),
        "sigma_mae": estimate(0.02), "sigma_bias": estimate(-0.01), "sigma_spearman": estimate(0.9, 0.05),
    }  # fmt: skip
    refused = {"refused": estimate(0.02), "reasons": {"intensity_off": 3}}
    kept = {"psnr": estimate(31.0), "shift": estimate(0.1), "aligned": estimate(0.99, 0.01), "sure": 0.98,
            "detail": estimate(0.93, 0.02), "ssim": estimate(0.9), "detail_relative": estimate(0.97, 0.02)}  # fmt: skip
    steps = [
        {"intensity": i, "psnr": estimate(36 - 20 * i, 0.02), "detail": estimate(1 - i / 4, 0.02)} for i in INTENSITIES
    ]
    ratio = {"model": estimate(0.03), "simulator": estimate(0.05), "ratio": estimate(0.6)}
    distance = {"model": estimate(0.2), "simulator": estimate(0.3), "clean": estimate(0.4), "real": estimate(0.1),
                "gain": estimate(0.1, 0.9), "closer": "model", "real_photos": 22}  # fmt: skip
    groups = ("fine", "spectrum", "direction", "length", "colour", "brightness")
    shown = ("kurtosis", "skewness", "fine_share", "coherence_local", "coherence_global", "length", "width")
    at = [{"intensity": q, "distance": estimate(2 + q)} for q in (0.3, 0.9)]
    change = {"distance": estimate(2.4), "by_intensity": at,
              "groups": dict.fromkeys(groups, estimate(3.0)), "spread": estimate(0.6), "photos": 5, "versions": 3,
              **dict.fromkeys(("model", "simulator"), dict.fromkeys(shown, estimate(0.4)))}  # fmt: skip
    accuracy = {**{kind: estimate(0.95, 0.05) for kind in KINDS}, "all": estimate(0.95, 0.02)}
    named = {"accuracy": accuracy, "accuracy_strong": accuracy, "confusion": [[14, 1, 0], [0, 15, 0], [2, 0, 13]],
             "confusion_strong": [[9, 0, 0], [0, 9, 0], [1, 0, 8]]}  # fmt: skip
    target = {"id": "mu_mae", "title": "Calibration: mean |measured mu - asked mu|", "unit": "", "better": "lower",
              "n": 15, "wanted": 0.015}  # fmt: skip
    good = {"degradation": "rain", "value": 0.004, "low": 0.003, "high": 0.006, "met": True}
    bad = {"degradation": "haze", "value": 0.021, "low": 0.018, "high": 0.026, "met": False}
    return {
        "schema": "gendeg-evaluation-1", "gendeg": "0.1.0", "created": "2026-11-22T15:20:00Z", "seconds": 812.0,
        "model": {"name": "bundled", "sha256": "ab" * 32, "calibrated": False, "steps": 8, "guidance_text": 1.0},
        "settings": {"clean": "photos", "size": 40, "photos": PHOTOS, "types": list(KINDS), "seed": 0},
        "thresholds": {"shift_sure": 0.05, "shift_wanted": 0.5},
        "headline": [target | good, target | bad],
        "calibration": {"model": dict.fromkeys((*KINDS, "all"), measures | refused),
                        "simulator": dict.fromkeys(KINDS, measures)},
        "structure": dict.fromkeys(("model", "simulator"), dict.fromkeys(KINDS, kept | {"by_intensity": steps})),
        "autoencoder": {"psnr_clean": estimate(33.0, 0.02), "psnr_degraded": {"rain": estimate(31.0, 0.02)}},
        "realism": {"sliced_wasserstein": dict.fromkeys(KINDS, distance)},
        "diversity": dict.fromkeys(KINDS, ratio),
        "change": dict.fromkeys(KINDS, change),
        "recognition": {"classifier": {"trained_on": 7203, "held_out": 381, "held_out_accuracy": 0.97},
                        "labels": list(KINDS), "model": named, "simulator": named},
        "failures": [],
    }  # fmt: skip
