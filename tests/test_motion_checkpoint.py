"""The motion stream that comes with the project: a video in, a sentence out."""

from pathlib import Path

import pytest
from videos import write_video

from s2vt_model.captioner import Captioner
from s2vt_model.errors import VideoError
from s2vt_model.progress import finish

EXAMPLES = Path(__file__).parents[1] / "demo/examples"


@pytest.fixture(scope="module")
def motion() -> Captioner:
    return Captioner.load("motion", device="cpu")


def test_the_checkpoint_says_that_it_sees_motion_and_has_the_vocabulary_of_rgb(motion, captioner):
    assert motion.streams["motion"].checkpoint.config.stream == "motion"
    assert captioner.streams["rgb"].checkpoint.config.stream == "rgb"
    assert motion.vocabulary.words == captioner.vocabulary.words


def test_a_video_is_48_frames_six_vectors_and_a_sentence(motion):
    seen, captions = finish(motion.caption(EXAMPLES / "rabbit.mp4"))
    assert len(seen.clip.frames) == 48
    assert seen.features["motion"].shape == (6, 1024)
    assert captions.best.finished
    assert len(captions.best.words) >= 3


def test_a_video_of_a_few_frames_is_captioned_and_of_one_is_refused(motion, tmp_path):
    seen, captions = finish(motion.caption(write_video(tmp_path / "three.webm", 3)))
    assert seen.features["motion"].shape == (1, 1024)
    assert captions.best.text
    with pytest.raises(VideoError, match=r"“one.webm” cannot be captioned: it has a single frame"):
        finish(motion.caption(write_video(tmp_path / "one.webm", 1)))
