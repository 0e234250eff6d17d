"""Numbers for people: bytes and seconds in the unit that fits, so that nobody reads "0.00 GB" or "0.01 hours"."""


def say_bytes(count: float) -> str:
    """`3_500_000` → `"3.5 MB"`; decimal units, as disks are sold."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"


def say_seconds(seconds: float) -> str:
    """`36.2` → `"36 seconds"`; minutes from two of them on, then hours."""
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
