"""Streams that write together: p = Σ αₛ pₛ at every word."""

from dataclasses import replace

import pytest
import torch
from captioners import writing_only

from s2vt_model.checkpoint import WEIGHTS, Checkpoint
from s2vt_model.config import CheckpointConfig, S2VTConfig
from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import CheckpointError, S2VTError, VideoError
from s2vt_model.fusion import FusedState, Fusion, check_alpha
from s2vt_model.network import S2VT
from s2vt_model.progress import finish
from s2vt_model.stream import StreamLibrary
from s2vt_model.vocabulary import EOS, Vocabulary

VOCABULARY = Vocabulary(["a", "man", "dog", "is", "running", "singing", "on", "grass"])
SIZES = {"rgb": 6, "motion": 4}
METHODS = {
    "greedy": DecodingOptions("greedy"),
    "beam": DecodingOptions("beam", 4, 0.7),
    "sample": DecodingOptions("sample", seed=3),
}
EVERY_METHOD = pytest.mark.parametrize("options", METHODS.values(), ids=METHODS)


def checkpoint(stream: str, seed: int = 0) -> Checkpoint:
    torch.manual_seed(seed + SIZES[stream])
    config = CheckpointConfig(f"tiny-{stream}", stream, "none", S2VTConfig(SIZES[stream], 5, 4, 8, 10), "zero")
    network = S2VT(config.network).eval()
    for parameter in network.parameters():
        parameter.data.mul_(3)  # large enough to have an opinion
    return Checkpoint(config, VOCABULARY, network, None)


