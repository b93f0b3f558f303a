"""The record of a decoding: it says what happened, changes nothing, and is small."""

import copy
import json
import math
import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
import torch
from captioners import writing_only
from films import VOCABULARY, film, footage, noise_film, only, tiny
from torch import nn

from s2vt_model.checkpoint import WEIGHTS, load_checkpoint
from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import S2VTError
from s2vt_model.network import WRITING
from s2vt_model.progress import finish
from s2vt_model.trace import Trace, trace
from s2vt_model.trace import record as record_module
from s2vt_model.trace.layers import representative_units
from s2vt_model.trace.packed import pack
from s2vt_model.trace.stepped import Recording, Stepped, wrapped
from s2vt_model.vocabulary import EOS

METHODS = {
    "greedy": DecodingOptions("greedy"),
    "beam": DecodingOptions("beam", 4, 0.7),
    "sample": DecodingOptions("sample", seed=3),
}
EVERY_METHOD = pytest.mark.parametrize("options", METHODS.values(), ids=METHODS)
MAX_BYTES = 400_000  # of a stream's trace, 80 frames and 15 words
FRAMES, WORDS = 80, 15


def record(captioner, film, options=METHODS["beam"], **more) -> Trace:
    return finish(trace(captioner, film, options, attribution=None, **more))


def fused():
    return writing_only({"rgb": 0.6, "motion": 0.4}, rgb=tiny("rgb"), motion=tiny("motion"))


@pytest.fixture(scope="module")
def released():
    return load_checkpoint(WEIGHTS / "s2vt-msvd-rgb")


@pytest.fixture(scope="module")
def long_film(released):
    """80 frames that wander away from "no frame"."""
    noise = torch.randn(FRAMES, released.config.network.feature_size, generator=torch.Generator().manual_seed(0))
    return film(rgb=footage((released.network.no_frame + 0.05 * noise.cumsum(dim=0)).clamp_min(0)))


@pytest.fixture(scope="module")
def traced(released, long_film) -> Trace:
    """All there is to trace, of 80 frames and 15 words."""
    options = DecodingOptions("beam", 5, max_words=WORDS)
    return finish(trace(writing_only(rgb=released), long_film, options, prefix=range(2, 2 + WORDS)))


# --- nothing changes ----------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["lstm1", "lstm2"])
def test_the_steps_that_are_recorded_are_those_of_torchs_lstm(released, long_film, layer):
    """On the weights and inputs of a whole reading and writing, with the recording on; in double precision: in single,
    sums in another order alone move lstm2 by up to 2e-5 here."""
    network = wrapped(copy.deepcopy(released.network).double(), Recording)
    features = long_film.features["rgb"].double()
    words = torch.arange(EOS, WORDS)[None]
    with torch.inference_mode():
        frames = network.frame_embedding(torch.cat([features, network.no_frame.expand(WORDS, -1)]))
        state = network.encode(features[None])
        network.decode(words, state)
        ours = {name: getattr(network, name).steps()[0][0] for name in ("lstm1", "lstm2")}
        inputs = {"lstm1": frames[None]}
        flags = torch.cat([torch.zeros(FRAMES, 1), torch.full((WORDS, 1), WRITING)])
        heard = network.word_embedding(torch.cat([torch.full((FRAMES,), EOS), words[0]]))
        inputs["lstm2"] = torch.cat([ours["lstm1"], heard, flags], dim=1)[None]
        reference = nn.LSTM(inputs[layer].shape[2], network.config.hidden_size, batch_first=True).double()
        reference.load_state_dict(getattr(released.network, layer).state_dict())
        theirs, _ = reference(inputs[layer])
    assert theirs.abs().max() > 0.1
    torch.testing.assert_close(ours[layer], theirs[0], rtol=0, atol=1e-5)


@EVERY_METHOD
def test_tracing_leaves_captions_bitwise_unchanged(options):
    captioner, seen = fused(), noise_film()
    before = captioner.decode([seen.features], options)
    found = record(captioner, seen, options)
    assert captioner.decode([seen.features], options) == before
    best = before[0][0]
    assert found.caption == VOCABULARY.decode(best.words)
    assert [w.log_prob for w in found.words[: len(best.words)]] == pytest.approx(best.word_log_probs, abs=1e-5)
    watched = []
    assert captioner.decode([seen.features], options, watch=watched.append) == before
    assert bool(watched) == (options.method == "beam")


def test_a_wrapped_network_shares_its_weights_and_leaves_the_other_alone(released):
    twin = wrapped(released.network, Stepped)
    assert twin.lstm1.cell.weight_hh_l0 is released.network.lstm1.weight_hh_l0
    assert isinstance(released.network.lstm1, nn.LSTM)


