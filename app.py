"""The front door: `python app.py`, and what a Hugging Face Space runs."""

import argparse
import sys


def main() -> None:
    parser = argparse.ArgumentParser(description="S2VT in the browser: a video in, a sentence out.")
    parser.add_argument("--host", help="address to listen on; 0.0.0.0 lets a class on one network in")
    parser.add_argument("--port", type=int, help="port to listen on (default: 7860, or the next free one)")
    parser.add_argument("--mcp", action="store_true", help="serve AI agents, too (needs requirements-mcp.txt)")
    arguments = parser.parse_args()

    # Gradio takes seconds to import: --help needs none of it, and Ctrl-C may come before it is there.
    from demo.engine import Engine
    from demo.serve import serve
    from s2vt_model.errors import S2VTError

    engine = Engine()
    try:
        demo = serve(engine, arguments.host, arguments.port, mcp=arguments.mcp)
    except (OSError, S2VTError) as error:  # the port is taken, or MCP is not installed
        parser.exit(1, f"{error}\n")
    engine.start()  # after the page is up: importing torch would hold it back for seconds
    demo.block_thread()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
