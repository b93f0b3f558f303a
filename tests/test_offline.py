"""With the network unplugged the demo starts and captions, and it does not even try to call anybody."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Runs in a process of its own, so that nothing imported before escapes the watch.
UNPLUGGED = """
import json, socket, sys

calls = []

def is_own(host):
    return host in (None, "", "0.0.0.0", "::", "localhost") or str(host).startswith("127.") or host == "::1"

def refuse_others(name, original, host_of):
    def guarded(*arguments, **keywords):
        host = host_of(arguments)
        if not is_own(host):
            calls.append([name, str(host)])
            raise OSError("unplugged")
        return original(*arguments, **keywords)
    return guarded

peer = lambda arguments: arguments[1][0] if isinstance(arguments[1], tuple) else None
socket.socket.connect = refuse_others("connect", socket.socket.connect, peer)
socket.socket.connect_ex = refuse_others("connect_ex", socket.socket.connect_ex, peer)
socket.getaddrinfo = refuse_others("getaddrinfo", socket.getaddrinfo, lambda arguments: arguments[0])

from demo.engine import Engine
from demo.examples import EXAMPLES
from demo.serve import serve
from gradio_client import Client, handle_file

engine = Engine()
demo = serve(engine, "127.0.0.1", quiet=True)
engine.start()
record = Client(demo.local_url, verbose=False).predict(handle_file(EXAMPLES[0].path), api_name="/caption")
demo.close()
print("RESULT " + json.dumps({"caption": record["caption"], "calls": calls}))
"""


def test_the_demo_works_unplugged_and_calls_nobody():
    done = subprocess.run(
        [sys.executable, "-c", UNPLUGGED], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stderr
    result = json.loads(lines[0].removeprefix("RESULT "))
    assert result["caption"]
    assert result["calls"] == []
