"""In which order frames are read: as they came, or in one permutation that never changes."""

from dataclasses import replace

import pytest
import torch
from captioners import writing_only

from s2vt_model.checkpoint import Checkpoint
from s2vt_model.config import CheckpointConfig, S2VTConfig
from s2vt_model.errors import S2VTError
from s2vt_model.evaluation.evaluate import write_captions
from s2vt_model.frame_order import reading_order
from s2vt_model.network import S2VT
from s2vt_model.vocabulary import Vocabulary

CONFIG = CheckpointConfig(
    name="tiny", stream="rgb", backbone="none", network=S2VTConfig(6, 5, 4, 8, vocabulary_size=10), no_frame="zero"
)


def checkpoint(frame_order: str, tmp_path) -> Checkpoint:
    """Weights large enough to write different things about different orders."""
    torch.manual_seed(0)
    network = S2VT(CONFIG.network).eval()
    for parameter in network.parameters():
        parameter.data.mul_(3)
    words = Vocabulary(["a", "man", "dog", "is", "running", "singing", "on", "grass"])
    return Checkpoint(replace(CONFIG, frame_order=frame_order), words, network, tmp_path)


@pytest.fixture
def videos() -> dict[str, torch.Tensor]:
    noise = torch.Generator().manual_seed(1)
    return {f"vid{n}": torch.randn(n % 7 + 3, CONFIG.network.feature_size, generator=noise) for n in range(40)}


def test_time_is_the_order_in_which_frames_came():
    assert reading_order("time", 4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("frames", [1, 2, 9, 32])
def test_shuffled_is_a_permutation(frames):
    order = reading_order("shuffled", frames).tolist()
    assert sorted(order) == list(range(frames))
    assert frames < 3 or order != list(range(frames))


def test_the_permutation_of_a_length_never_changes():
    """Captions of shuffled checkpoints must be the same with tomorrow's libraries."""
    assert reading_order("shuffled", 9).tolist() == [7, 1, 5, 0, 8, 2, 4, 3, 6]


def test_a_shuffled_checkpoint_reads_the_permuted_frames(videos, tmp_path):
    shuffled = checkpoint("shuffled", tmp_path)
    for features in list(videos.values())[:7]:
        permuted = features[reading_order("shuffled", len(features))]
        torch.testing.assert_close(shuffled.encode([features]), shuffled.network.encode(permuted[None]))


def test_each_video_of_a_batch_is_permuted_by_its_own_length(videos, tmp_path):
    for frame_order in ("time", "shuffled"):
        reader = checkpoint(frame_order, tmp_path)
        together = reader.encode(list(videos.values()))
        for row, features in enumerate(videos.values()):
            torch.testing.assert_close(
                tuple(together.select(torch.tensor([row]))), tuple(reader.encode([features])), rtol=0, atol=1e-5
            )


def test_the_same_video_gets_the_same_caption_and_often_another_than_in_the_order_of_time(videos, tmp_path):
    options = CONFIG.decoding
    def captions(frame_order):
        captioner = writing_only(rgb=checkpoint(frame_order, tmp_path))
        return write_captions(captioner, {n: {"rgb": x} for n, x in videos.items()}, options)

    shuffled, in_time = captions("shuffled"), captions("time")
    assert captions("shuffled") == shuffled
    assert sum(in_time[name] != shuffled[name] for name in videos) > 10


@pytest.mark.parametrize("frame_order", ["random", "", None])
def test_an_order_that_is_none_is_refused(frame_order):
    with pytest.raises(S2VTError, match="The frame order is time or shuffled, not “"):
        replace(CONFIG, frame_order=frame_order)
