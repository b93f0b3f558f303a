"""temporary"""


def _clock(s, mark):
    ms = round(s * 1000)
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02}{mark}{ms % 1000:03}"


def srt(caption, start_s, end_s):
    return f"1\n{_clock(start_s, ',')} --> {_clock(end_s, ',')}\n{caption}\n"


def vtt(caption, start_s, end_s):
    return f"WEBVTT\n\n{_clock(start_s, '.')} --> {_clock(end_s, '.')}\n{caption}\n"
