"""How strong a dataset's samples are: asked against measured, and beside the priors (as in GenDeg's Figure 2)."""

from pathlib import Path

import numpy as np

from gendeg.build.page_rows import Dataset, Rows
from gendeg.intensity.ask import drawn_mixes, in_one_pass, learnt_by
from gendeg.intensity.draw import EVEN_EVERY, levels_of
from gendeg.intensity.priors import load_priors, mixture, priors_digest
from gendeg.metrics.uncertainty import Estimate
from gendeg.primitives.errors import GendegError
from gendeg.primitives.files import read_json_object
from gendeg.primitives.kinds import mix_name, parse_types
from gendeg.primitives.records import ORIGINS
from gendeg.report.cells import number
from gendeg.report.html import Figure, Figures, Section, Table, percent
from gendeg.report.strength import Joint, plot_agreement, plot_by_intensity, plot_joint, plot_marginal

GRADED = (
    "A graded set: every photo stands here at {} levels of intensity of every degradation, made with the same noise, "
    "so that only the strength differs. What the filter refused was not tried with other noise. Bars hold 90 % of the "
    "photos."
)

# --- how strong ---


def strength_section(data: Dataset) -> Section:
    rows, passes = data.rows, data.rows.passes
    generated = [kind for kind in rows.kinds if len(rows.where(degradation=kind, origin="generated"))]
    blocks: list[Table | Figures] = []
    for name in ("mu", "sigma"):
        figures = []
        for each in passes.names:
            here = passes.name == each
            asked, measured = (passes.numbers[one][here] for one in (f"{name}_requested", name))
            figures.append(Figure(plot_agreement(each, name, asked, measured), f"{each}, {len(asked):,} samples"))
        blocks.append(Figures(figures, heading=f"{name}, asked and measured"))
    graded = levels_of(str(data.description.settings["intensity"]))
    if graded:
        blocks.append(Figures([_by_level(rows, kind) for kind in generated], heading="mu at each level of intensity"))
    columns = ["degradation", "samples", "mean error of mu", "bias of mu", "95 % within", "mean error of sigma",
               "bias of sigma", "of these at the first attempt"]  # fmt: skip
    table = Table(
        "Measured minus asked, over the generated samples", columns, [_errors(rows, name) for name in passes.names]
    )
    tolerance = data.description.settings.get("tolerance", 1.0)
    text = (
        "The build measures every sample as it is stored. What is further from the asked mu than its tolerance "
        f"({tolerance:g}) is tried again and, in the end, counted as failed: so errors of mu beyond it cannot be seen "
        "here. sigma is not filtered. A mix that is made in parts stands here part by part, each measured against the "
        "picture that it was laid on. The dashed line is asked = measured."
    )
    texts = [text, GRADED.format(len(graded))] if graded else [text]
    return Section("strength", "Asked and measured", texts, [table, *blocks] if generated else [])


def _by_level(rows: Rows, kind: str) -> Figure:
    here = rows.where(degradation=kind, origin="generated")
    intensity, mu = rows.those(here, "intensity"), rows.those(here, "mu")
    points = []
    for level in np.unique(intensity):
        those = mu[intensity == level]
        low, high = np.quantile(those, (0.05, 0.95)).tolist()
        points.append((float(level), Estimate(float(those.mean()), low, high, len(those))))
    counts = sorted({one.n for _, one in points})
    each = f"{counts[0]:,}" + (f" to {counts[-1]:,}" if len(counts) > 1 else "")
    return Figure(plot_by_intensity(kind, "mu", {"generated": points}), f"{kind}, {each} photos at each level")


def _errors(rows: Rows, name: str) -> list[str]:
    here = rows.passes.name == name
    mu, sigma = (rows.passes.off(statistic)[here] for statistic in ("mu", "sigma"))
    first = percent(int(np.count_nonzero(rows.those(rows.passes.sample[here], "attempt") == 0)), len(mu))
    return [
        name, f"{len(mu):,}", f"{np.abs(mu).mean():.4f}", number(mu.mean(), 4, signed=True),
        f"{np.quantile(np.abs(mu), 0.95):.4f}", f"{np.abs(sigma).mean():.4f}", number(sigma.mean(), 4, signed=True),
        first,
    ]  # fmt: skip


# --- against the priors ---


def distribution_section(data: Dataset) -> Section:
    priors, why_not = find_priors(data)
    rows, blocks = data.rows, []
    for kind in rows.kinds:
        by_origin = {origin: rows.where(degradation=kind, origin=origin) for origin in ORIGINS}
        by_origin = {origin: here for origin, here in by_origin.items() if len(here)}
        joint = priors.get(kind)
        figures = []
        for name in ("mu", "sigma"):
            values = {origin: rows.those(here, name) for origin, here in by_origin.items()}
            figures.append(Figure(plot_marginal(kind, name, values, joint), _quantiles(name, values)))
        pairs = {o: (rows.those(here, "mu"), rows.those(here, "sigma")) for o, here in by_origin.items()}
        figures.append(Figure(plot_joint(kind, pairs, joint), "mu and sigma together"))
        legend = [(origin, f"{origin} ({len(here):,})") for origin, here in by_origin.items()]
        legend += [("prior", "prior: p(mu), p(sigma)"), ("ideal", "prior: p(mu, sigma)")] if joint is not None else []
        blocks.append(Figures(figures, legend, kind, across=3))
    return Section(
        "distribution", "Strength and its priors", [_asked(data), why_not] if why_not else [_asked(data)], blocks
    )


def _asked(data: Dataset) -> str:
    mode = str(data.description.settings.get("intensity", "prior"))
    if mode == "prior":
        return (
            "mu and sigma of the samples (measured) beside the priors that they were drawn from. One draw in "
            f"{EVEN_EVERY} takes mu evenly over its source's range (of imported priors, sigma too), so that rare ones "
            "are seen. Dots are at most 400 samples, taken evenly in the plan's order."
        )
    return (
        f"mu and sigma of the samples, as measured. The build asked for intensity {mode} and not for the priors as "
        "they are, so the two need not agree."
    )


def find_priors(data: Dataset) -> tuple[dict[str, Joint], str]:
    """Joint density of each degradation, if the very priors are at hand that the plan drew from; else why not."""
    settings, layout = data.description.settings, data.layout
    try:
        named = str(read_json_object(layout.inputs).get("priors", "")) if layout.inputs.is_file() else ""
        root = Path(named) if named else None
        types, model = str(settings["types"]), data.description.model
        if priors_digest(drawn_mixes(types, model), root) != settings["priors"]:
            return {}, "No prior is drawn: those at hand are not the ones that this build drew from."
        whole = [one.mix for one in parse_types(types) if in_one_pass(one, learnt_by(model))]
        return {mix_name(mix): mixture(load_priors(mix, root)) for mix in whole}, ""
    except GendegError as error:
        return {}, f"No prior is drawn: {error}"


def _quantiles(name: str, values: dict[str, np.ndarray]) -> str:
    texts = []
    for origin, those in values.items():
        low, middle, high = np.quantile(those, (0.05, 0.5, 0.95))
        texts.append(f"{origin}: {middle:.3f} ({low:.3f} to {high:.3f})")
    return f"{name}, median (5 % to 95 %) · " + " · ".join(texts)
