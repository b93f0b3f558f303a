"""`python -m s2vt_model convert`: what it prints, and a sentence for everything that does not fit together."""

from pathlib import Path

import numpy as np
import pytest

from s2vt_model.__main__ import main
from s2vt_model.checkpoint import load_checkpoint
from s2vt_model.errors import CheckpointError
from tests.caffemodels import s2vt_layers, write_caffemodel

WORDS = [f"word{k}" for k in range(10)]
LAYERS = s2vt_layers(np.random.default_rng(0), 8, 5, 4, 6, vocabulary=12, spread=0.5)
EMPTY = [np.zeros((1, 1), np.float32)]
VGG16 = {f"conv{s}_{k}": EMPTY for s, n in enumerate([2, 2, 3, 3, 3], 1) for k in range(1, n + 1)}
VGG16 |= {"fc6": EMPTY, "fc7": EMPTY, "fc8": EMPTY}


@pytest.fixture
def vocabulary(tmp_path) -> Path:
    return listed(tmp_path / "vocabulary.txt", WORDS)


def listed(file: Path, words: list[str]) -> Path:
    file.write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return file


@pytest.fixture
def convert(tmp_path, capsys):
    """Writes `layers`, converts them; returns the exit status and what was printed where."""

    def convert(layers, *arguments, kind="s2vt", out="out") -> tuple[int, str, str]:
        file = write_caffemodel(tmp_path / "net.caffemodel", layers)
        status = main(["convert", str(file), "--kind", kind, "--out", str(tmp_path / out), *map(str, arguments)])
        return status, *capsys.readouterr()

    return convert


@pytest.fixture
def sentence_about(convert, tmp_path):
    """What is said about a conversion that fails, and leaves nothing behind."""

    def sentence_about(*arguments, **options) -> str:
        status, output, errors = convert(*arguments, **options)
        assert (status, output) == (1, "")
        (line,) = errors.splitlines()
        assert line.endswith(".")
        assert not (tmp_path / "out").exists()
        return line

    return sentence_about


# --- what works ---------------------------------------------------------------------------------


def test_a_checkpoint_and_what_to_do_next(convert, tmp_path, vocabulary):
    status, output, errors = convert(LAYERS, "--vocabulary", vocabulary)
    assert (status, errors) == (0, "")
    assert "is a checkpoint of 10 words" in output
    assert f"--kind vgg16 --out {tmp_path / 'backbones/vgg16-oxford'}" in output
    assert load_checkpoint(tmp_path / "out").vocabulary.words[2:] == tuple(WORDS)


def test_words_to_keep(convert, tmp_path, vocabulary):
    words = listed(tmp_path / "words.txt", ["word7", "cat", "word1", "word7", "dog"])
    status, output, errors = convert(LAYERS, "--vocabulary", vocabulary, "--words", words)
    assert status == 0
    assert "is a checkpoint of 2 words" in output
    assert errors == "2 of the listed words are not in the vocabulary.\n"
    assert load_checkpoint(tmp_path / "out").vocabulary.words[2:] == ("word1", "word7")


# --- what does not fit --------------------------------------------------------------------------


def test_a_folder_that_is_taken(convert, tmp_path, vocabulary):
    assert convert(LAYERS, "--vocabulary", vocabulary)[0] == 0
    before = (tmp_path / "out/config.json").read_bytes()
    status, _, errors = convert(LAYERS, "--vocabulary", vocabulary)
    assert status == 1
    assert "Name another folder with --out." in errors
    assert (tmp_path / "out/config.json").read_bytes() == before


def test_no_vocabulary(sentence_about):
    assert "name it with --vocabulary" in sentence_about(LAYERS)


def test_a_vocabulary_where_there_is_none(sentence_about, vocabulary):
    assert "leave --vocabulary and --words out" in sentence_about(LAYERS, "--vocabulary", vocabulary, kind="vgg16")


@pytest.mark.parametrize("words", [WORDS[1:], [*WORDS, "cat"], []])
def test_a_vocabulary_of_another_length(sentence_about, tmp_path, words):
    sentence = sentence_about(LAYERS, "--vocabulary", listed(tmp_path / "vocabulary.txt", words))
    assert f"has {len(words)} words" in sentence
    assert "“" in sentence
    assert " 10: they are not of one training run. Give the vocabulary that came with the network." in sentence


def test_a_vocabulary_that_lists_a_word_twice(sentence_about, tmp_path):
    file = listed(tmp_path / "vocabulary.txt", [*WORDS[:-1], WORDS[0]])
    assert "lists a word twice" in sentence_about(LAYERS, "--vocabulary", file)


