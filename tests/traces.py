"""Traces that no model made: right in form, with a planted truth, for tests of the screen.

Word w came from the frames around w / words · frames: every method's map has its hill there, and the
map of the randomised network has none.
"""

import base64
from itertools import pairwise
from typing import Any

import numpy as np

SENTENCE = ("a", "dog", "is", "lying", "on", "the", "floor")
METHODS = {
    "gradient_norm": "Gradient norm",
    "gradient_times_input": "Gradient × input",
    "integrated_gradients": "Integrated gradients",
    "occlusion_replaced": "Occlusion, replaced",
    "occlusion_deleted": "Occlusion, deleted",
    "single_frame": "Single frame",
}
FRAME_GAP_S = 1 / 3


def packed(values: np.ndarray, bits: int = 8) -> dict[str, Any]:
    """As SCHEMA.md says."""
    low, high = float(values.min()), float(values.max())
    codes = (values - low) / ((high - low) or 1) * (2**bits - 1)
    data = codes.round().astype("<u2" if bits == 16 else "u1").tobytes()
    return {
        "shape": list(values.shape), "bits": bits, "low": low, "high": high, "data": base64.b64encode(data).decode(),
    }  # fmt: skip


def made_trace(
    frames: int = 10,
    sentence: tuple[str, ...] = SENTENCE,
    streams: tuple[str, ...] = ("rgb",),
    cell: str = "lstm",
    start_s: float = 0.0,
) -> dict[str, Any]:
    """A trace of `frames` frames from `start_s` on, one every third of a second, and a finished sentence."""
    rng = np.random.default_rng(frames)
    words = [*sentence, "<EOS>"]
    duration_s = frames * FRAME_GAP_S
    return {
        "schema": "s2vt-trace", "version": 1, "model": "+".join(streams), "start_s": start_s, "duration_s": duration_s,
        "edits": [],
        "decoding": {"method": "beam", "beam_width": 2, "length_exponent": 0.7, "temperature": 1.0, "seed": 0,
                     "max_words": 20},
        "caption": " ".join(sentence), "log_prob": -4.0, "finished": True,
        "words": [_word(word, at, len(streams)) for at, word in enumerate(words)],
        "streams": [_stream(name, frames, len(words), 1 / len(streams), cell, start_s, rng) for name in streams],
        "beam": _beam(words),
        "watching": [
            {"time_s": start_s + k * FRAME_GAP_S, "frames": [k + 1] * len(streams),
             "caption": " ".join(sentence if k > frames // 2 else ("a", "cat", *sentence[2:])),
             "log_prob": -5 + k / frames}
            for k in range(frames)
        ],
        "methods": [
            {"name": name, "title": title, "definition": f"{title}: a definition for the screen.", "unit": "nat"}
            for name, title in METHODS.items()
        ],
    }  # fmt: skip


def _word(text: str, at: int, streams: int) -> dict[str, Any]:
    others = ["cat", "man", "<EOS>", "woman", "person", "ball", "car", "horse", "table"]
    shares = [max(0.6 - 0.05 * at, 0.05), *(0.2 / 2**k for k in range(len(others)))]
    return {
        "text": text, "log_prob": float(np.log(shares[0])), "forced": False, "entropy": 1.5,
        "p_end": 0.05 if at else 0.0, "barred": 0.01, "streams": [shares[0]] * streams,
        "candidates": [
            {"text": word, "p": p, "streams": [p * (1 - 0.2 * s) for s in range(streams)]}
            for word, p in zip([text, *others], shares, strict=True)
        ],
    }  # fmt: skip


def _stream(
    name: str, frames: int, words: int, alpha: float, cell: str, start_s: float, rng: np.random.Generator
) -> dict[str, Any]:
    starts = [round(start_s + k * FRAME_GAP_S, 4) for k in range(frames + 1)]
    hill = np.exp(-((np.arange(frames) - np.linspace(0, frames - 1, words)[:, None]) ** 2) / 2)
    return {
        "name": name, "checkpoint": f"s2vt-{name}", "architecture": "s2vt", "cell": cell, "alpha": alpha,
        "frames": [
            {"index": 10 * k, "last_index": 10 * k, "time_s": start, "last_time_s": start,
             "end_s": end, "clip": 0}
            for k, (start, end) in enumerate(pairwise(starts))
        ],
        "reading_order": list(range(frames)), "encoding_steps": frames, "baseline": "mean",
        "layers": [_layer(layer, frames, words, cell, rng) for layer in ("lstm1", "lstm2")],
        "attribution": [_attribution(method, hill, rng) for method in METHODS],
        "scores": {"with_frames": [-1.0] * words, "without_frames": [-3.0] * words},
    }  # fmt: skip


def _layer(name: str, frames: int, words: int, cell: str, rng: np.random.Generator) -> dict[str, Any]:
    steps, shown = frames + words, 64

    def quantity(kind: str) -> dict[str, Any]:
        drift = np.cumsum(rng.normal(0, 0.3, (steps, shown)), axis=0)
        values = 1 / (1 + np.exp(-drift)) if kind in "iforz" else np.tanh(drift)
        is_gate = kind in "iforz"
        return {
            "mean": values.mean(axis=1).tolist(),
            "low": (values < 0.1).mean(axis=1).tolist() if is_gate else None,
            "high": (values > 0.9).mean(axis=1).tolist() if is_gate else None,
            "units": packed(values),
        }

    kinds = {"lstm": "ifogch", "gru": "rznh", "rnn": "h"}[cell]
    left = np.exp(-0.08 * (np.arange(words)[:, None] + np.arange(frames, 0, -1)))
    return {
        "name": name, "size": 512, "units": list(range(0, 512, 8)), "quantities": {k: quantity(k) for k in kinds},
        "log_survival": None if cell == "rnn" else packed(np.cumsum(-np.full((steps, shown), 0.08), axis=0), 16),
        "survival": None if cell == "rnn" else packed(left.T),
    }  # fmt: skip


def _attribution(method: str, hill: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    planted = {"gradient_norm": hill, "single_frame": hill - 6}.get(method, hill - 0.2)
    return {
        "values": packed(planted, 16),
        "randomised": packed(rng.normal(0, 0.2, hill.shape), 16),
        "rank_correlations": [1.0 if other == method else 0.9 for other in METHODS],
        "randomised_correlation": 0.02,
        "completeness_error": [0.001] * len(hill) if method == "integrated_gradients" else None,
        "window": 3 if method.startswith("occlusion") else None,
    }  # fmt: skip


def _beam(words: list[str]) -> list[dict[str, Any]]:
    """At each step the word, which goes on, and a second one, which is dropped."""
    nodes: list[dict[str, Any]] = []
    total = 0.0
    for step, word in enumerate(words):
        parent = None if step == 0 else len(nodes) - 2
        for text, cost, chosen in ((word, -0.5, True), ("cat", -1.5, False)):
            nodes.append(
                {"parent": parent, "step": step, "text": text, "log_prob": cost, "total": total + cost,
                 "score": (total + cost) / (step + 1) ** 0.7,
                 "fate": ("finished" if word == "<EOS>" else "kept") if chosen else "dropped", "chosen": chosen}
            )  # fmt: skip
        total -= 0.5
    return nodes
