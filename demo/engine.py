"""The models, each loaded in the background when first asked for: the page is up before torch is imported."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from demo import zero_gpu
from demo.background import Background
from demo.limits import CNN, MAX_VISITORS_MODELS, TRACES
from demo.turns import Turns
from s2vt_model.errors import S2VTError
from s2vt_model.progress import Progress, Work

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
        fetch: Callable[[Model, bool], Work[Model]] | None = None,
        is_here: Callable[[Model], bool] | None = None,
    ):
        """`fetch` brings what a model lacks onto this disk; its second argument says whether the model is listed.

        `is_here` says whether it would have nothing to ask the Hub for.
        """
        self.turns = {CNN: Turns(), TRACES: Turns()}
        self._load = load or self._load_from_library
        self._fetch = fetch or (_fetch if load is None else _as_it_is)
        self._is_here = is_here or (_is_here if load is None else lambda model: True)
        self._read_catalogue = catalogue or _read_listed
        self._library: StreamLibrary | None = None
        self._loading = threading.Lock()  # one model at a time: they share streams
        self._asking = threading.Lock()
        self._catalogue: Background[Catalogue] | None = None
        self._captioners: dict[str, Background[Captioner]] = {}
        self._unlisted: set[str] = set()  # those of them that visitors brought

    def start(self) -> None:
        """Begin to load the default model; returns at once."""
        self._ask_for_catalogue()

    def catalogue(self) -> Work[Catalogue]:
        """What there is to choose from. Raises `S2VTError` if the list cannot be read."""
        return (yield from self._ask_for_catalogue().wait())

    def captioner(self, name: str | None = None) -> Work[Captioner]:
        """The model called `name`, by default the default one; one of the Hub is downloaded.

        Raises `S2VTError` if there is none, or if it cannot be loaded.
        """
        catalogue = yield from self.catalogue()
        model = catalogue.model(name or catalogue.default)
        return (yield from self._ask_for(model, set(model.checkpoints) <= set(catalogue.streams)).wait())

    def is_at_hand(self, model: Model) -> bool:
        """Whether the Hub has no part in it: it is loaded, or on this disk."""
        with self._asking:
            asked = self._captioners.get(model.name)
        return bool(asked and asked.has_succeeded) or self._is_here(model)

    def _ask_for_catalogue(self) -> Background[Catalogue]:
        with self._asking:
            if self._catalogue is None or self._catalogue.has_failed:
                self._catalogue = Background("the models", self._open)
            return self._catalogue

    def _open(self) -> Work[Catalogue]:
        yield Progress("load", None, "Reading the list of models")
        catalogue = self._read_catalogue()
        self._ask_for(catalogue.model(catalogue.default), True)
        return catalogue

    def _ask_for(self, model: Model, is_listed: bool) -> Background[Captioner]:
        def load() -> Work[Captioner]:
            fetched = yield from self._fetch(model, is_listed)  # without the lock: a slow Hub holds nobody else up
            yield Progress("load", None, f"Loading the model “{model.name}”")
            with self._loading:
                return self._load(fetched)

        with self._asking:
            if model.name not in self._captioners or self._captioners[model.name].has_failed:
                if not is_listed:
                    self._make_room()
                self._captioners[model.name] = Background(f"the model “{model.name}”", load)
                self._unlisted |= set() if is_listed else {model.name}
            return self._captioners[model.name]

    def _make_room(self) -> None:
        """Raises `S2VTError` where visitors have brought as many models as there is memory for."""
        self._unlisted = {name for name in self._unlisted if not self._captioners[name].has_failed}
        if len(self._unlisted) >= MAX_VISITORS_MODELS:
            raise S2VTError(
                f"This server holds {MAX_VISITORS_MODELS} models that visitors brought, and no more. "
                "Choose a listed one, or run the demo on your own machine."
            )

    def _load_from_library(self, model: Model) -> Captioner:
        from s2vt_model.captioner import Captioner, resolve_device  # imports torch
        from s2vt_model.stream import StreamLibrary

        if self._library is None:
            if zero_gpu.IS_LENT:
                self._library = StreamLibrary("cpu", wrap=zero_gpu.Borrowing)
            else:
                self._library = StreamLibrary(resolve_device("auto"))
        return Captioner.load(model, self._library)


def _fetch(model: Model, is_listed: bool) -> Work[Model]:
    from s2vt_model.hub import Hub, fetch  # imports torch

    # A visitor's own is asked for as nobody: the server's token opens what is the server's alone.
    return (yield from fetch(model, Hub(token=None if is_listed else False)))


def _is_here(model: Model) -> bool:
    from s2vt_model.hub import Hub, is_here  # imports torch

    return is_here(model, Hub())


def _as_it_is(model: Model, is_listed: bool) -> Work[Model]:
    return model
    yield  # this makes it work that is done at once


def _read_listed() -> Catalogue:
    from s2vt_model.models import read_catalogue  # imports torch

    return read_catalogue()
