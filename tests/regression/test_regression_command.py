"""The command: what it says, what it writes, what it refuses."""

import csv
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_regression_bad_tables import LATER, ROWS, TRAIN, UNREADABLE

from bpref.regression import checkpoint, options
from bpref.regression.advice import advised
from bpref.regression.command import COMMANDS
from bpref.regression.config import Config
from bpref.regression.options import build_parser, config_of

FORMAT_1 = Path(__file__).parent / "data" / "run-format-1"
COLORS = "red", "blue", '"dark, green"'
HOUSES = "size,color,price\n" + "".join(f"{i},{COLORS[i % 3]},{3 * i + i % 4}\n" for i in range(40))
QUIET = ("--quiet", "--no-report")


@pytest.fixture
def houses(command, tmp_path):
    """A run on houses.csv, in the folder "run"."""
    (tmp_path / "houses.csv").write_text(HOUSES)
    fit = "fit", "houses.csv", "--target", "price", "--epochs", 3, "--run", "run", *QUIET
    assert command(*fit) == (0, "", "")
    return command


def shell(*args, cwd, interpreter=("-W", "error"), **options):
    # The repository's root first, so that the command also runs where bpref is not installed.
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *interpreter, *map(str, args)],
        text=True,
        cwd=cwd,
        env=env,
        check=False,
        **{"capture_output": True, **options},
    )


def refused(result, *parts, code=2):
    assert result[0] == code, result
    assert result[1] == ""
    assert len(result[2].splitlines()) == 1, result[2]
    assert result[2].startswith("bpref-train: error: ")
    for part in parts:
        assert part in result[2], (part, result[2])


# fit


def test_the_first_try_from_a_shell(tmp_path):
    done = shell("-m", "bpref.regression", "fit", "--epochs", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"(epoch \d/3: training loss .* left\n){3}", done.stderr)
    assert "table    y = 2x + 1 + noise: 200 rows: 140 train, 30 validation, 30 test" in done.stdout
    assert "network  1–10–1 relu, 31 parameters" in done.stdout
    assert "least squares" in done.stdout
    assert set(os.listdir(tmp_path / "bpref-run")) == {
        ".bpref-train.lock", "config.json", "preprocessing.json", "split.csv", "environment.json",
        "metrics.jsonl", "checkpoint.safetensors", "model.safetensors", "result.json",
        "report.html", "report.md", "figures", "tensorboard",
    }  # fmt: skip
    assert "noise floor" in (tmp_path / "bpref-run/report.md").read_text()


def test_the_files_of_a_run_say_what_it_was(houses, tmp_path):
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert Config.from_dict(config["options"]) == Config(epochs=3)
    assert config["data"]["targets"] == ["price"]
    assert config["data"]["file"] == str(tmp_path / "houses.csv")
    assert config["data"]["rows"] == {"train": 28, "validation": 6, "test": 6}
    split = pd.read_csv(tmp_path / "run/split.csv")
    assert split["line"].tolist() == list(range(2, 42))
    assert split["part"].value_counts().to_dict() == config["data"]["rows"]
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    assert [line["epoch"] for line in metrics] == [1, 2, 3]
    assert [line["step"] for line in metrics] == [1, 2, 3]
    assert metrics[0].keys() == {
        "epoch", "step", "training_loss", "validation_loss", "learning_rate", "seconds"
    }  # fmt: skip
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["status"] == "finished"
    best = min(metrics, key=lambda line: line["validation_loss"])
    assert result["best_epoch"] == best["epoch"]
    assert result["best_validation_loss"] == best["validation_loss"]
    # The losses are in the unit of the target: the one of the best epoch is the score.
    mse = result["scores"]["price"]["validation"]["mse"]
    assert best["validation_loss"] == pytest.approx(mse, rel=1e-5)
    environment = json.loads((tmp_path / "run/environment.json").read_text())
    assert environment["numpy"] == np.__version__


