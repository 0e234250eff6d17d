"""What a config's fields say of themselves, once: a command's options and a recipe's settings are read from it.

    steps: int | None = option(None, "Sampling steps; default: the model's.", min=1)

A field with neither `option` nor `argument` is no option; a recipe may set it all the same.
"""

import inspect
import math
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, field, fields
from functools import partial, wraps
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from gendeg.primitives.errors import BadOption
from gendeg.primitives.files import refuse_missing, refuse_unwritable

Said = Mapping[str, Any]
"""help; min, max; flag, where it is not --name; shown, of the default in the help; parse, of a text or each one of a
tuple; there, of places that must exist; word, that stands for a whole number's 0.

What is wrong with any of these is said before a command loads what it works with, which takes seconds."""
OUT = "out"
"""The field of what a command writes: that it can be written is asked of all of them."""
KEYWORD = inspect.Parameter.KEYWORD_ONLY
NUMBERS = tuple[float, ...]
TYPES: dict[Any, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)), int: ("a whole number", (int,)), float: ("a number", (int, float)),
    str: ("a text", (str,)), Path: ("a path", (str,)),
}  # fmt: skip
"""Of a field → what it is called, and what TOML gives."""


def checked(parse: Callable[[str], Any]) -> Callable[[str], str]:
    """A `parse` of fields that keep the text: it is refused as `parse` refuses it, and read later."""

    def same(text: str) -> str:
        parse(text)
        return text

    return same


SPELLINGS = {"types": "type"}


def one_spelling(name: str) -> str:
    """Of an option's name, as the parser compares them: --type and --types are the same, whichever the help shows."""
    return SPELLINGS.get(name, name)


def option(default: Any = MISSING, help: str = "", **said: Any) -> Any:
    """A field that is an option, to be given where it has no default; what else it may say stands at `Said`.

    Numbers are one comma list, other tuples are given several times, a switch that is off has no --no-… .
    """
    return field(default=default, metadata={"help": help, **said})


def argument(default: Any = MISSING, help: str = "", **said: Any) -> Any:
    """A field that is an argument of the command."""
    return option(default, help, argument=True, **said)


def command(*configs: type, only: Collection[str] = (), without: Collection[str] = ()) -> Callable[..., Any]:
    """Makes a function a command: in the place of its parameter `config` stand that config's options.

    A parameter `given` is a dict of what the command line says, a 0 and a --no-… too, to go over a preset. Of several
    configs every option is taken, without a default, for each has its own.
    """
    import typer

    found: dict[str, tuple[Any, Said, Any]] = {}
    for config in configs:
        hints = get_type_hints(config)
        for one in fields(config):
            said = _said(config, one.name)
            if said and one.name not in without and (not only or one.name in only):
                default = None if len(configs) > 1 and one.default is not MISSING else one.default
                found.setdefault(one.name, (hints[one.name], said, default))

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(function).parameters

        @wraps(function)
        def run(context: Any, **values: Any) -> Any:
            told = [name for name in found if context.get_parameter_source(name).name == "COMMANDLINE"]
            given = {name: _read(name, *found[name][:2], values[name]) for name in told}
            for name, value in given.items():  # after all that is wrong usage
                _refuse_places(name, found[name][1], value)
            rest = {name: value for name, value in values.items() if name not in found}
            return function(**rest, **({"given": given} if "given" in own else {"config": configs[0](**given)}))

        shown = [inspect.Parameter("context", KEYWORD, annotation=typer.Context)]
        for one in own.values():
            options = one.name in ("config", "given")
            shown += [_parameter(name, *found[name]) for name in found] if options else [one.replace(kind=KEYWORD)]
        run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        return run

    return decorate


def _said(config: type, name: str) -> Said:
    """Of a field, by the config or the nearest above it that says something: another default keeps the rest."""
    known = (vars(one).get("__dataclass_fields__", {}).get(name) for one in config.__mro__)
    return next((one.metadata for one in known if one and one.metadata), {})


def _parameter(name: str, hint: Any, said: Said, default: Any) -> inspect.Parameter:
    """What typer makes an option of."""
    import typer

    flags = [_flag(name, said)] if "flag" in said or (hint is bool and default is False) else []
    told = {"help": said["help"], "show_default": said.get("shown", True)}
    if "word" in said:
        default = said["word"] if default == 0 else default
        told |= {"parser": partial(_whole_or, said=said), "metavar": f"INTEGER|{said['word']}"}
    else:
        told |= {} if hint == NUMBERS else {"min": said.get("min"), "max": said.get("max")}
    info = typer.Argument(**told) if "argument" in said else typer.Option(*flags, **told)
    if get_origin(hint) is Literal:
        hint = Literal[tuple(filter(None, get_args(hint)))]  # "" is that it was not given
    elif get_origin(hint) is tuple:
        item = str if "parse" in said else get_args(hint)[0]
        hint = str if hint == NUMBERS else list[item]  # type: ignore[valid-type]
    if default is MISSING:
        default = inspect.Parameter.empty
    elif default in ("", ()):
        default = None
    elif isinstance(default, tuple):
        default = ",".join(f"{number:g}" for number in default)
    return inspect.Parameter(name, KEYWORD, default=default, annotation=Annotated[hint, info])