# --- the record ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("cell", "gates"), [("lstm", "ifogch"), ("gru", "rznh"), ("rnn", "h")])
@pytest.mark.parametrize("architecture", ["s2vt", "mean_pool"])
def test_every_cell_shows_the_gates_and_states_it_has(cell, gates, architecture):
    checkpoint = tiny(cell=cell, architecture=architecture)
    found = record(writing_only(rgb=checkpoint), only(noise_film(5), "rgb"))
    (stream,) = found.streams
    reads = 5 if architecture == "s2vt" else 0
    assert stream.encoding_steps == reads
    assert list(stream.reading_order) == list(range(reads))
    for layer in stream.layers:
        steps = reads + len(found.words)
        assert sorted(layer.quantities) == sorted(gates)
        for name, quantity in layer.quantities.items():
            assert len(quantity.mean) == steps
            assert quantity.units.shape == (steps, 8)
            assert (quantity.low is not None) == (name in "iforz")
        assert (layer.log_survival is not None) == (cell != "rnn")
        assert (layer.survival is not None) == (cell != "rnn" and reads > 0)


def test_summaries_and_units_are_those_of_the_steps():
    checkpoint, seen = tiny(), only(noise_film(6), "rgb")
    found = record(writing_only(rgb=checkpoint), seen)
    network = checkpoint.network
    layer = found.streams[0].layers[0]
    frames = network.frame_embedding(torch.cat([seen.features["rgb"], network.no_frame.expand(len(found.words), -1)]))
    state, kept = network.lstm1.start(1), []
    for t, frame in enumerate(frames):
        state, gates = network.lstm1.step(frame[None], state)
        kept.append(gates.f[0])
        quantity = layer.quantities["f"]
        assert quantity.mean[t] == pytest.approx(gates.f.mean().item(), abs=1e-3)
        assert quantity.low[t] == pytest.approx((gates.f < 0.1).float().mean().item(), abs=1e-3)
        assert quantity.high[t] == pytest.approx((gates.f > 0.9).float().mean().item(), abs=1e-3)
        shown = torch.from_numpy(layer.quantities["c"].units.unpack()[t])
        step = (layer.quantities["c"].units.high - layer.quantities["c"].units.low) / 255
        torch.testing.assert_close(shown, state[1][0, list(layer.units)], rtol=0, atol=step / 2 + 1e-6)
    kept = torch.stack(kept)
    survival, log_survival = layer.survival.unpack(), torch.from_numpy(layer.log_survival.unpack())
    for k in range(6):
        for word in range(len(found.words)):
            left = kept[k + 1 : 6 + word + 1].prod(dim=0)
            assert survival[k, word] == pytest.approx(left.mean().item(), abs=1e-4)
            by_units = (log_survival[6 + word] - log_survival[k]).exp()
            torch.testing.assert_close(by_units, left[list(layer.units)], rtol=0.02, atol=1e-4)


def test_the_units_that_are_shown_reach_from_the_liveliest_to_the_stillest():
    h = torch.randn(20, 200) * torch.linspace(0, 1, 200)
    units = representative_units(h)
    assert len(set(units.tolist())) == 64
    spread = h.std(dim=0)
    assert units[0] == spread.argmax()
    assert units[-1] == spread.argmin()


@pytest.mark.parametrize("captioner", [fused, lambda: writing_only(rgb=tiny())], ids=["fused", "alone"])
def test_words_add_up(captioner):
    captioner = captioner()
    seen = noise_film() if len(captioner.streams) == 2 else only(noise_film(), "rgb")
    found = record(captioner, seen, METHODS["greedy"])
    alpha = [stream.alpha for stream in found.streams]
    assert sum(alpha) == pytest.approx(1)
    for step, word in enumerate(found.words):
        assert word.candidates[0].text == word.text  # greedy
        assert word.candidates[0].p == pytest.approx(math.exp(word.log_prob), rel=1e-3)
        assert "<UNK>" not in {c.text for c in word.candidates}
        assert 0 < word.entropy <= math.log(len(VOCABULARY))
        assert (word.p_end == 0) == (step == 0)
        for candidate in word.candidates:
            mixed = sum(a * p for a, p in zip(alpha, candidate.streams, strict=True)) / (1 - word.barred)
            assert mixed == pytest.approx(candidate.p, rel=1e-3)
        every = sum(c.p for c in word.candidates)  # the toy vocabulary has fewer words than are listed
        assert every == pytest.approx(1, abs=1e-3)


