"""Make README's picture of a trace on the page, in Chromium.

    python -m scripts.screenshot_trace

It needs requirements-dev.txt.
"""

from playwright.sync_api import sync_playwright

from demo.blocks import PAGE
from demo.engine import Engine
from demo.examples import EXAMPLES
from tests.browsing import CHROMIUM, choose_example, running, traced, visiting

RABBIT = next(at for at, example in enumerate(EXAMPLES) if example.path.stem == "rabbit")
OUT = PAGE / "trace.png"
WORD, FRAME = 1, 0  # that are chosen


def main() -> None:
    with running(Engine()) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        with visiting(browser, url, color_scheme="light", reduced_motion="reduce") as page:
            choose_example(page, RABBIT)
            traced(page)
            page.locator("details[data-row=watching] summary").click()
            page.locator(".word").nth(WORD).click()
            page.locator(".strip button").nth(FRAME).click()
            page.wait_for_function("!document.querySelector('video').seeking")
            page.mouse.move(0, 0)
            page.wait_for_timeout(500)  # colours change slowly
            page.evaluate("window.scrollTo(0, 0)")  # boxes are measured from the top of what is seen
            first = page.locator(".seen").bounding_box()
            after = page.locator("details[data-row=chances]").bounding_box()
            clip = {"x": first["x"] - 24, "y": first["y"] - 24, "width": first["width"] + 48}
            clip["height"] = after["y"] - clip["y"]
            page.screenshot(path=OUT, full_page=True, clip=clip)
        browser.close()
    print(f"{OUT}: {OUT.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
