"""README.md of a trained model, as the Hugging Face hub reads it: what it came from, what it saw, how well it does."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import yaml

from gendeg import __version__
from gendeg.report.card_merge import body_part

SHOWN = (
    *("steps", "batch_size", "accumulate", "size", "short_side", "learning_rate", "statistics_rate", "schedule"),
    *("ema_decay", "precision", "lora_rank", "flips", "drop_text", "drop_image", "drop_both", "weights", "seed"),
)


def model_card(
    base: str, counts: Mapping[tuple[str, str], int], config: Any, mu_error: float | None, story: str = ""
) -> str:
    """What the card says of a run.

    `base` is what training started from (empty: fresh weights), `counts` the pairs by (degradation, source), `config`
    the run's dataclass, `mu_error` the last mean |mu asked − mu made|, `story` what else is to be known of it.
    """
    assert is_dataclass(config) and not isinstance(config, type)
    front: dict[str, Any] = {
        "library_name": "diffusers",
        "pipeline_tag": "image-to-image",
        "tags": ["gendeg", "image-restoration", "data-generation"],
    }
    if base.count("/") == 1:
        front["base_model"] = base
    settings = asdict(config)
    lines = ["---", yaml.safe_dump(front, sort_keys=False).strip(), "---", ""]
    text = [
        "# A gendeg model",
        "",
        "Degrades clean photographs, told the degradation, mu and sigma (GenDeg, CVPR 2025):",
        "",
        "    gendeg synth photo.jpg --type haze --intensity 0.6 --model THIS",
        "",
        *([story, ""] if story else []),
        f"Trained by gendeg {__version__} from {base or 'fresh weights'} on these pairs. Their licences may bind what",
        "is done with the model; look them up where the pairs come from.",
        "",
        "| degradation | source | pairs |",
        "|---|---|---|",
        *(f"| {degradation} | {source} | {count} |" for (degradation, source), count in sorted(counts.items())),
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| {name} | {settings[name]} |" for name in SHOWN if name in settings and settings[name] != ""),
        "",
    ]
    if mu_error is not None:
        text.append(f"Mean |mu asked − mu made| on held-out photos after the last step: {mu_error:.4f}")
    return "\n".join(lines) + "\n" + body_part("\n".join(text) + "\n") + "\n"
