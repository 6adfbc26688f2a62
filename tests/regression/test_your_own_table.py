"""The page "Your own CSV in five minutes": its sessions are typed in, its messages provoked."""

import json
import re
import shlex
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from signal import SIGINT

import pandas as pd
import pytest
from regression_process import run, signal_at

from sitekit.audit.markdown import read_page

EN, ZH = (Path(f"docs/{lang}/practice/your-own-table.md") for lang in ("en", "zh"))
TABLES = {"auto_mpg.csv": "cars.csv", "penguins.csv": "penguins.csv"}
NOT_TYPED = {"pip", "tensorboard"}
QUIET = ("--quiet", "--no-report")


def commands(page):
    """Return every command of the console fences with the output that is shown below it."""
    for fence in read_page(page).fences:
        if fence.info == "console":
            for part in re.split(r"^\$ ", fence.text.replace("\\\n", " "), flags=re.M)[1:]:
                command, _, output = part.partition("\n")
                yield command, output.strip()


def type_in(folder, command, shown):
    """Run a command as a shell would; return its exit code and output, without the progress."""
    program, *arguments = shlex.split(command)
    if program != "bpref-train":
        assert program in {"head", "tail", "ls"}, command
        done = subprocess.run(
            command, shell=True, cwd=folder, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout
    stopped = shown.startswith("^C")
    done = run(folder, *arguments, hook=(signal_at, 3000, SIGINT) if stopped else None)
    errors = [line for line in done.err.splitlines() if not line.startswith("epoch ")]
    said = ["^C" * stopped, done.out.rstrip(), *errors]
    return done.code, "\n".join(filter(None, said))


def agrees(shown, said):
    """Whether the output is as shown; "…" stands for anything."""
    pattern = ".*".join(map(re.escape, shown.split("…")))
    return re.fullmatch(pattern, said.strip(), re.S) is not None


def test_the_sessions_run_as_shown(tmp_path):
    for name, copy in TABLES.items():
        shutil.copy(str(resources.files("bpref.regression") / "data" / name), tmp_path / copy)
    typed, wrong = 0, []
    for command, shown in commands(EN):
        if command.split()[0] in NOT_TYPED:
            continue
        typed += 1
        code, said = type_in(tmp_path, command, shown)
        expected = 130 if shown.startswith("^C") else 2 if "bpref-train: error:" in shown else 0
        if code != expected or (shown and not agrees(shown, said)):
            wrong.append(f"$ {command}\n{said.strip()}\nexit code {code}")
    assert typed > 10
    assert not wrong, "\n\n".join(wrong)


def test_the_comparison_can_fail():
    assert agrees("a … c", "a b\nb c")
    assert not agrees("a … c", "a b")
    assert not agrees("a b", "a c")


# The table of messages

ROWS = "a,color,price\n" + "".join(
    f"{i * i % 7},{'red' if i % 3 else 'blue'},{i}\n" for i in range(30)
)
MESSAGES = {  # of the page: the table, and the column to predict
    "no column 'Price'; did you mean 'price'?": (ROWS, "Price"),
    "the columns seem to be separated by ';' (semicolon), not by ','": (
        ROWS.replace(",", ";"), "price",
    ),
    "'1,5' has a decimal comma: write 1.5": (ROWS + '"1,5",red,3\n', "price"),
    "'1,065' has a decimal comma or a thousands separator: write 1.065 or 1065": (
        ROWS + '"1,065",red,3\n', "price",
    ),
    "byte 0xFC is not UTF-8 text: save the file as UTF-8": (ROWS + "1,grün,3\n", "price"),
    "'?' is text in a column of numbers: if it stands for a missing value, leave the cell empty": (
        ROWS + "?,red,3\n", "price",
    ),
    "'2024-01-31' is a date or a time, which is neither used as a number nor as a category": (
        ROWS.replace("blue", "2024-01-31").replace("red", "2024-02-01"), "price",
    ),
    "an identifier or free text is no category, drop it": (
        "name,price\n" + "".join(f"n{i},{i}\n" for i in range(30)), "price",
    ),
    "it carries no information, drop it": (ROWS.replace("blue", "red"), "price"),
    "the training rows have no 'green'; they have blue, red": (ROWS, "price"),
    "holds a run: choose another folder with --run, or replace the run with --force": (
        ROWS, "price",
    ),
}  # fmt: skip
DIVERGED = "loss became nan"


def messages(page):
    """Return the code in the first column of the table of messages."""
    section = page.read_text(encoding="utf-8").split("{ #messages }")[1].split("{ #convert }")[0]
    return [row[1] for row in re.finditer(r"^\| `(.+?)`(?: \S+ `inf`)? \|", section, re.M)]


@pytest.mark.parametrize("page", [EN, ZH], ids=["en", "zh"])
def test_the_messages_of_the_page_are_those_that_are_tried(page):
    assert messages(page) == [*MESSAGES, DIVERGED]


@pytest.mark.parametrize(("content", "target"), MESSAGES.values(), ids=MESSAGES)
def test_the_messages_are_what_the_command_says(tmp_path, content, target, request):
    message = next(text for text in MESSAGES if text in request.node.name)
    (tmp_path / "t.csv").write_bytes(content.encode("cp1252"))
    fit = "fit", "t.csv", "--target", target, "--epochs", 1, *QUIET
    done = run(tmp_path, *fit)
    if "green" in message:
        assert done.code == 0
        (tmp_path / "new.csv").write_text("a,color\n1,green\n")
        done = run(tmp_path, "predict", "bpref-run", "new.csv")
    if "holds a run" in message:
        assert done.code == 0
        done = run(tmp_path, *fit)
    assert done.code == 2
    assert message in done.err


def test_a_run_that_diverges(tmp_path):
    (tmp_path / "t.csv").write_text(ROWS)
    done = run(tmp_path, "fit", "t.csv", "--target", "price", "--lr", 1e9, *QUIET)
    assert done.code == 1
    assert re.search(r"loss became (nan|inf) at step \d+", done.err)
    assert "try a smaller learning rate, clip_norm, a warm-up" in done.err


# The answers


def mse(folder, table, *options):
    """Return the test error of the network and of least squares."""
    fit = "fit", table, "--target", "mpg", "--force", "--quiet", *options
    done = run(folder, *fit)
    assert done.code == 0, done.err
    found = json.loads((folder / "bpref-run/result.json").read_text())["scores"]["mpg"]
    return found["test"]["mse"], found["baselines"]["least squares"]["mse"]


def test_the_answers(tmp_path):
    table = resources.files("bpref.regression") / "data" / "auto_mpg.csv"
    shutil.copy(str(table), tmp_path / "cars.csv")
    linear, least_squares = mse(tmp_path, "cars.csv", "--hidden-sizes")
    assert linear == pytest.approx(least_squares, rel=0.1)

    seeds = [mse(tmp_path, "cars.csv", "--seed", seed)[0] for seed in range(5)]
    adam = mse(tmp_path, "cars.csv", "--optimizer", "adam", "--hidden-sizes", 32, "--epochs", 200)[
        0
    ]
    assert max(seeds) - min(seeds) > abs(seeds[0] - adam)

    cars = pd.read_csv(tmp_path / "cars.csv")
    cars.assign(km_per_litre=0.425 * cars["mpg"]).to_csv(tmp_path / "leak.csv", index=False)
    network, least_squares = mse(tmp_path, "leak.csv")
    assert least_squares < 1e-10
    assert network < seeds[0] / 5


# The lab

LAB = Path("docs/en/labs/your-own-table.md")
LINE = 'FILE, TARGET, DROP = DATA / "penguins.csv", "body_mass_g", ["year"]\n'


@pytest.mark.parametrize(("file", "target"), [("auto_mpg.csv", "mpg"), ("diabetes.csv", "target")])
def test_the_lab_takes_another_table_with_one_changed_line(file, target, capsys):
    cells = [f.text for f in read_page(LAB).fences if f.info == "python"]
    code = "\n".join(cells)
    assert code.count(LINE) == 1
    code = code.split("pairs = []")[0]  # the answers speak of penguins
    exec(code.replace(LINE, f'FILE, TARGET, DROP = DATA / "{file}", "{target}", []\n'), {})
    out = capsys.readouterr().out
    assert re.search(r"^food .* <- almost the target itself$", out, re.M)
    assert "report.html report.md" in out
