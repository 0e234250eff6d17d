"""How large the code is: files, lines, functions, arguments, imports; the longest of each."""

import argparse
import ast
import statistics
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHOWN = 8


def quantile(values: list[int], share: float) -> int:
    """The smallest value that `share` of them do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """One folder's figures, then what is longest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "gendeg")
    folder = parser.parse_args().folder
    lines, imports, functions = {}, [], {}
    arguments = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not text.strip():
            continue
        lines[str(path.relative_to(folder))] = len(text.splitlines())
        tree = ast.parse(text)
        imports.append(sum(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree)))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions[f"{path.relative_to(folder)}:{node.lineno} {node.name}"] = (
                    (node.end_lineno or node.lineno) - node.lineno + 1
                )
                arguments.append(len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs))
    sizes = list(functions.values())
    middle = statistics.median(lines.values())
    print(f"{folder.name}: {sum(lines.values())} lines in {len(lines)} files, median {middle:g}")
    print(f"functions: {len(sizes)}, median {statistics.median(sizes):g} lines, 90th percentile {quantile(sizes, 0.9)}")
    middle, most = statistics.median(arguments), max(arguments)
    print(f"arguments: median {middle:g}, 90th percentile {quantile(arguments, 0.9)}, most {most}")
    print(f"imports of a file: median {statistics.median(imports):g}, 90th percentile {quantile(imports, 0.9)}")
    for what, table in (("files", lines), ("functions", functions)):
        longest = sorted(table.items(), key=lambda item: -item[1])[:SHOWN]
        print(f"longest {what}: " + ", ".join(f"{name} {count}" for name, count in longest))


if __name__ == "__main__":
    main()
