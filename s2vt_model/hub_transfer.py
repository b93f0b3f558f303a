"""One exchange with the Hub, on a thread of its own: how far it is, when to give it up, and what went wrong.

`huggingface_hub` waits and retries on its own, for minutes where a server is dead. Here the caller is never kept:
an exchange is work that yields `Progress`, ends in `HubError` when nothing comes for `SILENCE_SECONDS`, and is
abandoned, with its thread, by whoever stops iterating.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from s2vt_model.errors import HubError, HubUnreachableError, first_line
from s2vt_model.progress import Progress, Work

ASK_SECONDS = float(os.environ.get("HF_HUB_ETAG_TIMEOUT", 5))  # for an answer that carries no file
SILENCE_SECONDS = 30.0  # without a byte, after which a download is given up
TOTAL_SECONDS = 3600.0  # after which any download is
POLL_SECONDS = 0.1
CHUNK_BYTES = 2**18
SMALL_BYTES = 2**20  # of what comes before sizes are known: a manifest and a config

BROKE_OFF = "The download of “{}” broke off. Try again: files that are complete are kept."

Result = TypeVar("Result")


class Stopped(Exception):
    """Raised in the exchange's thread where nobody waits for it any more."""


class Meter:
    """What the two threads tell each other."""

    def __init__(self):
        self.what = "Asking the Hugging Face Hub"  # is being done
        self.total: int | None = None  # bytes there are to come, once that is known
        self.received = 0
        self.heard_at = self.began_at = time.monotonic()
        self.is_stopped = False

    def hear(self, size: int = 0) -> None:
        """The Hub said something, perhaps with `size` bytes of a file."""
        if self.is_stopped:
            raise Stopped
        self.heard_at = time.monotonic()
        self.received += size
        if self.received > 2 * (self.total or SMALL_BYTES):  # room for what comes twice when a line breaks
            raise HubError("The Hub sends more than it announced; the download was stopped.")

    def expect(self, what: str, size: int) -> None:
        """From now on, `size` bytes will come."""
        self.what, self.total, self.received = what, size, 0

    @property
    def progress(self) -> Progress:
        if self.total is None:
            return Progress("download", None, self.what)
        megabytes = f"{self.received / 1e6:.1f} of {self.total / 1e6:.1f} MB"
        return Progress("download", min(self.received / max(self.total, 1), 1.0), f"{self.what}: {megabytes}")

    @property
    def bar(self) -> type:
        """A class that takes the place of tqdm's in `huggingface_hub`: it prints nothing, and tells this meter."""
        meter = self

        class Bar:
            def __init__(self, *arguments, **keywords):
                pass

            def update(self, size: float) -> None:
                meter.hear(int(size))

            def __enter__(self):
                return self

            def __exit__(self, *error) -> None:
                pass

        return Bar


def exchange(subject: str, endpoint: str, task: Callable[[Meter], Result]) -> Work[Result]:
    """`task`, which talks to the Hub at `endpoint` about `subject`. Raises `HubError` with a sentence."""
    # Plain HTTP tells of bytes as they come and can be stopped between two of them; small chunks tell often.
    constants.HF_HUB_DISABLE_XET = True
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
    meter, done = Meter(), threading.Event()
    outcome: list[Result] = []
    problems: list[Exception] = []

    def run() -> None:
        try:
            outcome.append(task(meter))
        except Exception as error:  # handed on to the caller's thread
            problems.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name=f"hub {subject}", daemon=True).start()
    try:
        while not done.wait(POLL_SECONDS):
            now = time.monotonic()
            if now - meter.heard_at > SILENCE_SECONDS:
                raise HubUnreachableError(
                    f"The Hub at {endpoint} has sent nothing of “{subject}” for {SILENCE_SECONDS:.0f} seconds. "
                    "Try again later."
                )
            if now - meter.began_at > TOTAL_SECONDS:
                raise HubError(f"The download of “{subject}” took longer than an hour. Try again on a faster line.")
            yield meter.progress
    finally:
        meter.is_stopped = True  # the thread ends at the next word from the Hub
    if problems:
        raise explained(subject, endpoint, problems[0]) from problems[0]
    return outcome[0]


def explained(subject: str, endpoint: str, error: Exception) -> Exception:
    """The same problem as a sentence that says what to do; as it is where nothing is known of its kind."""
    cause = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else error
    status = cause.response.status_code if isinstance(cause, HfHubHTTPError) else 0
    match cause:
        case GatedRepoError():
            return HubError(
                f"“{subject}” is gated: accept its owner's conditions on its page at {endpoint}, then set HF_TOKEN "
                "to a token of that account."
            )
        case RepositoryNotFoundError():
            return HubError(
                f"There is no “{subject}” on the Hub at {endpoint}, or it is private. Check the spelling; for a "
                "private one, set HF_TOKEN to a token that may read it."
            )
        case HFValidationError():
            return HubError(f"“{subject}” is no name on the Hub: {first_line(cause)}.")
        case RevisionNotFoundError():
            return HubError(f"“{subject}”: there is no such revision. Name a branch, a tag or a commit of it.")
        case RemoteEntryNotFoundError():
            return HubError(f"“{subject}” lacks a file that it lists. Ask its owner to publish it again.")
        case OfflineModeIsEnabled():
            return HubUnreachableError(
                f"“{subject}” is not among this machine's downloads, and HF_HUB_OFFLINE forbids to ask for it. "
                "Unset HF_HUB_OFFLINE to download it once."
            )
        case HfHubHTTPError() if status == 401:
            return HubError("The Hub refuses the access token. Set HF_TOKEN to a valid one, or to none.")
        case HfHubHTTPError() if status == 403:
            return HubError(f"The Hub forbids that with “{subject}”. Set HF_TOKEN to a token that may do it.")
        case HfHubHTTPError() if status == 429 or status >= 500:
            return HubUnreachableError(f"The Hub at {endpoint} cannot answer now (status {status}). Try again later.")
        case HfHubHTTPError():
            return HubError(f"The Hub at {endpoint} will not do that with “{subject}”: {first_line(cause)}.")
        case httpx2.ConnectError() | httpx2.TimeoutException() | httpx2.ProxyError() | None:
            return HubUnreachableError(f"The Hub at {endpoint} cannot be reached. Check the connection and try again.")
        case httpx2.TransportError():
            return HubError(BROKE_OFF.format(subject))
        case OSError() if cause.errno is not None:
            return HubError(f"“{subject}” cannot be stored here: {cause.strerror}. Make room, or set HF_HOME.")
        case OSError() if "Consistency check" in str(cause):
            return HubError(BROKE_OFF.format(subject))
        case FileMetadataError() | json.JSONDecodeError() | httpx2.TooManyRedirects():  # a hotel's sign-in page
            return HubUnreachableError(
                f"What answers at {endpoint} is no Hub. Check HF_ENDPOINT, or sign in to the network."
            )
    return error
