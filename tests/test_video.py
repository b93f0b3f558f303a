"""Reading videos: which frames are kept, when they were shown, and what is said about them."""

import tracemalloc

import cv2
import numpy as np
import pytest
from PIL import Image
from videos import (
    CODECS,
    as_live_recording,
    index_first,
    numbered_frame,
    read_number,
    rotate_mp4,
    set_avi_frame_count,
    set_mp4_durations,
    write_video,
)

from s2vt_model.progress import finish
from s2vt_model.video import Clip, Sampling, read_clip, read_clips

SAMPLING = Sampling(every=10, max_frames=32)


def read(path, sampling=SAMPLING, **parts) -> Clip:
    return finish(read_clip(path, sampling, **parts))


def numbers(frames) -> list[int]:
    return [read_number(frame) for frame in frames]


def write_gif(path, frames, durations_ms):
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations_ms, loop=0)
    return path


# --- which frames ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 35, 319, 320])
def test_short_clips_are_sampled_every_tenth_frame(count):
    assert SAMPLING.positions(count) == list(range(0, count, 10))


@pytest.mark.parametrize("count", [321, 322, 500, 1000, 7200, 180_000])
def test_long_clips_are_covered_evenly_from_the_first_frame_to_the_last(count):
    positions = SAMPLING.positions(count)
    gaps = np.diff(positions)
    assert len(positions) == 32
    assert (positions[0], positions[-1]) == (0, count - 1)
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("count", [1, 15, 16, 17, 31, 32, 100, 1000])
def test_whole_steps_take_every_nth_frame_and_leave_the_rest_out(count):
    """Every `count // 16`-th frame, the first 16."""
    expected = [i * max(count // 16, 1) for i in range(16)]
    assert Sampling(1, 16, whole_steps=True).positions(count) == [i for i in expected if i < count]


@pytest.mark.parametrize("wrong", [{"every": 0}, {"max_frames": 0}])
def test_a_sampling_that_takes_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="1 at least"):
        Sampling(**wrong)


@pytest.mark.parametrize("suffix", CODECS)
def test_every_container_gives_the_frames_and_times_that_were_asked_for(tmp_path, suffix):
    clip = read(write_video(tmp_path / f"clip{suffix}", 35))
    assert clip.indices == (0, 10, 20, 30)
    assert numbers(clip.frames) == [0, 10, 20, 30]
    assert clip.times_s == pytest.approx((0, 0.4, 0.8, 1.2), abs=1e-3)
    assert clip.duration_s == pytest.approx(35 / 25, abs=1e-3)
    assert (clip.source_frames, clip.source_size, clip.complete) == (35, (48, 64), True)
    assert clip.usage() == "The model saw 4 of 35 frames (every 10th), from 0.0 s to 1.2 s."


@pytest.mark.parametrize("count", [31, 400])
def test_neighbours_are_the_frames_that_follow_in_the_source(tmp_path, count):
    clip = read(write_video(tmp_path / "clip.mp4", count))
    assert clip.indices[-1] == count - 1  # which has no neighbour and repeats itself
    assert numbers(clip.frames) == list(clip.indices)
    assert numbers(clip.next_frames) == [i + 1 for i in clip.indices[:-1]] + [count - 1]


def test_a_part_is_sampled_from_its_own_first_frame(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 100)
    clip = read(path, start=1.0, end=2.0)
    assert clip.indices == (25, 35, 45)
    assert numbers(clip.frames) == [25, 35, 45]
    assert clip.times_s == pytest.approx((1.0, 1.4, 1.8))
    assert clip.source_frames == 26  # both ends included
    assert clip.duration_s == pytest.approx(26 / 25)


def test_the_last_frame_of_a_part_keeps_its_neighbour_beyond_the_end(tmp_path):
    clip = read(write_video(tmp_path / "clip.mp4", 100), end=0.8)
    assert numbers(clip.next_frames) == [1, 11, 21]


def test_an_end_beyond_the_end_is_the_end(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 35)
    assert read(path, start=0.0, end=3600.0).indices == read(path).indices


def test_colours_are_red_green_blue(tmp_path):
    orange_bgr = np.full((48, 64, 3), (0, 128, 255), np.uint8)
    colour = read(write_video(tmp_path / "clip.avi", [orange_bgr])).frames[0].mean(axis=(0, 1))
    assert colour == pytest.approx((255, 128, 0), abs=8)


def test_large_frames_are_shrunk_and_keep_their_shape(tmp_path):
    clip = read(write_video(tmp_path / "clip.mp4", 1, size=(720, 1280)))
    assert clip.source_size == (720, 1280)
    assert clip.frames.shape == (1, 320, 569, 3)


def test_progress_grows_to_the_end(tmp_path):
    steps = list(read_clip(write_video(tmp_path / "clip.mp4", 300), SAMPLING))
    fractions = [step.fraction for step in steps]
    assert len(fractions) == 6
    assert fractions == sorted(fractions)
    assert 0.8 < fractions[-1] <= 1


def test_reading_can_be_stopped_and_lets_go_of_the_file(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 300)
    work = read_clip(path, SAMPLING)
    next(work)
    work.close()
    assert list(work) == []


# --- containers that lie -----------------------------------------------------------------------


@pytest.mark.parametrize("claim", [1, 100, 320, 321, 390, 398, 401, 404, 450, 1_000_000])
def test_a_wrong_frame_count_changes_nothing_but_the_time_it_takes(tmp_path, claim):
    path = write_video(tmp_path / "clip.avi", 400)
    path.write_bytes(set_avi_frame_count(path.read_bytes(), claim))
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == claim
    clip = read(path)
    assert clip.source_frames == 400
    assert numbers(clip.frames) == list(clip.indices)
    assert len(clip.indices) == 32
    # A claim within 2 % is believed in placing the frames, which then still span the clip.
    assert np.abs(np.array(clip.indices) - SAMPLING.positions(400)).max() <= 8
    assert clip.indices[0] == 0
    assert clip.indices[-1] >= 391


@pytest.mark.parametrize("claim", [1, 34, 36, 1000])
def test_a_wrong_frame_count_of_a_short_clip_changes_nothing(tmp_path, claim):
    path = write_video(tmp_path / "clip.avi", 35)
    path.write_bytes(set_avi_frame_count(path.read_bytes(), claim))
    assert numbers(read(path).frames) == [0, 10, 20, 30]


@pytest.mark.parametrize("count", [35, 400])
def test_a_live_recording_without_a_length_is_counted(tmp_path, count):
    path = write_video(tmp_path / "clip.webm", count)
    path.write_bytes(as_live_recording(path.read_bytes()))
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) < 0
    clip = read(path)
    assert clip.complete
    assert numbers(clip.frames) == SAMPLING.positions(count)


