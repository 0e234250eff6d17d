"""Reads pages of Markdown and says what in them is wrong: commands, options, imports, links and anchors."""

import ast
import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typer
from typer.exceptions import TyperException

from gendeg.cli.app import app

ROOT = Path(__file__).parents[1]
OTHERS = ("bash", "cd", "docker", "git", "jq", "ls", "pipx", "ssh", "uvx", ".ci/run")
"""Programs that are not ours to check."""
ELLIPSIS = {"…", "..."}
"""What is left out of a command."""
LAUNCHERS = ("accelerate", "torchrun")
SHELL, PYTHON = ("bash", "sh"), "python"


class Block(NamedTuple):
    """A piece of code on a page: its language ("" where it is indented), its first line's number, its text."""

    language: str
    line: int
    text: str


class Page(NamedTuple):
    blocks: list[Block]
    prose: str  # without the blocks; inline code stays


def read(text: str) -> Page:
    """Fenced blocks, and indented ones that follow an empty line, apart from the rest."""
    blocks: list[Block] = []
    prose: list[str] = []
    open_block: tuple[str, int, list[str]] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        fenced = open_block is not None and open_block[0] != ""
        if line.lstrip().startswith("```"):
            if fenced and open_block:
                blocks.append(Block(open_block[0], open_block[1], "\n".join(open_block[2])))
                open_block = None
            else:
                open_block = (line.strip().strip("`") or "text", number + 1, [])
        elif fenced and open_block:
            open_block[2].append(line)
        elif line.startswith("    ") and (open_block or not prose or not prose[-1].strip()):
            open_block = open_block or ("", number, [])
            open_block[2].append(line.strip())
        else:
            if open_block:
                blocks.append(Block("", open_block[1], "\n".join(open_block[2])))
                open_block = None
            prose.append(line)
    if open_block:
        blocks.append(Block(*open_block[:2], "\n".join(open_block[2])))
    return Page(blocks, "\n".join(prose))


# --- commands ---


def lines_of(page: Page) -> Iterator[str]:
    """Every command line: of shell blocks, of indented ones, and of inline code that begins with a command of ours."""
    for block in page.blocks:
        if block.language in SHELL or block.language == "":
            yield from (line for line in block.text.replace("\\\n", " ").splitlines() if is_ours(line, block.language))
    for span in re.findall(r"`([^`\n]+)`", page.prose):
        if re.match(r"(gendeg [a-z]|(accelerate|torchrun) .*-m gendeg|make [a-z]|python (benchmarks|docs)/)", span):
            yield span


def is_ours(line: str, language: str) -> bool:
    """Shell blocks hold nothing but commands; an indented one may be a tree of files, or a line to copy."""
    if language in SHELL:
        return bool(line.strip()) and not line.strip().startswith("#")
    return bool(re.match(r"([A-Z_]+=\S+ )*(gendeg|accelerate|torchrun|make|python|pip) ", line.strip()))


def wrong_with(line: str) -> str:
    """What keeps a command line from being understood; "" where nothing does."""
    words = shlex.split(line, comments=True)
    commands: list[list[str]] = [[]]
    for word in words:
        commands.append([]) if word in ("&&", "|", ";") else commands[-1].append(word)
    return "; ".join(filter(None, (wrong_with_command(command) for command in commands)))


def wrong_with_command(words: list[str]) -> str:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if not words:
        return ""
    name, arguments = words[0].rpartition("bin/")[2], words[1:]
    if re.fullmatch(r"python[\d.]*", name) and arguments[0] == "-m" and arguments[1] != "gendeg":
        return "" if importlib.util.find_spec(arguments[1]) else f"no module {arguments[1]}"
    if name in LAUNCHERS or (name == "python" and "-m" in arguments):
        if "gendeg" not in arguments:
            return f"{name} starts no gendeg"
        return wrong_with_gendeg(arguments[arguments.index("gendeg") + 1 :])
    if name == "python":
        return wrong_with_script(arguments)
    if name == "make":
        return wrong_with_make(arguments)
    if name == "gendeg" and arguments:
        return wrong_with_gendeg(arguments)
    if name == "pip":
        return wrong_with_extras(arguments)
    return "" if name in OTHERS else f"unknown command {name}"


