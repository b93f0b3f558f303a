"""`python app.py`, from its first moments on."""

import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

ROOT = Path(__file__).parents[1]

# A shell has what runs in its background ignore Ctrl-C, and a test run may be there.
RUN = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_path("app.py", run_name="__main__")
"""


def test_ctrl_c_while_modules_are_imported_ends_it_without_a_traceback():
    command = [sys.executable, "-X", "importtime", "-c", RUN, "--host", "127.0.0.1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as app:
        too_long = Timer(120, app.kill)
        too_long.start()
        try:
            assert any("gradio" in line for line in app.stderr)  # one of its modules is there; most are still to come
            app.send_signal(signal.SIGINT)
            written, said = app.communicate()
        finally:
            too_long.cancel()
            app.kill()
    assert app.returncode == 130
    assert written == ""
    assert "Traceback" not in said
