"""Files that are whole, checked, and free of code; the folder that they lie in."""

import json
import os
import pickle
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import bpref.regression
from bpref.regression import atomic, checkpoint
from bpref.regression.atomic import write_atomically
from bpref.regression.config import Config
from bpref.regression.errors import RunError
from bpref.regression.preprocessing import Preprocessor
from bpref.regression.recipe import Recipe
from bpref.regression.run_folder import LOCK, RunFolder

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)  # fmt: skip
ARRAYS = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
)
VALUES = {"epoch": 3, "10.weight": np.eye(2, 3, dtype=np.float32), "2.bias": np.arange(2.0)}


# Writing


@given(st.dictionaries(st.text(min_size=1, max_size=8), ARRAYS | JSON, max_size=6))
@settings(max_examples=60, deadline=None)
def test_what_was_saved_is_loaded_bit_for_bit_and_in_order(values):
    values.pop("__metadata__", None)  # a name that the format keeps for itself
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        checkpoint.save(path, values)
        found = checkpoint.load(path)
    assert list(found) == list(values)
    for key, value in values.items():
        if isinstance(value, np.ndarray):
            assert found[key].dtype == value.dtype
            assert found[key].shape == value.shape
            assert found[key].tobytes() == value.tobytes()
        else:
            assert found[key] == value
            assert type(found[key]) is type(value)


def test_an_array_in_another_order_of_memory_is_saved_as_it_is_read(tmp_path):
    array = np.arange(6.0).reshape(2, 3).T
    checkpoint.save(tmp_path / "a", {"turned": array, "part": np.arange(9.0)[::2]})
    found = checkpoint.load(tmp_path / "a")
    assert (found["turned"] == array).all()
    assert (found["part"] == [0, 2, 4, 6, 8]).all()


def test_other_programs_read_the_tensors(tmp_path):
    checkpoint.save(tmp_path / "m", VALUES)
    found = safetensors.numpy.load_file(tmp_path / "m")
    assert found.keys() == {"10.weight", "2.bias"}
    assert (found["2.bias"] == [0, 1]).all()


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    path = tmp_path / "state"
    write_atomically(path, b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, call, fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["state"]


def test_the_bytes_are_on_the_disk_before_the_name_is_given(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            atomic.os, name, lambda *args, n=name, r=real: (calls.append(n), r(*args))[1]
        )
    write_atomically(tmp_path / "state", b"new")
    assert calls == ["fsync", "replace", "fsync"]  # the last one is the folder's


# Damage


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "state"
    checkpoint.save(path, VALUES)
    return path


def test_every_changed_byte_is_found(file, tmp_path):
    """All but spaces that fill up the header: they change nothing that is read."""
    data, path = file.read_bytes(), tmp_path / "state"
    found = 0
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x11]) + data[at + 1 :])
        with pytest.raises(RunError) as error:
            checkpoint.load(path)
        assert str(error.value).startswith(f"{path}: ")
        assert len(str(error.value).splitlines()) == 1
        found += 1
    assert found == len(data)


def test_every_truncated_file_is_refused(file, tmp_path):
    data, path = file.read_bytes(), tmp_path / "state"
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(RunError, match="damaged or incomplete"):
            checkpoint.load(path)


def test_bytes_at_the_end_are_refused(file, tmp_path):
    (tmp_path / "state").write_bytes(file.read_bytes() + b"more")
    with pytest.raises(RunError, match="damaged or incomplete"):
        checkpoint.load(tmp_path / "state")


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_a_pickle_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("state").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(RunError, match="damaged or incomplete"):
        checkpoint.load(Path("state"))
    assert os.listdir() == ["state"]


