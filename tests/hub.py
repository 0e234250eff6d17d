"""A local hub: takes the calls with the signatures of huggingface_hub's HfApi, and remembers what it was given."""

import inspect

from huggingface_hub import HfApi
from huggingface_hub.utils import filter_repo_objects


class LocalHub:
    """`files` are what would lie in the repository; a `broken` one loses the connection."""

    def __init__(self, broken: bool = False):
        self.broken, self.files, self.calls = broken, [], []

    def create_repo(self, *arguments, **options):
        inspect.signature(HfApi.create_repo).bind(self, *arguments, **options)
        self.calls.append(("create_repo", options))
        return f"https://hub/{options['repo_type']}s/{arguments[0]}"

    def upload_folder(self, **options):
        inspect.signature(HfApi.upload_folder).bind(self, **options)
        if self.broken:
            raise OSError("connection reset")
        folder = options["folder_path"]
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        self.files = list(filter_repo_objects(names, ignore_patterns=options.get("ignore_patterns")))
