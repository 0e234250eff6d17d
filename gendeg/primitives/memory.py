"""Loaded weights in memory of their own: mapped from a file, they begin at whatever byte the file has them at."""

from typing import Any, TypeVar

Loaded = TypeVar("Loaded")


def own_memory(loaded: Loaded) -> Loaded:
    """Every weight and buffer of a module (or of a pipeline's modules) moved to where torch allocates; returns it.

    Kernels of the CPU choose their path, and so the order of their sums, by where a tensor begins: without this a
    loaded network and the same one in memory differ in the last bit on some machines. Whatever loads weights calls it
    or copies them into tensors that torch made (`load_state_dict` without `assign`). What lies on a GPU, or is still
    missing (`meta`), was not mapped and stays.
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
