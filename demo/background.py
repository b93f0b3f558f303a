"""Something slow, computed once on a thread of its own while visitors go on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from s2vt_model.errors import S2VTError
from s2vt_model.progress import Progress, Work

POLL_SECONDS = 0.2  # how soon a waiting visitor can stop waiting

Result = TypeVar("Result")


class Background(Generic[Result]):
    """Begins at once to compute `make()`; `what` names it in sentences."""

    def __init__(self, what: str, make: Callable[[], Result]):
        self.what = what
        self._settled = threading.Event()
        self._found: Result | None = None
        self._problem = ""
        threading.Thread(target=self._run, args=(make,), name=f"load {what}", daemon=True).start()

    def wait(self) -> Work[Result]:
        """The result, as soon as it is there. Raises `S2VTError` if there will be none."""
        while not self._settled.wait(POLL_SECONDS):
            yield Progress("load", None, f"Loading {self.what}")
        if self._problem:
            raise S2VTError(self._problem)
        return self._found

    def _run(self, make: Callable[[], Result]) -> None:
        try:
            self._found = make()
        except S2VTError as error:
            self._problem = str(error)
        except Exception as error:
            logging.exception("Loading %s failed", self.what)
            self._problem = (
                f"Loading {self.what} failed ({type(error).__name__}); the server's terminal says why. "
                "Is everything installed that requirements.txt lists?"
            )
        finally:
            self._settled.set()
