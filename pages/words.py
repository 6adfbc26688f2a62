"""The sentences of made pages, from TOML files with one text per language."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent


def load(name: str) -> dict[str, Any]:
    """Return the contents of ``pages/<name>.toml``."""
    with (FOLDER / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)
