"""What a test of an error message says: this error, and these words alone."""

import re

import pytest


def refused(error, message):
    """The block raises the error with exactly this message."""
    return pytest.raises(error, match=f"^{re.escape(message)}$")