def test_words_that_are_all_unknown(sentence_about, tmp_path, vocabulary):
    words = listed(tmp_path / "words.txt", ["cat", "<EOS>", "<UNK>"])
    assert "None of the 3 listed words" in sentence_about(LAYERS, "--vocabulary", vocabulary, "--words", words)


def test_files_that_are_not_there(sentence_about, tmp_path, vocabulary):
    nowhere = tmp_path / "nowhere"
    assert "nowhere" in sentence_about(LAYERS, "--vocabulary", nowhere)
    assert "nowhere" in sentence_about(LAYERS, "--vocabulary", vocabulary, "--words", nowhere)


@pytest.mark.parametrize(
    ("layers", "kind", "advice"),
    [
        (LAYERS, "vgg16", "lacks the layer “conv1_1” of --kind vgg16: its layers are those of --kind s2vt."),
        (VGG16, "s2vt", "lacks the layer “embed_encoder” of --kind s2vt: its layers are those of --kind vgg16."),
        (VGG16, "flow", "lacks the layer “conv1” of --kind flow: its layers are those of --kind vgg16."),
        ({"ip1": EMPTY, "ip2": EMPTY}, "flow", "lacks the layer “conv1” of --kind flow: it holds ip1, ip2. Give"),
        ({f"ip{k}": EMPTY for k in range(20)}, "flow", "it holds ip0, ip1, ip2, ip3, ip4, ip5, ip6, ip7, …. Give"),
        ({k: v for k, v in LAYERS.items() if k != "lstm2"}, "s2vt", "lacks the layer “lstm2”"),
    ],
)
def test_a_network_of_another_kind(sentence_about, vocabulary, layers, kind, advice):
    arguments = ["--vocabulary", vocabulary] if kind == "s2vt" else []
    assert advice in sentence_about(layers, *arguments, kind=kind)


def without_flag(layers: dict) -> dict:
    return {"lstm2": [layers["lstm2"][0][:, :-1], *layers["lstm2"][1:]]}


@pytest.mark.parametrize(
    ("change", "layer"),
    [
        (without_flag, "lstm2"),
        (lambda layers: {"lstm1": [*layers["lstm1"], layers["lstm1"][2]]}, "lstm1"),
        (lambda layers: {"lstm1": layers["lstm1"][:2]}, "lstm1"),
        (lambda layers: {"predict": [layers["predict"][0].T, layers["predict"][1]]}, "predict"),
        (lambda layers: {"embedding": [layers["embedding"][0].T]}, "predict"),
        (lambda layers: {"embedding": [layers["embedding"][0].reshape(3, 4, 4)]}, "embedding"),
        (lambda layers: {"embed_encoder": layers["embed_encoder"][:1]}, "embed_encoder"),
        (lambda layers: {"predict": [layers["predict"][0] * np.nan, layers["predict"][1]]}, "predict"),
    ],
    ids=["no stage flag", "a static input", "no W_h", "transposed", "embedding", "no matrix", "no bias", "not numbers"],
)
def test_layers_of_other_shapes(sentence_about, vocabulary, change, layer):
    sentence = sentence_about(LAYERS | change(LAYERS), "--vocabulary", vocabulary)
    assert f"The layer “{layer}” of" in sentence


FLOW = dict.fromkeys(["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8-ucf"], EMPTY)


@pytest.mark.parametrize(
    ("kind", "layers", "reason"),
    [
        ("flow", FLOW, "” has 1 blobs where 2 are expected"),
        ("vgg16", dict.fromkeys(VGG16, 2 * EMPTY), "has a blob of shape (1, 1) where (64, 3, 3, 3) is expected"),
    ],
)
def test_backbones_of_other_shapes(sentence_about, kind, layers, reason):
    assert reason in sentence_about(layers, kind=kind)


def test_a_file_that_is_cut(sentence_about, tmp_path, vocabulary, capsys):
    content = write_caffemodel(tmp_path / "whole.caffemodel", LAYERS).read_bytes()
    file = tmp_path / "cut.caffemodel"
    file.write_bytes(content[:-10])
    arguments = ["--kind", "s2vt", "--vocabulary", str(vocabulary), "--out", str(tmp_path / "out")]
    assert main(["convert", str(file), *arguments]) == 1
    assert "is no whole .caffemodel" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_that_is_converted_is_held_to_its_golden_sample(convert, tmp_path, vocabulary):
    assert convert(LAYERS, "--vocabulary", vocabulary)[0] == 0
    listed(tmp_path / "out/vocabulary.txt", WORDS[::-1])
    with pytest.raises(CheckpointError, match="does not reproduce its golden sample"):
        load_checkpoint(tmp_path / "out")
