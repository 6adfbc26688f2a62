from importlib import resources
from pathlib import Path

import pytest

from bpref.regression.command import main


@pytest.fixture(scope="session")
def diabetes() -> Path:
    path = resources.files("bpref.regression") / "data" / "diabetes.csv"
    assert isinstance(path, Path)
    return path


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """Run the command in this process, in a folder of its own: its code, output and messages."""
    monkeypatch.chdir(tmp_path)

    def call(*args):
        capfd.readouterr()
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as exit_:
            code = exit_.code
        return (code, *capfd.readouterr())

    return call