def test_the_same_seed_gives_the_same_weights(command, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert command("fit", "--epochs", 2, "--seed", seed, "--run", name, *QUIET) == (0, "", "")
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_the_diabetes_file_beats_the_constant(command, diabetes, tmp_path):
    code, out, err = command("fit", diabetes, "--target", "target", "--epochs", 30)
    assert code == 0, err
    found = json.loads((tmp_path / "bpref-run/result.json").read_text())["scores"]["target"]
    constant = found["baselines"]["constant (training mean)"]["mse"]
    assert found["test"]["mse"] < 0.7 * constant
    assert "feature  bmi (numeric): standardised: mean" in out
    assert "next: bpref-train predict bpref-run FILE" in out


def test_what_was_done_to_each_column_is_said(command, tmp_path):
    (tmp_path / "houses.csv").write_text(re.sub(r"\n1(\d),", r"\n,", HOUSES))
    fit = "fit", "houses.csv", "--target", "price", "--epochs", 1, "--no-report"
    code, out, _ = command(*fit, "--missing", "mean")
    assert code == 0
    assert "target   price (numeric): standardised: mean" in out
    assert "feature  color (categorical): one column each for blue, dark, green, red" in out
    assert "filled with the mean" in out
    code, out, _ = command(*fit, "--missing", "drop", "--drop", "color", "--force")
    assert "30 rows" in out
    assert "10 left out, which miss a value" in out
    assert "dropped  color: not used" in out


def test_several_targets(command, tmp_path):
    (tmp_path / "t.csv").write_text("x,y,z\n" + "".join(f"{i},{i % 5},{-i}\n" for i in range(20)))
    assert command("fit", "t.csv", "--target", "y", "z", "--epochs", 2, *QUIET)[0] == 0
    _, out, _ = command("predict", "bpref-run", "t.csv")
    assert out.splitlines()[0] == "x,y,z,predicted_y,predicted_z"
    assert json.loads((tmp_path / "bpref-run/result.json").read_text())["scores"].keys() == {
        "y", "z"
    }  # fmt: skip


def test_without_test_rows_nothing_is_called_a_test(command, tmp_path):
    code, out, err = command("fit", "--epochs", 1, "--test", 0)
    assert code == 0, err
    assert " test" not in out.splitlines()[0]
    assert "No rows were kept for a test" in (tmp_path / "bpref-run/report.md").read_text()
    assert command("evaluate", "bpref-run")[0] == 0


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_a_diverging_run_says_so(command, backend):
    result = command("fit", "--lr", 1e5, "--epochs", 20, "--backend", backend, *QUIET)
    refused(result, "the loss became", "at step", "try a smaller learning rate", code=1)


def test_quiet_means_quiet(houses):
    assert houses("resume", "run", "--quiet") == (0, "", "")
    assert houses("plot", "run", "--quiet") == (0, "", "")


def test_gradients_in_the_open(command, tmp_path):
    code, out, err = command("fit", "--epochs", 2, "--check-gradients", "--log-gradients")
    assert code == 0, err
    assert "autograd and bpref agree within 1e-10" in out
    lines = (tmp_path / "bpref-run/gradients.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 5, 10]
    quiet = "fit", "--epochs", 2, "--log-gradients", "--check-gradients", "--force", *QUIET
    assert command(*quiet) == (0, "", "")


def test_gradients_that_differ_end_the_run(command, monkeypatch, tmp_path):
    from bpref.regression import gradients

    monkeypatch.setattr(gradients, "TOLERANCE", 0.0)
    result = command("fit", "--check-gradients", "--epochs", 1, *QUIET)
    refused(result, "autograd and bpref DIFFER", "nothing was trained", code=1)
    assert not (tmp_path / "bpref-run/model.safetensors").exists()


@pytest.mark.parametrize("args", [["fit", "--no"], [], ["--help"]])
def test_of_several_processes_the_first_reads_the_options_aloud(command, monkeypatch, args):
    code, out, err = command(*args)
    assert bool(out) != bool(err)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert command(*args) == (code, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals exist on Unix only")
def test_a_terminal_shows_a_bar(tmp_path):
    import pty
    import termios

    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    options = {"stdout": subprocess.PIPE, "stderr": terminal, "capture_output": False}
    args = "-m", "bpref.regression", "fit", "--epochs", 2, "--no-report"
    done = shell(*args, cwd=tmp_path, **options)
    os.close(terminal)
    shown = os.read(controller, 100_000).decode()
    os.close(controller)
    assert done.returncode == 0, shown
    assert "100%" in shown
    assert "validation loss" in shown


# Bad input


@pytest.mark.parametrize(("content", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_bad_file_is_one_line_and_nothing_is_written(command, tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    result = command("fit", "t.csv", "--target", "y")
    assert result == (2, "", f"bpref-train: error: {advised(message, 'fit')}\n")
    assert os.listdir(tmp_path) == ["t.csv"]


def test_a_bad_file_from_a_shell_shows_no_traceback(tmp_path):
    (tmp_path / "bad.csv").write_text("a,y\n1,2\n2,four\n3,5\n4,1\n5,0\n")
    done = shell("-m", "bpref.regression", "fit", "bad.csv", "--target", "y", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "bpref-train: error: bad.csv: line 3, column 'y': 'four' is text in a column of numbers\n"
    )


BAD_OPTIONS = {
    "no command": ([], "a command is needed: fit, predict, evaluate, resume, plot"),
    "no such command": (["train"], "invalid choice: 'train'"),
    "no such file": (["fit", "nowhere.csv", "--target", "y"], "nowhere.csv: cannot be read"),
    "a folder": (["fit", ".", "--target", "y"], ".: cannot be read: it is a folder"),
    "file without target": (["fit", "t.csv"], "no target column is named; the columns are a, y"),
    "target without file": (["fit", "--target", "y"], "--target needs a FILE"),
    "file taken for a target": (["fit", "--target", "y", "t.csv"], "FILE comes before"),
    "drop without file": (["fit", "--drop", "y"], "--drop needs a FILE"),
    "no such target": (["fit", "t.csv", "--target", "yy"], "no column 'yy'; did you mean 'y'?"),
    "too few rows": (["fit", "t.csv", "--target", "y", "--test", "0.05"], "5 rows are too few"),
    "no epoch": (["fit", "--epochs", "0"], "epochs must be an integer from 1"),
    "half an epoch": (["fit", "--epochs", "0.5"], "argument --epochs: invalid int value: '0.5'"),
    "negative rate": (["fit", "--lr", "-1"], "lr must be above 0 and finite, got -1"),
    "rate not a number": (["fit", "--lr", "nan"], "lr must be above 0"),
    "rate is text": (["fit", "--lr", "fast"], "argument --lr: invalid float value: 'fast'"),
    "no unit": (["fit", "--hidden-sizes", "0"], "hidden_sizes must be an integer from 1"),
    "no such loss": (["fit", "--loss", "l1"], "loss must be one of mse, mae, huber, got 'l1'"),
    "no such optimizer": (["fit", "--optimizer", "lion"], "optimizer must be one of sgd, adam"),
    "no rows for training": (["fit", "--test", "0.9"], "validation and test together"),
    "warm-up too long": (["fit", "--warmup-epochs", "101"], "warmup_epochs must be"),
    "negative seed": (["fit", "--seed", "-1"], "seed must be an integer from 0"),
    "no such device": (["fit", "--device", "abacus", "--backend", "torch"], "'abacus' cannot be"),
    "two backends": (["fit", "--device", "cuda", "--backend", "numpy"], "backend numpy runs on"),
    "no such delimiter": (["fit", "t.csv", "--target", "y", "--delimiter", "x"], "delimiter must"),
    "no such policy": (["fit", "t.csv", "--target", "y", "--missing", "zero"], "missing must be"),
    "no such option": (["fit", "--fast"], "unrecognized arguments: --fast"),
    "shortened option": (["fit", "--epoch", "3"], "unrecognized arguments: --epoch"),
    "seconds": (["fit", "--checkpoint-every", "-1"], "must be a number of seconds, got '-1'"),
    "no seconds": (["fit", "--checkpoint-every", "x"], "invalid float value: 'x'"),
    "no folder": (["predict"], "the following arguments are required: FOLDER, FILE"),
    "no such run": (["predict", "nowhere", "t.csv"], "nowhere: no such folder"),
    "no run": (["evaluate", ".", "t.csv"], ".: not the folder of a run: it has no config.json"),
    "run is a file": (["resume", "t.csv"], "t.csv: is no folder"),
    "folder with something": (["fit", "--run", "."], ".: the folder is not empty"),
}


@pytest.mark.parametrize(("args", "message"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_a_bad_option_is_one_line_and_nothing_is_written(command, tmp_path, args, message):
    (tmp_path / "t.csv").write_text("a,y\n" + ROWS)
    refused(command(*args), message)
    assert os.listdir(tmp_path) == ["t.csv"]


def test_a_run_is_replaced_only_when_asked_and_when_the_new_one_can_begin(houses, tmp_path):
    before = (tmp_path / "run/model.safetensors").read_bytes()
    refused(houses("fit", "--run", "run"), "run: holds a run", "--run", "--force")
    bad = "fit", "houses.csv", "--target", "color", "--run", "run", "--force"
    refused(houses(*bad), "the target is text")
    assert (tmp_path / "run/model.safetensors").read_bytes() == before
    (tmp_path / "run/notes.txt").write_text("mine")
    assert houses("fit", "--epochs", 1, "--run", "run", "--force", *QUIET)[0] == 0
    assert (tmp_path / "run/model.safetensors").read_bytes() != before
    assert (tmp_path / "run/notes.txt").read_text() == "mine"


def test_without_a_library_the_extra_is_named(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for name in [n for n in sys.modules if re.match(r"bpref\.regression\.(prep|table|csv)", n)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("bpref.regression.preparation", raising=False)
    refused(command("fit", "--epochs", 1), "pandas is not installed: pip install 'bpref[regress")


# predict


def test_predictions_stand_behind_the_rows(houses, tmp_path):
    table = 'note,color,size\n"a ""b""\nc",red,1.50\n,"dark, green",2\n\n x ,blue,1e1\n'
    (tmp_path / "new.csv").write_text(table)
    code, out, err = houses("predict", "run", "new.csv")
    assert (code, err) == (0, "")
    assert houses("predict", "run", "new.csv", "--output", "out.csv") == (0, "", "")
    assert (tmp_path / "out.csv").read_text() == out
    rows = list(csv.reader(out.splitlines(keepends=True)))
    assert rows[0] == ["note", "color", "size", "predicted_price"]
    assert [row[:3] for row in rows[1:]] == [
        ['a "b"\nc', "red", "1.50"], ["", "dark, green", "2"], [" x ", "blue", "1e1"]
    ]  # fmt: skip
    assert [float(row[3]) for row in rows[1:]] == pytest.approx(by_hand(tmp_path / "run"))


def by_hand(folder):
    """Compute the three predictions of the test above from the files alone."""
    columns = json.loads((folder / "preprocessing.json").read_text())
    size, color = columns["features"]
    price = columns["targets"][0]
    model = checkpoint.load(folder / "model.safetensors")
    levels = color["levels"]
    rows = ("red", 1.5), ("dark, green", 2), ("blue", 10)
    X = np.array([[(v - size["mean"]) / size["std"], *(c == one for one in levels)]
                  for c, v in rows], dtype=np.float64)  # fmt: skip
    h = np.maximum(X @ model["0.weight"].T + model["0.bias"], 0)
    y = h @ model["2.weight"].T + model["2.bias"]
    return y[:, 0] * price["std"] + price["mean"]


@pytest.mark.parametrize(("content", "missing", "message"), LATER.values(), ids=LATER)
def test_a_later_table_that_does_not_fit(command, tmp_path, content, missing, message):
    (tmp_path / "t.csv").write_text(TRAIN + TRAIN.split("\n", 1)[1] * 3)
    assert command("fit", "t.csv", "--target", "price", "--epochs", 1, *QUIET)[0] == 0
    (tmp_path / "new.csv").write_text(content)
    result = command("predict", "bpref-run", "new.csv", "--output", "out.csv")
    assert result == (2, "", f"bpref-train: error: {advised(message, 'predict')}\n")
    assert not (tmp_path / "out.csv").exists()


def test_rows_that_miss_a_value_stay_without_prediction(command, tmp_path):
    (tmp_path / "houses.csv").write_text(HOUSES)
    fit = "fit", "houses.csv", "--target", "price", "--epochs", 1, "--missing", "drop"
    assert command(*fit, *QUIET)[0] == 0
    (tmp_path / "new.csv").write_text("size,color\n1,red\n,red\n3,\n4,blue\n")
    code, out, err = command("predict", "bpref-run", "new.csv")
    assert code == 0
    assert [bool(line.split(",")[2]) for line in out.splitlines()[1:]] == [True, False, False, True]
    assert "note: 2 rows have no prediction: a value is missing (--missing drop)" in err


def test_the_table_itself_is_never_overwritten(houses, tmp_path):
    refused(houses("predict", "run", "houses.csv", "--output", "./houses.csv"), "the table itself")
    assert (tmp_path / "houses.csv").read_text() == HOUSES
    assert houses("predict", "run", "houses.csv", "--output", "out.csv")[0] == 0
    refused(
        houses("predict", "run", "out.csv", "--output", "again.csv"),
        "out.csv: line 1: there is a column 'predicted_price' already",
    )
    refused(
        houses("predict", "run", "houses.csv", "--output", "no/out.csv"),
        "no/out.csv: cannot be written: No such file or directory",
    )


def test_another_delimiter(houses, tmp_path):
    (tmp_path / "new.csv").write_text("size;color\n1;red\n")
    refused(houses("predict", "run", "new.csv"), "separated by ';'")
    code, out, _ = houses("predict", "run", "new.csv", "--delimiter", ";")
    assert code == 0
    assert out.startswith("size;color;predicted_price\n1;red;")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_cannot_be_written(houses, tmp_path):
    args = "-m", "bpref.regression", "predict", "run", "houses.csv"
    with open("/dev/full", "w") as full:
        options = {"stdout": full, "stderr": subprocess.PIPE, "capture_output": False}
        done = shell(*args, cwd=tmp_path, **options)
    assert done.returncode == 2
    assert done.stderr == "bpref-train: error: standard output: No space left on device\n"
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as reader:
        reader.wait()
        options["stdout"] = reader.stdin
        done = shell(*args, cwd=tmp_path, **options)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_run_outlives_the_reader_of_its_output(tmp_path):
    args = "-m", "bpref.regression", "fit", "--epochs", 3, "--no-report"
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as reader:
        reader.wait()
        options = {"stdout": reader.stdin, "stderr": subprocess.PIPE, "capture_output": False}
        done = shell(*args, cwd=tmp_path, **options)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bpref-run/result.json").exists()


def test_a_terminal_that_shows_ascii_only(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    name = b"gr\xf6\xdfe.csv"  # no UTF-8 either
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x,größe\n" + ROWS * 4)
    fit = "-m", "bpref.regression", "fit", os.fsdecode(name), "--target", "größe"
    done = shell(*fit, "--epochs", 1, "--no-report", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "R\\xb2" in done.stdout
    predict = "-m", "bpref.regression", "predict", "bpref-run", os.fsdecode(name)
    done = shell(*predict, cwd=tmp_path, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("x,größe,predicted_größe\n")


# evaluate, plot


def test_evaluate_scores_the_rows_of_the_run_or_those_of_a_file(houses, tmp_path):
    code, out, err = houses("evaluate", "run")
    assert (code, err) == (0, "")
    assert re.findall(r"price: (\d+) rows \((\w+)\)", out) == [
        ("28", "train"), ("6", "validation"), ("6", "test")
    ]  # fmt: skip
    assert houses("evaluate", "run", "houses.csv") == (0, out, "")

    test = pd.read_csv(tmp_path / "run/split.csv").query("part == 'test'")["line"]
    lines = HOUSES.splitlines()
    (tmp_path / "test.csv").write_text("\n".join([lines[0], *(lines[n - 1] for n in test)]))
    code, only, err = houses("evaluate", "run", "test.csv")
    assert (code, err) == (0, "")
    assert only.replace("(all)", "(test)") == "\n".join(out.splitlines()[10:]) + "\n"


def test_evaluate_says_when_the_file_has_changed(houses, tmp_path):
    (tmp_path / "houses.csv").write_text(HOUSES + "50,red,150\n")
    code, out, err = houses("evaluate", "run", "houses.csv")
    assert code == 0
    assert "41 rows (all)" in out
    assert "note: houses.csv has changed since the training" in err
    refused(houses("evaluate", "run"), "houses.csv: not the table of run: the file has changed")


def test_plot_draws_the_same_report_again(command, tmp_path):
    assert command("fit", "--epochs", 2, "--quiet")[0] == 0
    run = tmp_path / "bpref-run"
    kept = {p: p.read_bytes() for p in (run / "figures").iterdir()}
    text = (run / "report.md").read_text()
    for path in (*kept, run / "report.md", run / "report.html"):
        path.unlink()
    code, out, err = command("plot", "bpref-run")
    assert (code, err) == (0, "")
    assert out.endswith("wrote bpref-run/report.html\n")
    assert {p: p.read_bytes() for p in (run / "figures").iterdir()} == kept

    def without_facts(text):
        return re.sub(r"\| (training time|epochs done) .*\n", "", text)

    assert without_facts((run / "report.md").read_text()) == without_facts(text)


def test_a_table_that_moved_is_named(houses, tmp_path):
    (tmp_path / "houses.csv").rename(tmp_path / "moved.csv")
    for name in ("evaluate", "plot"):
        refused(houses(name, "run"), "houses.csv: the table of the run is no longer there")
    assert houses("evaluate", "run", "moved.csv")[0] == 0
    assert houses("plot", "run", "moved.csv", "--quiet")[0] == 0


# Folders of earlier versions


def test_a_folder_of_format_1_predicts_what_it_did(command):
    code, out, err = command("predict", FORMAT_1, FORMAT_1 / "table.csv")
    assert (code, err) == (0, "")
    expected = list(csv.reader((FORMAT_1 / "predicted.csv").read_text().splitlines()))
    found = list(csv.reader(out.splitlines()))
    assert [row[:-1] for row in found] == [row[:-1] for row in expected]
    assert [float(row[-1]) for row in found[1:]] == pytest.approx(
        [float(row[-1]) for row in expected[1:]], rel=1e-6
    )
    code, out, err = command("evaluate", FORMAT_1, FORMAT_1 / "table.csv")
    assert (code, err) == (0, "")
    assert "price: 28 rows (train)" in out


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("config.json", '"format": 1', '"format": 2', "config.json: format 2 is later than 1"),
        ("config.json", '"version": 1', '"version": 3', "config.json: version must be"),
        ("config.json", '"epochs"', '"epoches"', "config.json: unknown option 'epoches'"),
        ("config.json", '"seed": 0', '"seed": 1', "does not belong to config.json"),
        ("preprocessing.json", '"version": 1', '"version": 2', "preprocessing.json: version 2"),
        ("preprocessing.json", '"std": ', '"std": -', "preprocessing.json: column"),
        ("preprocessing.json", '"mean": ', '"mean": 1', "does not belong to config.json"),
        ("config.json", "{", "", "config.json: damaged: not JSON"),
    ],
)
def test_a_folder_that_cannot_be_read_says_why(houses, tmp_path, name, old, new, message):
    path = tmp_path / "run" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    refused(houses("predict", "run", "houses.csv"), message)


@pytest.mark.parametrize("name", ["model.safetensors", "checkpoint.safetensors"])
def test_damaged_weights_are_refused(houses, tmp_path, name):
    path = tmp_path / "run" / name
    data = path.read_bytes()
    args = ("predict", "run", "houses.csv") if name.startswith("model") else ("plot", "run")
    for damaged in (data[:-1], data[:20], b"", data[:-1] + bytes([data[-1] ^ 1])):
        path.write_bytes(damaged)
        refused(houses(*args), f"run/{name}: damaged")


# Help


def texts():
    parser = build_parser()
    actions = next(a for a in parser._actions if a.dest == "command")
    return {"": parser, **actions.choices}


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_a_screen_and_names_every_option(name, command):
    parser = texts()[name]
    code, text, _ = command(*([name] if name else []), "--help")
    assert code == 0
    assert text == parser.format_help()
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 80
    for action in parser._actions:
        for option in action.option_strings:
            if option not in ("-h", "--help", "--version"):
                assert re.search(rf"{option}\b", text), option
    for option in re.findall(r"(?<!\w)--[a-z][a-z-]+", text):
        known = [o for p in texts().values() for a in p._actions for o in a.option_strings]
        assert option in known, option


def test_every_command_is_in_the_help_of_all():
    assert set(re.findall(r"^  (\w+) (?:FOLDER|\[FILE\])", options.MAIN, re.M)) == set(COMMANDS)


def test_every_option_of_the_configuration_reaches_it():
    given = {
        "hidden_sizes": (7, 5), "activation": "tanh", "dropout": 0.5, "loss": "huber",
        "huber_delta": 2.0, "optimizer": "adam", "lr": 0.5, "momentum": 0.25, "weight_decay": 0.125,
        "schedule": "cosine", "warmup_epochs": 2, "epochs": 9, "batch_size": 8, "accumulate": 2,
        "clip_norm": 3.0, "patience": 4, "validation": 0.25, "test": 0.125, "seed": 5,
        "dtype": "float64", "device": "cpu", "amp": True, "backend": "torch", "missing": "mean",
    }  # fmt: skip
    assert given.keys() == {field.name for field in fields(Config)}
    args = ["fit"]
    for name, value in given.items():
        assert value != getattr(Config(), name)
        args.append(f"--{name.replace('_', '-')}")
        if value is not True:
            args += map(str, value) if isinstance(value, tuple) else [str(value)]
    assert config_of(build_parser().parse_args(args)) == Config(**given)
    assert config_of(build_parser().parse_args(["fit"])) == Config()
    assert config_of(build_parser().parse_args(["fit", "--hidden-sizes"])).hidden_sizes == ()


@pytest.mark.parametrize("args", [["--help"], ["fit", "--help"], ["--version"], ["fit", "--no"]])
def test_help_and_bad_options_wait_for_no_library(tmp_path, args):
    heavy = ("numpy", "torch", "pandas", "sklearn", "matplotlib", "tensorboard", "safetensors")
    code = (
        "import sys; from bpref.regression.command import main\n"
        f"try: main({args!r})\n"
        f"except SystemExit: print(sorted(set(sys.modules) & set({heavy!r})))"
    )
    done = shell("-c", code, cwd=tmp_path)
    assert done.stdout.endswith("[]\n"), done
