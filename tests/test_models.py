"""The list of models, and how a name is understood."""

import pytest

from s2vt_model.checkpoint import WEIGHTS, load_checkpoint
from s2vt_model.decoding import DecodingOptions
from s2vt_model.errors import CheckpointError, S2VTError
from s2vt_model.models import parse_alpha, read_catalogue

MIB = 2**20
LIST = """
default = "rgb+motion"
[streams.rgb]
checkpoint = "one"
about = "frames"
[streams.motion]
checkpoint = "two"
about = "motion"
[streams.gru]
checkpoint = "three"
about = "another cell"
[sets."rgb+motion"]
alpha = { rgb = 0.7, motion = 0.3 }
decoding = { method = "beam", beam_width = 3, length_exponent = 0.5 }
about = "both"
"""


@pytest.fixture
def catalogue(tmp_path):
    (tmp_path / "models.toml").write_text(LIST, encoding="utf-8")
    return read_catalogue(tmp_path / "models.toml")


def test_a_stream_by_its_name(catalogue, tmp_path):
    model = catalogue.model("rgb")
    assert model.checkpoints == {"rgb": tmp_path / "one"}
    assert model.alpha == {"rgb": 1.0}
    assert model.decoding is None


@pytest.mark.parametrize("name", ["rgb+motion", "motion+rgb", "rgb + motion"])
def test_a_listed_set_in_any_order(catalogue, name):
    model = catalogue.model(name)
    assert model.alpha == {"rgb": 0.7, "motion": 0.3}
    assert model.decoding == DecodingOptions("beam", 3, 0.5)


def test_any_sum_shares_alike(catalogue, tmp_path):
    model = catalogue.model("rgb+gru")
    assert model.alpha == {"rgb": 0.5, "gru": 0.5}
    assert model.checkpoints["gru"] == tmp_path / "three"


def test_shares_may_be_given(catalogue):
    assert catalogue.model("rgb+motion", parse_alpha("motion=.9, rgb=.1")).alpha == {"rgb": 0.1, "motion": 0.9}


def test_the_default_model_is_listed_first_and_once(catalogue):
    assert [model.name for model in catalogue.models] == ["rgb+motion", "rgb", "motion", "gru"]


@pytest.mark.parametrize("name", ["", "flow", "rgb+flow", "rgb+rgb", "rgb+"])
def test_a_name_that_is_none_is_told_what_there_is(catalogue, name):
    with pytest.raises(S2VTError, match="Name one of rgb, motion, gru"):
        catalogue.model(name)


@pytest.mark.parametrize("text", ["rgb", "rgb=much", "rgb=.5;motion=.5", ""])
def test_shares_that_cannot_be_read(text):
    with pytest.raises(S2VTError, match="α is written"):
        parse_alpha(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('default = "rgb+motion"', ""),
        ('default = "rgb+motion"', 'default = "flow"'),
        ("motion = 0.3", "motion = 0.4"),
        ('checkpoint = "one"', ""),
        ('method = "beam"', 'method = "search"'),
        ("[streams.rgb]", "[streams.rgb"),
    ],
)
def test_a_list_that_cannot_be_used_is_told(tmp_path, old, new):
    file = tmp_path / "models.toml"
    file.write_text(LIST.replace(old, new), encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot be used"):
        read_catalogue(file)


def test_every_model_that_comes_with_the_project_loads():
    catalogue = read_catalogue()
    for model in catalogue.streams.values():
        (folder,) = model.checkpoints.values()
        assert load_checkpoint(folder).config.scores
    words = {name: (m.checkpoints[name] / "vocabulary.txt").read_text() for name, m in catalogue.streams.items()}
    assert {name for name in words if words[name] != words["rgb"]} == {"vgg19"}  # any others can be added


def test_without_a_stream_its_sums_are_left_out_too(catalogue):
    rest = catalogue.without({"motion"})
    assert [model.name for model in catalogue.models] == ["rgb+motion", "rgb", "motion", "gru"]
    assert (list(rest.streams), list(rest.sets)) == (["rgb", "gru"], [])


def test_the_weights_stay_small():
    """What comes with the project, and what the default model loads."""
    assert sum(f.stat().st_size for f in WEIGHTS.rglob("*") if f.is_file()) < 200 * MIB
    default = read_catalogue().model(read_catalogue().default)
    folders = set(default.checkpoints.values())
    folders |= {load_checkpoint(folder).backbone_folder for folder in folders}
    assert sum(f.stat().st_size for folder in folders for f in folder.iterdir()) < 70 * MIB
