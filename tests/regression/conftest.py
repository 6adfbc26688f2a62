from importlib import resources
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def diabetes() -> Path:
    path = resources.files("bpref.regression") / "data" / "diabetes.csv"
    assert isinstance(path, Path)
    return path
