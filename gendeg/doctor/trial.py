"""The heavy half, in a process of its own, so that a torch that crashes takes nobody along: a JSON line a stage."""

import json
import time
from typing import Any

STAGES = ("torch", "model", "image", "device")


def main() -> None:
    """Each stage's facts; an error ends it, and says at which stage."""
    found: dict[str, Any] = {}
    for name, stage in zip(STAGES, (_torch, _model, _image, _device), strict=True):
        began = time.perf_counter()
        try:
            facts = stage(found)
        except BaseException as error:  # SystemExit too: this process is there to find out
            _tell(stage=name, error=f"{type(error).__name__}: {' '.join(str(error).split())}")
            return
        _tell(stage=name, seconds=round(time.perf_counter() - began, 1), **facts)


def _tell(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def _torch(found: dict[str, Any]) -> dict[str, Any]:
    import torch

    facts: dict[str, Any] = {"version": torch.__version__, "threads": torch.get_num_threads(), "devices": []}
    facts["cuda"] = torch.version.cuda or ""
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, everything = torch.cuda.mem_get_info(number)
            facts["devices"].append({"name": torch.cuda.get_device_name(number), "free": free, "all": everything})
    facts["kind"] = "cuda" if facts["devices"] else "mps" if torch.backends.mps.is_available() else "cpu"
    found["kind"] = facts["kind"]
    return facts


def _model(found: dict[str, Any]) -> dict[str, Any]:
    from gendeg.doctor.known import same_weights
    from gendeg.model.weights import load_pipeline

    found["pipeline"] = load_pipeline()
    return {"same_weights": same_weights(found["pipeline"])}


def _image(found: dict[str, Any]) -> dict[str, Any]:
    return {"difference": _difference(found["pipeline"])}


def _device(found: dict[str, Any]) -> dict[str, Any]:
    """The same on the device that commands take by themselves, where that is another."""
    if found["kind"] == "cpu":
        return {"kind": "cpu"}
    return {"kind": found["kind"], "difference": _difference(found["pipeline"].to(found["kind"]))}


def _difference(pipeline: Any) -> int:
    from gendeg.doctor.known import difference

    return difference(pipeline)


if __name__ == "__main__":
    main()
