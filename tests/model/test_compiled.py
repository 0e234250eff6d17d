"""torch.compile: refused in one line where it cannot work, and asked for no more sizes than are worth it."""

import pytest
import torch

from gendeg.model.compiled import MOST_SIZES, check_compiler, first_line, warm
from gendeg.model.generate import Generator
from gendeg.model.settings import settings_of
from gendeg.primitives.errors import BadOption
from tests.tiny import tiny_pipeline


def test_where_there_is_no_compiler_it_says_to_leave_it_out(monkeypatch):
    monkeypatch.setenv("CXX", "/no/such/compiler")
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("/no/such/compiler",))
    monkeypatch.setattr(torch._inductor.config, "force_disable_caches", True)
    torch._dynamo.reset()
    with pytest.raises(BadOption, match=r"--compile.*leave it out"):
        check_compiler("cpu")


def test_too_many_sizes_are_refused_before_anything_is_compiled():
    pipeline = tiny_pipeline()
    sizes = [(16, 16 + number) for number in range(MOST_SIZES + 1)]
    with pytest.raises(BadOption, match=f"{MOST_SIZES + 1} sizes"):
        warm(Generator(pipeline, settings_of(pipeline)), sizes, "haze")


def test_of_what_a_compiler_says_the_first_line_is_told():
    assert first_line(ValueError("\n  one\ntwo")) == "ValueError: one" and first_line(KeyError()) == "KeyError"