def test_the_tree_holds_the_beam():
    captioner, seen = fused(), noise_film()
    options = METHODS["beam"]
    found = record(captioner, seen, options)
    hypotheses = captioner.decode([seen.features], options)[0]
    width = options.beam_width
    paths = []
    for node in found.beam:
        parent = None if node.parent is None else found.beam[node.parent]
        assert (parent is None) == (node.step == 0)
        if parent:
            assert (parent.step, parent.fate) == (node.step - 1, "kept")
            assert node.total == pytest.approx(parent.total + node.log_prob, abs=1e-3)
        assert node.score == pytest.approx(node.total / (node.step + 1) ** 0.7, rel=1e-3)
        words = [] if node.parent is None else paths[node.parent]
        paths.append([*words, node.text])
    for step in range(max(n.step for n in found.beam) + 1):
        assert sum(n.step == step and n.fate == "kept" for n in found.beam) <= width
    finished = sorted((" ".join(p[:-1]) for p, n in zip(paths, found.beam, strict=True) if n.fate == "finished"))
    assert finished == sorted(VOCABULARY.decode(h.words) for h in hypotheses if h.end_log_prob is not None)
    chosen = [n.text for n in found.beam if n.chosen]
    assert chosen == [w.text for w in found.words]
    assert found.caption == VOCABULARY.decode(hypotheses[0].words)


def test_a_cut_sentence_has_no_end_and_its_path():
    seen = only(noise_film(), "rgb")
    captioner = writing_only(rgb=tiny())
    captioner.streams["rgb"].checkpoint.network.predict.bias.data[EOS] = -50.0
    found = record(captioner, seen, replace(METHODS["beam"], max_words=4))
    assert not found.finished
    assert len(found.words) == 4
    assert [n.text for n in found.beam if n.chosen] == [w.text for w in found.words]


def test_a_shuffled_stream_says_in_which_order_it_read():
    found = record(writing_only(rgb=tiny(order="shuffled")), only(noise_film(8), "rgb"))
    (stream,) = found.streams
    assert sorted(stream.reading_order) == list(range(8)) != list(stream.reading_order)
    assert [f.time_s for f in stream.frames] == sorted(f.time_s for f in stream.frames)


# --- as it watches ------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [METHODS["greedy"], METHODS["beam"]], ids=["greedy", "beam"])
def test_each_prefix_has_the_caption_of_the_film_so_far(options):
    captioner, seen = fused(), noise_film(9, seed=2)
    found = record(captioner, seen, options)
    assert found.watching[-1].caption == found.caption
    assert len({p.caption for p in found.watching}) > 1
    assert [p.time_s for p in found.watching] == sorted({f.last_time_s for s in found.streams for f in s.frames})
    for prefix in found.watching:
        counts = dict(zip(("rgb", "motion"), prefix.frames, strict=True))
        for name, count in counts.items():
            assert count == sum(f.last_time_s <= prefix.time_s for f in seen.streams[name].frames)
        so_far = {name: seen.features[name][:count] for name, count in counts.items() if count}
        assert prefix.caption == captioner.write(so_far, options).best.text
    assert found.watching[0].frames == (1, 0)  # the first motion vector is not complete: rgb writes alone


# --- JSON ---------------------------------------------------------------------------------------


def test_json_holds_the_whole_trace(traced):
    assert Trace.from_json(traced.to_json()) == traced


def test_every_field_stands_in_the_schemas_text():
    """In what is set as code there: a name in the prose, such as “clip”, describes no field."""
    text = Path(record_module.__file__).with_name("SCHEMA.md").read_text(encoding="utf-8")
    code = " ".join(re.findall(r"`[^`\n]+`|[├└]─ \w+|\{[^}]+\}", text))
    kinds = [kind for kind in vars(record_module).values() if is_dataclass(kind)]
    missing = {f"{k.__name__}.{f.name}" for k in kinds for f in fields(k) if not re.search(rf"\b{f.name}\b", code)}
    assert len(kinds) >= 14
    assert not missing


def test_json_is_small(traced):
    text = traced.to_json()
    assert len(traced.words) in (WORDS, WORDS + 1)
    assert [len(s.frames) for s in traced.streams] == [FRAMES]
    assert len(traced.methods) == len(traced.streams[0].attribution) == 6
    assert len(text.encode()) <= MAX_BYTES


@pytest.mark.parametrize("bits", [8, 16])
def test_packing_loses_half_a_step_at_most(bits):
    values = torch.randn(7, 5) * 3
    packed = pack(values, bits)
    half = (packed.high - packed.low) / (2**bits - 1) / 2
    assert torch.from_numpy(packed.unpack()).sub(values).abs().max() <= half * 1.01
    assert pack(torch.ones(2, 3), bits).unpack().tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda t: "nonsense", "This is not a trace"),
        (lambda t: json.dumps([1]), "This is not a trace"),
        (lambda t: json.dumps(json.loads(t) | {"version": 99}), "version 99"),
        (lambda t: json.dumps({k: v for k, v in json.loads(t).items() if k != "words"}), "damaged .*words"),
        (lambda t: json.dumps(json.loads(t) | {"log_prob": "high"}), "damaged .*high"),
    ],
)
def test_what_is_no_trace_is_refused(damage, sentence):
    text = record(writing_only(rgb=tiny()), only(noise_film(), "rgb")).to_json()
    with pytest.raises(S2VTError, match=sentence):
        Trace.from_json(damage(text))