def test_a_part_of_a_file_with_a_wrong_frame_count(tmp_path):
    path = write_video(tmp_path / "clip.avi", 100)
    path.write_bytes(set_avi_frame_count(path.read_bytes(), 20))
    assert numbers(read(path, start=2.0).frames) == [50, 60, 70, 80, 90]


# --- good input that is out of the ordinary -----------------------------------------------------


def test_one_frame(tmp_path):
    clip = read(write_video(tmp_path / "clip.webm", 1))
    assert clip.indices == (0,)
    assert (clip.next_frames == clip.frames).all()
    assert clip.duration_s == pytest.approx(1 / 25)
    assert clip.usage() == "The video has a single frame; the model saw it."


def test_fewer_frames_than_one_step(tmp_path):
    clip = read(write_video(tmp_path / "clip.webm", 6))
    assert clip.usage() == "The model saw the first of 6 frames, at 0.0 s."


def test_eight_by_eight_pixels(tmp_path):
    clip = read(write_video(tmp_path / "clip.mp4", [np.full((8, 8, 3), 200, np.uint8)] * 3))
    assert clip.frames.shape == (1, 8, 8, 3)
    assert clip.frames.mean() == pytest.approx(200, abs=8)


def test_8k(tmp_path):
    clip = read(write_video(tmp_path / "clip.mp4", 2, size=(4320, 7680)))
    assert clip.source_size == (4320, 7680)
    assert clip.frames.shape == (1, 320, 569, 3)
    assert numbers(clip.next_frames) == [1]


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (47, 33), (201, 3), (3, 2001)])
def test_odd_sizes(tmp_path, size):
    frames = [np.full((*size, 3), grey, np.uint8) for grey in (90, 200)]
    clip = read(write_gif(tmp_path / "clip.gif", frames, 100))
    assert clip.source_size == size
    assert clip.frames.mean() == pytest.approx(90, abs=2)
    assert clip.next_frames.mean() == pytest.approx(200, abs=2)
    assert max(clip.frames.shape[1:3]) <= 1280


def test_two_hours_in_bounded_memory(tmp_path):
    frame_bytes = 120 * 160 * 3
    path = write_video(tmp_path / "film.mp4", 7200, fps=1, size=(120, 160))
    tracemalloc.start()
    clip = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert numbers(clip.frames) == SAMPLING.positions(7200)
    assert (clip.duration_s, clip.times_s[-1]) == (7200, 7199)
    assert clip.usage() == "The model saw 32 of 7200 frames (evenly spread), from 0.0 s to 7199.0 s."
    assert peak < 200 * frame_bytes  # frames and neighbours, once gathered and once stacked: 128