def wrong_with_gendeg(arguments: list[str]) -> str:
    """Parsed by the command line's own parser, which knows commands, options, types and choices; nothing runs."""
    short = bool(ELLIPSIS & set(arguments))
    rest = [word for word in arguments if word not in ELLIPSIS]
    command: Any = typer.main.get_command(app)
    path = "gendeg"
    try:
        while hasattr(command, "commands"):
            if rest and rest[0] in ("--help", "--version"):
                return ""
            if not rest:
                return "" if short else f"{path} needs a command"
            context = command.make_context(path, list(rest), resilient_parsing=False)
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            path = f"{path} {name}"
        if "--help" not in rest:
            command.make_context(path, list(rest))
    except TyperException as error:
        missing = type(error).__name__ == "MissingParameter"
        if not (missing and (short or not rest)):  # an ellipsis leaves something out; `gendeg train` alone is a name
            return f"{path}: {error.format_message()}"
    return ""


def wrong_with_script(arguments: list[str]) -> str:
    script = ROOT / arguments[0]
    if not script.is_file():
        return f"{arguments[0]}: no such file"
    unknown = [word for word in arguments if word.startswith("--") and f'"{word}"' not in script.read_text()]
    return f"{arguments[0]}: no option {' '.join(unknown)}" if unknown else ""


def wrong_with_make(arguments: list[str]) -> str:
    makefile = (ROOT / "Makefile").read_text()
    for word in arguments:
        variable = re.fullmatch(r"([A-Z_]+)=.*", word)
        if variable and f"$({variable[1]})" not in makefile:
            return f"make knows no {variable[1]}"
        if not variable and not re.search(rf"^{re.escape(word)}:", makefile, re.MULTILINE):
            return f"make has no {word}"
    return ""


def wrong_with_extras(arguments: list[str]) -> str:
    known = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    wanted = [name for word in arguments for name in re.findall(r"\w+", "".join(re.findall(r"\[(.*)\]", word)))]
    return "".join(f"no extra {name}" for name in wanted if name not in known)


def leaves(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
    else:
        for name, child in children.items():
            yield from leaves(child, f"{path} {name}".strip())


def known_options() -> set[str]:
    found = {"--help", "--version"}
    for _, command in leaves(typer.main.get_command(app)):
        found |= {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    return found


# --- Python, links, names ---


def wrong_with_python(text: str) -> list[str]:
    """Imports of gendeg that do not resolve; of others, packages that are not there. Raises `SyntaxError`."""
    wrong = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            wrong += [one.name for one in node.names if importlib.util.find_spec(one.name.split(".")[0]) is None]
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module.split(".")[0] != "gendeg":
                wrong += [node.module] if importlib.util.find_spec(node.module.split(".")[0]) is None else []
            else:
                wrong += [f"{node.module}.{one.name}" for one in node.names if not has(f"{node.module}.{one.name}")]
    return wrong


def has(dotted: str) -> bool:
    module, _, name = dotted.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name) or importlib.util.find_spec(dotted) is not None
    except ImportError:
        return False


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", read(text).prose, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug, again = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"), 0
        while (named := f"{slug}-{again}" if again else slug) in found:
            again += 1
        found.add(named)
    return found


def broken_links(text: str, page: Path) -> list[str]:
    """Relative links and pictures of a page whose file or anchor is not there."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", read(text).prose)):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        there = file.exists() and not anchor
        if not there and not (file.is_file() and anchor in anchors(text if file == page else file.read_text("utf-8"))):
            broken.append(target)
    return broken
