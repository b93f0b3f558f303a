"""Try the Space as the Hub builds it: its files in an empty folder, its requirements in a fresh environment.

    python -m scripts.try_space

Its page then captions an example in Chromium. It takes minutes and some 6 GB of disk, which are given back.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from s2vt_model.publishing import write
from s2vt_model.space import prepare_space
from tests.browsing import CHROMIUM, choose_example, visiting

START_SECONDS = 300  # importing everything from a cold disk


@contextmanager
def started(folder: Path, python: str | Path = sys.executable) -> Iterator[str]:
    """The URL of `python app.py` in the folder, which gets nothing from this process's place or paths."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GRADIO_", "S2VT_"))}
    log = folder.parent / "app.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [python, "-u", "app.py", "--host", "127.0.0.1"], cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        patience = time.monotonic() + START_SECONDS
        while not (urls := [word for word in log.read_text().split() if word.startswith("http://127.0.0.1:")]):
            if process.poll() is not None or time.monotonic() > patience:
                raise RuntimeError(f"The Space did not start:\n{log.read_text()}")
            time.sleep(0.2)
        yield urls[0]
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="space-") as temporary:
        folder, environment = Path(temporary) / "space", Path(temporary) / "environment"
        write(prepare_space("org/name"), folder)
        files = [file for file in folder.rglob("*") if file.is_file()]
        print(f"{len(files)} files, {sum(file.stat().st_size for file in files) / 1e6:.0f} MB")
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        python = environment / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", "requirements.txt"], cwd=folder, check=True)
        with started(folder, python) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM)
            with visiting(browser, url) as page:
                choose_example(page)
                print(f"captioned: {page.locator('.caption').text_content()}")
            browser.close()


if __name__ == "__main__":
    main()
