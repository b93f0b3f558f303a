"""What every model writes about one video, a row each, as they finish.

As its script.js is told it, in JSON; null where nothing was compared:

    chosen                                                   the name of the model that was compared from
    rows[{name, about, caption, prob, seconds_to_write, seconds_to_look, note}]
                                                             seconds_to_look is null where the features were known
    rows[{name, about, problem}]                             of a model that could not write, a sentence why
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from demo.component import component
from demo.engine import Engine
from demo.status import FAILED
from demo.watching import Watched, watch
from s2vt_model.errors import S2VTError
from s2vt_model.progress import Progress, Work

if TYPE_CHECKING:
    from s2vt_model.models import Model

NOT_HERE = "It is on the Hugging Face Hub. Choose it once to download it, then compare again."

Row = dict[str, Any]


def comparison() -> gr.HTML:
    """The component, invisible until there is a row."""
    return component(Path(__file__).parent, "comparison", scripts=("../player/tools.js", "script.js"))


def rows_message(chosen: str, rows: list[Row]) -> str:
    """What the component is told."""
    return json.dumps({"chosen": chosen, "rows": rows})


def compare(engine: Engine, models: Sequence[Model], watched: Watched) -> Iterator[Progress | tuple[Row, Watched]]:
    """A row of every model and what is known by then; those that need not look come first."""
    looking = []
    for model in models:
        if not engine.is_at_hand(model):
            yield _failed(model, NOT_HERE), watched
            continue
        try:
            captioner = yield from engine.captioner(model.name)
        except S2VTError as error:
            yield _failed(model, str(error)), watched
            continue
        if captioner.knows(watched.views):
            yield (yield from _row(engine, model, watched))
        else:
            looking.append(model)
    for model in looking:
        row, watched = yield from _row(engine, model, watched)
        yield row, watched


def _row(engine: Engine, model: Model, watched: Watched) -> Work[tuple[Row, Watched]]:
    """The row of one model, as it decodes by default, and all that is known after it."""
    try:
        captioner = yield from engine.captioner(model.name)
        # The file was watched before, so there is a preview already where it needs one.
        found = yield from watch(engine, replace(watched.wish, model=model.name), watched, watched.footage.played)
        captions = captioner.write(captioner.features(found.views))
    except S2VTError as error:
        return _failed(model, str(error)), watched
    except Exception:
        logging.exception("Captioning %s with %s failed", watched.wish.path, model.name)
        return _failed(model, FAILED), watched
    row = {
        "name": model.name,
        "about": model.about,
        "caption": captions.best.text,
        "prob": math.exp(captions.best.log_prob),
        "seconds_to_write": captions.decode_seconds,
        "seconds_to_look": sum(found.seconds.values()) if found.seconds else None,
        "note": " ".join(found.left_out),
    }
    if not found.seconds:
        return row, watched  # the same object where nothing was found out: Gradio must see no change
    return row, replace(watched, views=found.views, clips=found.clips, scenes=found.scenes)


def _failed(model: Model, sentence: str) -> Row:
    return {"name": model.name, "about": model.about, "problem": sentence}
