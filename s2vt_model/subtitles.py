"""A caption as a subtitle file: one cue, as long as what was read of the clip."""


def srt(text: str, start_s: float, end_s: float) -> str:
    """SubRip, as most players read it."""
    return f"1\n{_stamp(start_s, ',')} --> {_stamp(end_s, ',')}\n{text}\n"


def webvtt(text: str, start_s: float, end_s: float) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/), as `<track>` reads it."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"WEBVTT\n\n{_stamp(start_s, '.')} --> {_stamp(end_s, '.')}\n{escaped}\n"


def _stamp(seconds: float, point: str) -> str:
    """3661.5 -> 01:01:01,500"""
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{milliseconds:03}"
