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
    """Begins at once to do `work`; `what` names it in sentences. Where nobody waits for it any more, it ends.

    So it does when the process ends, which waits for the step at hand: a thread cut off inside torch would abort it.
    """

    def __init__(self, what: str, work: Callable[[], Work[Result]]):
        self.what = what
        self._settled = threading.Event()
        self._found: Result | None = None
        self._problem: S2VTError | None = None
        self._progress = Progress("load", None, f"Loading {what}")
        self._waiting = 0
        self._counting = threading.Lock()
        self._is_deserted = False
        threading.Thread(target=self._run, args=(work,), name=f"load {what}").start()

    @property
    def has_succeeded(self) -> bool:
        """Whether nobody need wait any more."""
        return self._found is not None

    @property
    def has_failed(self) -> bool:
        """Whether waiting is in vain."""
        return self._found is None and (self._problem is not None or self._is_deserted)

    def wait(self) -> Work[Result]:
        """The result, as soon as it is there. Raises `S2VTError` if there will be none."""
        with self._counting:
            self._waiting += 1
        try:
            while not self._settled.wait(POLL_SECONDS):
                yield self._progress
        finally:
            with self._counting:
                self._waiting -= 1
                self._is_deserted |= self._waiting == 0 and not self._settled.is_set()
        if self._problem:
            raise type(self._problem)(str(self._problem))  # one for each who waits
        return self._found

    def _run(self, work: Callable[[], Work[Result]]) -> None:
        try:
            self._found = self._done(work())
        except S2VTError as error:
            self._problem = error
        except Exception as error:
            logging.exception("Loading %s failed", self.what)
            self._problem = S2VTError(
                f"Loading {self.what} failed ({type(error).__name__}); the server's terminal says why. "
                "Is everything installed that requirements.txt lists?"
            )
        finally:
            self._settled.set()

    def _done(self, work: Work[Result]) -> Result:
        while True:
            try:
                self._progress = next(work)
            except StopIteration as stop:
                return stop.value
            if self._is_deserted or not threading.main_thread().is_alive():
                work.close()
                raise S2VTError(f"Loading {self.what} was stopped.")