def _flag(name: str, said: Said) -> str:
    return str(said.get("flag", f"--{name.replace('_', '-')}"))


def _read(name: str, hint: Any, said: Said, value: Any) -> Any:
    """What typer has understood, as the field holds it. Raises `BadOption`."""
    try:
        if hint == NUMBERS:
            return tuple(_within(_number(part), said) for part in value.split(","))
        if isinstance(value, float):
            return _within(value, said)
        parse = said.get("parse", lambda text: text)
        return tuple(map(parse, value)) if get_origin(hint) is tuple else parse(value)
    except ValueError as error:
        raise BadOption(_flag(name, said), str(error)) from None


def _refuse_places(name: str, said: Said, value: Any) -> None:
    """Raises `MissingPath` and `OutputNotWritable`."""
    for place in (value if isinstance(value, tuple) else (value,)) if said.get("there") else ():
        refuse_missing(place)
    if name == OUT:
        refuse_unwritable(value)


def _whole_or(text: str, said: Said) -> int:
    """A whole number, or 0 for its word. Raises typer's `BadParameter`."""
    import typer

    if text == said["word"]:
        return 0
    try:
        number = int(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is neither a whole number nor {said['word']}") from None
    try:
        return int(_within(number, said))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"'{text.strip()}' is not a number; write for example 0.6 or 0.2,0.5,0.8") from None


def _within(number: float, said: Said) -> float:
    low, high = said.get("min", -math.inf), said.get("max", math.inf)
    if not math.isfinite(number):
        raise ValueError(f"'{number}' is not a finite number")
    if not low <= number <= high:
        wanted = f"be {low:g} or more" if high == math.inf else f"lie in [{low:g}, {high:g}]"
        raise ValueError(f"must {wanted}, got {number:g}")
    return number


def as_setting(config: type, name: str, value: Any) -> Any:
    """What a TOML file says of a field, as the field holds it: lists are tuples. Raises `ValueError`."""
    return _fitted(get_type_hints(config)[name], _said(config, name), value)


def _fitted(hint: Any, said: Said, value: Any) -> Any:
    kind, parts = get_origin(hint), get_args(hint)
    if kind is UnionType:
        return _fitted(parts[0], said, value)  # or None, which TOML has not
    if kind is Literal:
        if value not in parts:
            raise ValueError(f"must be one of {', '.join(filter(None, parts))}, not {value!r}")
    elif kind is dict:
        if not isinstance(value, dict):
            raise ValueError(f"must be a table, not {value!r}")
        return {name: _fitted(parts[1], said, item) for name, item in value.items()}
    elif kind is not None:
        if not isinstance(value, list):
            raise ValueError(f"must be a list, not {value!r}")
        hints = parts if kind is tuple and parts[-1] is not ... else parts[:1] * len(value)
        if len(hints) != len(value):
            raise ValueError(f"must be a list of {len(hints)}, not {value!r}")
        return tuple(_fitted(one, said, item) for one, item in zip(hints, value, strict=True))
    elif type(value) not in TYPES[hint][1]:
        raise ValueError(f"must be {TYPES[hint][0]}, not {value!r}")
    elif hint in (int, float):
        _within(value, said)
    return Path(value) if hint is Path else value


# --- options that several configs have in the same words ---

PHYSICS = "physics"
"""In the place of a model's name: the simulators."""
BUNDLED = "bundled"
"""In the same place: the model that comes along."""


def model_name(text: str) -> str:
    """Our own names in any case, unless a folder is called so; others as they are."""
    return text.lower() if text.lower() in (PHYSICS, BUNDLED) and not os.path.isdir(text) else text


MODEL = partial(option, BUNDLED, "bundled, a model folder, a hub id, or physics: the simulators.", parse=model_name)
SAMPLER = partial(option, "own", "paper: as published, 300 passes; fast: as few as do; own: the model's.")
STEPS = partial(option, None, "Sampling steps; default: the model's.", min=1)
GUIDANCE_TEXT = partial(option, None, "Text guidance; default: the model's.")
GUIDANCE_IMAGE = partial(option, None, "Image guidance; default: the model's.")
STRUCTURE_CORRECTION = partial(option, True, "Put the photo's detail back after decoding.")
SEED = partial(option, 0, min=0, max=2**32 - 1)
"""What every source of random numbers takes."""
IMAGE_SEED = partial(SEED, help="Same seed, same images.")
IMAGE_BATCH = partial(option, 4, "Images of one photo made at a time.", min=1)
DEVICE = partial(option, "auto", "auto, cpu, cuda or mps.")


def refuse_choices(sampler: str, **chosen: Any) -> None:
    """With simulators: raises `BadOption` for what only a network can be told. That nothing is corrected is none."""
    given = chosen | {"sampler": None if sampler == "own" else sampler, "structure_correction": None}
    for name, value in given.items():
        if value is not None:
            raise BadOption(f"--{name.replace('_', '-')}", "goes with a network; physics has nothing to sample")
