"""Whether a text can be a token, said without showing it. Pure."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[1-9]\d{0,15}:[A-Za-z0-9_-]{24,}={0,2}")
_LONGEST = 80


def objection(text: str) -> str:
    """What keeps this text from being a token, as the server's own checks have it; empty if nothing does."""
    if len(text) <= _LONGEST and _TOKEN.fullmatch(text):
        return ""
    if text != text.strip() or "\n" in text:
        return "there is white space around it"
    if text[:1] in "\"'" or text[-1:] in "\"'":
        return "there are quotes around it"
    if text.lower().startswith("bot"):
        return "it begins with 'bot', which belongs to the URL"
    number, colon, secret = text.partition(":")
    if not colon:
        return "there is no colon in it"
    if not re.fullmatch(r"[1-9]\d{0,15}", number):
        return "what stands before the colon is not the number of a bot"
    if len(secret) < 24:
        return f"only {len(secret)} characters follow the colon, and a token has about 35 there"
    return "what follows the colon is no secret of a bot"
