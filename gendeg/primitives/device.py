"""Where networks run: the device that was asked for, and a process's own of several."""

import os

from gendeg.primitives.errors import BadOption


def choose_device(name: str) -> str:
    """`auto` → the best device there is. Raises `BadOption` for one that this machine lacks."""
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there.get(name.split(":")[0], False):
        usable = ", ".join(device for device, usable in there.items() if usable)
        raise BadOption("--device", f"'{name}' is not usable here; choose from auto, {usable}")
    return name


def local_device(name: str) -> str:
    """`cuda` → this process's own card, by LOCAL_RANK."""
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        import torch

        return f"cuda:{int(os.environ['LOCAL_RANK']) % max(1, torch.cuda.device_count())}"
    return name
