"""What visitors may use up, in one place."""

from typing import Any

MAX_UPLOAD_MB = 200
UPLOADS_LIFETIME_S = 2 * 3600  # longer than a full queue takes, or files would go while they wait
CLEAN_UP_EVERY_S = 600
MAX_WAITING = 40  # jobs in the queue; a class of thirty fits
MAX_CALLS = 40  # of programs at a time, most of them waiting for a model or their turn
MAX_THREADS = 80  # what programs do not take is the page's
MAX_SESSIONS = 200  # visitors whose features are kept
MAX_VISITORS_MODELS = 8  # from the Hub; each takes some 100 MB of memory, for good
WRITERS = 4  # re-decodings at a time; each takes milliseconds
CNN = "cnn"  # the page's events of this group run one at a time: they share the processor, with programs too (turns.py)
TRACES = "traces"  # likewise; apart, so that nobody's caption waits for somebody's trace


def busy(status: Any, group: str = CNN) -> dict[str, Any]:
    """How an event runs that keeps the processor busy for a while; `status` is the line that tells of it."""
    return {
        "concurrency_id": group,
        "concurrency_limit": 1,
        "trigger_mode": "multiple",  # a new wish does not wait for the end of one that is being cancelled
        "show_progress": "minimal",
        "show_progress_on": status,
        "api_visibility": "private",
    }
