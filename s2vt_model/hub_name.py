"""How a repository of the Hugging Face Hub is named: `org/name`, or `org/name@revision`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from s2vt_model.errors import HubError

NAME = re.compile(r"(?P<repository>\w[\w.-]{0,95}/\w[\w.-]{0,95})(@(?P<revision>\w[\w./-]{0,99}))?", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubName:
    """A repository, and which state of it."""

    repository: str  # "org/name"
    revision: str | None = None  # a commit, a tag or a branch; None: its main branch

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `HubError` where the text is no such name."""
        match = NAME.fullmatch(text.strip())
        if match is None or ".." in text or "--" in match["repository"]:
            raise HubError(f"“{text.strip()}” is no name on the Hub: write org/name, or org/name@revision.")
        return cls(match["repository"], match["revision"])

    @classmethod
    def or_folder(cls, text: str) -> Self | Path:
        """What `text` names: a folder if there is one, or could be, else a repository."""
        folder = Path(text)
        is_name = NAME.fullmatch(text) and not folder.is_dir() and not folder.parent.is_dir()
        return cls.parse(text) if is_name else folder

    @property
    def is_pinned(self) -> bool:
        """Whether it can only ever be one and the same."""
        return bool(self.revision and COMMIT.fullmatch(self.revision))

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository
