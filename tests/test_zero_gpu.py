"""A Space on ZeroGPU, as far as one is to be had here: a `spaces` that sends arguments and results as the real one."""

import importlib
import pickle
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from demo import zero_gpu
from demo.engine import Engine
from demo.examples import EXAMPLES
from s2vt_model.errors import VideoError
from s2vt_model.progress import finish
from s2vt_model.video import Sampling, read_clip

DOG = EXAMPLES[0].path


@pytest.fixture
def lent(monkeypatch):
    """The seconds that each call declared."""
    calls = []

    def gpu(duration):
        def decorate(function):
            def call(*arguments):
                calls.append(duration)
                try:
                    return pickle.loads(pickle.dumps(function(*pickle.loads(pickle.dumps(arguments)))))
                except Exception as error:
                    raise RuntimeError("ZeroGPU worker error") from error  # all that is heard of it

            return call

        return decorate

    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=gpu))
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    importlib.reload(zero_gpu)
    monkeypatch.setattr(zero_gpu, "DEVICE", "cpu")
    yield calls
    monkeypatch.undo()
    importlib.reload(zero_gpu)


def test_only_looking_borrows_the_gpu_and_briefly(lent, captioner):
    borrowing = finish(Engine().captioner("rgb"))
    seen, captions = finish(borrowing.caption(DOG))
    assert lent == [zero_gpu.MAX_SECONDS]
    assert zero_gpu.MAX_SECONDS <= 30
    borrowing.write(seen.features)
    assert len(lent) == 1
    assert captions.candidates == finish(captioner.caption(DOG))[1].candidates


def test_what_is_wrong_with_a_video_is_still_said(lent):
    motion = finish(Engine().captioner("motion")).streams["motion"]
    clip = finish(read_clip(DOG, Sampling()))
    one = replace(clip, frames=clip.frames[:1])
    with pytest.raises(VideoError, match="it has a single frame"):
        finish(motion.backbone.features_of(one))


def test_elsewhere_nothing_is_borrowed(lent, monkeypatch, captioner):
    def function():
        pass

    monkeypatch.setitem(sys.modules, "spaces", None)  # importing it fails
    importlib.reload(zero_gpu)
    assert zero_gpu.on_gpu(function) is function
    found = finish(Engine().captioner("rgb"))
    assert type(found.streams["rgb"].backbone) is type(captioner.streams["rgb"].backbone)


def test_a_space_without_zero_gpu_computes_by_itself(lent, monkeypatch, captioner):
    monkeypatch.setenv("SPACES_ZERO_GPU", "")
    importlib.reload(zero_gpu)
    found = finish(Engine().captioner("rgb"))
    finish(found.caption(DOG))
    assert lent == []
