# ruff: noqa: E501  (a case is one line)
"""What somebody found who tried to break the trainer: names, values, folders, signals, weights."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from regression_process import Command, run, torchrun
from threadpoolctl import threadpool_info

from bpref.regression import (
    BackpropRegressor,
    Batches,
    ConfigError,
    Data,
    DivergenceError,
    RunError,
    train,
)
from bpref.regression.checkpoint import check_format
from bpref.regression.config import Config
from bpref.regression.engine import NumpyEngine
from bpref.regression.interruption import Interruption, Stopped
from bpref.regression.preparation import prepare
from bpref.regression.run_folder import RunFolder
from bpref.regression.scores import scores
from bpref.regression.wording import missing_name

pytest.importorskip("resource", reason="signals, pipes and processes of POSIX")

ROOT = Path(__file__).parents[2]
QUIET = ("--quiet", "--no-report")
FIT = ("fit", "t.csv", "--target", "y", "--epochs", 2)


def table(names=("a", "b", "y"), rows=40, cell=None):
    """A table with one numeric column per name; `cell(row)` replaces the first column."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, len(names) - 1))
    y = x.sum(axis=1) + 0.1 * rng.normal(size=rows)
    lines = [[repr(value) for value in line] for line in np.column_stack([x, y]).tolist()]
    for number, line in enumerate(lines):
        if cell is not None:
            line[0] = cell(number)
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    return "\n".join([",".join(quoted), *(",".join(line) for line in lines)]) + "\n"


@pytest.fixture
def trained(command, tmp_path):
    """A run in the folder "run"."""
    (tmp_path / "t.csv").write_text(table())
    assert command(*FIT, "--run", "run", *QUIET) == (0, "", "")
    return command


def refused(result, message, code=2):
    assert result[0] == code, result
    assert result[1] == ""
    assert result[2] == f"bpref-train: error: {message}\n"


# Names


NAMES = {
    "comma": "a,b",
    "quotes": 'he said "x"',
    "line break": "two\nlines",
    "link": "[x](http://example.org)",
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "Markdown": "*a* _b_ `c` | d ~~e~~",
    "right to left": "abc\u202etxt",
    "colour of a terminal": "\x1b[31mred\x1b[0m",
    "mathematics": r"$\frac{1}{0}$",
    "format": "{style}{0}%s",
    "letters": "größe 价格 😀",
}


