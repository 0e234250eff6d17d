"""The doctor's findings on stdout, also where not even the command line loads."""

import json
import sys
from collections.abc import Sequence

from gendeg.doctor.doctor import examine
from gendeg.doctor.finding import closing, runs


def show(as_json: bool = False) -> int:
    """Prints the findings as they come, or all of them as one object; 1 if something is off."""
    findings = []
    for one in examine():
        findings.append(one)
        if not as_json:
            print("\n".join(one.lines), flush=True)
    if as_json:
        print(json.dumps({"runs": runs(findings), "findings": [one.as_row() for one in findings]}, indent=1))
    else:
        print(f"\n{closing(findings)}")
    return 0 if runs(findings) else 1


def without_commands(arguments: Sequence[str], reason: str) -> int:
    """The doctor where the command line itself does not load; of any other command, one line."""
    if list(arguments[:1]) == ["doctor"]:
        return show("--json" in arguments)
    print(f"gendeg: {reason}; gendeg doctor says what helps", file=sys.stderr)
    return 1
