"""Video in, caption out: the stages, what they tell, and what is not done twice."""

from dataclasses import replace

import pytest
import torch
from videos import write_video

from s2vt_model.captioner import Captioner, Seen, caption_record, resolve_device
from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import CheckpointError, S2VTError, VideoError
from s2vt_model.progress import Progress, finish
from s2vt_model.stream import Stream
from s2vt_model.video import Sampling
from s2vt_model.vocabulary import SPECIALS


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """95 frames, 3.8 s: ten are seen."""
    return write_video(tmp_path_factory.mktemp("videos") / "clip.webm", 95, size=(96, 128))


@pytest.fixture(scope="module")
def seen(captioner, video) -> Seen:
    return finish(captioner.look(video))


def test_looking_gives_a_feature_vector_a_frame(captioner, seen):
    assert seen.clip.indices == tuple(range(0, 95, 10))
    stream = captioner.streams["rgb"]
    assert seen.features["rgb"].shape == (10, stream.checkpoint.config.network.feature_size)
    one = stream.backbone(seen.clip.frames[3:4])
    torch.testing.assert_close(seen.features["rgb"][3:4], one, rtol=0, atol=1e-3)
    assert seen.read_seconds > 0
    assert seen.features_seconds > 0


def test_the_stages_follow_each_other_and_each_starts_at_nothing(captioner, video):
    steps = list(captioner.caption(video))
    stages = [step.stage for step in steps]
    assert list(dict.fromkeys(stages)) == ["read", "features", "decode"]
    assert stages == sorted(stages, key=["read", "features", "decode"].index)
    for stage in ("read", "features", "decode"):
        assert next(step for step in steps if step.stage == stage).fraction == 0


def test_captioning_is_looking_and_writing(captioner, video, seen):
    again, captions = finish(captioner.caption(video))
    torch.testing.assert_close(again.features, seen.features)
    assert captions.candidates == captioner.write(seen.features).candidates


def test_a_part_of_a_video_can_be_captioned(captioner, video):
    part, _ = finish(captioner.caption(video, start=1.0, end=2.0))
    assert part.clip.indices == (25, 35, 45)


def test_the_checkpoints_own_decoding_is_the_default(captioner, seen):
    defaults = captioner.streams["rgb"].checkpoint.config.decoding
    assert captioner.default_options == defaults
    assert captioner.write(seen.features).candidates == captioner.write(seen.features, defaults).candidates


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_words_are_words_of_the_vocabulary_with_their_probabilities(captioner, seen, method):
    captions = captioner.write(seen.features, DecodingOptions(method=method, max_words=12))
    assert captions.decode_seconds > 0
    for caption in captions.candidates:
        assert 1 <= len(caption.words) <= 12
        assert caption.text.split() == [word.text for word in caption.words]
        assert all(word.text in captioner.vocabulary.words for word in caption.words)
        assert not any(special in caption.text for special in SPECIALS)
        assert all(word.log_prob <= 0 for word in caption.words)
        assert caption.log_prob <= sum(word.log_prob for word in caption.words) + 1e-6
        assert caption.finished or len(caption.words) == 12


def test_a_beam_gives_several_candidates_and_the_best_first(captioner, seen):
    options = DecodingOptions(method="beam", beam_width=4, length_exponent=0, max_words=30)
    captions = captioner.write(seen.features, options)
    assert captions.best == captions.candidates[0]
    assert 1 <= len(captions.candidates) <= 4
    assert len({caption.text for caption in captions.candidates}) == len(captions.candidates)


def test_the_order_of_frames_reaches_the_writer(captioner, seen):
    network = captioner.streams["rgb"].checkpoint.network
    forwards, backwards = (network.encode(x[None]) for x in (seen.features["rgb"], seen.features["rgb"].flip(0)))
    assert not torch.allclose(forwards.layer2[0], backwards.layer2[0], atol=1e-3)


def test_a_stopped_caption_can_be_started_again(captioner, video, seen):
    work = captioner.caption(video)
    while next(work).stage != "features":
        pass
    work.close()
    _, captions = finish(captioner.caption(video))
    assert captions.candidates == captioner.write(seen.features).candidates


def test_a_bad_video_is_told_before_any_feature_is_computed(captioner, tmp_path):
    with pytest.raises(VideoError, match="There is no file"):
        next(captioner.caption(tmp_path / "nowhere.mp4"))


def test_a_record_says_all_about_a_caption(seen, captioner):
    captions = captioner.write(seen.features, DecodingOptions(method="greedy"))
    record = caption_record("clip.webm", seen, captions, "a model")
    assert list(record) == ["file", "caption", "log_prob", "words", "frames", "duration_s", "seconds", "model"]
    assert record["file"] == "clip.webm"
    assert record["model"] == "a model"
    assert record["caption"] == captions.best.text == " ".join(word["word"] for word in record["words"])
    assert record["log_prob"] == pytest.approx(captions.best.log_prob, abs=1e-4)
    assert record["frames"] == [{"index": i, "time_s": pytest.approx(i / 25)} for i in range(0, 95, 10)]
    assert record["duration_s"] == pytest.approx(3.8)
    assert list(record["seconds"]) == ["read", "features", "decode"]


def test_a_backbone_that_makes_other_features_is_refused(captioner):
    stream = captioner.streams["rgb"]
    config = stream.checkpoint.config
    other = replace(config, network=replace(config.network, feature_size=4096))
    with pytest.raises(CheckpointError, match=r"takes features of 4096 numbers, .* makes 1280"):
        replace(stream, checkpoint=replace(stream.checkpoint, config=other))


def test_auto_is_the_gpu_where_there_is_one():
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_gpu_that_is_not_there_is_told():
    with pytest.raises(S2VTError, match="no usable CUDA device"):
        Captioner.load(device="cuda")


# --- what is known ----------------------------------------------------------------------------


class Seeing:
    """A backbone that counts its looks."""

    def __init__(self, feature_size: int):
        self.config = type("Config", (), {"feature_size": feature_size, "name": "seeing"})
        self.looks = 0

    def features_of(self, clip):
        self.looks += 1
        yield Progress("features", 0.0, "Looking")
        return torch.ones(len(clip.frames), self.config.feature_size)


def test_known_views_are_neither_read_nor_computed_again(captioner, seen, video, tmp_path):
    again = finish(captioner.look(tmp_path / "gone.webm", known=seen.views))
    assert not again.clips
    assert captioner.knows(seen.views)
    assert again.features["rgb"] is seen.features["rgb"]


def test_only_the_view_that_is_missing_is_computed(captioner, seen, video):
    stream = captioner.streams["rgb"]
    known, new = Seeing(1280), Seeing(1280)
    often = replace(stream.checkpoint, config=replace(stream.checkpoint.config, sampling=Sampling(5)))
    one = Captioner("one", {"a": replace(stream, backbone=known)}, {"a": 1.0})
    more = Captioner(
        "more", {"a": one.streams["a"], "b": Stream(often, known), "c": Stream(often, new)}, dict.fromkeys("abc", 1 / 3)
    )
    before = finish(one.look(video))
    assert not more.knows(before.views)
    after = finish(more.look(video, known=before.views))
    assert (known.looks, new.looks) == (2, 1)  # "b" is another sampling, and so another view
    assert list(after.clips) == [Sampling(5)]
    assert {name: len(x) for name, x in after.features.items()} == {"a": 10, "b": 19, "c": 19}
    assert more.knows(after.views)
    assert len(after.views) == 3
