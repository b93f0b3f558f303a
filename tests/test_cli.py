"""`python -m s2vt_model caption`, as a shell sees it: output, errors, exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from videos import write_video

from s2vt_model.__main__ import main
from s2vt_model.captioner import Captioner
from s2vt_model.models import read_catalogue
from s2vt_model.trace import Trace

ROOT = Path(__file__).parents[1]


def shell(*arguments, **environment) -> subprocess.CompletedProcess:
    """A process of its own; whatever goes wrong, no traceback is shown."""
    done = subprocess.run(
        [sys.executable, "-m", "s2vt_model", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "a “läuft” 🐕.webm", 35)
    write_video(folder / "one.mp4", 1)
    write_video(folder / "long.avi", 400)
    (folder / "text.mp4").write_text("not a video")
    (folder / "empty.mp4").touch()
    return folder


@pytest.fixture
def call(capsys, monkeypatch, captioner):
    """The command in this process, with the weights that are loaded already."""
    load = Captioner.load
    monkeypatch.setattr(
        Captioner, "load", lambda model, device: captioner if model.name == "rgb" else load(model, device)
    )

    def call(*arguments) -> tuple[int, str, str]:
        status = main(["caption", *map(str, arguments)])
        return status, *capsys.readouterr()

    return call


# --- in a shell ---------------------------------------------------------------------------------


def test_json_one_object_a_line_and_a_bad_file_stops_no_other(folder):
    files = [folder / name for name in ("a “läuft” 🐕.webm", "text.mp4", "one.mp4", "nowhere.mp4", "long.avi")]
    done = shell("caption", *files, "--json", "--device", "cpu")
    assert done.returncode == 1
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["file"] for record in records] == [str(file) for file in files]
    good, bad = [records[k] for k in (0, 2, 4)], [records[k] for k in (1, 3)]
    for record in bad:
        assert list(record) == ["file", "error"]
        assert record["error"].endswith(".")
    for record in good:
        assert set(record) == {
            "file", "caption", "log_prob", "words", "frames", "duration_s", "seconds", "model",
        }  # fmt: skip
        assert record["caption"] == " ".join(word["word"] for word in record["words"])
        assert record["log_prob"] <= 0
        assert record["model"] == read_catalogue().default
        assert set(record["seconds"]) == {"read", "features", "decode"}
    assert [len(record["frames"]) for record in good] == [4, 1, 32]
    assert good[2]["frames"][-1] == {"index": 399, "time_s": pytest.approx(15.96)}
    assert good[2]["duration_s"] == pytest.approx(16)
    assert done.stderr == ""


def test_captions_on_stdout_and_the_rest_on_stderr(folder):
    files = [folder / name for name in ("empty.mp4", "a “läuft” 🐕.webm", "one.mp4")]
    done = shell("caption", *files, "--stream", "rgb", "--device", "cpu", PYTHONIOENCODING="utf-8")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line, file in zip(lines, files[1:], strict=True):
        assert line.startswith(f"{file}: ")
        assert line.removeprefix(f"{file}: ").strip()
    assert done.stderr.splitlines() == [
        "“empty.mp4” is empty (0 bytes). Copy or download it again.",
        f"{files[1]}: The model saw 4 of 35 frames (every 10th), from 0.0 s to 1.2 s.",
        f"{files[2]}: The video has a single frame; the model saw it.",
    ]


def test_a_name_that_the_terminal_cannot_show_is_escaped(folder):
    files = [folder / "a “läuft” 🐕.webm", folder / "one.mp4"]
    done = shell("caption", *files, "--device", "cpu", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert "a \\u201cl\\xe4uft\\u201d \\U0001f415.webm: " in done.stdout


def test_a_checkpoint_folder_that_is_not_there(folder):
    done = shell("caption", folder / "one.mp4", "--checkpoint", folder / "nowhere")
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"There is no checkpoint folder “{folder / 'nowhere'}”.")


def test_help_does_without_torch():
    code = "import sys, s2vt_model.__main__ as m\ntry: m.main(['caption', '--help'])\nexcept SystemExit: pass\n"
    code += "print(*(name for name in ('torch', 'timm', 'cv2') if name in sys.modules), 'loaded')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--temperature T" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["loaded"]


# --- options ------------------------------------------------------------------------------------


def words(status_and_output) -> str:
    status, out, _ = status_and_output
    assert status == 0
    return json.loads(out)["caption"]


def test_one_file_gives_the_caption_alone(call, folder):
    status, out, err = call(folder / "one.mp4", "--stream", "rgb")
    assert status == 0
    assert len(out.splitlines()) == 1
    assert str(folder) not in out
    assert err == "The video has a single frame; the model saw it.\n"


def test_the_checkpoint_chooses_how_to_search_unless_told(call, folder, captioner):
    defaults = captioner.default_options
    told = ["--beam", defaults.beam_width] if defaults.method == "beam" else ["--greedy"]
    by_default, by_option = (words(call(folder / "one.mp4", "--json", *how)) for how in ([], told))
    assert by_default == by_option


def test_a_beam_of_one_is_greedy(call, folder):
    greedy, beam = (words(call(folder / "one.mp4", "--json", *how)) for how in (["--greedy"], ["--beam", 1]))
    assert greedy == beam


def test_temperature_samples_repeatably(call, folder):
    first, again = (words(call(folder / "one.mp4", "--json", "--temperature", 10)) for _ in range(2))
    assert first == again
    assert first != words(call(folder / "one.mp4", "--json", "--greedy"))


def test_a_part_is_chosen_in_seconds(call, folder):
    _, out, _ = call(folder / "long.avi", "--json", "--start", 2, "--end", 3.5)
    record = json.loads(out)
    assert [frame["index"] for frame in record["frames"]] == [50, 60, 70, 80]
    assert record["duration_s"] == pytest.approx(38 / 25)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--start", 3, "--end", 2], "The start (3 s) must lie before the end (2 s)."),
        (["--start", -1], "The start must be a number of seconds, 0 or more; it is -1.0."),
        (["--end", "nan"], "The end must be a number of seconds, 0 or more; it is nan."),
        (["--beam", 0], "The beam width must be a whole number between 1 and 50; it is 0."),
        (["--temperature", 0], "The temperature must lie between 0.01 and 10; it is 0.0."),
    ],
)
def test_options_that_make_no_sense(call, folder, options, sentence):
    assert call(folder / "one.mp4", *options) == (1, "", sentence + "\n")


@pytest.mark.parametrize(
    "arguments", [[], ["--beam", "many", "x.mp4"], ["--greedy", "--beam", "3", "x.mp4"], ["--device", "tpu", "x.mp4"]]
)
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["caption", *arguments])
    assert stop.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_trace_covers_as_many_frames_at_once_as_is_asked(call, folder, tmp_path):
    file = tmp_path / "trace.json"
    assert call(folder / "long.avi", "--stream", "rgb", "--end", 2, "--trace", file, "--window", 3)[0] == 0
    (stream,) = Trace.from_json(file.read_text(encoding="utf-8")).streams
    assert {found.window for found in stream.attribution} == {3, None}
    status, _, complaint = call(folder / "one.mp4", "--window", 3)
    assert status == 1
    assert "Add --trace OUT" in complaint


def test_streams_are_asked_for_by_name_and_can_be_added(call, folder):
    default = call(folder / "one.mp4")
    assert call(folder / "one.mp4", "--stream", read_catalogue().default) == default
    status, text, _ = call(folder / "one.mp4", "--json", "--stream", "rgb+mean-pool", "--alpha", "rgb=.6,mean-pool=.4")
    assert status == 0
    assert json.loads(text)["model"] == "rgb+mean-pool"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--stream", "sound"], "There is no model “sound”. Name one of rgb, "),
        (["--stream", "rgb+mean-pool", "--alpha", "rgb=.6,mean-pool=.6"], "α must add up to 1; "),
        (["--stream", "rgb", "--alpha", "rgb"], "α is written rgb=.6,motion=.4; not “rgb”."),
        (["--checkpoint", "weights/s2vt-msvd-rgb", "--alpha", "rgb=1"], "--alpha shares the say among the streams"),
    ],
)
def test_streams_that_make_no_sense(call, folder, options, sentence):
    status, text, error = call(folder / "one.mp4", *options)
    assert (status, text) == (1, "")
    assert error.startswith(sentence)


def test_a_reader_that_stops_reading_is_no_crash():
    missing = " ".join(f"missing{i}.mp4" for i in range(500))
    command = f'"{sys.executable}" -m s2vt_model caption --json --device cpu {missing} | head -n 1'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert "missing0.mp4" in json.loads(done.stdout)["error"]
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
