"""A local hub: takes the calls with the signatures of huggingface_hub's HfApi, and keeps what it was given."""

import inspect
import shutil
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import RemoteEntryNotFoundError
from huggingface_hub.utils import filter_repo_objects


class LocalHub:
    """`repository(name)` is the folder that a client would download; after `steps` uploads the connection is lost."""

    def __init__(self, broken: bool = False, steps: int = 1_000):
        self.left, self.calls, self.root = 0 if broken else steps, [], Path(mkdtemp(prefix="gendeg-hub-"))

    @property
    def files(self) -> list[str]:
        """All files of all repositories, by their names in there."""
        return sorted(name for repository in self.root.glob("*/*") for name in names(repository))

    def repository(self, name: str) -> Path:
        return self.root / name

    def create_repo(self, *arguments, **options):
        inspect.signature(HfApi.create_repo).bind(self, *arguments, **options)
        self.calls.append(("create_repo", options))
        self.repository(arguments[0]).mkdir(parents=True, exist_ok=True)
        return f"https://hub/{options['repo_type']}s/{arguments[0]}"

    def upload_folder(self, **options):
        inspect.signature(HfApi.upload_folder).bind(self, **options)
        self._step()
        for name in filter_repo_objects(names(options["folder_path"]), ignore_patterns=options.get("ignore_patterns")):
            self._put(options["repo_id"], name, (Path(options["folder_path"]) / name).read_bytes())

    def create_commit(self, *arguments, **options):
        given = inspect.signature(HfApi.create_commit).bind(self, *arguments, **options).arguments
        self._step()
        self.calls.append(("create_commit", given["commit_message"]))
        for one in given["operations"]:
            if isinstance(one, CommitOperationAdd):
                with one.as_file() as stream:
                    self._put(given["repo_id"], one.path_in_repo, stream.read())
            else:
                (self.repository(given["repo_id"]) / one.path_in_repo).unlink()

    def hf_hub_download(self, *arguments, **options):
        given = inspect.signature(HfApi.hf_hub_download).bind(self, *arguments, **options).arguments
        stored = self.repository(given["repo_id"]) / given["filename"]
        if not stored.is_file():
            raise RemoteEntryNotFoundError("404", response=SimpleNamespace(headers={}, request=None))
        target = Path(given["local_dir"]) / given["filename"]
        target.parent.mkdir(parents=True, exist_ok=True)
        return shutil.copy(stored, target)

    def _step(self):
        if not self.left:
            raise OSError("connection reset")
        self.left -= 1

    def _put(self, repository, name, data):
        path = self.repository(repository) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def names(folder) -> list[str]:
    """Every file below, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())