@pytest.fixture
def videos():
    noise = torch.Generator().manual_seed(1)
    return [
        {"rgb": torch.randn(t, 6, generator=noise), "motion": torch.randn(t // 2 + 1, 4, generator=noise)}
        for t in (3, 9, 5, 12, 7)
    ]


def captioner(alpha=None):
    return writing_only(alpha, rgb=checkpoint("rgb"), motion=checkpoint("motion"))


def test_probabilities_are_the_weighted_mean():
    parts = [checkpoint("rgb"), checkpoint("motion")]
    states = tuple(c.encode([torch.randn(5, c.config.network.feature_size)] * 2) for c in parts)
    words = torch.tensor([EOS, 4])
    fused, state = Fusion([c.network for c in parts], [0.3, 0.7]).step(words, FusedState(states))
    alone = [c.network.step(words, s) for c, s in zip(parts, states, strict=True)]
    expected = 0.3 * alone[0][0].softmax(1) + 0.7 * alone[1][0].softmax(1)
    torch.testing.assert_close(fused.exp(), expected)
    for kept, (_, own) in zip(state.streams, alone, strict=True):
        torch.testing.assert_close(kept, own)


@EVERY_METHOD
@pytest.mark.parametrize("stream", ["rgb", "motion"])
def test_all_weight_on_one_stream_is_that_stream_alone(videos, options, stream):
    fused = captioner({"rgb": 0.0, "motion": 0.0} | {stream: 1.0}).decode(videos, options)
    alone = writing_only(**{stream: checkpoint(stream)}).decode(videos, options)
    assert [[h.words for h in row] for row in fused] == [[h.words for h in row] for row in alone]
    for ours, theirs in zip(fused, alone, strict=True):
        assert ours[0].log_prob == pytest.approx(theirs[0].log_prob, abs=1e-4)


@EVERY_METHOD
def test_a_stream_beside_itself_is_itself(videos, options):
    twice = writing_only(a=checkpoint("rgb"), b=checkpoint("rgb"))
    fused = twice.decode([{"a": v["rgb"], "b": v["rgb"]} for v in videos], options)
    alone = writing_only(rgb=checkpoint("rgb")).decode(videos, options)
    assert [h[0].words for h in fused] == [h[0].words for h in alone]


def test_a_fused_beam_of_one_is_fused_greedy(videos):
    greedy = captioner().decode(videos, DecodingOptions("greedy"))
    beam = captioner().decode(videos, DecodingOptions("beam", 1))
    assert [h[0].words for h in beam] == [h[0].words for h in greedy]


@EVERY_METHOD
def test_a_batch_equals_its_videos(videos, options):
    if options.method == "sample":
        pytest.skip("the random numbers of a batch are shared among its videos")
    together = captioner().decode(videos, options)
    one_by_one = [captioner().decode([video], options)[0] for video in videos]
    assert [h[0].words for h in together] == [h[0].words for h in one_by_one]


def test_shares_can_be_changed_while_writing(videos):
    shares = {"rgb": 0.0, "motion": 1.0}
    assert (
        captioner().decode(videos, METHODS["beam"], shares)[0][0].words
        == captioner(shares).decode(videos, METHODS["beam"])[0][0].words
    )


@pytest.mark.parametrize(
    ("alpha", "sentence"),
    [
        ({"rgb": 0.5, "motion": 0.6}, "adds up to 1.1"),
        ({"rgb": -0.5, "motion": 1.5}, "cannot be negative"),
        ({"rgb": float("nan"), "motion": 1.0}, "cannot be negative"),
        ({"rgb": 1.0}, "the streams are rgb, motion"),
        ({"rgb": 0.5, "flow": 0.5}, "the streams are rgb, motion"),
    ],
)
def test_an_alpha_that_is_none_is_refused(alpha, sentence):
    with pytest.raises(S2VTError, match=sentence):
        check_alpha(alpha, ["rgb", "motion"])


def test_streams_of_different_vocabularies_cannot_write_together():
    other = replace(checkpoint("motion"), vocabulary=Vocabulary([*VOCABULARY.words[2:-1], "cat"]))
    with pytest.raises(CheckpointError, match="different vocabularies"):
        writing_only(rgb=checkpoint("rgb"), motion=other)


class Blind:
    """A backbone that cannot look at this video."""

    def __init__(self, size):
        self.config = type("Config", (), {"feature_size": size, "name": "blind"})

    def features_of(self, clip):
        raise VideoError("it has a single frame. Give it a longer part.")
        yield


class Random(Blind):
    def features_of(self, clip):
        yield from ()
        return torch.ones(len(clip.frames), self.config.feature_size)


def with_backbones(rgb, motion):
    fused = captioner({"rgb": 0.4, "motion": 0.6})
    backbones = {"rgb": rgb(6), "motion": motion(4)}
    fused.streams = {name: replace(s, backbone=backbones[name]) for name, s in fused.streams.items()}
    return fused


def test_a_set_goes_on_with_the_streams_that_can_run_and_says_so():
    fused = with_backbones(Random, Blind)
    seen = finish(fused.look("demo/examples/dog.mp4"))
    assert set(seen.features) == {"rgb"}
    assert fused.usage(seen.clips, seen.features).startswith("The model saw 5 of 46 frames")
    assert seen.left_out == {"motion": "The motion stream was left out: it has a single frame. Give it a longer part."}
    alone = writing_only(rgb=checkpoint("rgb")).write(seen.features)
    assert fused.write(seen.features).best.text == alone.best.text


def test_a_set_of_which_no_stream_can_run_is_told():
    with pytest.raises(VideoError, match=r"dog\.mp4” cannot be captioned: The rgb stream was left out"):
        finish(with_backbones(Blind, Blind).look("demo/examples/dog.mp4"))


def test_streams_of_one_backbone_share_its_work():
    class Counted(Random):
        calls = 0

        def features_of(self, clip):
            type(self).calls += 1
            return (yield from super().features_of(clip))

    backbone = Counted(6)
    fused = writing_only(a=checkpoint("rgb"), b=checkpoint("rgb", seed=7))
    fused.streams = {name: replace(s, backbone=backbone) for name, s in fused.streams.items()}
    seen = finish(fused.look("demo/examples/dog.mp4"))
    assert Counted.calls == 1
    assert torch.equal(seen.features["a"], seen.features["b"])


def test_a_library_loads_a_backbone_once():
    library = StreamLibrary("cpu")
    frames, mean = (library.stream(WEIGHTS / name) for name in ("s2vt-msvd-rgb", "meanpool-msvd-rgb"))
    assert frames.backbone is mean.backbone
    assert library.stream(WEIGHTS / "s2vt-msvd-rgb") is frames
