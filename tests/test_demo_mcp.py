"""The endpoints as tools of an MCP server, where that is asked for and installed."""

import ast
import asyncio
import base64
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from demo.engine import Engine
from demo.examples import EXAMPLES
from demo.serve import serve

ROOT = Path(__file__).parents[1]
VIDEO = "data:video/mp4;base64," + base64.b64encode(EXAMPLES[0].path.read_bytes()).decode()

needs_mcp = pytest.mark.skipif(find_spec("mcp") is None, reason="MCP is an extra (requirements-mcp.txt)")


def test_the_extra_is_of_the_same_gradio():
    app, extra = ((ROOT / f"requirements{kind}.txt").read_text() for kind in ("", "-mcp"))
    pin = re.search(r"^gradio(==\S+)", app, re.MULTILINE)[1]
    assert f"gradio[mcp]{pin}" in extra.split()


@pytest.mark.skipif(find_spec("mcp") is not None, reason="MCP is installed")
def test_what_is_missing_is_told():
    done = subprocess.run(
        [sys.executable, "app.py", "--mcp"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "The MCP server needs more packages. Run: pip install -r requirements-mcp.txt.\n"


@pytest.fixture(scope="module", params=[True, False])
def server(request, captioner):
    demo = serve(Engine(lambda _: captioner), "127.0.0.1", quiet=True, mcp=request.param)
    yield demo
    demo.close()


async def with_session(url, talk):
    """What `talk` finds out in a session with the server."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    where = f"{url}gradio_api/mcp/"
    async with streamablehttp_client(where) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        return await talk(session)


@needs_mcp
@pytest.mark.parametrize("server", [True], indirect=True)
def test_tools(server):
    async def talk(session):
        return (await session.list_tools()).tools

    tools = asyncio.run(with_session(server.local_url, talk))
    assert [tool.name for tool in tools] == ["caption", "trace"]
    for tool in tools:
        assert tool.inputSchema["required"] == ["video"]
        assert all(p["description"] for p in tool.inputSchema["properties"].values())


@needs_mcp
@pytest.mark.parametrize("server", [True], indirect=True)
def test_a_tool_captions(server, captioner):
    async def talk(session):
        said = await session.call_tool("caption", {"video": VIDEO, "method": "greedy"})
        refused = await session.call_tool("caption", {"video": VIDEO, "method": "guess"})
        return said, refused

    said, refused = asyncio.run(with_session(server.local_url, talk))
    assert not said.isError
    assert ast.literal_eval(said.content[0].text)["caption"]  # Gradio writes records so
    assert refused.isError
    assert "The decoding method is greedy, beam or sample" in refused.content[0].text


@needs_mcp
@pytest.mark.parametrize("server", [False], indirect=True)
def test_there_is_none_unless_asked_for(server):
    assert not server.mcp_server
