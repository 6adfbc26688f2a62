import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

from bpref.regression.__main__ import build_parser, main


def command(
    *args: object, cwd: Path, stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    # The repository's root first, so that the command also runs where bpref is not installed.
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "bpref.regression", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        cwd=cwd,
        env=env,
        check=False,
    )


def in_process(*args: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
    return code, out.getvalue(), err.getvalue()


def assert_picture(path: Path) -> None:
    pixels = matplotlib.image.imread(path)
    assert pixels.shape[0] > 300
    assert pixels[..., :3].std() > 0.01  # not a blank page


def test_the_default_run_reports_and_draws(tmp_path):
    done = command("--epochs", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # the progress bar is for terminals only
    for row in ("trained, 3 epochs", "least squares", "noise floor"):
        assert re.search(rf"^{row}.* +\d+\.\d{{4}} +\d+\.\d{{4}}$", done.stdout, re.MULTILINE)
    for name in ("fit.png", "loss.png"):
        assert_picture(tmp_path / "bpref-run" / name)


def test_the_same_seed_prints_the_same_report(tmp_path):
    a, b, c = (
        in_process("--epochs", 3, "--seed", seed, "--output", tmp_path) for seed in (1, 1, 2)
    )
    assert a == b
    assert a[1] != c[1]


def test_the_diabetes_file_beats_the_constant_predictor(tmp_path, diabetes):
    done = command(
        "--data", diabetes, "--target", "target", "--epochs", 30, "--output", "out", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    losses = {
        line[:24].strip(): [float(number) for number in line[24:].split()]
        for line in done.stdout.splitlines()
        if re.search(r"\d +\d+\.\d+$", line)
    }
    assert losses["trained, 30 epochs"][1] < 0.7 * losses["constant (mean label)"][1]
    assert losses["least squares"][1] < 0.7 * losses["constant (mean label)"][1]
    assert 5000 < losses["constant (mean label)"][0] < 7000  # unit of the file
    assert "noise floor of a file is unknown" in done.stdout
    for name in ("fit.png", "loss.png"):
        assert_picture(tmp_path / "out" / name)


def test_a_file_with_one_feature_is_drawn_as_a_line(tmp_path):
    path = tmp_path / "line.csv"
    path.write_text("x,y\n" + "".join(f"{i},{3 * i + i % 2}\n" for i in range(20)))
    code, out, _ = in_process(
        "--data", path, "--target", "y", "--epochs", 2, "--output", tmp_path / "o"
    )
    assert code == 0
    assert "from 1 columns" in out
    assert_picture(tmp_path / "o" / "fit.png")


def test_a_bad_file_from_the_shell_shows_no_traceback(tmp_path):
    (tmp_path / "bad.csv").write_text("a,y\n1,2\n2,four\n3,5\n4,1\n5,0\n")
    done = command("--data", "bad.csv", "--target", "y", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "python -m bpref.regression: error: bad.csv: line 3, column 'y': "
        "value 'four' is not a finite number\n"
    )


BAD_OPTIONS = {
    "no such file": (["--data", "nowhere.csv", "--target", "y"], "nowhere.csv: cannot be read"),
    "a folder": (["--data", ".", "--target", "y"], ".: cannot be read"),
    "data without target": (["--data", "a.csv"], "--data and --target go together"),
    "target without data": (["--target", "y"], "--data and --target go together"),
    "no epoch": (["--epochs", "0"], "argument --epochs: must be between 1 and 1000000, got 0"),
    "half an epoch": (["--epochs", "0.5"], "argument --epochs: invalid int value: '0.5'"),
    "negative lr": (["--lr", "-1"], "argument --lr: must be a positive number"),
    "lr not a number": (["--lr", "nan"], "argument --lr: must be a positive number"),
    "lr is text": (["--lr", "fast"], "argument --lr: invalid float value: 'fast'"),
    "no unit": (["--hidden", "0"], "argument --hidden: must be between"),
    "no batch": (["--batch-size", "0"], "argument --batch-size: must be between"),
    "negative seed": (["--seed", "-1"], "argument --seed: must be between 0"),
    "no such device": (["--device", "abacus"], "device 'abacus' cannot be used"),
    "no such option": (["--fast"], "unrecognized arguments: --fast"),
    "output is a file": (["--output", __file__], "File exists"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS, ids=lambda name: name.replace(" ", "-"))
def test_a_bad_option_ends_with_one_line_and_code_2(tmp_path, monkeypatch, name):
    options, message = BAD_OPTIONS[name]
    monkeypatch.chdir(tmp_path)
    code, out, err = in_process(*options)
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert message in err


def test_a_diverging_run_says_so(tmp_path):
    code, _, err = in_process("--lr", 1000, "--epochs", 20, "--output", tmp_path)
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "training diverged" in err
    assert "--lr" in err


def test_a_terminal_shows_a_progress_bar(tmp_path):
    pty = pytest.importorskip("pty", reason="pseudo-terminals exist on Unix only")
    termios = pytest.importorskip("termios")
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    done = command("--epochs", 2, cwd=tmp_path, stderr=terminal)
    os.close(terminal)
    shown = os.read(controller, 100_000).decode()
    os.close(controller)
    assert done.returncode == 0, shown
    assert "100%" in shown
    assert "train=" in shown


def test_help_fits_a_screen(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = build_parser().format_help()
    assert len(text.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 80
    for option in ("--epochs", "--batch-size", "--lr", "--seed", "--hidden", "--device"):
        assert option in text
