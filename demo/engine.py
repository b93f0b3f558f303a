"""The captioner, loaded in the background: the page is up before torch is imported."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from s2vt_model.errors import S2VTError
from s2vt_model.progress import Progress, Work

if TYPE_CHECKING:
    from s2vt_model.captioner import Captioner

POLL_SECONDS = 0.2  # how soon a waiting visitor can stop waiting


class Engine:
    """One captioner for all visitors."""

    def __init__(self, load: Callable[[], Captioner] | None = None):
        self._load = load or _load_default
        self._settled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load-model", daemon=True)
        self._starting = threading.Lock()
        self._captioner: Captioner | None = None
        self._problem = ""

    def start(self) -> None:
        """Begin to load, once; returns at once."""
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()

    def wait(self) -> Work[Captioner]:
        """The captioner, as soon as it is there. Raises `S2VTError` if it cannot be loaded."""
        self.start()
        while not self._settled.wait(POLL_SECONDS):
            yield Progress("load", None, "Loading the model")
        if self._captioner is None:
            raise S2VTError(self._problem)
        return self._captioner

    def _run(self) -> None:
        try:
            self._captioner = self._load()
        except S2VTError as error:
            self._problem = str(error)
        except Exception as error:
            logging.exception("The model could not be loaded")
            self._problem = (
                f"The model could not be loaded ({type(error).__name__}); the server's terminal says why. "
                "Is everything installed that requirements.txt lists?"
            )
        finally:
            self._settled.set()


def _load_default() -> Captioner:
    from s2vt_model.captioner import Captioner  # imports torch

    return Captioner.load()