def test_the_last_minute_of_two_hours(tmp_path):
    path = write_video(tmp_path / "film.mp4", 7200, fps=1)
    assert numbers(read(path, start=7140).frames) == [7140, 7150, 7160, 7170, 7180, 7190]


def test_variable_frame_rate_in_an_mp4(tmp_path):
    path = write_video(tmp_path / "clip.mp4", 22)
    set_mp4_durations(path, [0.04] * 10 + [2.0] + [0.5] * 11)
    clip = read(path)
    assert numbers(clip.frames) == [0, 10, 20]
    assert clip.times_s == pytest.approx((0, 0.4, 0.4 + 2.0 + 9 * 0.5))
    assert clip.duration_s == pytest.approx(0.4 + 2.0 + 11 * 0.5)


def test_variable_frame_rate_in_a_gif(tmp_path):
    durations_ms = [100, 500, 100, 1000, 40, 200]
    path = write_gif(tmp_path / "clip.gif", [numbered_frame(i) for i in range(6)], durations_ms)
    clip = read(path, Sampling(every=1))
    assert numbers(clip.frames) == [0, 1, 2, 3, 4, 5]
    assert clip.times_s == pytest.approx((0, 0.1, 0.6, 0.7, 1.7, 1.74))
    assert clip.usage() == "The model saw all 6 frames."
    assert read(path, Sampling(every=1), start=0.65, end=1.0).indices == (3,)


@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_a_rotated_phone_video_stands_upright(tmp_path, clockwise):
    path = write_video(tmp_path / "clip.mp4", 15)
    rotate_mp4(path, clockwise)
    clip = read(path)
    turned_back = np.rot90(clip.frames, clockwise // 90, axes=(1, 2))
    assert numbers(turned_back) == [0, 10]
    assert clip.source_size == clip.frames.shape[1:3] == ((48, 64) if clockwise == 180 else (64, 48))


@pytest.mark.parametrize(
    "name",
    ["ein “Hund” läuft 🐕 – クリップ.webm", 'it\'s "quoted".webm', "50%d #1?&a=b; $(x).webm", "-f.webm", "a:b.webm"],
)
def test_names_of_all_kinds(tmp_path, name):
    assert read(write_video(tmp_path / name, 35)).indices == (0, 10, 20, 30)


@pytest.mark.parametrize("suffix", [".webm", ".avi", ".mkv", ".mp4"])
def test_a_file_that_breaks_off_gives_the_frames_it_still_has(tmp_path, suffix):
    path = write_video(tmp_path / f"clip{suffix}", 300)
    whole = index_first(path.read_bytes()) if suffix == ".mp4" else path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    clip = read(path)
    assert not clip.complete
    assert 100 < clip.source_frames < 250
    assert numbers(clip.frames) == SAMPLING.positions(clip.source_frames)
    assert clip.usage().endswith(" The file breaks off; what could be read of it was used.")


@pytest.mark.parametrize("suffix", [".webm", ".avi", ".mp4"])
def test_damage_in_the_middle_costs_only_the_middle(tmp_path, suffix):
    path = write_video(tmp_path / f"clip{suffix}", 300)
    data = bytearray(path.read_bytes())
    damaged = slice(len(data) // 2, len(data) * 55 // 100)
    data[damaged] = bytes(damaged.stop - damaged.start)
    path.write_bytes(data)
    clip = read(path)
    assert clip.source_frames > 200
    assert numbers(clip.frames[:10]) == list(range(0, 100, 10))
    assert clip.duration_s > 10


def test_a_still_picture_is_a_film_of_one_frame(tmp_path):
    Image.new("RGB", (64, 48), (200, 40, 40)).save(tmp_path / "still.png")
    clip = read(tmp_path / "still.png")
    assert clip.usage() == "The video has a single frame; the model saw it."


@pytest.mark.parametrize("frames", [1, 95, 700])
def test_several_samplings_are_read_at_once_as_each_by_itself(tmp_path, frames):
    path = write_video(tmp_path / "film.avi", frames)
    samplings = [Sampling(10, 32), Sampling(1, 48), Sampling(25, 4)]
    together = finish(read_clips(path, samplings))
    for clip, sampling in zip(together, samplings, strict=True):
        alone = finish(read_clip(path, sampling))
        assert clip.indices == alone.indices
        assert np.array_equal(clip.frames, alone.frames)
        assert np.array_equal(clip.next_frames, alone.next_frames)
        assert (clip.times_s, clip.duration_s, clip.source_frames) == (
            alone.times_s, alone.duration_s, alone.source_frames
        )  # fmt: skip
