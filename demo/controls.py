"""How sentences are searched for: a method, and only the numbers that matter to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

if TYPE_CHECKING:
    from s2vt_model.decoding import DecodingOptions

METHODS = [("Beam search", "beam"), ("Greedy", "greedy"), ("Sampling", "sample")]
EXPLANATIONS = {
    "beam": "Keeps the most probable beginnings side by side and extends them all, word by word. What they end in "
    "is ranked by its log-probability, divided by its length to the power of the exponent.",
    "greedy": "Takes the most probable next word, every time: quick, and blind to what could come after it.",
    "sample": "Draws each next word at random, by its probability. A low temperature keeps to the likeliest "
    "words, a high one dares more; another seed gives another sentence.",
}


@dataclass(frozen=True)
class Controls:
    """The components, named as the fields of `DecodingOptions` are."""

    method: gr.Radio
    explanation: gr.Markdown
    beam_width: gr.Slider
    length_exponent: gr.Slider
    temperature: gr.Slider
    seed: gr.Slider
    max_words: gr.Slider

    @classmethod
    def draw(cls) -> Controls:
        """Put the components where the page is being built. Their values come with the model."""
        method = gr.Radio(METHODS, value="beam", label="Method", show_label=False, container=False)
        explanation = gr.Markdown(EXPLANATIONS["beam"], elem_classes="explanation")
        with gr.Row():
            return cls(
                method=method,
                explanation=explanation,
                beam_width=_slider(2, 20, 5, 1, "Beam width"),
                length_exponent=_slider(0, 2, 0.7, 0.05, "Exponent"),
                temperature=_slider(0.1, 2, 1, 0.05, "Temperature", visible=False),
                seed=_slider(0, 999, 0, 1, "Seed", visible=False),
                max_words=_slider(1, 40, 20, 1, "Words, at most"),
            )

    @property
    def inputs(self) -> dict[str, Component]:
        """What `options_from` takes."""
        return {name: component for name, component in vars(self).items() if name != "explanation"}

    def set_to(self, options: DecodingOptions) -> dict[Component, Any]:
        """Updates that show these options."""
        return {component: getattr(options, name) for name, component in self.inputs.items()}

    @property
    def outputs_of_show_for(self) -> list[Component]:
        return [self.explanation, self.beam_width, self.length_exponent, self.temperature, self.seed]

    def show_for(self, method: str) -> dict[Component, Any]:
        """Updates that show the numbers of one method and hide the others'."""
        return {
            self.explanation: EXPLANATIONS[method],
            self.beam_width: gr.Slider(visible=method == "beam"),
            self.length_exponent: gr.Slider(visible=method == "beam"),
            self.temperature: gr.Slider(visible=method == "sample"),
            self.seed: gr.Slider(visible=method == "sample"),
        }


def _slider(least: float, most: float, value: float, step: float, label: str, visible: bool = True):
    return gr.Slider(least, most, value, step=step, label=label, visible=visible, min_width=200)


def options_from(**values: Any) -> DecodingOptions:
    """What the controls say. Raises `S2VTError` for a value that makes no sense."""
    from s2vt_model.decoding import DecodingOptions  # imports torch

    return DecodingOptions(**values)
