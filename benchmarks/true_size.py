"""Stable Diffusion 1.5 at its true size, random weights, on a CPU: convert, widen, train a step, save, load.

python benchmarks/true_size.py --folder /tmp/true     needs 24 GiB of memory, 40 GB of disk and about ten minutes

Each stage is a process of its own, and its peak of resident memory is printed. The checkpoint that is converted has all
of a published one (raw and averaged UNet, autoencoder, text encoder, projections); the base that is trained is a folder
in diffusers' layout with a 4-channel UNet, as on the hub.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def write_tokenizer(folder: Path) -> None:
    """One of CLIP's size: what its words are does not matter here."""
    from gendeg.model.bundled import Sizes, make_tokenizer
    from gendeg.training.captions import corpus

    made = make_tokenizer(corpus(), Sizes(vocabulary=49408))
    made.add_tokens([f"<filler{number}>" for number in range(49408 - len(made))])
    made.save_pretrained(folder / "tokenizer")


def write_checkpoint(folder: Path) -> None:
    """In the authors' format; tests/ldm.py knows every key."""
    from safetensors.torch import save_file

    from gendeg.convert.ldm import PUBLISHED
    from tests.ldm import checkpoint

    save_file(checkpoint(PUBLISHED), folder / "gendeg.safetensors")
    write_tokenizer(folder / "words")


def write_base(folder: Path) -> None:
    """A text-to-image model in diffusers' layout, made from the converted one: its UNet reads 4 channels."""
    import torch
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from gendeg.model.weights import load_pipeline

    pipeline = load_pipeline(str(folder / "model"))
    unet: UNet2DConditionModel = pipeline.unet
    narrow = torch.nn.Conv2d(4, 320, 3, padding=1)
    narrow.load_state_dict({"weight": unet.conv_in.weight[:, :4].clone(), "bias": unet.conv_in.bias.clone()})
    unet.conv_in = narrow
    unet.register_to_config(in_channels=4)
    for name in ("unet", "vae", "text_encoder", "tokenizer"):
        getattr(pipeline, name).save_pretrained(folder / "base" / name)


def write_pairs(folder: Path) -> None:
    from tests.few_pairs import write_pairs as write

    write(folder / "pairs", count=2, height=64, width=64)


def check(folder: Path) -> None:
    """The trained model loads, and its input layer is the base's but for the channels that started silent."""
    from safetensors import safe_open

    from gendeg.model.weights import load_pipeline

    pipeline = load_pipeline(str(folder / "run" / "model"))
    (base,) = (folder / "base" / "unet").glob("*.safetensors")
    with safe_open(base, "pt") as file:
        before = file.get_tensor("conv_in.weight")
    after = pipeline.unet.conv_in.weight
    old, new = float((after[:, :4] - before).abs().max()), float(after[:, 4:].abs().max())
    print(f"  conv_in: {tuple(before.shape)} became {tuple(after.shape)}")
    print(f"  a step moved what was there by up to {old:.1e}, what started from nothing by up to {new:.1e}")


STAGES: dict[str, str | list[str]] = {
    "write a checkpoint as the authors' code does": "write_checkpoint",
    "convert it": ["convert", "{0}/gendeg.safetensors", "--base", "{0}/words", "--out", "{0}/model"],
    "write a base of 4 channels": "write_base",
    "write pairs": "write_pairs",
    "train one step: widen, step, checkpoint, average, save": [
        "train", "diffusion", "--base", "{0}/base", "--pairs", "{0}/pairs/manifest.jsonl", "--out", "{0}/run",
        "--preset", "{0}/step.toml",
    ],
    "load what was trained": "check",
}  # fmt: skip
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
STEP = {
    "steps": 1, "batch_size": 1, "size": 64, "precision": "no", "checkpoint_every": 1, "sheet_every": 1,
    "sheet_photos": 1, "sample_steps": 1, "workers": 1, "cpu": True, "tracker": "none", "keep_checkpoints": 1,
}  # fmt: skip


def run(stage: str | list[str], folder: Path) -> tuple[float, float]:
    """Seconds, and GB of peak resident memory, of a stage in a process of its own."""
    command = (
        [sys.executable, __file__, "--folder", str(folder), "--stage", stage]
        if isinstance(stage, str)
        else [sys.executable, "-m", "gendeg", *(word.format(folder) for word in stage)]
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", MEASURE, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    print("\n".join(lines[:-1]), end="\n" if lines[:-1] else "")
    if done.returncode:
        sys.exit(f"'{stage}' ended with {done.returncode}")
    return time.perf_counter() - start, int(lines[-1].split()[1]) * 1024 / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--stage")
    options = parser.parse_args()
    if options.folder is None:
        print("takes 24 GiB of memory and 40 GB of disk: say where, --folder /tmp/true")
        return
    folder: Path = options.folder.resolve()
    if options.stage:
        globals()[options.stage](folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} = {json.dumps(value)}" for name, value in STEP.items()]
    (folder / "step.toml").write_text("\n".join(["[diffusion]", *lines]) + "\n")
    for name, stage in STAGES.items():
        seconds, memory = run(stage, folder)
        print(f"{name}: {seconds:.0f} s, peak {memory:.1f} GB", flush=True)


if __name__ == "__main__":
    main()
