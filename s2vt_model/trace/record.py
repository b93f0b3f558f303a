"""The record of one decoding, and its JSON. SCHEMA.md beside this file says what every field means, in which unit.

The record holds what the JSON holds, no more: numbers are rounded and packed when it is made, so that
`Trace.from_json(trace.to_json()) == trace`.
"""

import json
import types
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from s2vt_model.config import Architecture, CellName
from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import S2VTError, first_line
from s2vt_model.trace.packed import Packed

SCHEMA, VERSION = "s2vt-trace", 1

MethodName = Literal[
    "gradient_norm",
    "gradient_times_input",
    "integrated_gradients",
    "occlusion_replaced",
    "occlusion_deleted",
    "single_frame",
]
Fate = Literal["kept", "finished", "dropped"]


@dataclass(frozen=True)
class Candidate:
    """A word that could have been written."""

    text: str
    p: float
    streams: tuple[float, ...]  # each stream's own p, nothing barred


@dataclass(frozen=True)
class TracedWord:
    """One writing step."""

    text: str
    log_prob: float
    forced: bool
    entropy: float
    p_end: float
    barred: float
    streams: tuple[float, ...]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class TracedFrame:
    """What one vector of a stream stands for: a slot on the time axis, and the picture in it."""

    index: int  # of its first picture, in the source file
    last_index: int  # of its last one
    time_s: float
    last_time_s: float  # when its last picture comes
    end_s: float
    clip: int = 0  # 0: of the film itself; 1: of the clip that an edit took an ending from


@dataclass(frozen=True)
class Quantity:
    """A gate or a state at every step."""

    mean: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None
    units: Packed


@dataclass(frozen=True)
class Layer:
    """One recurrent layer at every step, reading and writing."""

    name: str
    size: int
    units: tuple[int, ...]
    quantities: dict[str, Quantity]
    log_survival: Packed | None
    survival: Packed | None


@dataclass(frozen=True)
class Attribution:
    """One method's map, words × frames."""

    values: Packed
    randomised: Packed
    rank_correlations: tuple[float | None, ...]
    randomised_correlation: float | None
    completeness_error: tuple[float, ...] | None
    window: int | None


@dataclass(frozen=True)
class Scores:
    """log p of each word, with a stream's frames and with “no frame” in the place of all of them."""

    with_frames: tuple[float, ...]
    without_frames: tuple[float, ...]


@dataclass(frozen=True)
class TracedStream:
    """What read the film."""

    name: str
    checkpoint: str
    architecture: Architecture
    cell: CellName
    alpha: float
    frames: tuple[TracedFrame, ...]
    reading_order: tuple[int, ...]
    encoding_steps: int
    baseline: Literal["zero", "mean"]
    layers: tuple[Layer, ...]
    attribution: tuple[Attribution, ...]
    scores: Scores | None


@dataclass(frozen=True)
class Node:
    """A continuation that the beam looked at."""

    parent: int | None
    step: int
    text: str
    log_prob: float
    total: float
    score: float
    fate: Fate
    chosen: bool


@dataclass(frozen=True)
class Prefix:
    """The caption had the clip ended here."""

    time_s: float
    frames: tuple[int, ...]
    caption: str
    log_prob: float


@dataclass(frozen=True)
class Method:
    """How words are attributed to frames."""

    name: MethodName
    title: str
    definition: str
    unit: str


@dataclass(frozen=True)
class Trace:
    """One decoding."""

    model: str
    start_s: float
    duration_s: float
    edits: tuple[str, ...]
    decoding: DecodingOptions
    caption: str
    log_prob: float
    finished: bool
    words: tuple[TracedWord, ...]
    streams: tuple[TracedStream, ...]
    beam: tuple[Node, ...]
    watching: tuple[Prefix, ...]
    methods: tuple[Method, ...]

    def to_json(self) -> str:
        head = {"schema": SCHEMA, "version": VERSION}
        return json.dumps(head | asdict(self), ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Trace":
        """Raises `S2VTError` where `text`, or what a file of any kind holds, is not a trace of this version."""
        try:
            found = json.loads(text)
            schema, version = found["schema"], found["version"]
        except (ValueError, KeyError, TypeError) as error:
            raise S2VTError("This is not a trace. Make one with “caption FILE --trace out.json”.") from error
        if (schema, version) != (SCHEMA, VERSION):
            raise S2VTError(
                f"This is a {schema} of version {version}; what is read here is a {SCHEMA} of version {VERSION}. "
                "Make it again with “caption FILE --trace out.json”."
            )
        try:
            return _build(cls, found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise S2VTError(f"The trace is damaged ({first_line(error)}). Make it again.") from error


def rounded(value: float, digits: int = 5) -> float:
    """To so many significant digits: what JSON need not carry."""
    return float(f"{value:.{digits}g}")


def _build(kind: Any, value: Any) -> Any:
    """What `asdict` and JSON made of an object of type `kind`, back."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else _build(parts[0], value)  # all unions here are “… or none”
    if origin is tuple:
        return tuple(_build(parts[0], v) for v in value)
    if origin is dict:
        return {k: _build(parts[1], v) for k, v in value.items()}
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{f.name: _build(hints[f.name], value[f.name]) for f in fields(kind)})
    if origin is Literal:
        if value not in parts:
            raise ValueError(f"“{value}” is none of {', '.join(map(str, parts))}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind):
        raise TypeError(f"“{value}” is no {kind.__name__}")
    return value
