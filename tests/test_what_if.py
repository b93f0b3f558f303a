"""What cannot be changed is a sentence that says what can."""

import pytest
from films import noise_film

from s2vt_model.errors import S2VTError
from s2vt_model.trace.what_if import drop


@pytest.mark.parametrize(
    ("start_s", "end_s", "sentence"),
    [
        (0.0, 99.0, "Leave something"),
        (1.0, 0.5, "must lie before the end"),
        (100.0, 101.0, r"nothing to leave out. Choose a longer part between 0.00 s and 3.20 s"),
        (0.5, 0.7, "nothing to leave out"),  # between two frames
    ],
)
def test_a_part_that_cannot_be_left_out(start_s, end_s, sentence):
    with pytest.raises(S2VTError, match=sentence):
        drop(noise_film(), start_s, end_s)


def test_a_part_that_one_stream_has_frames_in_can_be_left_out():
    found = drop(noise_film(), 0.4, 0.8)
    assert [len(footage.frames) for footage in found.streams.values()] == [6, 4]
    assert found.edits == ("without 0.4 s to 0.8 s",)