def test_nothing_here_loads_what_could_run_code():
    folder = Path(bpref.regression.__file__).parent
    source = "\n".join(path.read_text() for path in folder.glob("*.py"))
    for forbidden in (
        r"import (c?pickle|dill|joblib|shelve|marshal)",
        r"torch\.load\b|read_pickle|allow_pickle|yaml\.load",
        r"(?<![.\w])(?<!def )(eval|exec)\(",
    ):
        assert not re.search(forbidden, source), forbidden


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(RunError, match="state: no such file"):
        checkpoint.load(tmp_path / "state")
    with pytest.raises(RunError, match=r"cannot be read|damaged"):
        checkpoint.load(tmp_path)
    safetensors.numpy.save_file({"a": np.zeros(1)}, tmp_path / "foreign")
    with pytest.raises(RunError, match="not written by bpref-train"):
        checkpoint.load(tmp_path / "foreign")


def test_a_later_format_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    checkpoint.save(tmp_path / "state", VALUES)
    monkeypatch.undo()
    with pytest.raises(RunError, match=r"format 2 is later than 1.*use a newer bpref"):
        checkpoint.load(tmp_path / "state")


# Recipe


RECIPE = Recipe(
    config=Config(hidden_sizes=(3, 2), patience=4),
    file="/data/a.csv",
    sha256="0" * 64,
    targets=("y",),
    drop=("id",),
    categorical=("zip",),
    delimiter=";",
    rows={"train": 2, "validation": 1, "test": 1},
    log_gradients=True,
)


def test_a_recipe_is_written_and_read():
    written = json.loads(json.dumps(RECIPE.to_dict()))
    assert Recipe.from_dict(written, "config.json") == RECIPE


FAULTS = {
    "no format": (lambda w: w.pop("format"), "names no format"),
    "later format": (lambda w: w.update(format=2), "format 2 is later than 1"),
    "odd format": (lambda w: w.update(format="x"), "format is 'x'"),
    "no options": (lambda w: w.pop("options"), "options and data must be objects"),
    "unknown option": (lambda w: w["options"].update(magic=1), "unknown option 'magic'"),
    "bad option": (lambda w: w["options"].update(epochs="many"), "epochs must be an integer"),
    "odd sizes": (lambda w: w["options"].update(hidden_sizes=7), "config.json: "),
    "later options": (lambda w: w["options"].update(version=9), "version must be"),
    "no targets": (lambda w: w["data"].pop("targets"), "targets must be of type list"),
    "odd targets": (lambda w: w["data"].update(targets=[1]), "targets must hold names"),
    "odd file": (lambda w: w["data"].update(file=1), "file must be of type str"),
    "no hash": (lambda w: w["data"].pop("sha256"), "sha256 must be of type str"),
}


@pytest.mark.parametrize("name", FAULTS, ids=lambda name: name.replace(" ", "-"))
def test_a_damaged_recipe_is_one_line(name):
    change, message = FAULTS[name]
    written = json.loads(json.dumps(RECIPE.to_dict()))
    change(written)
    with pytest.raises(RunError, match=re.escape(message)) as error:
        Recipe.from_dict(written, "config.json")
    assert str(error.value).startswith("config.json: ")


# The folder


@pytest.fixture
def run(tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, 0.0, 2.0]})
    folder = RunFolder(tmp_path / "run")
    with folder.new():
        folder.begin(RECIPE, Preprocessor.fit(frame, "y"), b"line,part\n", {})
    return folder


def test_a_new_folder_has_what_is_known_before(run):
    assert set(os.listdir(run.path)) == {
        LOCK, "config.json", "preprocessing.json", "split.csv", "environment.json"
    }  # fmt: skip
    again = RunFolder(run.path)
    assert again.open() == RECIPE
    assert again.preprocessor().target_names == ("y",)
    assert again.result() is None
    assert again.checkpoint() == (None, 0.0)


def test_what_does_not_begin_leaves_nothing(tmp_path):
    folder = RunFolder(tmp_path / "deep" / "run")
    with pytest.raises(KeyError), folder.new():
        raise KeyError
    assert os.listdir(tmp_path) == []
    (tmp_path / "run").mkdir()
    with pytest.raises(KeyError), RunFolder(tmp_path / "run").new():
        raise KeyError
    assert os.listdir(tmp_path / "run") == []


