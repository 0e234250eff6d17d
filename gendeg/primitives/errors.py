"""Every error gendeg raises on purpose, with fields; the command line turns them into advice."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gendeg.primitives.advice import READING, WRITING, advice_on, hub_advice, with_advice
from gendeg.primitives.faults import FAULT_ADVICE, ImageFault
from gendeg.primitives.quantities import say_bytes, say_change


class GendegError(Exception):
    """Base of all expected failures; `str(error)` is one line that says what to do."""

    def __init__(self, message: str):
        super().__init__("\\n".join(message.splitlines()))  # a file name may hold a newline; a log line may not

    def __reduce__(self) -> tuple[Any, ...]:
        # Worker processes send errors home by pickle, which would call __init__ with the message as its only argument.
        return _revive, (type(self), self.args, self.__dict__)


def _revive(kind: type[GendegError], args: tuple[Any, ...], fields: dict[str, Any]) -> GendegError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class UnknownDegradation(GendegError):
    """`meant` is the nearest that there is."""

    def __init__(self, name: str, known: list[str], meant: str = ""):
        self.name, self.known, self.meant = name, known, meant
        guess = f"did you mean {meant}? Choose" if meant else "choose"
        super().__init__(f"unknown degradation '{name}'; {guess} from {', '.join(known)}, or mix two or three")


class BadMix(UnknownDegradation):
    """Kinds that there are, put together or asked for as it cannot be."""

    def __init__(self, text: str, reason: str):
        self.name, self.reason = text.strip(), reason
        GendegError.__init__(self, f"'{self.name}': {reason}")


class UnknownSource(GendegError):
    def __init__(self, name: str, known: list[str]):
        self.name, self.known = name, known
        super().__init__(f"unknown source '{name}'; known layouts: {', '.join(known)}. Others: --degraded and --clean")


class MissingPath(GendegError):
    def __init__(self, path: str | Path):
        self.path = Path(path)
        super().__init__(f"{path}: no such file or folder; check the spelling")


class NoImages(GendegError):
    def __init__(self, folder: str | Path, extensions: Iterable[str]):
        self.folder, self.extensions = Path(folder), tuple(extensions)
        super().__init__(f"{folder}: no images in this folder; looked for {' '.join(self.extensions)}")


class NoPhotos(NoImages):
    """A place in which there are files or rows, but no photo that can be used; `reasons` says what became of them."""

    def __init__(self, place: str | Path, reasons: str, advice: str = "give other photos"):
        self.folder, self.extensions, self.reasons = Path(place), (), reasons
        GendegError.__init__(self, f"{place}: no photo in it can be used ({reasons}); {advice}")


class NotEnoughPhotos(GendegError):
    """A study needs photos to train on in two halves, and others to test on."""

    def __init__(self, place: str | Path, train: int, test: int):
        self.place, self.train, self.test = Path(place), train, test
        super().__init__(f"{place}: {train} photos to train on and {test} to test on; give at least 2 and 1 (--clean)")


class CannotRead(GendegError):
    """A folder or text file that is there but cannot be read (images have their own error).

    `reason` is what the system says, which brings its advice, or says itself what to do.
    """

    def __init__(self, path: str | Path, reason: str):
        self.path, self.reason = Path(path), reason
        super().__init__(with_advice(f"{path}: cannot be read ({reason})", reason, READING))


class BadImage(GendegError):
    """One image that cannot be decoded. `reason` is stable and short; `detail` is for the reader and may change."""

    def __init__(self, path: str | Path, reason: ImageFault, detail: str = ""):
        self.path, self.reason, self.detail = Path(path), reason, " ".join(detail.split())
        said = f"{path}: {FAULT_ADVICE[reason]}" + (f" ({self.detail})" if self.detail else "")
        super().__init__(with_advice(said, detail, READING) if reason == ImageFault.UNREADABLE else said)

    def named(self, path: str | Path) -> "BadImage":
        """The same of a file that is called so, where it was read as bytes or by another name."""
        return BadImage(path, self.reason, self.detail)


class TooLongForFormat(GendegError):
    reason = "too_long"  # as in `BadImage`

    def __init__(self, width: int, height: int, format: str, longest: int):
        self.width, self.height, self.format, self.longest = width, height, format, longest
        super().__init__(f"{width} x {height} pixels do not fit into {format} (at most {longest} a side); write png")


class CannotRestore(GendegError):
    """A restorer that fails on one photo: others may be fine."""

    reason = "cannot_restore"  # as in `BadImage`

    def __init__(self, why: str, photo: str | Path = ""):
        self.why = " ".join(why.split())
        super().__init__(f"{photo or 'a photo'}: the network cannot restore it: {self.why}")

    def named(self, photo: str | Path) -> "CannotRestore":
        """The same, of this photo."""
        return CannotRestore(self.why, photo)


class SizesDiffer(GendegError):
    """The two halves of a pair are not of one size."""

    reason = "sizes_differ"  # as in `BadImage`

    def __init__(self, degraded: str, clean_size: tuple[int, int], degraded_size: tuple[int, int]):
        self.degraded, self.clean_size, self.degraded_size = degraded, clean_size, degraded_size
        clean, other = (f"{width} x {height}" for width, height in (clean_size, degraded_size))
        super().__init__(
            f"{degraded}: is {other} pixels, its clean photo {clean}; a pair has one size: mend or remove it"
        )


class BadManifest(GendegError):
    """A manifest, table or prior that says something impossible; `line` counts from 1, 0 means the file as a whole.

    `advice` other than to correct it; "": the reason says what to do.
    """

    def __init__(self, path: str | Path, line: int, reason: str, advice: str | None = None):
        self.path, self.line, self.reason = Path(path), line, reason
        place = f", line {line}" if line else ""
        if advice is None:
            advice = "correct or remove this line" if line else "correct it, or name another"
        super().__init__(f"{path}{place}: {reason}" + (f"; {advice}" if advice else ""))


class NoPairs(GendegError):
    def __init__(self, path: str | Path, which: str = "pairs"):
        self.path, self.which = Path(path), which
        advice = "" if "reasons" in which else "; make some (gendeg pairs simulate)"
        if "of split" in which:
            advice = ": its pairs are of other splits; name one that has some, or make pairs with a --split"
        super().__init__(f"{path}: no {which} in there{advice}")


class NoPrior(GendegError):
    def __init__(self, degradation: str, folder: str | Path):
        self.degradation, self.folder = degradation, Path(folder)
        super().__init__(f"{folder}: no prior of {degradation}; fit one (gendeg priors fit), or name other --priors")


class BadRecord(GendegError):
    """A record whose fields are not those of the schema, each named with what is wrong."""

    def __init__(self, problems: Iterable[str]):
        self.problems = tuple(problems)
        super().__init__(f"not a gendeg record: {'; '.join(self.problems)}; write it again with this version of gendeg")


class OutputNotWritable(GendegError):
    def __init__(self, path: str | Path, reason: str):
        self.path, self.reason = Path(path), reason
        super().__init__(with_advice(f"{path}: cannot be written ({reason})", reason, WRITING))


class IncompleteInstall(GendegError):
    def __init__(self, name: str, looked_in: Iterable[Path]):
        self.name, self.looked_in = name, tuple(looked_in)
        super().__init__(f"gendeg's folder '{name}' is missing; install gendeg again (pip install --force-reinstall)")


class OutputExists(GendegError):
    def __init__(self, path: str | Path, option: str = "--out"):
        self.path, self.option = Path(path), option
        super().__init__(f"{path}: exists already; choose another {option}, or allow it with --overwrite")


class ForeignFolder(GendegError):
    """An output folder that holds what this job did not write; `name` is the first such thing in it."""

    def __init__(self, folder: str | Path, name: str):
        self.folder, self.name = Path(folder), name
        super().__init__(f"{folder}: is in use, for something else ({name}); give a new or empty --out")


class RunExists(OutputExists):
    """A folder that holds a training run already."""

    def __init__(self, folder: str | Path):
        self.path = Path(folder)
        GendegError.__init__(self, f"{folder}: holds a run already; continue it with --resume, or choose another --out")


class DifferentRun(GendegError):
    """A folder whose earlier run had other settings than the ones asked for now: their names, or name → (then, now)."""

    def __init__(self, folder: str | Path, fields: Iterable[str] | Mapping[str, tuple[Any, Any]]):
        self.folder, self.fields = Path(folder), tuple(fields)
        values = fields if isinstance(fields, Mapping) else {}
        self.told = ", ".join(name + say_change(*values[name]) if name in values else name for name in self.fields)
        super().__init__(f"{folder}: was started with other {self.told}; use the same or another --out")


class OtherLength(DifferentRun):
    """A training that was begun for another number of steps, on a learning rate that falls with them."""

    def __init__(self, folder: str | Path, before: int, now: int):
        super().__init__(folder, ["steps"])
        self.before, self.now = before, now
        way = (
            f"--extend goes on to {now}, and the learning rate rises again to where a run of {now} has it"
            if now > before
            else f"ask for {before}, or for another --out"
        )
        GendegError.__init__(self, f"{folder}: its cosine was laid over {before} steps, not {now}: {way}")


class OtherPhotos(DifferentRun):
    """A dataset was planned from other photos than are there now; `fields` are inputs and whatever else differs."""

    def __init__(self, folder: str | Path, fields: Iterable[str] | Mapping[str, tuple[Any, Any]]):
        super().__init__(folder, fields)
        GendegError.__init__(
            self,
            f"{folder}: was started with other {self.told}: photos came, went, were renamed or "
            f"changed. gendeg repair {folder} finishes what was planned; new or mended photos need another --out",
        )


class NothingToResume(GendegError):
    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        super().__init__(f"{folder}: no run to resume; start without --resume")


class BadModel(GendegError):
    """A model folder that cannot be used; `reason` says which part and what to do."""

    def __init__(self, folder: str | Path, reason: str):
        self.folder, self.reason = Path(folder), " ".join(reason.split())
        super().__init__(with_advice(f"{folder}: not a usable model: {self.reason}", reason, READING))


class HubUnreachable(GendegError):
    def __init__(self, name: str, reason: str):
        self.name, self.reason = name, " ".join(reason.split())
        advice = hub_advice(self.reason)
        super().__init__(f"model '{name}' is no folder here and cannot be had from the hub {advice}, or name a folder")


class BadOption(GendegError):
    """A value on the command line (or in a config) that makes no sense; the exit code is 2."""

    def __init__(self, option: str, reason: str):
        self.option, self.reason = option, reason
        super().__init__(f"{option}: {reason}")


class NotRecognised(GendegError):
    """A photo in which no degradation is seen, or none clearly; or not the one that is `told` to be there.

    `likely` are the nearest ones with probabilities.
    """

    def __init__(self, photo: str, clean: float, likely: dict[str, float], told: str = ""):
        self.photo, self.clean, self.likely = photo, clean, likely
        nearest = ", ".join(f"{name} {probability:.2f}" for name, probability in likely.items())
        seen = "no degradation recognised" if clean >= max(likely.values()) else "not sure what degraded it"
        super().__init__(
            f"{photo}: {f'no {told} that could be measured' if told else seen} (probabilities: none {clean:.2f}, "
            f"{nearest}); {'' if told else 'name it with --type, or '}take a photo that shows it more clearly"
        )


class FolderInUse(GendegError):
    """Another process of ours holds the folder."""

    def __init__(self, folder: str | Path, host: str, pid: int):
        self.folder, self.host, self.pid = Path(folder), host, pid
        super().__init__(f"{folder}: in use by process {pid} on {host}; wait for it, or stop it first")


class NotADataset(GendegError):
    def __init__(self, folder: str | Path, reason: str = "no .gendeg/config.json in it"):
        self.folder, self.reason = Path(folder), reason
        super().__init__(f"{folder}: not a dataset that gendeg built ({reason}); give the --out folder of a build")


class NothingToReport(GendegError):
    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        super().__init__(
            f"{folder}: neither a dataset (no .gendeg/config.json) nor an evaluation (no results.json); give the --out "
            "folder of gendeg build or gendeg evaluate"
        )


class NotEnoughRoom(GendegError):
    def __init__(self, folder: str | Path, needed: int, free: int):
        self.folder, self.needed, self.free = Path(folder), needed, free
        super().__init__(
            f"{folder}: about {say_bytes(needed)} to write but {say_bytes(free)} free; make room, plan fewer "
            f"--samples or a smaller --size, or go on all the same with --no-check-disk"
        )


class DamagedDataset(GendegError):
    """A file of the dataset that is not what its done mark or configuration says."""

    def __init__(self, path: str | Path, reason: str):
        self.path, self.reason = Path(path), " ".join(reason.split())
        super().__init__(f"{path}: {self.reason}; {advice_on(reason, READING) or 'run gendeg repair on the dataset'}")


class OtherVersion(GendegError):
    """A dataset whose plan and records have other fields than this gendeg's."""

    def __init__(self, folder: str | Path, found: str, read: str):
        self.folder, self.found = Path(folder), found
        super().__init__(
            f"{folder}: a dataset of version {found!r}, and this gendeg reads {read}; build it again into another "
            "--out, or take the gendeg that made it (load_dataset reads its tars as they are)"
        )


