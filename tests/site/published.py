"""Where the tests publish the site, and which address each Markdown page gets there."""

import re

ADDRESS = "https://example.org/learn/bpref/"


def url(name: str) -> str:
    """Address of a Markdown page below its language's root."""
    return re.sub(r"(^|/)index\.md$", r"\1", name).replace(".md", "/")
