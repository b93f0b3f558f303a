"""Corpus folders as users have them: complete, partial, or not there."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from s2vt_model.backbones import load_backbone
from s2vt_model.checkpoint import WEIGHTS
from s2vt_model.corpora.flickr8k import read_flickr8k
from s2vt_model.corpora.msvd import read_msvd, vgg19_features
from s2vt_model.corpora.registry import CORPORA
from s2vt_model.errors import CorpusError
from s2vt_model.features import FeatureCache, open_cache
from s2vt_model.models import read_catalogue
from s2vt_model.training.corpus import Fold, build_vocabulary_words, split_fold
from s2vt_model.training.recipe import read_recipe
from s2vt_model.video import Sampling
from s2vt_model.vocabulary import Vocabulary

SHARED = Path(__file__).parents[2] / "shared"
LITE2 = WEIGHTS / "backbones/tf_efficientnet_lite2.in1k"


@pytest.fixture
def msvd(tmp_path):
    (tmp_path / "captions").mkdir()
    (tmp_path / "clips").mkdir()
    lines = {
        "train": "vid1\ta squirrel is eating\nvid1\ta chipmunk  eats\nvid2\ta man sings\n",
        "val": "vid3\ta dog runs\n",
        "test": "vid4\ta cat sleeps\n",
    }
    for split, text in lines.items():
        (tmp_path / f"captions/sents_{split}_lc_nopunc.txt").write_bytes(text.encode() + b"vid9\tcaf\xe9\n")
    (tmp_path / "clips/vid2.mp4").touch()
    (tmp_path / "clips.csv").write_text("video,youtube_clip\nvid1,abcdefghijk_10_14\nvid2,abcdefghijk_20_24\n")
    return tmp_path


def test_msvd_keeps_every_video_with_sentences_and_says_which_have_clips(msvd):
    videos = {(v.name, v.split): v for v in read_msvd(msvd)}
    assert videos["vid1", "train"].sentences == ("a squirrel is eating", "a chipmunk eats")
    assert videos["vid1", "train"].path is None
    assert videos["vid2", "train"].path == msvd / "clips/vid2.mp4"
    assert videos["vid1", "train"].origin == videos["vid2", "train"].origin == "abcdefghijk"
    assert {split for _, split in videos} == {"train", "val", "test"}


def test_bytes_that_are_no_utf8_do_not_stop_the_reader(msvd):
    assert any(v.name == "vid9" for v in read_msvd(msvd))


def test_a_folder_without_sentences_is_an_error_that_names_the_file(tmp_path):
    with pytest.raises(CorpusError, match="sents_train_lc_nopunc"):
        read_msvd(tmp_path)
    with pytest.raises(CorpusError, match="captions_lc_nopunc"):
        read_flickr8k(tmp_path)


def test_rows_of_zeros_in_the_vgg19_features_were_no_frames(tmp_path):
    (tmp_path / "features").mkdir()
    features = np.ones((2, 16, 512), np.float16)
    features[0, 10:] = 0
    features[1] = 0
    np.savez(tmp_path / "features/vgg19_16x512.npz", video=np.array(["vid1", "vid2"]), features=features)
    found = vgg19_features(tmp_path)
    assert {name: f.shape for name, f in found.items()} == {"vid1": (10, 512)}
    with pytest.raises(CorpusError, match="vgg19"):
        vgg19_features(tmp_path / "captions")


def test_flickr8k_lists_the_stills_that_are_there(tmp_path):
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images/one.jpg"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "captions_lc_nopunc.txt").write_text("one\ta dog\none\ta black dog\ntwo\ta cat\n")
    stills = read_flickr8k(tmp_path)
    assert [(s.name, s.sentences) for s in stills] == [("one", ("a dog", "a black dog"))]


class CountingBackbone:
    """Stands in for the CNN: a frame's feature is its mean colour; counts its runs."""

    def __init__(self):
        self.runs = 0

    def features_of(self, clip):
        self.runs += 1
        left, right = np.array_split(clip.frames.astype(np.float32), 2, axis=2)
        return torch.from_numpy(np.stack([left.mean((1, 2, 3)), right.mean((1, 2, 3))], axis=1))
        yield


def test_features_are_computed_once_and_mirrored_views_are_kept_apart(tmp_path):
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, 4:] = 200
    cv2.imwrite(str(tmp_path / "still.png"), picture)
    backbone = CountingBackbone()
    cache = FeatureCache(tmp_path / "cache", backbone)
    plain = cache.features(tmp_path / "still.png", Sampling())
    assert torch.equal(cache.features(tmp_path / "still.png", Sampling()), plain)
    assert backbone.runs == 1
    mirrored = cache.features(tmp_path / "still.png", Sampling(), mirrored=True)
    assert plain.tolist() == [[0, 200]]
    assert mirrored.tolist() == [[200, 0]]


def test_features_of_one_backbone_at_two_sizes_do_not_mix(tmp_path):
    still = tmp_path / "still.png"
    cv2.imwrite(str(still), np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    shipped, smaller, told = (load_backbone(LITE2) for _ in range(3))
    smaller.config = replace(smaller.config, input_size=128)
    told.config = replace(told.config, license="as before, in other words")
    caches = [open_cache(tmp_path / "cache", b) for b in (shipped, smaller, told)]
    large, small = (cache.features(still, Sampling()) for cache in caches[:2])
    assert not torch.equal(large, small)
    assert caches[2].folder == caches[0].folder  # what is only said of a backbone changes no feature


@pytest.mark.skipif(not (SHARED / "msvd").is_dir(), reason="MSVD is not on this machine")
def test_the_real_msvd_has_its_official_splits():
    videos = read_msvd(SHARED / "msvd")
    assert [sum(v.split == s for v in videos) for s in ("train", "val", "test")] == [1200, 100, 670]
    assert sum(len(v.sentences) for v in videos) == 80_827
    clips = [v for v in videos if v.path]
    assert [sum(v.split == s for v in clips) for s in ("train", "val", "test")] == [330, 27, 104]


@pytest.mark.skipif(not (SHARED / "flickr8k").is_dir(), reason="the corpora are not on this machine")
@pytest.mark.parametrize("stream", read_catalogue().streams)
def test_the_recipes_of_all_streams_give_their_vocabularies_from_the_corpora(stream):
    folder = read_catalogue().streams[stream].checkpoints[stream]
    recipe = read_recipe(folder / "recipe.toml")
    by_itself = recipe.backbone in CORPORA["msvd"].features  # its checkpoint's command names MSVD alone
    stills = [] if by_itself else read_flickr8k(SHARED / "flickr8k")
    words = build_vocabulary_words(read_msvd(SHARED / "msvd"), stills, recipe)
    assert Vocabulary(words).words == Vocabulary.load(folder / "vocabulary.txt").words


@pytest.mark.skipif(not (SHARED / "msvd/clips.csv").is_file(), reason="MSVD is not on this machine")
def test_no_youtube_video_is_cut_in_two_by_the_folds():
    videos = read_msvd(SHARED / "msvd")
    kept_out = [{v.origin for v in split_fold(videos, Fold(i, 3))[1] if v.path} for i in range(3)]
    assert sum(map(len, kept_out)) == len(set().union(*kept_out))
    assert len(set().union(*kept_out)) == 305
