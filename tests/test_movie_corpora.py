"""MPII-MD and M-VAD as their authors hand them out, whole and damaged."""

import random

import pytest
from movie_corpora import random_videos, write_mpii_md, write_mvad

from s2vt_model.corpora.movies import normalise
from s2vt_model.corpora.registry import CORPORA
from s2vt_model.errors import CorpusError

WRITERS = {"mpii-md": (write_mpii_md, 1), "mvad": (write_mvad, 3001)}

CLIP = "0001_American_Beauty_00.00.51.926-00.00.54.129"
TEST_CLIP = "0002_As_Good_As_It_Gets_00.01.00.000-00.01.02.500"
MPII_MD = {
    "annotations-someone.csv": f"{CLIP}\tSOMEONE's asleep, isn't he?\n{TEST_CLIP}\tA man sings.\n",
    "dataSplit.txt": "0001_American_Beauty\ttraining\n0002_As_Good_As_It_Gets\ttest\n",
    "uniqueTestIds.txt": f"{TEST_CLIP}\n",
}
MVAD_CLIP = "3009_BATTLE_LOS_ANGELES_00.03.07.170-00.03.09.675"
TIMES = "00.03.07.170\t00.03.09.675\t00.03.07.170\t00.03.09.675"
MVAD = {
    "LSMDC16_annos_training_someone.csv": f"{MVAD_CLIP}\t{TIMES}\tSOMEONE runs.\n{MVAD_CLIP}\t{TIMES}\tHe falls.\n",
    "LSMDC16_annos_val_someone.csv": f"{CLIP}\t{TIMES}\tOne of MPII-MD's.\n",
    "LSMDC16_annos_test_someone.csv": f"3010_UP_{TIMES[:12]}-{TIMES[13:25]}\t{TIMES}\tA dog barks.\n",
}
FILES = {"mpii-md": MPII_MD, "mvad": MVAD}


def read(root, corpus, **changed):
    """The corpus of `FILES`, some of its files changed (their names without the ending)."""
    for name, text in FILES[corpus].items():
        (root / name).write_text(changed.get(name.split(".")[0], text), encoding="utf-8")
    return CORPORA[corpus].read(root)


def sentences(videos):
    return {(v.name, v.split): v.sentences for v in videos}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("corpus", WRITERS)
def test_what_is_written_in_the_authors_format_is_read_again(corpus, seed, tmp_path, capsys):
    write, first_movie = WRITERS[corpus]
    videos = random_videos(tmp_path, random.Random(seed), first_movie)
    write(tmp_path, videos)
    assert CORPORA[corpus].read(tmp_path) == videos
    assert capsys.readouterr().err == ""


def test_mpii_md_has_a_movies_split_and_someone_for_names(tmp_path):
    videos = read(tmp_path, "mpii-md")
    assert sentences(videos) == {
        (CLIP, "train"): ("someone s asleep isn t he",),
        (TEST_CLIP, "test"): ("a man sings",),
    }
    assert videos[0].path is None
    assert videos[0].origin == "0001_American_Beauty"


def test_mvad_has_lsmdcs_movies_numbered_3xxx_and_joins_the_lines_of_a_clip(tmp_path):
    assert sentences(read(tmp_path, "mvad")) == {
        (MVAD_CLIP, "train"): ("someone runs", "he falls"),
        ("3010_UP_00.03.07.170-00.03.09.675", "test"): ("a dog barks",),
    }


def test_the_someone_files_of_lsmdc_come_before_those_with_names(tmp_path):
    for name, text in MVAD.items():
        (tmp_path / name.replace("_someone", "")).write_text(text.replace("SOMEONE", "John"))
    assert CORPORA["mvad"].read(tmp_path)[0].sentences == ("john runs", "he falls")
    assert read(tmp_path, "mvad")[0].sentences == ("someone runs", "he falls")


def test_sentences_take_the_form_of_msvds():
    assert normalise("  SOMEONE’s well-lit “Café”,\tNo. 7_b!") == "someone s well lit café no 7 b"
    assert normalise("...") == ""


@pytest.mark.parametrize(
    ("corpus", "file", "lines", "malformed"),
    [
        ("mpii-md", "annotations-someone", f"{CLIP}\n", 1),  # no sentence
        ("mpii-md", "annotations-someone", f"{CLIP}\ta\tb\n\n{CLIP}\t...\n", 2),  # three columns; no word
        ("mpii-md", "annotations-someone", "0001_American_Beauty\tHe runs.\n", 1),  # no times
        ("mpii-md", "annotations-someone", f"{CLIP.replace('American', 'Unknown')}\tHe runs.\n", 1),  # no split
        ("mvad", "LSMDC16_annos_val_someone", f"{MVAD_CLIP}\t{TIMES}\n{MVAD_CLIP}\tHe runs.\nfalls\n", 3),
        ("mvad", "LSMDC16_annos_val_someone", f"3009_BATTLE\t{TIMES}\tHe runs.\n{MVAD_CLIP}\t{TIMES}\t!\n", 2),
    ],
)
def test_malformed_lines_are_skipped_and_counted(corpus, file, lines, malformed, tmp_path, capsys):
    whole = read(tmp_path, corpus)
    assert read(tmp_path, corpus, **{file: lines + FILES[corpus][f"{file}.csv"]}) == whole
    assert capsys.readouterr().err == f"{CORPORA[corpus].title}: malformed lines skipped: {malformed}\n"


def test_bytes_that_are_no_utf8_and_other_line_ends_do_not_stop_the_reader(tmp_path):
    read(tmp_path, "mpii-md")
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n").replace(b"asleep", b"n\xe9e \x85"))
    assert CORPORA["mpii-md"].read(tmp_path)[0].sentences == ("someone s n e isn t he",)


def test_test_clips_that_mpii_md_does_not_score_are_left_out(tmp_path):
    other = TEST_CLIP.replace("00.01.00", "00.02.00")
    both = MPII_MD["annotations-someone.csv"] + f"{other}\tHe sings.\n"
    assert (other, "test") not in sentences(read(tmp_path, "mpii-md", **{"annotations-someone": both}))
    with pytest.raises(CorpusError, match=r"uniqueTestIds\.txt” names no clip of the test split"):
        read(tmp_path, "mpii-md", uniqueTestIds="1\n2\n")


@pytest.mark.parametrize(("corpus", "name"), [(c, name) for c, files in FILES.items() for name in files])
def test_a_file_that_is_missing_is_named(corpus, name, tmp_path):
    read(tmp_path, corpus)
    (tmp_path / name).unlink()
    with pytest.raises(CorpusError, match=rf"There is no “.*{name}”\. Put {CORPORA[corpus].title}'s text files"):
        CORPORA[corpus].read(tmp_path)


def test_a_data_split_in_another_form_is_shown(tmp_path):
    with pytest.raises(CorpusError, match=r"dataSplit\.txt” has a line other than .*“0001_American_Beauty,training”"):
        read(tmp_path, "mpii-md", dataSplit="0001_American_Beauty,training\n")
