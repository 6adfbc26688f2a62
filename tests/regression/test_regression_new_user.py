"""What a new user meets on the way to a first run, and the words that help on."""

import numpy as np
import pandas as pd
import pytest

from bpref.regression.preprocessing import Preprocessor

HEAD = "id,size,color,price\n"
TABLE = HEAD + "".join(
    f"{100 + i},{10 + i * i % 7},{'red' if i % 3 else 'blue'},{i % 7 + i % 3}\n" for i in range(40)
)
QUIET = ("--quiet", "--no-report", "--epochs", "1")


HELP = {
    "a missing feature": (
        TABLE + "140,,red,3\n", ("--target", "price"),
        "the value is missing (--missing drop leaves such rows out, --missing mean fills in the "
        "features)",
    ),
    "a missing feature, marked": (
        TABLE + "140,n/a,red,3\n", ("--target", "price"),
        "the value is missing ('n/a') (--missing drop leaves such rows out, --missing mean fills "
        "in the features)",
    ),
    "a missing target": (
        TABLE + "140,9,red,\n", ("--target", "price", "--missing", "mean"),
        "the value is missing (a target is never filled in: --missing drop leaves such rows out)",
    ),
    "a question mark": (
        TABLE + "140,?,red,3\n", ("--target", "price"),
        "'?' is text in a column of numbers: if it stands for a missing value, leave the cell "
        "empty",
    ),
    "a word": (
        TABLE + "140,big,red,3\n", ("--target", "price"), "'big' is text in a column of numbers",
    ),
    "semicolons": (
        TABLE.replace(",", ";"), ("--target", "price"), "(--delimiter ';')",
    ),
    "a title above the header": (
        "# houses of 2024\n" + TABLE, ("--target", "price"),
        "line 2: 4 cells where the header names 1 column: the first line, '# houses of 2024', "
        "should name the columns",
    ),
    "tabs": (
        TABLE.replace(",", "\t"), ("--target", "price"), "(--delimiter tab)",
    ),
    "dates": (
        TABLE.replace("red", "2024-01-31").replace("blue", "2024-02-01"), ("--target", "price"),
        "e.g. of days (--drop COLUMN leaves a column out)",
    ),
    "a constant column": (
        TABLE.replace("blue", "red"), ("--target", "price"),
        "it carries no information, drop it (--drop COLUMN leaves a column out)",
    ),
    "a constant target": (
        HEAD + "".join(f"{i},{i % 7},{'ab'[i % 2]},5\n" for i in range(40)), ("--target", "price"),
        "there is nothing to learn",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "options", "said"), HELP.values(), ids=HELP)
def test_a_message_names_the_option_that_helps(command, tmp_path, content, options, said):
    (tmp_path / "t.csv").write_text(content)
    code, out, err = command("fit", "t.csv", *options, *QUIET)
    assert (code, out) == (2, "")
    assert err.endswith(f"{said}\n")
    assert err.count("\n") == 1


def test_what_is_advised_works(command, tmp_path):
    cases = {
        "missing.csv": (TABLE + "140,,red,3\n", ("--missing", "drop")),
        "filled.csv": (TABLE + "140,,red,3\n", ("--missing", "mean")),
        "target.csv": (TABLE + "140,9,red,\n", ("--missing", "drop")),
        "semicolons.csv": (TABLE.replace(",", ";"), ("--delimiter", ";")),
        "tabs.csv": (TABLE.replace(",", "\t"), ("--delimiter", "tab")),
        "constant.csv": (TABLE.replace("blue", "red"), ("--drop", "color")),
    }
    for name, (content, options) in cases.items():
        (tmp_path / name).write_text(content)
        fit = "fit", name, "--target", "price", "--run", f"run-{name}", *options, *QUIET
        assert command(*fit) == (0, "", ""), name


def test_a_gap_in_later_rows(command, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    assert command("fit", "t.csv", "--target", "price", *QUIET)[0] == 0
    (tmp_path / "new.csv").write_text("id,size,color\n1,,red\n")
    code, out, err = command("predict", "bpref-run", "new.csv")
    assert (code, out) == (2, "")
    assert err.endswith(
        "missing (allowed after a training with --missing drop or, in a feature, mean)\n"
    )


def test_folder_and_file_exchanged(command, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    code, _, err = command("predict", "t.csv", "bpref-run")
    assert code == 2
    assert err == "bpref-train: error: t.csv: is no folder; the FOLDER of a run comes first\n"


def test_an_identifier_is_noticed_though_only_some_rows_train(command, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    code, out, _ = command("fit", "t.csv", "--target", "price", "--epochs", "1", "--no-report")
    assert code == 0
    noticed = [line for line in out.splitlines() if "an identifier?" in line]
    assert len(noticed) == 1
    assert noticed[0].startswith("feature  id (numeric): ")


@pytest.mark.parametrize(
    ("values", "index", "noticed"),
    [
        (range(5, 45), None, True),
        (range(5, 45), [f"row {i}" for i in range(40)], True),
        ([2 * i for i in range(40)], [2 * i + 7 for i in range(40)], True),
        ([2 * i for i in range(40)], None, False),
        (range(40, 0, -1), None, False),
        ([i % 39 for i in range(40)], None, False),
    ],
)
def test_what_counts_as_an_identifier(values, index, noticed):
    frame = pd.DataFrame({"a": list(values), "y": np.sin(np.arange(40))}, index=index)
    report = {column.column: column.treatment for column in Preprocessor.fit(frame, "y").report()}
    assert ("an identifier?" in report["a"]) == noticed


def test_where_the_gradients_are(command):
    code, out, _ = command("fit", "--epochs", "1", "--log-gradients", "--no-report")
    assert code == 0
    assert "gradients norms of each layer are in bpref-run/gradients.jsonl\n" in out


def test_lower_but_not_shown_to_be_better(command, tmp_path):
    """A verdict "does not beat" beside a smaller error would read as a contradiction."""
    (tmp_path / "t.csv").write_text(TABLE)
    code, out, _ = command("fit", "t.csv", "--target", "price", "--epochs", "200")
    assert code == 0
    verdict = next(line for line in out.splitlines() if line.startswith("result"))
    assert ("contains zero" in verdict) == ("is not shown to beat" in verdict)
