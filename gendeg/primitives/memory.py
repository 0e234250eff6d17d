"""Where arrays and weights lie in main memory."""

import ctypes
import platform
from typing import Any, TypeVar

Loaded = TypeVar("Loaded")

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Numbers of glibc's `mallopt`."""
MOST = 2**31 - 1


def keep_freed() -> None:
    """Let this process use again what it freed; a process's own choice, so the command line makes it, no import.

    By default glibc gives every array above 32 MB back to the kernel, and takes as much for the next: zeroed, a page at
    a time. The networks' activations are such arrays, and on a CPU it took a third of their time. Other C libraries are
    left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_MAX, 0)
        libc.mallopt(TRIM_THRESHOLD, MOST)


def own_memory(loaded: Loaded) -> Loaded:
    """Every weight and buffer of a module (or of a pipeline's modules) moved to where torch allocates; returns it.

    Mapped from a file, they begin at whatever byte the file has them at. Kernels of the CPU choose their path, and so
    the order of their sums, by where a tensor begins: without this a loaded network and the same one in memory differ
    in the last bit on some machines. Whatever loads weights calls it or copies them into tensors that torch made
    (`load_state_dict` without `assign`). What lies on a GPU, or is still missing (`meta`), was not mapped and stays.
    """
    parts: Any = loaded
    for part in getattr(parts, "components", {"": parts}).values():
        if not hasattr(part, "parameters"):
            continue  # a tokenizer, a scheduler, or an optional part that is not there
        for tensor in (*part.parameters(), *part.buffers()):
            if tensor.device.type == "cpu":
                tensor.data = tensor.data.clone()
    return loaded


class OwnMemory:
    """For classes of ours that diffusers loads: their `from_pretrained` gives weights in memory of their own."""

    @classmethod
    def from_pretrained(cls, *names: Any, **options: Any) -> Any:
        """As the class's own; with `output_loading_info` the module is the first of two."""
        found = super().from_pretrained(*names, **options)  # type: ignore[misc]
        own_memory(found[0] if isinstance(found, tuple) else found)
        return found
