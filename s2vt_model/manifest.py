"""What a folder's files must be: `manifest.json`, the SHA-256 and size of each by its name.

    {"model.safetensors": {"sha256": "9f86…", "size": 17347940}, …}

The Hub and its client compare sizes only, and a cache on disk can rot. A manifest tells a checkpoint that was
downloaded from one that nearly was.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path

NAME = "manifest.json"
FILE_NAME = re.compile(r"(backbone/)?\w[\w.-]*")  # nothing that could lead out of the folder


@dataclass(frozen=True)
class Entry:
    """What a file must be."""

    sha256: str  # 64 hex digits
    size: int  # bytes

    @classmethod
    def of(cls, file: Path) -> "Entry":
        """What the file is now."""
        return cls(sha256_of(file), file.stat().st_size)

    def is_of(self, file: Path) -> bool:
        return file.is_file() and file.stat().st_size == self.size and sha256_of(file) == self.sha256


Manifest = Mapping[str, Entry]  # file name, relative to the folder -> what it must be


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def entries_of(folder: Path, names: Iterable[str]) -> Manifest:
    """What the files in `folder` are now."""
    return {name: Entry.of(folder / name) for name in names}


def to_json(manifest: Manifest) -> str:
    return json.dumps({name: asdict(entry) for name, entry in manifest.items()}, indent=2) + "\n"


def from_json(text: str) -> Manifest:
    """Raises `ValueError` where the text is no manifest."""
    try:
        manifest = {name: Entry(**fields) for name, fields in json.loads(text).items()}
    except (AttributeError, TypeError) as error:
        raise ValueError("it does not list files with their sha256 and size") from error
    for name, entry in manifest.items():
        if not FILE_NAME.fullmatch(name):
            raise ValueError(f"it lists the file “{name}”")
        if not (isinstance(entry.size, int) and re.fullmatch("[0-9a-f]{64}", str(entry.sha256))):
            raise ValueError(f"its entry of “{name}” has no sha256 and size")
    return manifest


def write_manifest(folder: Path, names: Iterable[str]) -> None:
    """Write `folder`/manifest.json about the files in it."""
    (folder / NAME).write_text(to_json(entries_of(folder, names)), encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Raises `OSError` or `ValueError`."""
    return from_json((folder / NAME).read_text(encoding="utf-8"))
