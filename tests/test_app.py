"""`python app.py`, from its first moments on."""

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ctrl_c_while_modules_are_imported_ends_it_without_a_traceback():
    app = subprocess.Popen(
        [sys.executable, "-X", "importtime", "app.py", "--host", "127.0.0.1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells ignore it for what runs behind them
    )
    try:
        assert any("gradio" in line for line in app.stderr)  # one of its modules is there; most are still to come
        app.send_signal(signal.SIGINT)
        written, said = app.communicate(timeout=60)
    finally:
        app.kill()
    assert app.returncode == 130
    assert written == ""
    assert "Traceback" not in said
