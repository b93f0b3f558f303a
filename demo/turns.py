"""Who may keep the processor busy: one at a time.

The page's events wait in Gradio's queue, and one of them at a time comes here. A program's call is a single event from
the wait for its model to its answer; in that queue, a slow Hub would hold up all the others. So it gets in line here,
when it has all it needs. Between two calls of programs it is the page's turn, if anybody waits there.
"""

from __future__ import annotations

import time

from s2vt_model.progress import Progress, Result, Work

POLL_SECONDS = 0.2  # how soon the next in line begins, or can stop waiting
MAX_POLL_SECONDS = 1.0  # of those far behind: each look at the line costs the server a message


class Turns:
    """A line of waiting work, which begins with what is being done."""

    def __init__(self):
        self._line: list[object] = []  # changed by single, atomic calls: a generator may be closed at any moment

    def of_page(self, work: Work[Result]) -> Work[Result]:
        """`work`, after what is being done. One event of the page may ask at a time."""
        ticket = object()
        self._line.insert(1, ticket)
        return (yield from self._when_first(ticket, work))

    def of_program(self, work: Work[Result]) -> Work[Result]:
        """`work`, after all that asked before."""
        ticket = object()
        self._line.append(ticket)
        return (yield from self._when_first(ticket, work))

    def _when_first(self, ticket: object, work: Work[Result]) -> Work[Result]:
        try:
            while ahead := self._line.index(ticket):
                sentence = "1 video is ahead of yours" if ahead == 1 else f"{ahead} videos are ahead of yours"
                yield Progress("wait", None, sentence)
                time.sleep(min(ahead * POLL_SECONDS, MAX_POLL_SECONDS))
            return (yield from work)
        finally:
            self._line.remove(ticket)
