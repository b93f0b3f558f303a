"""Programs get from the server what people get from the command line, and sentences when something is wrong."""

import json

import pytest
from gradio_client import Client, handle_file

from demo.engine import Engine
from demo.examples import EXAMPLES
from s2vt_model.__main__ import main
from s2vt_model.captioner import Captioner
from s2vt_model.progress import finish
from tests.browsing import running

DOG = EXAMPLES[0].path
ENDPOINTS = ["/caption", "/trace"]


@pytest.fixture(scope="module")
def client(url):
    return Client(url, verbose=False)


def printed(capsys, *arguments) -> str:
    assert main(["caption", str(DOG), "--stream", "rgb", "--device", "cpu", *arguments]) == 0
    return capsys.readouterr().out


def test_the_endpoints_and_their_types(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert list(named) == ENDPOINTS
    assert "--json" in named["/caption"]["description"]
    assert "--trace" in named["/trace"]["description"]
    for name, endpoint in named.items():
        parameters = {p["parameter_name"]: p["python_type"]["type"] for p in endpoint["parameters"]}
        assert parameters == {
            "video": "filepath",
            "model": "str",
            "method": "str",
            "beam_width": "int",
            "length_exponent": "float",
            "temperature": "float",
            "seed": "int",
            "max_words": "int",
            "start": "float",
            "end": "float",
            "alpha": "str",
        } | ({"window": "int"} if name == "/trace" else {})
        assert [p["parameter_name"] for p in endpoint["parameters"] if not p["parameter_has_default"]] == ["video"]


def test_a_caption_is_the_command_lines(client, captioner, capsys):
    record = client.predict(handle_file(DOG), method="greedy", api_name="/caption")
    expected = json.loads(printed(capsys, "--greedy", "--json"))
    assert set(record.pop("seconds")) == set(expected.pop("seconds")) == {"read", "features", "decode"}
    assert record.pop("file") == "dog.mp4"
    assert expected.pop("file") == str(DOG)
    assert record == expected
    seen = finish(captioner.look(DOG))
    assert [f["index"] for f in record["frames"]] == list(seen.clip.indices)


def test_a_trace_is_the_command_lines(client, tmp_path, capsys):
    found = client.predict(handle_file(DOG), api_name="/trace")
    printed(capsys, "--trace", str(tmp_path / "trace.json"))
    assert found == json.loads((tmp_path / "trace.json").read_text())
    assert found["schema"] == "s2vt-trace"


def test_a_trace_of_a_part_by_another_search(client, captioner):
    found = client.predict(handle_file(DOG), method="greedy", start=0.5, api_name="/trace")
    assert found["start_s"] >= 0.5
    assert found["decoding"]["method"] == "greedy"
    assert found["beam"] == []


def test_streams_share_the_say_as_is_asked(captioner):
    twin = Captioner("a+b", dict.fromkeys("ab", captioner.streams["rgb"]), {"a": 0.5, "b": 0.5})
    with running(Engine(lambda _: twin)) as url:
        client = Client(url, verbose=False)
        found = client.predict(handle_file(DOG), end=1, alpha="b=.1,a=.9", window=2, api_name="/trace")
        assert [(stream["name"], stream["alpha"]) for stream in found["streams"]] == [("a", 0.9), ("b", 0.1)]
        assert {map["window"] for stream in found["streams"] for map in stream["attribution"]} == {2, None}
        assert client.predict(handle_file(DOG), end=1, alpha="a=1,b=0", api_name="/caption")["caption"]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_progress_comes_before_the_result(client, endpoint):
    job = client.submit(handle_file(DOG), api_name=endpoint)
    job.result()
    *steps, result = job.outputs()
    assert {"features"} <= {step["stage"] for step in steps}
    assert "caption" in result


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_what_is_wrong_is_explained(client, tmp_path, endpoint):
    bad = tmp_path / "notes.mp4"
    bad.write_text("no film at all")
    with pytest.raises(ValueError, match="holds text, not a video"):
        client.predict(handle_file(bad), api_name=endpoint)
    with pytest.raises(ValueError, match="The decoding method is greedy, beam or sample"):
        client.predict(handle_file(DOG), method="guess", api_name=endpoint)
    with pytest.raises(ValueError, match="must lie before the end"):
        client.predict(handle_file(DOG), start=1, end=0.5, api_name=endpoint)
    with pytest.raises(ValueError, match="α names motion; the streams are rgb"):
        client.predict(handle_file(DOG), alpha="motion=1", api_name=endpoint)
    with pytest.raises(ValueError, match="Send a video file"):
        client.predict(None, api_name=endpoint)
