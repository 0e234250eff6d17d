"""A degradation is known everywhere that has to know each of them."""

from inspect import signature

import pytest

from gendeg.intensity.priors import load_priors
from gendeg.physics import SIMULATORS
from gendeg.physics.strangers import STRANGERS
from gendeg.primitives.kinds import DIRECTED, KNOWN, LIGHT_PATH, Degradation, mix_name
from gendeg.prompts import make_prompt


@pytest.mark.parametrize("kind", list(Degradation))
def test_every_table_has_it(kind: Degradation) -> None:
    tables = {"SIMULATORS": SIMULATORS, "LIGHT_PATH": LIGHT_PATH, "STRANGERS": STRANGERS}
    assert [name for name, table in tables.items() if kind not in table] == []
    assert (kind in DIRECTED) == ("direction" in signature(SIMULATORS[kind]).parameters)


@pytest.mark.parametrize("mix", KNOWN, ids=mix_name)
def test_it_has_a_prior_and_a_phrase(mix: tuple[Degradation, ...]) -> None:
    assert load_priors(mix, None)
    assert make_prompt("a street", mix) != "a street"
