"""What helps against a refusal of the system or of the hub, by its cause: a table for each."""

import errno
import os
from collections.abc import Mapping

LONG_NAME = "the name is too long for this disk: shorten it"
LOOP = "a symbolic link here leads back to itself: mend it"
NO_FOLDER = "a part of this path is a file: check the path"
OPEN_FILES = "too many files are open: raise the limit (ulimit -n) or ask for fewer --workers"
BROKEN_DISK = "the disk reports an error: check it, or copy the data to another"
LOST_DISK = "the network disk does not answer: try again when it does"
BUSY = "another program holds it: try again when that is done"
NO_MEMORY = "memory is short: ask for fewer --workers or close other programs"

EITHER: dict[int, str] = {
    errno.ENAMETOOLONG: LONG_NAME, errno.ELOOP: LOOP, errno.ENOTDIR: NO_FOLDER, errno.EMFILE: OPEN_FILES,
    errno.ENFILE: OPEN_FILES, errno.EIO: BROKEN_DISK, errno.ESTALE: LOST_DISK, errno.ETIMEDOUT: LOST_DISK,
    errno.EBUSY: BUSY, errno.ETXTBSY: BUSY, errno.ENOMEM: NO_MEMORY,
}  # fmt: skip
READING = EITHER | {
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.ENOENT: "check the spelling",
    errno.EISDIR: "it is a folder: name a file in it",
}
ELSEWHERE = "choose another output folder"
WRITING = EITHER | {
    errno.EACCES: f"{ELSEWHERE}, or check the permissions of this one",
    errno.EPERM: f"{ELSEWHERE}, or check the permissions of this one",
    errno.EROFS: f"this disk can only be read: {ELSEWHERE}",
    errno.ENOSPC: f"make room there, or {ELSEWHERE}",
    errno.EDQUOT: f"your share of this disk is used up: make room there, or {ELSEWHERE}",
    errno.EFBIG: f"this disk takes no file as large: {ELSEWHERE}",
    errno.ENOENT: "the folder is not there any more: make it, or choose another",
    errno.EISDIR: "a folder of this name is there: choose another name",
    errno.EEXIST: "a file of this name is there: choose another name",
    errno.ENOTEMPTY: "the folder there is not empty: choose another",
    errno.ENOTSUP: f"this disk lacks what that takes (links, locks, attributes): {ELSEWHERE}",
    errno.EOPNOTSUPP: f"this disk lacks what that takes (links, locks, attributes): {ELSEWHERE}",
    errno.ENOSYS: f"this disk lacks what that takes (links, locks, attributes): {ELSEWHERE}",
    errno.EMLINK: f"this disk takes no more links: {ELSEWHERE}",
    errno.EXDEV: "the two places lie on different disks: choose both on one",
    errno.EINVAL: "the disk does not allow this name, or not this way of writing: choose another",
}


def advice_on(reason: str, table: Mapping[int, str]) -> str:
    """The advice for what the system said, wherever its words stand in `reason`; "" where it did not say it."""
    return next((advice for code, advice in table.items() if os.strerror(code) in reason), "")


def with_advice(text: str, reason: str, table: Mapping[int, str]) -> str:
    advice = advice_on(reason, table)
    return f"{text}; {advice}" if advice else text


# --- the Hugging Face hub ---

HUB: dict[str, tuple[str, ...]] = {
    "(not there, or private to others); check the name, or log in (hf auth login)": ("404", "not a valid", "Not Found"),
    "(not allowed); log in (hf auth login), or ask for access on its page": ("401", "403", "gated", "Unauthorized"),
    "(the hub is busy); try again later": ("429", "500", "502", "503", "504"),
}
"""What to do → words of the hub's answer."""


def hub_advice(reason: str) -> str:
    """By what the hub, or the network, said."""
    fitting = (advice for advice, signs in HUB.items() if any(sign in reason for sign in signs))
    return next(fitting, "(no answer); check the network")
