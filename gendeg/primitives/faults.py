"""Why an image could not be used, as a short stable code and as a line for people."""

from enum import StrEnum


class ImageFault(StrEnum):
    """Why an image could not be used. The values are counted in reports and stored in records: never rename one."""

    MISSING = "missing"
    FOLDER = "folder"
    NO_PERMISSION = "no_permission"
    EMPTY = "empty"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    TOO_MUCH_TEXT = "too_much_text"
    UNREADABLE = "unreadable"
    NEEDS_HEIF = "needs_heif"
    NEEDS_JXL = "needs_jxl"


FAULT_ADVICE: dict[ImageFault, str] = {
    ImageFault.MISSING: "no such file; check the spelling",
    ImageFault.FOLDER: "is a folder, not an image",
    ImageFault.NO_PERMISSION: "may not be read; check its permissions",
    ImageFault.EMPTY: "has 0 bytes; copy it again",
    ImageFault.NOT_AN_IMAGE: "is not an image that Pillow knows, whatever its name says; remove or convert it",
    ImageFault.TRUNCATED: "ends too early; copy or download it again",
    ImageFault.DAMAGED: "is damaged; copy or download it again",
    ImageFault.TOO_LARGE: "has too many pixels; scale it down first",
    ImageFault.UNSUPPORTED: "stores pixels in a way that cannot be read here; convert it to an 8 or 16 bit PNG or JPEG",
    ImageFault.TOO_MUCH_TEXT: "is good, but carries more text than Pillow reads; strip it (exiftool -all=)",
    ImageFault.UNREADABLE: "could not be read",
    ImageFault.NEEDS_HEIF: "is HEIC, a format that Pillow needs a package for; pip install 'gendeg[heif]'",
    ImageFault.NEEDS_JXL: "is JPEG XL, a format that Pillow needs a package for; pip install 'gendeg[jxl]'",
}
