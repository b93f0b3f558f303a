"""The models, each loaded in the background when first asked for: the page is up before torch is imported."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from demo.background import Background
from s2vt_model.progress import Work

if TYPE_CHECKING:
    from s2vt_model.captioner import Captioner
    from s2vt_model.models import Catalogue, Model
    from s2vt_model.stream import StreamLibrary


class Engine:
    """The captioners of a catalogue, for all visitors; streams and backbones are loaded once."""

    def __init__(
        self,
        load: Callable[[Model], Captioner] | None = None,
        catalogue: Callable[[], Catalogue] | None = None,
    ):
        self._load = load or self._load_from_library
        self._read_catalogue = catalogue or _read_listed
        self._library: StreamLibrary | None = None
        self._loading = threading.Lock()  # one model at a time: they share streams
        self._asking = threading.Lock()
        self._catalogue: Background[Catalogue] | None = None
        self._captioners: dict[str, Background[Captioner]] = {}

    def start(self) -> None:
        """Begin to load the default model; returns at once."""
        self._ask_for_catalogue()

    def catalogue(self) -> Work[Catalogue]:
        """What there is to choose from. Raises `S2VTError` if the list cannot be read."""
        return (yield from self._ask_for_catalogue().wait())

    def captioner(self, name: str | None = None) -> Work[Captioner]:
        """The model called `name`, by default the default one.

        Raises `S2VTError` if there is none, or if it cannot be loaded.
        """
        catalogue = yield from self.catalogue()
        return (yield from self._ask_for(catalogue.model(name or catalogue.default)).wait())

    def _ask_for_catalogue(self) -> Background[Catalogue]:
        with self._asking:
            if self._catalogue is None:
                self._catalogue = Background("the models", self._open)
            return self._catalogue

    def _open(self) -> Catalogue:
        catalogue = self._read_catalogue()
        self._ask_for(catalogue.model(catalogue.default))
        return catalogue

    def _ask_for(self, model: Model) -> Background[Captioner]:
        def load() -> Captioner:
            with self._loading:
                return self._load(model)

        with self._asking:
            if model.name not in self._captioners:
                self._captioners[model.name] = Background(f"the model “{model.name}”", load)
            return self._captioners[model.name]

    def _load_from_library(self, model: Model) -> Captioner:
        from s2vt_model.captioner import Captioner, resolve_device  # imports torch
        from s2vt_model.stream import StreamLibrary

        if self._library is None:
            self._library = StreamLibrary(resolve_device("auto"))
        return Captioner.load(model, self._library)


def _read_listed() -> Catalogue:
    from s2vt_model.models import read_catalogue  # imports torch

    return read_catalogue()
