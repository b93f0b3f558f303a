"""The page -> a running server."""

from importlib.util import find_spec

import gradio as gr

from demo.blocks import PAGE, Page
from demo.engine import Engine
from demo.limits import MAX_SESSIONS, MAX_THREADS, MAX_UPLOAD_MB, MAX_WAITING
from s2vt_model.errors import S2VTError

# A font that Gradio serves itself: a Google font would be fetched from outside. (Its semi-bold file lacks letters.)
THEME = gr.themes.Default(
    primary_hue="indigo",
    secondary_hue="indigo",
    neutral_hue="slate",
    radius_size="lg",
    font=[gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "ui-sans-serif", "system-ui", "sans-serif"],
).set(
    # The theme's own greys are too faint to read: 2.6 : 1 on white.
    body_text_color_subdued="*neutral_500",
    block_info_text_color="*neutral_500",
    block_label_text_color="*neutral_600",
)


def serve(
    engine: Engine, host: str | None = None, port: int | None = None, quiet: bool = False, mcp: bool = False
) -> gr.Blocks:
    """Launch the page and return at once; `block_thread()` keeps it up, `close()` ends it.

    mcp: offer the endpoints as tools of an MCP server, too. Raises `S2VTError` where its packages are not installed.
    """
    if mcp and find_spec("mcp") is None:
        raise S2VTError("The MCP server needs more packages. Run: pip install -r requirements-mcp.txt.")
    demo = Page(engine).blocks
    demo.queue(max_size=MAX_WAITING)
    demo.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=quiet,
        share=False,
        ssr_mode=False,
        run_history=False,
        max_threads=MAX_THREADS,
        max_file_size=f"{MAX_UPLOAD_MB}mb",
        state_session_capacity=MAX_SESSIONS,
        footer_links=["api"],
        mcp_server=mcp or None,  # None: as GRADIO_MCP_SERVER says
        theme=THEME,
        css_paths=[PAGE / "style.css"],
    )
    return demo