def test_a_folder_of_somebody_is_never_taken(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(RunError, match="not empty"), RunFolder(tmp_path).new(force=force):
            pass
    (tmp_path / "config.json").write_text('{"mine": true}')
    with pytest.raises(RunError, match="not empty"), RunFolder(tmp_path).new(force=True):
        pass
    assert set(os.listdir(tmp_path)) == {"notes.txt", "config.json"}


def test_force_replaces_the_files_of_a_run_and_no_others(run):
    for folder in ("figures", "tensorboard"):
        (run.path / folder).mkdir()
    (run.path / "figures" / "predicted-1.svg").touch()
    (run.path / "tensorboard" / "events.out.tfevents.1").touch()
    (run.path / "figures" / "mine.svg").touch()
    (run.path / "notes.txt").touch()
    (run.path / "checkpoint.safetensors.part").touch()
    with pytest.raises(RunError, match=r"holds a run.*--force"), RunFolder(run.path).new():
        pass
    assert (run.path / "config.json").exists()
    with pytest.raises(KeyError), RunFolder(run.path).new(force=True):
        raise KeyError
    left = {str(p.relative_to(run.path)) for p in run.path.rglob("*")}
    assert left == {"notes.txt", "figures", "figures/mine.svg"}


def test_a_locked_folder_is_refused(run):
    with run.locked():
        for use in (RunFolder(run.path).locked(), RunFolder(run.path).new(force=True)):
            with pytest.raises(RunError, match="another bpref-train is at work"), use:
                pass
    with run.locked():
        pass


@pytest.mark.parametrize("name", ["config.json", "preprocessing.json"])
def test_weights_of_other_options_are_refused(run, name):
    run.save_checkpoint({"best_epoch": 2, "best.0.bias": np.zeros(1)}, 1.5)
    run.save_model({"0.bias": np.ones(1)}, 2)
    assert RunFolder(run.path).model().epoch == 2
    assert RunFolder(run.path).checkpoint()[1] == 1.5
    path = run.path / name
    path.write_text(path.read_text().replace("0.01", "0.02").replace("1.0", "1.5"))
    for read in (RunFolder(run.path).model, RunFolder(run.path).checkpoint):
        with pytest.raises(RunError, match=r"does not belong to config.json and preprocessing"):
            read()


def test_the_files_may_be_laid_out_anew(run):
    run.save_model({"0.bias": np.ones(1)}, 2)
    for name in ("config.json", "preprocessing.json"):
        path = run.path / name
        path.write_text(json.dumps(json.loads(path.read_text()), indent=7))
    assert RunFolder(run.path).model().epoch == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged: not JSON"),
        (b"{", "damaged: not JSON"),
        (b"[" * 100_000, "damaged: not JSON"),
        (b"\xff\xfe", "damaged: not JSON"),
        (b"[1]", "damaged: not a JSON object"),
        (None, "no such file|no config.json|before it began"),
    ],
)
@pytest.mark.parametrize("name", ["config.json", "preprocessing.json"])
def test_damaged_json_is_one_line(run, name, content, message):
    path = run.path / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    read = RunFolder(run.path).open if name == "config.json" else RunFolder(run.path).preprocessor
    with pytest.raises(RunError, match=message) as error:
        read()
    assert str(error.value).startswith(str(run.path))
    assert len(str(error.value).splitlines()) == 1


def test_a_later_preprocessing_names_its_file(run):
    path = run.path / "preprocessing.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 7'))
    with pytest.raises(RunError, match=re.escape(f"{path}: version 7 is later than 1")):
        RunFolder(run.path).preprocessor()


def test_folders_that_are_none(tmp_path):
    with pytest.raises(RunError, match="no such folder"):
        RunFolder(tmp_path / "nowhere").open()
    with pytest.raises(RunError, match=r"it has no config.json"):
        RunFolder(tmp_path).open()
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="is no folder"):
        RunFolder(tmp_path / "file").open()