class Tags(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_is_text_wherever_it_is_shown(command, tmp_path, name):
    (tmp_path / "t.csv").write_text(table((name, "b", f"{name} y")), newline="")
    fit = ("fit", "t.csv", "--target", f"{name} y", "b", "--epochs", 1, "--run", "run")
    code, out, err = command(*fit)
    assert code == 0, err
    assert all(sign.isprintable() for sign in (out + err).replace("\n", ""))
    assert sum(line.startswith("feature ") for line in out.splitlines()) == 1
    report = tmp_path / "run/report.html"
    tags = Tags(report.read_text()).found
    assert not {"script", "img", "a", "iframe"} & {tag for tag, _ in tags}
    assert not any(key.startswith("on") for _, attributes in tags for key in attributes)
    for text in (report.read_text(), (tmp_path / "run/report.md").read_text()):
        assert all(sign.isprintable() or sign == "\n" for sign in text)
    markdown = (tmp_path / "run/report.md").read_text()
    assert not re.search(r"<(script|img)|(?<!\\)\]\(http", markdown)
    code, out, err = command("evaluate", "run")
    assert (code, err) == (0, "")
    assert all(sign.isprintable() or sign == "\n" for sign in out)
    code, out, err = command("predict", "run", "t.csv", "--output", "new.csv")
    assert (code, out, err) == (0, "", "")
    new = pd.read_csv(tmp_path / "new.csv")
    assert list(new.columns[3:]) == [f"predicted_{name} y", "predicted_b"]


def test_names_that_look_alike_are_told_apart():
    composed, two_signs = (unicodedata.normalize(form, "größe") for form in ("NFC", "NFD"))
    assert missing_name(composed, ["b", two_signs]) == (
        r"no column 'gr\xf6\xdfe'; did you mean 'gro\u0308\xdfe', which looks alike?"
    )
    assert missing_name("Größe", [two_signs]).endswith(f"did you mean '{two_signs}'?")


def test_a_folder_whose_name_a_terminal_would_obey(command, tmp_path):
    (tmp_path / "t.csv").write_text(table())
    name = "it's\x1b[31m\n红"
    code, out, _ = command(*FIT, "--run", name, "--no-report")
    assert code == 0
    assert "\x1b" not in out
    line = out.splitlines()[-1]
    told = re.search(r"next: bpref-train predict (.*) FILE", line).group(1)
    shell = shutil.which("bash")
    if shell:
        done = subprocess.run([shell, "-c", f"printf %s {told}"], capture_output=True, check=True)
        assert done.stdout.decode() == name
    assert "\x1b" not in command("fit", f"--{name}")[2]


def test_a_folder_whose_name_is_no_text_can_be_typed():
    """As on a file system of another alphabet, or in the locale "C"."""
    name = os.fsdecode(b"trial \xff it's")
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("needs bash")
    told = RunFolder(name).command("resume").removeprefix("bpref-train resume ")
    done = subprocess.run([shell, "-c", f"printf %s {told}"], capture_output=True, check=True)
    assert done.stdout == os.fsencode(name)


def test_a_name_without_end_is_cut_where_it_is_shown(command, tmp_path):
    names = [f"{sign * 3000}" for sign in "ab价"]
    (tmp_path / "t.csv").write_text(table((*names, "y")))
    code, out, err = command("fit", "t.csv", "--target", "y", names[2], "--run", "run")
    assert (code, max(map(len, out.splitlines())) < 300) == (0, True), err
    report = (tmp_path / "run/report.html").read_text()
    cells = re.findall(r"<t[dh][^>]*>([^<]*)", report)
    assert names[0][:40] + "…" in cells
    assert max(map(len, cells)) < 300
    assert max(map(len, command("evaluate", "run")[1].splitlines())) < 300


# Values


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("column", ["a", "y"])
def test_a_value_that_float32_cannot_hold_is_named(command, tmp_path, column, seed):
    """It used to become infinite: a loss that is no number, and advice that did not help."""
    lines = table(("a", "y")).splitlines()
    lines[5] = "1e50,1" if column == "a" else "1,1e50"
    (tmp_path / "t.csv").write_text("\n".join(lines))
    result = command(*FIT, "--seed", seed, "--run", "run", *QUIET)
    split = tmp_path / "run/split.csv"
    if result[0] == 0:  # among the training rows it makes the unit
        assert "6,train" in split.read_text()
        return
    assert result[0] == 2
    assert f"t.csv: line 6, column '{column}': 1e+50 is too far from the training rows" in result[2]
    assert not split.exists()


def test_a_value_that_float32_cannot_hold_is_not_predicted_from(trained, tmp_path):
    (tmp_path / "new.csv").write_text("a,b\n1,1\n1e40,1\n")
    code, out, err = trained("predict", "run", "new.csv")
    assert (code, out) == (2, "")
    assert "new.csv: line 3, column 'a': 1e+40 is too far from the training rows" in err


@pytest.mark.parametrize("scale", [1e-160, 1e-200, 1e-305])
def test_r2_has_no_unit(scale):
    """The squares of small numbers leave the range of float64; their ratio does not."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(3, 20))
    prediction = y + 0.1 * rng.normal(size=(3, 20))
    expected = scores(y, prediction)["r2"]
    np.testing.assert_allclose(scores(y * scale, prediction * scale)["r2"], expected, rtol=1e-9)
    y[1] = 5.0
    found = scores(y * scale, prediction * scale)["r2"]
    assert np.isnan(found).tolist() == [False, True, False]


@pytest.mark.parametrize("scale", ["1e-310", "1e-200", "1e99"])
def test_a_report_on_values_at_the_ends_of_float64(command, tmp_path, scale):
    values = np.random.default_rng(0).normal(size=40)
    rows = [f"{x},{x * float(scale)!r}" for x in values.tolist()]
    (tmp_path / "t.csv").write_text("\n".join(["a,y", *rows]))
    assert command(*FIT, "--run", "run", "--quiet") == (0, "", "")
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["scores"]["y"]["test"]["r2"] is not None


def test_the_time_for_a_wide_table_grows_with_its_columns(tmp_path):
    def seconds(columns):
        names = [*(f"x{i}" for i in range(columns)), "y"]
        (tmp_path / "wide.csv").write_text(table(names, rows=20))
        start = time.process_time()
        rows = prepare(Config(), str(tmp_path / "wide.csv"), ["y"])
        assert rows.parts["train"][0].shape == (14, columns)
        return time.process_time() - start

    narrow = min(seconds(200) for _ in range(2))
    assert seconds(2000) < 25 * narrow  # ten times the columns; it was their square


@pytest.mark.parametrize("block", [1 << 22, 8])
def test_files_that_were_joined(command, tmp_path, monkeypatch, block):
    monkeypatch.setattr("bpref.regression.csv_file.BLOCK", block)
    one = "\ufeffa,y\n1,2\n3,5\n"
    (tmp_path / "t.csv").write_text(one + one)
    refused(
        command(*FIT), "t.csv: line 4: a byte order mark inside the file: were two files joined?"
    )
    (tmp_path / "t.csv").write_text("\ufeff" + table())
    assert command(*FIT, *QUIET)[0] == 0


# Options and written options


OPTIONS = {
    "no delimiter": (("--delimiter", ""), "argument --delimiter: must be one character, got ''"),
    "no epoch": (("--epochs", 0), "epochs must be an integer from 1 to 10000000, got 0"),
    "no rate": (("--lr", 0), "lr must be above 0 and finite, got 0.0"),
    "rate below 0": (("--lr", -1), "lr must be above 0 and finite, got -1.0"),
    "endless rate": (("--lr", "inf"), "lr must be above 0 and finite, got inf"),
    "rate that is no number": (("--lr", "nan"), "lr must be above 0 and finite, got nan"),
    "layer without units": (
        ("--hidden-sizes", 0), "hidden_sizes must be an integer from 1 to 1000000, got 0",
    ),
    "layer without a number": (
        ("--hidden-sizes", ""), "argument --hidden-sizes: invalid int value: ''",
    ),
    "dropout of all": (("--dropout", 1), "dropout must be at least 0 and below 1, got 1.0"),
    "clipped to 0": (("--clip-norm", 0), "clip_norm must be above 0 and finite, got 0.0"),
    "warm-up beyond the end": (
        ("--warmup-epochs", 3), "warmup_epochs must be an integer from 0 to 2, got 3",
    ),
    "Huber's 0": (("--huber-delta", 0), "huber_delta must be above 0 and finite, got 0.0"),
    "no patience": (("--patience", 0), "patience must be an integer from 1 to 10000000, got 0"),
    "parts beyond the batch": (
        ("--batch-size", 4, "--accumulate", 5), "accumulate must be an integer from 1 to 4, got 5",
    ),
    "no validation": (("--validation", 0), "validation must be above 0 and below 1, got 0.0"),
    "seed below 0": (
        ("--seed", -1), "seed must be an integer from 0 to 9223372036854775807, got -1",
    ),
    "seconds that are no number": (
        ("--checkpoint-every", "nan"),
        "argument --checkpoint-every: must be a number of seconds, got 'nan'",
    ),
    "an escape sequence": (("--\x1b[31m",), r"unrecognized arguments: --\x1b[31m"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "message"), OPTIONS.values(), ids=OPTIONS)
def test_an_option_that_no_run_can_use(command, tmp_path, options, message):
    (tmp_path / "t.csv").write_text(table())
    refused(command(*FIT, *options, "--run", "run"), message)
    assert not (tmp_path / "run").exists()


EDITED = {  # of config.json: path of keys, value, message
    "unknown option": (("options", "foo"), 1, "unknown option 'foo'"),
    "sizes that are a number": (
        ("options", "hidden_sizes"), 5, "hidden_sizes must be a sequence of integers, got 5",
    ),
    "sizes that are text": (
        ("options", "hidden_sizes"), "10", "hidden_sizes must be a sequence of integers, got '10'",
    ),
    "no sizes": (
        ("options", "hidden_sizes"), None, "hidden_sizes must be a sequence of integers, got None",
    ),
    "device that is a number": (
        ("options", "device"), 5, "device must be text, such as 'cpu', got 5",
    ),
    "amp that is text": (("options", "amp"), "no", "amp must be True or False, got 'no'"),
    "version 0": (("options", "version"), 0, "version must be an integer from 1 to 1, got 0"),
    "true as version": (
        ("options", "version"), True, "version must be an integer from 1 to 1, got True",
    ),
    "later version": (("options", "version"), 9, "version must be an integer from 1 to 1, got 9"),
    "delimiter": (("data", "delimiter"), "xx", "damaged: delimiter is 'xx'"),
    "endless format": (
        ("format",), float("inf"), "not written by bpref-train: format is 'inf'",
    ),
    "broken format": (("format",), 1.5, "not written by bpref-train: format is '1.5'"),
}  # fmt: skip


@pytest.mark.parametrize(("keys", "value", "message"), EDITED.values(), ids=EDITED)
@pytest.mark.parametrize("name", ["predict", "resume"])
def test_a_config_that_was_edited(trained, tmp_path, name, keys, value, message):
    path = tmp_path / "run/config.json"
    written = json.loads(path.read_text())
    inner = written
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(written))
    refused(trained(name, "run", "t.csv"), f"run/config.json: {message}")


def test_rows_that_changed_their_part_are_noticed(trained, tmp_path):
    """The scores on the test rows would be those of rows that were learned from."""
    path = tmp_path / "run/split.csv"
    text = path.read_text()
    swapped = text.replace("train", "?", 1).replace("test", "train", 1).replace("?", "test", 1)
    assert sorted(swapped) == sorted(text) != swapped
    path.write_text(swapped)
    message = "run/split.csv: does not fit the table and config.json: it was changed"
    refused(trained("evaluate", "run"), message)
    config = tmp_path / "run/config.json"
    written = json.loads(config.read_text())
    del written["data"]["split_sha256"]  # as an earlier version wrote it
    config.write_text(json.dumps(written))
    path.write_text(text)
    assert trained("evaluate", "run")[0] == 0


def strange_metadata(about):
    return safetensors.numpy.save({"0.weight": np.zeros(2)}, {"bpref": about})


def strange_dtype():
    import torch
    from safetensors.torch import save

    return save({"0.weight": torch.zeros(2, dtype=torch.bfloat16)}, {"bpref": '{"format": 1}'})


WEIGHTS = {
    "endless format": (strange_metadata('{"format": 1e999}'), "not written by bpref-train"),
    "a list": (strange_metadata("[]"), "damaged: its metadata cannot be read"),
    "deep": (strange_metadata("[" * 100_000), "damaged: its metadata cannot be read"),
    "no hash": (strange_metadata('{"format": 1}'), "damaged: its metadata cannot be read"),
    "dtype": (strange_dtype(), "damaged or incomplete: data type 'bfloat16' not understood"),
}


@pytest.mark.parametrize(("content", "message"), WEIGHTS.values(), ids=WEIGHTS)
def test_weights_from_elsewhere_are_one_line(trained, tmp_path, content, message):
    (tmp_path / "run/model.safetensors").write_bytes(content)
    code, out, err = trained("predict", "run", "t.csv")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"bpref-train: error: run/model.safetensors: {message}")


@pytest.mark.parametrize("version", [float("inf"), float("nan"), True, 1.0, "1", None, [1]])
def test_a_format_is_a_whole_number(version):
    with pytest.raises(RunError, match=r"^x: not written by bpref-train: format is"):
        check_format(version, 1, "x")


@pytest.mark.parametrize(
    "name", ["config.json", "preprocessing.json", "split.csv", "model.safetensors"]
)
def test_a_pipe_in_the_folder_of_a_run_is_not_waited_for(trained, tmp_path, name):
    (tmp_path / "run" / name).unlink()
    os.mkfifo(tmp_path / "run" / name)
    refused(trained("evaluate", "run"), f"run/{name}: cannot be read: not a regular file")


def test_a_log_that_nests_without_end_is_no_reason_to_stop(tmp_path):
    (tmp_path / "t.csv").write_text(table())
    fit = (*FIT, "--run", "run", *QUIET, "--backend", "numpy")
    assert run(tmp_path, *fit, hook=(interrupt, 1)).code == 130
    (tmp_path / "run/metrics.jsonl").write_bytes(b"[" * 100_000 + b'\n[1]\n{"epoch": [1]}\n\xff\n')
    assert run(tmp_path, "resume", "run", *QUIET) == (0, "", "")
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def interrupt(step):
    from regression_process import signal_at

    signal_at(step, signal.SIGINT)


def test_a_prediction_does_not_replace_a_file_of_the_run(trained, tmp_path):
    before = (tmp_path / "run/model.safetensors").read_bytes()
    for path in ("run/model.safetensors", "./run/../run/model.safetensors"):
        refused(
            trained("predict", "run", "t.csv", "--output", path),
            f"--output is a file of the run: {path}",
        )
    assert (tmp_path / "run/model.safetensors").read_bytes() == before
    assert trained("predict", "run", "t.csv", "--output", "run/new.csv") == (0, "", "")


TRUTHS = {
    "text": ("1,2,low\n2,3,high\n", "line 2, column 'y': 'low' is no number, and the column was "
             "numeric in the training rows: a score needs the true value"),
    "a missing one": ("1,2,3\n2,3,\n", "line 3, column 'y': the value is missing: a score needs "
                      "the true value"),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "message"), TRUTHS.values(), ids=TRUTHS)
def test_targets_that_cannot_be_compared(command, tmp_path, rows, message):
    """A traceback, and scores that were "undefined" without a word."""
    (tmp_path / "t.csv").write_text(table())
    assert command(*FIT, "--run", "run", "--missing", "mean", *QUIET)[0] == 0
    (tmp_path / "new.csv").write_text("a,b,y\n" + rows)
    refused(command("evaluate", "run", "new.csv"), f"new.csv: {message}")


# Standard streams


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_fault(trained, tmp_path, closed):
    shell = shutil.which("sh")
    assert shell, "POSIX has one"
    line = f'exec "{sys.executable}" -W error -m bpref.regression evaluate run {closed}'
    done = subprocess.run(
        [shell, "-c", line],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# Signals


def entry_point():
    """What installers write into the program `bpref-train`."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, function = scripts["bpref-train"].split(":")
    return f"import sys; from {module} import {function}; sys.exit({function}())"


AS_MODULE = 'import runpy; runpy.run_module("bpref.regression", run_name="__main__")'


@pytest.mark.parametrize("start", [AS_MODULE, entry_point()])
def test_ctrl_c_while_the_command_is_imported_is_no_traceback(tmp_path, start):
    (tmp_path / "argparse.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(10)\n"
    )
    # A shell lets what it starts in the background ignore Ctrl-C.
    listens = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    done = subprocess.run(
        [sys.executable, "-c", f"{listens}\n{start}", "fit"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        -signal.SIGINT,
        "",
        "",
    )  # a shell calls it 130


def test_a_signal_waits_for_the_end_of_an_import(tmp_path, monkeypatch):
    """A module in C that is left half-way may bring the whole process down."""
    (tmp_path / "hit_by_a_signal.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGTERM)\ncomplete = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Stopped) as stop, Interruption():  # noqa: PT012
        import hit_by_a_signal

        complete = hit_by_a_signal.complete
        threading.Event().wait(10)
        raise AssertionError("no signal came")
    assert complete
    assert stop.value.signal == signal.SIGTERM


def test_a_signal_that_met_an_import_is_forgotten_at_the_end(tmp_path, monkeypatch):
    (tmp_path / "hit_at_the_end.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGTERM)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("it came behind the end"))
    try:
        with Interruption():
            import hit_at_the_end

            assert hit_at_the_end
        threading.Event().wait(0.1)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_that_became_another_error_is_still_a_signal():
    with pytest.raises(Stopped) as stop, Interruption():  # noqa: PT012
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException as error:
            raise ImportError("initialization failed") from error
    assert stop.value.exit_code == 130


@pytest.mark.parametrize("function", ["loss_factor", "progress"])
def test_a_second_signal_before_the_first_step_says_how_to_go_on(tmp_path, function):
    (tmp_path / "t.csv").write_text(table())
    done = run(tmp_path, *FIT, "--run", "run", "--no-report", hook=(signals_in, function))
    assert done.code == 130
    assert done.err == (
        "bpref-train: SIGINT: stopped; no step was saved; go on with: bpref-train resume run\n"
    )
    assert run(tmp_path, "resume", "run", *QUIET) == (0, "", "")


def signals_in(function):
    from bpref.regression import running

    def call(*args, **options):
        signal.raise_signal(signal.SIGINT)  # waits for the end of a step
        signal.raise_signal(signal.SIGINT)  # does not

    setattr(running, function, call)


def test_killed_again_and_again_the_weights_are_those_of_an_undisturbed_run(tmp_path):
    (tmp_path / "t.csv").write_text(table())
    fit = (*FIT[:-1], 40, "--batch-size", 4, *QUIET, "--optimizer", "adam", "--dropout", 0.2)
    assert run(tmp_path, *fit, "--run", "whole").code == 0
    often = ("--checkpoint-every", 0)
    rng = np.random.default_rng(0)
    process = Command(tmp_path, *fit, *often, "--run", "run", hook=(paced,))
    killed = 0
    while killed < 12:
        process.process.join(rng.uniform(0.2, 0.5))
        process.signal(signal.SIGKILL)
        done = process.wait()
        if done.code != -signal.SIGKILL:
            break
        killed += 1
        began = (tmp_path / "run/config.json").exists()
        again = ("resume", "run", *QUIET) if began else (*fit, "--run", "run", "--force")
        process = Command(tmp_path, *again, *often, hook=(paced,))
    assert process.wait().code == 0
    assert killed >= 2
    whole, found = (RunFolder(tmp_path / name).model() for name in ("whole", "run"))
    for key, value in whole.weights.items():
        assert np.array_equal(value, found.weights[key]), key


def paced():
    from regression_process import slowly

    slowly(0.004)


# The estimator


X = np.random.default_rng(0).normal(size=(50, 3))
Y = X.sum(axis=1)


def fitted(weight=None, **options):
    model = BackpropRegressor(epochs=2, random_state=0, **options)
    return model.fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize("scale", [1e-300, 2.0**-40, 1e50, 1e305])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("options", [{"dtype": "float32"}, {"dtype": "float64", "patience": 1}])
def test_only_the_ratios_of_the_weights_count(backend, options, scale):
    """Large ones overflowed in the standardisation, small ones divided by zero."""
    weight = np.random.default_rng(1).uniform(0.5, 2, 50)
    found = fitted(weight * scale, backend=backend, **options).weights_
    expected = fitted(weight, backend=backend, **options).weights_
    exact = np.frexp(scale)[0] == 0.5  # then no product is rounded
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=0 if exact else 1e-3)
        assert not exact or np.array_equal(found[key], value)


def test_weights_too_far_apart_are_refused():
    weight = np.ones(50)
    weight[3] = 1e-31
    with pytest.raises(ValueError, match=r"^sample_weight from 1e-31 to 1: the smallest above 0"):
        fitted(weight)
    weight[3] = 0.0
    fitted(weight)


def test_the_weights_of_the_training_play_no_part_in_the_score():
    weight = np.linspace(0.1, 2, 50)
    model = fitted(weight)
    residual, spread = Y - model.predict(X), Y - Y.mean()
    assert model.score(X, Y) == pytest.approx(1 - (residual @ residual) / (spread @ spread))
    weighted = Y - np.average(Y, weights=weight)
    expected = 1 - (weight @ residual**2) / (weight @ weighted**2)
    assert model.score(X, Y, sample_weight=weight) == pytest.approx(expected)


def test_read_only_weights_are_used_without_a_warning():
    import torch

    weight = pd.Series(np.linspace(0.5, 2, 50)).to_numpy()
    weight.setflags(write=False)
    fitted(weight, backend="torch")
    rows = torch.zeros(50, 1, dtype=torch.float64)
    batches = Batches(rows, rows, weight, batch_size=20, shuffle=False)
    assert [float(total) for *_, total in batches] == [
        pytest.approx(weight[at : at + 20].sum()) for at in (0, 20, 40)
    ]


@pytest.mark.parametrize("name", ["amp", "standardize", "warm_start"])
@pytest.mark.parametrize("value", ["no", 1, None])
def test_a_switch_is_true_or_false(name, value):
    with pytest.raises(ConfigError, match=f"^{name} must be True or False, got {value!r}$"):
        fitted(**{name: value})
    fitted(**{name: np.False_})


# Arrays


ARRAYS = {
    "a list": ({"X_train": [[1.0]]}, ValueError, "X_train must be an array of real numbers, got list"),
    "complex": ({"y_train": np.ones((9, 1)) * 1j}, ValueError, "y_train must be an array of real numbers, got complex128"),
    "beyond float32": ({"y_train": np.ones((9, 1)) * 1e60}, DivergenceError, "the loss became inf at step 1 "),
}  # fmt: skip


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize(("changed", "kind", "message"), ARRAYS.values(), ids=ARRAYS)
def test_arrays_that_nothing_can_be_learned_from(changed, kind, message, backend):
    x = np.linspace(-1, 1, 9)[:, None]
    with pytest.raises(kind, match=f"^{re.escape(message)}"):
        train(Config(epochs=1, backend=backend), Data(**{"X_train": x, "y_train": x, **changed}))


def test_a_checkpoint_of_no_backend_is_named():
    x = np.linspace(-1, 1, 9)[:, None]
    with pytest.raises(ValueError, match=r"^checkpoint: backend must be .* got None$"):
        train(Config(epochs=1), Data(x, x), state={})


# Threads and memory


def blas_threads():
    return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]


@pytest.fixture
def several_blas_threads():
    """More than one, whatever the environment says."""
    from threadpoolctl import threadpool_limits

    if not blas_threads():  # Accelerate, for instance: nothing to limit
        pytest.skip("a BLAS whose threads cannot be counted")
    with threadpool_limits(limits=3, user_api="blas"):
        assert set(blas_threads()) == {3}
        yield


def engine(units=10):
    return NumpyEngine(Config(hidden_sizes=(units,), backend="numpy"), (3, units, 1))


@pytest.mark.usefixtures("several_blas_threads")
def test_a_small_network_leaves_the_other_cores_alone():
    with engine().context():
        assert set(blas_threads()) == {1}
        with engine().context():  # a prediction within a run
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {3}
    with engine(500_000).context():
        assert set(blas_threads()) == {3}


@pytest.mark.usefixtures("several_blas_threads")
def test_the_cores_come_back_after_an_error():
    with pytest.raises(ZeroDivisionError), engine().context():  # noqa: PT012
        assert set(blas_threads()) == {1}
        raise ZeroDivisionError
    assert set(blas_threads()) == {3}


OVERLAP = """
import threading
import numpy  # loads the BLAS whose threads are counted
from threadpoolctl import threadpool_info
from bpref.regression.threads import one_blas_thread

def threads():
    return {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}

def first():
    with one_blas_thread():
        began.set()
        go_on.wait()
    first_ended.set()
    end.wait()

began, go_on, first_ended, end = (threading.Event() for _ in range(4))
before = threads()
thread = threading.Thread(target=first)
thread.start()
began.wait()
with one_blas_thread():
    print(before, threads())
    go_on.set()
    first_ended.wait()
print(threads())
end.set()
"""


def test_the_cores_come_back_when_runs_overlap():
    """The second run took the one thread of the first for what had been there before."""
    two = {f"{name}_NUM_THREADS": "2" for name in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(
        [sys.executable, "-c", OVERLAP],
        env=os.environ | two | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    if not blas_threads() or (os.cpu_count() or 1) < 2:
        pytest.skip("a BLAS whose threads cannot be counted, or one core")
    assert done.stdout == "{2} {1}\n{2}\n"


BOUND = 3  # times the size of the data


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="a file of Linux")
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_the_memory_of_a_training_is_bounded(backend):
    case = json.dumps([200_000, 20, [64, 64], 256, 1, 0.01])  # 17 MB of float32
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.regression_memory", backend, case],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert 1 <= float(done.stdout) <= BOUND


# torchrun


@pytest.mark.parametrize("name", ["predict", "evaluate", "plot", "resume"])
def test_under_torchrun_one_process_does_what_one_can(trained, tmp_path, name):
    options = {"predict": ("t.csv",)}.get(name, ())
    _, expected, _ = trained(name, "run", *options)
    done, lines = torchrun(tmp_path, name, "run", *options)
    assert (done.returncode, lines) == (0, []), done.stderr
    assert done.stdout == expected
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run").rglob("*.part"))


def test_under_torchrun_all_processes_end_with_the_code_of_the_one(trained, tmp_path):
    done, lines = torchrun(tmp_path, "predict", "run", "nowhere.csv")
    assert lines == ["bpref-train: error: nowhere.csv: cannot be read: no such file"]
    assert done.returncode == 1  # that of torchrun
    assert set(re.findall(r"exitcode +: (\d+)", done.stderr)) == {"2"}, done.stderr