class IncompleteDataset(GendegError):
    def __init__(self, folder: str | Path, missing: int):
        self.folder, self.missing = Path(folder), missing
        super().__init__(f"{folder}: {missing} shards are missing; finish it first (gendeg build, or gendeg repair)")


class NeedsInputs(GendegError):
    """A dataset that came without the list of its photos, which never leaves the machine that built it."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        super().__init__(
            f"{folder}: a copy without .gendeg/inputs.json, which stays where the dataset was built: repair it there, "
            "or download the damaged files again"
        )


class MissingExtra(GendegError):
    def __init__(self, package: str, extra: str):
        self.package, self.extra = package, extra
        super().__init__(f"{package} is not installed; pip install 'gendeg[{extra}]'")


class Interrupted(GendegError):
    """SIGTERM or Ctrl-C: what is finished stays, the same command goes on from there."""

    def __init__(self, signal: int):
        self.signal = signal
        super().__init__("stopped; nothing is half-written: the same command again goes on from here")


class UploadFailed(GendegError):
    def __init__(self, name: str, reason: str):
        self.name, self.reason = name, " ".join(reason.split())
        super().__init__(
            f"{name}: upload failed ({self.reason}) {hub_advice(self.reason)}, then the same command goes on"
        )


class WorkersFailed(GendegError):
    """Shards that another engine's workers could not make."""

    def __init__(self, shards: Iterable[str], reason: str):
        self.shards, self.reason = tuple(shards), " ".join(reason.split())
        super().__init__(
            f"{len(self.shards)} shards could not be made ({self.reason}); the same command goes on from here"
        )


class RunsFailed(GendegError):
    """Trainings of a study whose worker was killed; `runs` are those that are not done."""

    def __init__(self, runs: Iterable[str]):
        self.runs = tuple(runs)
        shown = ", ".join(self.runs[:3]) + (" ..." if len(self.runs) > 3 else "")
        super().__init__(
            f"a worker was killed (out of memory? fewer --workers); {len(self.runs)} runs are not done ({shown}): the "
            "same command goes on from here"
        )
