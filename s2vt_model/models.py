"""The models one can ask for by name: streams, and sets of them, as `weights/models.toml` lists them.

    default = "rgb+motion"

    [streams.rgb]                         # asked for as "rgb"
    checkpoint = "s2vt-msvd-rgb"          # a folder of weights/
    about = "S2VT on single frames"
    paper = 29.2                          # METEOR that the paper reports for a model of this kind

    [sets."rgb+motion"]                   # how two streams share their say, chosen on val
    alpha = { rgb = 0.5, motion = 0.5 }
    decoding = { method = "beam", beam_width = 2, length_exponent = 0.5 }
    about = "…"

Any streams can be added, as in "rgb+gru"; a sum that is not listed shares alike.

A stream may be of the Hugging Face Hub, at one commit, in the place of a folder:

    [streams.better]
    repository = "org/name"
    revision = "0123456789abcdef0123456789abcdef01234567"
    about = "…"

The environment's S2VT_MODELS adds some, "org/name,org/other@v2"; any other can be asked for as "org/name" too.
"""

import os
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from s2vt_model.checkpoint import WEIGHTS
from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import CheckpointError, HubError, S2VTError, first_line
from s2vt_model.fusion import check_alpha
from s2vt_model.hub_name import HubName

FILE = WEIGHTS / "models.toml"


@dataclass(frozen=True)
class Model:
    """What a name stands for."""

    name: str  # "rgb", "rgb+motion"
    about: str
    checkpoints: Mapping[str, Path | HubName]  # where each stream's is; `hub.fetch` makes folders of all
    alpha: Mapping[str, float]  # each stream's share of the say
    decoding: DecodingOptions | None  # chosen for a set; None: the first checkpoint's own
    paper: float | None = None  # METEOR of the paper's model of this kind, on all 670 test clips

    @property
    def on_hub(self) -> bool:
        """Whether some of it must be downloaded, unless it was before."""
        return any(isinstance(where, HubName) for where in self.checkpoints.values())


@dataclass(frozen=True)
class Catalogue:
    """All models of a `models.toml`."""

    default: str
    streams: Mapping[str, Model]
    sets: Mapping[str, Model]

    @property
    def models(self) -> tuple[Model, ...]:
        """All that are listed, the default one first."""
        first = self.model(self.default)
        return first, *(m for m in (*self.streams.values(), *self.sets.values()) if m.name != first.name)

    def model(self, name: str, alpha: Mapping[str, float] | None = None) -> Model:
        """The model called `name`, or the sum of streams it spells. Raises `S2VTError`."""
        parts = [part.strip() for part in name.split("+")]
        unknown = [part for part in parts if part not in self.streams and "/" not in part]
        if unknown or len(set(parts)) < len(parts):
            raise S2VTError(
                f"There is no model “{name}”. Name one of {', '.join(self.streams)}, "
                "or a sum of some, such as rgb+motion."
            )
        listed = next((m for m in self.sets.values() if set(m.checkpoints) == set(parts)), None)
        found = self._stream(parts[0]) if len(parts) == 1 else listed or self._sum(parts)
        if alpha is None:
            return found
        checked = check_alpha(alpha, list(found.checkpoints))
        return replace(found, alpha=checked)

    def without(self, names: Collection[str]) -> "Catalogue":
        """All but these streams, and the sums that they are in."""
        return replace(
            self,
            streams={name: model for name, model in self.streams.items() if name not in names},
            sets={name: model for name, model in self.sets.items() if model.checkpoints.keys().isdisjoint(names)},
        )

    def _stream(self, name: str) -> Model:
        return self.streams.get(name) or stream_of_hub(HubName.parse(name))

    def _sum(self, parts: list[str]) -> Model:
        checkpoints = {part: where for part in parts for where in self._stream(part).checkpoints.values()}
        alpha = {part: 1 / len(parts) for part in parts}
        return Model("+".join(parts), "a sum of streams, all with the same say", checkpoints, alpha, None)


def stream_of_hub(where: HubName) -> Model:
    """A checkpoint that nothing is known of but its name."""
    name = str(where)
    return Model(name, "a checkpoint of the Hugging Face Hub", {name: where}, {name: 1.0}, None)


def read_catalogue(file: Path = FILE, added: str | None = None) -> Catalogue:
    """The file's models, then those that `added` names, by default the environment's S2VT_MODELS.

    Raises `CheckpointError` where the file is missing, or where one of them says what cannot be.
    """
    try:
        fields = tomllib.loads(file.read_text(encoding="utf-8"))
        streams = {}
        for name, entry in fields["streams"].items():
            where = _where(file.parent, entry)
            streams[name] = Model(name, entry["about"], {name: where}, {name: 1.0}, None, entry.get("paper"))
        sets = {}
        for name, entry in fields.get("sets", {}).items():
            parts = name.split("+")
            checkpoints = {part: streams[part].checkpoints[part] for part in parts}
            alpha = check_alpha(entry["alpha"], parts)
            decoding = DecodingOptions(**entry["decoding"])
            sets[name] = Model(name, entry["about"], checkpoints, alpha, decoding, entry.get("paper"))
        catalogue = Catalogue(fields["default"], streams, sets)
        if catalogue.model(catalogue.default).on_hub:
            raise S2VTError("the default model must not depend on the Hub")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, S2VTError) as error:
        raise CheckpointError(
            f"The list of models “{file}” cannot be used ({first_line(error)}). Restore the file."
        ) from error
    added = os.environ.get("S2VT_MODELS", "") if added is None else added
    try:
        own = [stream_of_hub(HubName.parse(name)) for name in added.split(",") if name.strip()]
    except HubError as error:
        raise CheckpointError(f"The variable S2VT_MODELS cannot be used: {error}") from error
    return replace(catalogue, streams=streams | {model.name: model for model in own})


def _where(folder: Path, entry: Mapping[str, str]) -> Path | HubName:
    if "repository" not in entry:
        return folder / entry["checkpoint"]
    where = HubName.parse(f"{entry['repository']}@{entry['revision']}")
    if not where.is_pinned:
        raise S2VTError(f"the revision of “{where.repository}” is not a commit of 40 digits")
    return where


def parse_alpha(text: str) -> dict[str, float]:
    """"rgb=.6,motion=.4" -> {"rgb": 0.6, "motion": 0.4}. Raises `S2VTError`."""
    try:
        pairs = (part.split("=") for part in text.split(","))
        return {name.strip(): float(value) for name, value in pairs}
    except ValueError as error:
        raise S2VTError(f"α is written rgb=.6,motion=.4; not “{text}”.") from error
