"""Which model writes: a row of names, a box for one that is not listed, and a line about the chosen one."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

if TYPE_CHECKING:
    from s2vt_model.captioner import Captioner
    from s2vt_model.models import Catalogue, Model

LOADING = "<p>The model is loading. You can choose a video already.</p>"


@dataclass(frozen=True)
class Menu:
    """The components. What there is to choose from comes with the catalogue."""

    choice: gr.Radio
    unlisted: gr.Textbox
    about: gr.HTML

    @classmethod
    def draw(cls) -> Menu:
        """Put the components where the page is being built."""
        with gr.Column(elem_id="menu"):
            choice = gr.Radio([], label="Model", show_label=False, container=False, visible=False, elem_id="models")
            unlisted = gr.Textbox(
                label="A checkpoint of the Hugging Face Hub",
                show_label=False,
                container=False,
                placeholder="Another checkpoint of the Hugging Face Hub: org/name",
                max_length=200,
                visible=False,
                elem_id="unlisted",
            )
            return cls(choice, unlisted, gr.HTML(LOADING, elem_id="model"))

    @property
    def outputs(self) -> set[Any]:
        return {self.choice, self.unlisted, self.about}

    def list(self, catalogue: Catalogue) -> dict[Any, Any]:
        """Updates that offer all models, the default one chosen."""
        names = [model.name for model in catalogue.models]
        return {self.choice: gr.Radio(names, value=names[0], visible=True), self.unlisted: gr.Textbox(visible=True)}

    def choose(self, catalogue: Catalogue, name: str) -> dict[Any, Any]:
        """Updates that choose a model, and offer it where it is not listed."""
        names = [model.name for model in catalogue.models]
        return {self.choice: gr.Radio(value=name) if name in names else gr.Radio([*names, name], value=name)}

    def describe(self, model: Model, captioner: Captioner | None = None) -> dict[Any, Any]:
        """Updates that say what the chosen model is; with its captioner, what became of it."""
        text = f"<b>{html.escape(model.name)}</b>: {html.escape(model.about)}"
        if captioner is None:
            return {self.about: f"<p>{text}. It is loading.</p>"}
        words = len(captioner.vocabulary)
        return {self.about: f"<p>{text}. It knows {words:,} words and runs on {captioner.device}.</p>"}

    def complain(self, sentence: str) -> dict[Any, Any]:
        """Updates that say why there is no such model."""
        return {self.about: f'<p class="problem" role="alert">{html.escape(sentence)}</p>'}
