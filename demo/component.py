"""A folder with template.html, style.css and script.js -> one `gr.HTML` component.

Its value is a JSON string. Gradio passes strings on unchanged, whereas a dict would come back as
text from a cache; and script.js puts every text on the page as text, so nothing needs escaping.
"""

import json
from pathlib import Path

import gradio as gr


def component(folder: Path, elem_id: str, value: object = None) -> gr.HTML:
    """The component whose web assets lie in `folder`."""
    return gr.HTML(
        json.dumps(value),
        html_template=_read(folder / "template.html"),
        css_template=_read(folder / "style.css"),
        js_on_load=_read(folder / "script.js"),
        apply_default_css=False,
        elem_id=elem_id,
    )


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")
