"""A folder becomes the model it was, or an error that says what is wrong with it."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from s2vt_model.architectures import build_network
from s2vt_model.checkpoint import DEFAULT_CHECKPOINT, WEIGHTS, load_checkpoint, save_checkpoint
from s2vt_model.config import CheckpointConfig, S2VTConfig
from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import CheckpointError
from s2vt_model.network import S2VT
from s2vt_model.video import Sampling
from s2vt_model.vocabulary import EOS, Vocabulary

WORDS = ["a", "man", "is", "singing", "café", "dog", "runs", "fast"]
CONFIG = CheckpointConfig(
    name="tiny",
    stream="rgb",
    backbone="none",
    network=S2VTConfig(6, 5, 4, 16, vocabulary_size=len(WORDS) + 2),
    no_frame="mean",
    sampling=Sampling(every=5, max_frames=8),
    decoding=DecodingOptions(method="beam", beam_width=3, max_words=9),
)


@pytest.fixture
def network() -> S2VT:
    torch.manual_seed(0)
    network = S2VT(CONFIG.network).eval()
    for parameter in network.parameters():
        parameter.data.mul_(3)
    network.no_frame.normal_()
    return network


@pytest.fixture
def folder(tmp_path, network):
    """A good checkpoint folder, to be damaged."""
    save_checkpoint(tmp_path / "tiny", CONFIG, Vocabulary(WORDS), network)
    return tmp_path / "tiny"


def sentence_about(folder) -> str:
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(folder)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert len(sentence) < 500
    assert sentence.endswith(".")
    assert f"“{folder}”" in sentence
    return sentence


def with_network(**fields) -> CheckpointConfig:
    """The tiny config with another network."""
    no_frame = None if fields.get("architecture") == "mean_pool" else "mean"
    return replace(CONFIG, no_frame=no_frame, network=replace(CONFIG.network, **fields))


def edit_config(folder, **fields):
    config = json.loads((folder / "config.json").read_text()) | fields
    (folder / "config.json").write_text(json.dumps(config))


def edit_tensors(file, change):
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


# --- good folders -------------------------------------------------------------------------------


def test_a_round_trip_keeps_everything(folder, network):
    loaded = load_checkpoint(folder)
    assert loaded.config == CONFIG
    assert loaded.vocabulary.words == ("<EOS>", "<UNK>", *WORDS)
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor.half().float())


@pytest.mark.parametrize("frame_order", ["time", "shuffled"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("architecture", ["s2vt", "mean_pool"])
def test_every_network_makes_the_round_trip(tmp_path, architecture, cell, frame_order):
    config = replace(with_network(architecture=architecture, cell=cell), frame_order=frame_order)
    torch.manual_seed(0)
    network = build_network(config.network)
    save_checkpoint(tmp_path / "tiny", config, Vocabulary(WORDS), network)
    loaded = load_checkpoint(tmp_path / "tiny")
    assert loaded.config == config
    assert type(loaded.network) is type(network)
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor.half().float())


def test_a_config_from_before_there_was_a_choice_is_an_s2vt_of_lstms_in_the_order_of_time(folder):
    config = json.loads((folder / "config.json").read_text())
    del config["frame_order"], config["network"]["architecture"], config["network"]["cell"]
    (folder / "config.json").write_text(json.dumps(config))
    assert load_checkpoint(folder).config == CONFIG


def test_a_loaded_network_is_ready_to_write(folder):
    network = load_checkpoint(folder).network
    assert not network.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.parameters())
    features = torch.randn(2, 3, 6)
    words = torch.full((2, 1), EOS)
    assert torch.equal(network(features, words), network(features, words))


def test_weights_are_stored_as_float16(folder):
    tensors = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}


SHIPPED = sorted(file.parent for file in WEIGHTS.glob("*/config.json"))


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_the_checkpoints_that_come_with_the_project_load(folder):
    checkpoint = load_checkpoint(folder)
    assert checkpoint.config.name == folder.name
    assert checkpoint.config.network.vocabulary_size == len(checkpoint.vocabulary)
    assert checkpoint.backbone_folder.is_dir()
    assert checkpoint.config.scores.keys() >= {"METEOR", "CIDEr"}
    assert (folder / "model.safetensors").stat().st_size <= 25e6
    assert (folder / "README.md").is_file()


def test_the_default_checkpoint_is_among_them():
    assert DEFAULT_CHECKPOINT in SHIPPED


# --- damaged folders ----------------------------------------------------------------------------


def test_a_folder_that_is_not_there(tmp_path):
    assert "There is no checkpoint folder" in sentence_about(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "vocabulary.txt", "model.safetensors", "golden.safetensors"])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    assert f"lacks “{name}”" in sentence_about(folder)


@pytest.mark.parametrize("change", ["one word more", "one word less"])
def test_a_vocabulary_of_another_length(folder, change):
    words = [*WORDS, "cat"] if change == "one word more" else WORDS[:-1]
    Vocabulary(words).save(folder / "vocabulary.txt")
    assert f"has {len(words) + 2} entries, its network {len(WORDS) + 2}" in sentence_about(folder)


def test_a_vocabulary_in_another_order(folder):
    Vocabulary(sorted(WORDS)).save(folder / "vocabulary.txt")
    assert "does not reproduce its golden sample" in sentence_about(folder)


def test_a_vocabulary_that_lists_a_word_twice(folder):
    (folder / "vocabulary.txt").write_text("\n".join([*WORDS[:-1], "man"]))
    assert "lists a word twice" in sentence_about(folder)


def test_a_vocabulary_that_is_no_text(folder):
    (folder / "vocabulary.txt").write_bytes(b"\xff\xfe" * 10)
    assert "is damaged" in sentence_about(folder)


def test_a_missing_tensor(folder):
    edit_tensors(folder / "model.safetensors", lambda t: t.pop("lstm1.weight_hh_l0"))
    assert "lack the tensor “lstm1.weight_hh_l0”." in sentence_about(folder)


def test_several_missing_tensors(folder):
    edit_tensors(folder / "model.safetensors", lambda t: [t.pop("predict.bias"), t.pop("no_frame")])
    assert "lack the tensor “no_frame” and 1 more" in sentence_about(folder)


def test_a_surplus_tensor(folder):
    edit_tensors(folder / "model.safetensors", lambda t: t.update(attention=torch.zeros(3)))
    assert "a tensor that its network has not: “attention”" in sentence_about(folder)


def test_a_tensor_of_another_shape(folder):
    edit_tensors(folder / "model.safetensors", lambda t: t.update(no_frame=torch.zeros(7)))
    assert "“no_frame”" in (sentence := sentence_about(folder))
    assert "(7,)" in sentence


@pytest.mark.parametrize("name", ["model.safetensors", "golden.safetensors"])
@pytest.mark.parametrize("content", [b"", b"noise" * 1000, "cut"])
def test_corrupt_safetensors(folder, name, content):
    file = folder / name
    file.write_bytes(file.read_bytes()[:-100] if content == "cut" else content)
    assert "is damaged" in sentence_about(folder)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "{}", '{"name": "tiny"}'],
)
def test_a_config_that_is_none(folder, content):
    (folder / "config.json").write_text(content)
    assert "is damaged" in sentence_about(folder)


@pytest.mark.parametrize(
    "fields",
    [
        {"network": {"hidden_size": 3}},
        {"network": {**vars(CONFIG.network), "hidden_size": 0}},
        {"network": {**vars(CONFIG.network), "hidden_size": "16"}},
        {"network": {**vars(CONFIG.network), "dropout": 2}},
        {"network": "large"},
        {"sampling": {"every": 0, "max_frames": 8}},
        {"sampling": {"every": "ten", "max_frames": 8}},
        {"decoding": {**vars(CONFIG.decoding), "beam_width": 0}},
        {"attention": True},
    ],
)
def test_a_config_with_wrong_fields(folder, fields):
    edit_config(folder, **fields)
    assert "is damaged" in sentence_about(folder)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"cell": "mgu"}, "The cell is lstm, gru or rnn, not “mgu”"),
        ({"cell": None}, "The cell is lstm, gru or rnn, not “None”"),
        ({"architecture": "transformer"}, "The architecture is s2vt or mean_pool, not “transformer”"),
    ],
)
def test_a_config_of_a_network_that_there_is_not(folder, fields, sentence):
    edit_config(folder, network={**vars(CONFIG.network), **fields})
    assert sentence in sentence_about(folder)


def test_a_config_of_a_frame_order_that_there_is_not(folder):
    edit_config(folder, frame_order="backwards")
    assert "The frame order is time or shuffled, not “backwards”" in sentence_about(folder)


def test_a_config_of_another_frame_order(folder):
    edit_config(folder, frame_order="shuffled")
    assert "does not reproduce its golden sample" in sentence_about(folder)


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_a_config_of_another_cell(folder, cell):
    edit_config(folder, network={**vars(CONFIG.network), "cell": cell})
    assert "weights and config are not of one training run" in sentence_about(folder)


def test_a_config_of_another_architecture(folder):
    edit_config(folder, network={**vars(CONFIG.network), "architecture": "mean_pool"}, no_frame=None)
    assert "a tensor that its network has not: “no_frame”" in sentence_about(folder)


@pytest.mark.parametrize(("architecture", "no_frame"), [("s2vt", None), ("mean_pool", "mean"), ("s2vt", "zero")])
def test_a_config_of_another_no_frame(tmp_path, architecture, no_frame):
    config = with_network(architecture=architecture)
    network = build_network(config.network)
    if architecture == "s2vt":
        network.no_frame.normal_()
    save_checkpoint(tmp_path, config, Vocabulary(WORDS), network)
    edit_config(tmp_path, no_frame=no_frame)
    assert "names another “no frame” than its weights hold" in sentence_about(tmp_path)


def test_a_config_of_another_network(folder):
    edit_config(folder, network={**vars(CONFIG.network), "hidden_size": 32})
    assert "weights and config are not of one training run" in sentence_about(folder)


def altered(name, change):
    def alter(folder):
        edit_tensors(folder / "model.safetensors", lambda t: t.update({name: change(t[name])}))

    return alter


@pytest.mark.parametrize(
    "alter",
    [
        altered("predict.weight", lambda t: t.roll(1, 0).contiguous()),
        altered("lstm2.weight_hh_l0", lambda t: t.neg()),
        altered("frame_embedding.weight", lambda t: t.flip(1).contiguous()),
        altered("no_frame", torch.zeros_like),
        altered("lstm1.bias_ih_l0", lambda t: t * float("nan")),
    ],
    ids=["words shifted", "a sign", "features reversed", "no frame", "not a number"],
)
def test_altered_weights(folder, alter):
    alter(folder)
    assert "does not reproduce its golden sample" in sentence_about(folder)


def test_a_golden_sample_that_is_none(folder):
    save_file({"features": torch.zeros(2, 6)}, folder / "golden.safetensors")
    assert "does not reproduce its golden sample" in sentence_about(folder)
