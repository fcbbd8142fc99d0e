"""Text of strangers as text: nothing in it becomes markup, and nothing is loaded because of it."""

from __future__ import annotations

import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")

_ADDRESS = re.compile(r"https?(?=://)|www(?=\.)|[-.\w+](?=@)", re.IGNORECASE)
_JOINER = "\u2060"
"""Of no width. Streamlit turns addresses into links after escapes are resolved, unless something stands in them."""


def plain(text: str) -> str:
    """Escape text for Streamlit's markdown, so that it reads as it stands: labels, captions, messages.

    Every ASCII punctuation mark gets a backslash (CommonMark 0.31, section 2.4), which covers images, links, HTML,
    mathematics and Streamlit's own `:colour[…]`; line ends are kept. For whole posts `st.text` is the better place.
    """
    apart = _ADDRESS.sub(lambda found: f"{found[0]}{_JOINER}", text)
    return "  \n".join(_PUNCTUATION.sub(r"\\\1", line) for line in apart.splitlines())
