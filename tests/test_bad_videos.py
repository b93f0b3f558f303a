"""Files and ranges that cannot be used: one clear sentence each, and never a hang or a crash."""

import os
import wave

import cv2
import numpy as np
import pytest
from videos import sound_only, write_video

from s2vt_model.errors import VideoError
from s2vt_model.progress import finish
from s2vt_model.video import Sampling, read_clip


def sentence_about(path, **parts) -> str:
    with pytest.raises(VideoError) as error:
        finish(read_clip(path, Sampling(), **parts))
    sentence = str(error.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


@pytest.fixture
def mp4(tmp_path):
    """35 frames, 1.4 s."""
    return write_video(tmp_path / "clip.mp4", 35)


def test_empty_file(tmp_path):
    path = tmp_path / "clip.mp4"
    path.touch()
    assert sentence_about(path) == "“clip.mp4” is empty (0 bytes). Copy or download it again."


@pytest.mark.parametrize(
    "text", ["A man is playing a guitar.\n" * 200, "<!DOCTYPE html>\n<title>404 – nichts da</title>"]
)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.txt", "clip.nfo"])
def test_text(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert f"“{name}” holds text, not a video" in sentence_about(path)


def test_text_is_recognised_although_a_letter_is_cut_in_two(tmp_path):
    path = tmp_path / "clip.txt"
    path.write_text("a" + "ä" * 5000, encoding="utf-8")
    assert "holds text" in sentence_about(path)


def test_sound_in_a_wav(tmp_path):
    path = tmp_path / "clip.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(np.random.default_rng(0).integers(-9999, 9999, 8000, np.int16).tobytes())
    assert "only sound" in sentence_about(path)


def test_sound_in_an_mp4(mp4):
    mp4.write_bytes(sound_only(mp4.read_bytes()))
    assert "only sound" in sentence_about(mp4)


def test_an_mp4_whose_index_is_missing(mp4):
    data = mp4.read_bytes()
    mp4.write_bytes(data[: data.index(b"moov") - 4])
    assert "The index of “clip.mp4” is missing" in sentence_about(mp4)


def test_an_mp4_that_breaks_off_before_its_index(mp4):
    mp4.write_bytes(mp4.read_bytes()[:400])
    assert "The index of “clip.mp4” is missing" in sentence_about(mp4)


def test_an_mp4_whose_frames_are_all_lost(mp4):
    data = mp4.read_bytes()
    begin, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    mp4.write_bytes(data[:begin] + bytes(end - begin) + data[end:])
    assert "not a single frame of it can be decoded (its codec is “FMP4”)" in sentence_about(mp4)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm", "clip.avi", "clip.gif", "clip"])
@pytest.mark.parametrize("seed", range(3))
def test_noise(tmp_path, name, seed):
    path = tmp_path / name
    path.write_bytes(np.random.default_rng(seed).bytes(200_000))
    assert f"“{name}” holds no pictures that can be decoded" in sentence_about(path)


def test_zeros(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(200_000))
    assert "no pictures that can be decoded" in sentence_about(path)


def test_a_path_that_is_not_there(tmp_path):
    path = tmp_path / "nowhere" / "clip.mp4"
    assert sentence_about(path) == f"There is no file “{path}”. Check the path."


def test_a_folder(tmp_path):
    assert sentence_about(tmp_path) == f"“{tmp_path}” is a folder. Name a video file in it."


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
@pytest.mark.parametrize(
    "head", ["#EXTM3U\n#EXTINF:10,\n", "\n #EXTM3U\n", "\ufeff#EXTM3U\n", "ffconcat version 1.0\nfile "]
)
def test_a_playlist_opens_no_other_file(mp4, name, head):
    path = mp4.with_name(name)
    path.write_text(f"{head}{mp4}\n", encoding="utf-8")
    assert f"“{name}” is a playlist" in sentence_about(path)


def test_a_name_that_opencv_cannot_take(mp4):
    path = mp4.rename(mp4.parent / os.fsdecode(b"caf\xe9.mp4"))
    sentence = sentence_about(path)
    assert "“" + str(mp4.parent / "caf?.mp4") + "” is not valid UTF-8" in sentence
    sentence.encode()


def test_start_after_end(mp4):
    assert sentence_about(mp4, start=1.0, end=0.5) == "The start (1 s) must lie before the end (0.5 s)."
    assert sentence_about(mp4, start=1.0, end=1.0) == "The start (1 s) must lie before the end (1 s)."


def test_start_beyond_the_end(mp4):
    sentence = sentence_about(mp4, start=60)
    assert "no frame between 60 s and its end" in sentence
    assert "about 1.4 s long" in sentence


def test_a_range_between_two_frames(tmp_path):
    path = write_video(tmp_path / "slow.mp4", 3, fps=1)
    assert "no frame between 0.2 s and 0.8 s" in sentence_about(path, start=0.2, end=0.8)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("which", ["start", "end"])
def test_times_that_are_none(mp4, which, value):
    assert f"The {which} must be a number of seconds" in sentence_about(mp4, **{which: value})


@pytest.mark.parametrize("name", ["x" * 5000 + ".mp4", "a\0b.mp4"])
def test_a_name_that_no_file_can_have(name):
    assert "no path that can be opened" in sentence_about(name)


def test_a_name_that_looks_like_a_pattern_opens_no_other_file(tmp_path):
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((16, 16, 3), 200, np.uint8))
    cv2.imwrite(str(tmp_path / "%d.png"), np.full((16, 16, 3), 50, np.uint8))
    clip = finish(read_clip(tmp_path / "%d.png", Sampling()))
    assert len(clip.indices) == 1
    assert abs(int(clip.frames.max()) - 50) < 5
