"""The player as one HTML file: the clip and the trace inside, nothing to fetch, nobody to ask.

It is the demo's own player, from the same files; shim.js gives it what Gradio gives it on the page.
"""

from __future__ import annotations

import base64
import html
import json
import mimetypes
from pathlib import Path
from string import Template
from typing import Any

from demo.player import FOLDER, SCRIPTS
from s2vt_model.errors import S2VTError

MAX_CLIP_MB = 30  # a larger page takes browsers long to open

HERE = Path(__file__).parent


def saved_page(record: dict[str, Any], trace: dict[str, Any], video: Path | None) -> str:
    """The text of the file. `record` and `trace`: what the player is told of both (demo/player, demo/tracing.py).

    Raises `S2VTError` for a clip that is too large. Without a `video` the page shows the trace alone.
    """
    clip = None
    if video is not None:
        megabytes = video.stat().st_size / 1e6
        if megabytes > MAX_CLIP_MB:
            raise S2VTError(
                f"“{video.name}” has {megabytes:.0f} MB; a page holds clips of up to {MAX_CLIP_MB} MB. "
                "Shorten the clip or make it smaller."
            )
        data = base64.b64encode(video.read_bytes()).decode("ascii")
        clip = {"type": mimetypes.guess_type(video.name)[0] or "video/mp4", "data": data}
    return Template(_read(HERE / "page.html")).substitute(
        title=html.escape(record["candidates"][0]["text"]),
        theme=_read(HERE / "theme.css"),
        style=_read(FOLDER / "style.css"),
        template=_read(FOLDER / "template.html"),
        value=_inside_script({**record, **trace, "video": ""}),
        clip=_inside_script(clip),
        shim=_read(HERE / "shim.js"),
        script="\n".join(_read(FOLDER / name) for name in SCRIPTS),
    )


def _inside_script(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(value).replace("<", "\\u003c")


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")
