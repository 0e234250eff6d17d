"""What a process frees is used again, where the C library lets us say so."""

import platform
import resource
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import torch
from gendeg.primitives.memory import keep_freed
if sys.argv[1] == "kept":
    keep_freed()
for _ in range(20):
    torch.ones(1 << 24)  # 64 MB, above what glibc would keep
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_large_arrays_come_from_what_was_freed():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True, text=True).stdout)
        for how in ("kept", "given back")
    }
    once = (64 << 20) / resource.getpagesize()
    assert faults["given back"] - faults["kept"] > 10 * once, faults
