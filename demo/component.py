"""A folder with template.html, style.css and scripts -> one `gr.HTML` component.

Its value is a JSON string. Gradio passes strings on unchanged, whereas a dict would come back as
text from a cache; and script.js puts every text on the page as text, so nothing needs escaping.
"""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr


def component(
    folder: Path, elem_id: str, value: object = None, scripts: Sequence[str] = ("script.js",), **props: Any
) -> gr.HTML:
    """The component whose web assets lie in `folder`; template.html may name `props`.

    Gradio runs one text per component, as the body of one function: `scripts` are joined in their
    order and see each other's names.
    """
    return gr.HTML(
        json.dumps(value),
        html_template=_read(folder / "template.html"),
        css_template=_read(folder / "style.css"),
        js_on_load="\n".join(_read(folder / script) for script in scripts),
        apply_default_css=False,
        elem_id=elem_id,
        **props,
    )


def served_file(owner: gr.HTML, suffix: str) -> Path:
    """A new name where Gradio serves files from, and deletes them after their lifetime."""
    folder = Path(owner.GRADIO_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"s2vt-{uuid.uuid4().hex}{suffix}"
    owner.temp_files.add(str(file))
    return file


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")
