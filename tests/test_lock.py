"""constraints.txt pins every package that gendeg needs, and pyproject.toml declares every package that it imports."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def needed(requirements: list[str]) -> Iterator[str]:
    """Names of all installed packages that these requirements reach; a package for other systems is not followed."""
    waiting = [(Requirement(text), "") for text in requirements]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        try:
            texts = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # pip, not this test, checks that everything is there
        yield name
        for wanted in ("", *sorted(requirement.extras)):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                waiting += [(Requirement(text), wanted) for text in texts]


def test_everything_needed_is_pinned_at_the_installed_version() -> None:
    extras = project()["optional-dependencies"]
    names = set(needed(project()["dependencies"] + [text for group in extras.values() for text in group]))
    assert {"torch", "numpy", "pytest", "markupsafe"} <= names  # direct, of an extra, and three levels down
    wrong = [
        f"{name}: installed {installed}, pinned {pins().get(name)}"
        for name in sorted(names)
        if (installed := Version(Version(distribution(name).version).public)) != pins().get(name)
    ]
    assert wrong == [], "correct constraints.txt, or run `make setup`"


def test_every_extra_is_pinned_whether_or_not_it_is_installed_here() -> None:
    """`make test-extras` installs them all, at versions that have been tried together."""
    offered = {
        canonicalize_name(Requirement(text).name)
        for group in project()["optional-dependencies"].values()
        for text in group
    }
    assert offered - set(pins()) == set()


def test_every_import_is_a_declared_dependency() -> None:
    declared = {canonicalize_name(Requirement(text).name) for text in project()["dependencies"]}
    optional = {
        canonicalize_name(Requirement(text).name)
        for name, group in project()["optional-dependencies"].items()
        if name != "dev"
        for text in group
    }
    providers = packages_distributions()
    missing = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sorted((ROOT / "gendeg").rglob("*.py"))
        for module in sorted(third_party(path))
        if not {canonicalize_name(name) for name in providers.get(module, [module])} & (declared | optional)
    ]
    assert missing == []


def third_party(path: Path) -> set[str]:
    """Top-level names of the packages a file imports, without Python's own and ours."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"gendeg"}
