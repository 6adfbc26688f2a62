import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import markdown
import numpy as np
import pytest
from bs4 import BeautifulSoup
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from sklearn import metrics

from bpref.regression import plotting
from bpref.regression.columns import ColumnReport
from bpref.regression.config import Config
from bpref.regression.document import Heading, Paragraph, Table, to_html, to_markdown
from bpref.regression.history import History
from bpref.regression.report import Part, write_report
from bpref.regression.scores import loss_unit

HOSTILE = "</title><script>alert(1)</script> a|b *c* _d_ `e` $f$ [g](h) \\ & 体重"


def curve(epochs=20):
    e = np.arange(1, epochs + 1)
    return History(list(1 / e + 0.1), [], list(1 / e + 0.2 + 0.001 * e), list(0.1 / e))


def run(folder, rows=(60, 20, 30), targets=("y",), predict=None, noise=1.0, epochs=20, **more):
    """Write a report of a table whose truth is a sine; `predict` defaults to the truth."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-3, 3, (sum(rows), 2))
    truth = 5 * np.sin(2 * X[:, :1]) + X[:, 1:] + np.arange(len(targets))
    y = truth + noise * rng.standard_normal(truth.shape)
    guess = truth if predict is None else predict(X, y, rows[0])
    parts = [
        Part(X[part], y[part], guess[part]) if len(part) else None
        for part in np.split(np.arange(len(X)), np.cumsum(rows)[:-1])
    ]
    options = {
        "config": Config(hidden_sizes=(8,), epochs=epochs),
        "history": curve(epochs),
        "target_std": y[: rows[0]].std(axis=0),
        "source": "table.csv",
        "best_epoch": 3,
    }
    report = write_report(
        folder,
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        targets=targets,
        **(options | more),
    )
    return report, parts


def line(X, y, rows):
    A = np.c_[X, np.ones(len(X))]
    return A @ np.linalg.lstsq(A[:rows], y[:rows], rcond=None)[0]


def pages(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    source = (folder / "report.md").read_text(encoding="utf-8")
    shown = markdown.markdown(source, extensions=["tables"])
    return text, BeautifulSoup(text, "html5lib"), BeautifulSoup(shown, "html5lib")


def tables(soup):
    return [
        [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]
        for table in soup.find_all("table")
    ]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    report, parts = run(
        folder,
        targets=[HOSTILE, "second"],
        source=HOSTILE,
        facts={"backend": "numpy", HOSTILE: HOSTILE},
        columns=[ColumnReport(HOSTILE, "feature", "numeric", 2, "standardised: mean 1, std 2")],
        environment={"python": "3.12", HOSTILE: HOSTILE},
    )
    return folder, report, parts


def test_the_page_is_valid_html(written):
    text, _, _ = pages(written[0])
    html5lib.HTMLParser(strict=True).parse(text)


def test_the_page_stands_alone(written):
    text, page, _ = pages(written[0])
    assert page.find_all(["script", "link", "img", "iframe", "object"]) == []
    assert not re.search(r"@import|url\((?!#)|\son\w+=", text)
    for element in page.find_all(True):
        for name in ("src", "href", "xlink:href", "action"):
            assert element.get(name, "#").startswith("#")


def test_what_the_page_refers_to_is_there_once(written):
    text, page, _ = pages(written[0])
    ids = [element["id"] for element in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:href="#|url\(#|aria-labelledby=")([^")]+)', text))
    assert used
    assert used <= set(ids)


def test_the_page_can_be_read_without_eyes_and_on_a_phone(written):
    _, page, _ = pages(written[0])
    assert page.html["lang"] == "en"
    assert page.title.get_text() == page.h1.get_text() == f"Training report: {HOSTILE}"
    assert "width=device-width" in page.find("meta", attrs={"name": "viewport"})["content"]
    levels = [int(h.name[1]) for h in page.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert page.find("main") is not None
    for svg in page.find_all("svg"):
        assert svg["role"] == "img"
        assert len(svg["aria-label"]) > 20
        assert svg.find_parent("figure").figcaption.get_text()
        assert not svg.has_attr("width")
    for table in page.find_all("table"):
        assert table.caption.get_text()
        assert all(th["scope"] == "col" for th in table.thead.find_all("th"))
        assert all(row.th["scope"] == "row" for row in table.tbody.find_all("tr"))
        box = table.parent
        assert (box["role"], box["tabindex"]) == ("region", "0")


def test_every_colour_of_the_pictures_follows_the_scheme(written):
    text, page, _ = pages(written[0])
    assert "prefers-color-scheme: dark" in text
    style = page.style.string
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for svg in map(str, page.find_all("svg")):
        assert not re.search(r"(?:fill|stroke): ?#", svg)
        for variable in set(re.findall(r"var\((--\w+)\)", svg)):
            assert f"{variable}:" in light
            assert f"{variable}:" in dark


def test_markdown_and_html_say_the_same(written):
    _, page, shown = pages(written[0])
    assert tables(shown) == tables(page)
    for kind in ("h1", "h2", "h3"):
        assert [h.get_text() for h in shown.find_all(kind)] == [
            h.get_text() for h in page.find_all(kind)
        ]
    assert shown.find("script") is None
    alts = [image["alt"] for image in shown.find_all("img")]
    assert alts == [svg["aria-label"] for svg in page.find_all("svg")]


def test_every_picture_of_the_markdown_is_a_file(written):
    folder, report, _ = written
    _, _, shown = pages(folder)
    sources = [image["src"] for image in shown.find_all("img")]
    assert len(sources) == 2 + 3 * 2  # losses, learning rate; three for each target
    for source in sources:
        root = ElementTree.parse(folder / source).getroot()
        assert root.tag.endswith("svg")
    assert {path.relative_to(folder).as_posix() for path in report.files} == {
        "report.html",
        "report.md",
        *sources,
    }
    assert set(report.files) == {path for path in folder.rglob("*") if path.is_file()}


def test_the_scores_are_those_of_scikit_learn(written):
    folder, report, parts = written
    _, page, _ = pages(folder)
    found = report.scores["second"]
    for name, part in zip(("train", "validation", "test"), parts, strict=True):
        y, prediction = part.y[:, 1], part.prediction[:, 1]
        assert found[name]["mse"] == pytest.approx(metrics.mean_squared_error(y, prediction))
        assert found[name]["mae"] == pytest.approx(metrics.mean_absolute_error(y, prediction))
        assert found[name]["r2"] == pytest.approx(metrics.r2_score(y, prediction))
    table = next(t for t in tables(page)[::-1] if t[0][0] == "score")
    shown = [f"{found[part]['mse']:.4g}" for part in ("train", "validation", "test")]
    low, high = found["interval"]["mse"]
    assert table[1] == ["MSE", *shown, f"{low:.4g} to {high:.4g}"]
    assert low < found["test"]["mse"] < high
    least_squares = line(np.vstack([p.X for p in parts]), np.vstack([p.y for p in parts]), 60)
    expected = metrics.mean_squared_error(parts[2].y[:, 1], least_squares[-30:, 1])
    assert found["baselines"]["least squares"]["mse"] == pytest.approx(expected)


def test_the_same_run_gives_the_same_files(tmp_path):
    for name in ("one", "two"):
        run(tmp_path / name)
    for path in (tmp_path / "one").rglob("*.*"):
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes()


def test_a_second_report_replaces_the_first(tmp_path):
    run(tmp_path, source="first.csv")
    run(tmp_path, source="second.csv")
    assert "first.csv" not in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert list(tmp_path.rglob("*.part")) == []


@pytest.mark.parametrize(
    ("predict", "rows", "said"),
    [
        (None, (60, 20, 30), r"^The network beats least squares: .*below zero\.$"),
        (
            line,
            (60, 20, 30),
            r"^The network is not shown to beat least squares: .* contains zero\. .*On these rows",
        ),
        (
            lambda X, y, rows: np.zeros_like(y) + 9,
            (60, 20, 30),
            r"^The network does not beat least squares, it is worse: .*above zero\. "
            r"It does not beat the constant either\. Use least squares",
        ),
        (None, (60, 20, 9), r"^Too few rows to compare the network with least squares: .*9 test"),
        (None, (60, 20, 1), r"^Too few rows .* on 1 test row\.$"),
        (None, (60, 20, 0), r"^The network beats least squares: .* on 20 validation rows"),
    ],
)
def test_the_verdict(tmp_path, predict, rows, said):
    report, _ = run(tmp_path, rows=rows, predict=predict)
    assert re.search(said, report.verdict)
    _, page, shown = pages(tmp_path)
    assert page.find("p", class_="strong").get_text() == report.verdict
    assert shown.strong.get_text() == report.verdict


def test_the_verdict_on_several_targets(tmp_path):
    def predict(X, y, rows):
        guess = line(X, y, rows) + 0.5
        guess[:, 1] = 5 * np.sin(2 * X[:, 0]) + X[:, 1] + 1
        return guess

    report, _ = run(tmp_path, targets=["a", "b", "c"], predict=predict)
    assert report.verdict == "The network beats least squares on 1 of 3 targets: b."


def test_without_test_rows_the_report_says_what_that_means(tmp_path):
    report, _ = run(tmp_path, rows=(60, 20, 0))
    _, page, _ = pages(tmp_path)
    text = page.get_text()
    assert "these scores are too good by an unknown amount" in text
    assert "test rows are used for nothing" not in text
    assert "test" not in report.scores["y"]


def test_very_few_rows(tmp_path):
    report, _ = run(tmp_path, rows=(3, 1, 1))
    assert report.scores["y"]["interval"] == dict.fromkeys(("mse", "rmse", "mae", "r2"))
    assert report.scores["y"]["test"]["r2"] is None
    _, page, _ = pages(tmp_path)
    assert "not defined" in page.get_text()


@pytest.mark.parametrize("value", [0.0, 1e12])
def test_constant_predictions_and_no_error_at_all(tmp_path, value):
    run(tmp_path, predict=lambda X, y, rows: np.full_like(y, value))
    report, _ = run(tmp_path, predict=lambda X, y, rows: y)
    assert report.scores["y"]["test"]["mse"] == 0
    text, _, _ = pages(tmp_path)
    html5lib.HTMLParser(strict=True).parse(text)


def test_many_rows_are_drawn_in_part_and_that_is_said(tmp_path):
    run(tmp_path, rows=(3000, 1000, 2500), epochs=2)
    text, page, _ = pages(tmp_path)
    captions = [c.get_text() for c in page.find_all("figcaption")]
    assert sum("1,000 of 2,500 test rows, drawn at random" in c for c in captions) == 2
    points = page.find_all("svg")[2].find_all("use")
    assert 1000 <= len(points) < 1100
    assert len(text) < 600_000


def test_many_targets_have_tables_and_some_have_figures(tmp_path):
    run(tmp_path, targets=[f"t{i}" for i in range(8)], epochs=2)
    _, page, _ = pages(tmp_path)
    assert len(page.find_all("figure")) == 2 + 3 * 6
    assert "Targets after the first 6 have no figures." in page.get_text()
    assert sum(t[0][0] == "score" for t in tables(page)) == 8


def test_a_baseline_that_is_left_out_says_why(tmp_path):
    report, _ = run(tmp_path, mlp_visits=10)
    assert report.scores["y"]["baselines"]["scikit-learn MLPRegressor"] == {
        "mse": None,
        "difference": None,
    }
    assert "60 rows × 20 epochs are more than 10" in pages(tmp_path)[1].get_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(4)}, "are needed"),
        ({"prediction": np.zeros((4, 2))}, "are needed"),
        ({"X": np.zeros((3, 2))}, "X has 3 rows, y has 4"),
        ({"X": np.zeros((0, 2)), "y": np.zeros((0, 1)), "prediction": np.zeros((0, 1))}, "needed"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, message):
    fits = {"X": np.zeros((4, 2)), "y": np.zeros((4, 1)), "prediction": np.zeros((4, 1))}
    Part(**fits)
    with pytest.raises(ValueError, match=message):
        Part(**(fits | change))


def test_a_name_for_each_target_is_needed(tmp_path):
    part = Part(np.zeros((4, 2)), np.zeros((4, 2)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="1 targets are named"):
        write_report(
            tmp_path,
            config=Config(),
            history=curve(),
            train=part,
            validation=part,
            test=None,
            targets=["a"],
            target_std=np.ones(2),
            source="t.csv",
        )


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        run(tmp_path / "file" / "report")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=2, max_size=4))
@example(["a\\", "|b"])
@example(["a", "&amp;"])
@example(["[x](y)", "![z](w)"])
@example(["a\x00\nb", "\ud7ff"])
@example(["__0__", "a_b"])
def test_markdown_shows_a_cell_as_it_is(cells):
    def squeeze(text):
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())

    source = to_markdown([Table("names", ["a"] * len(cells), [cells])])
    for shown in (
        markdown.markdown(source, extensions=["tables"]),
        MarkdownIt("commonmark").enable("table").render(source),
    ):
        row = BeautifulSoup(shown, "html5lib").find("tbody").find_all("td")
        assert [squeeze(cell.get_text()) for cell in row] == [squeeze(cell) for cell in cells]
        assert all(cell.find(True) is None for cell in row)


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_html_holds_any_text(text):
    page = to_html([Heading(text, 1), Paragraph(text)])
    html5lib.HTMLParser(strict=True).parse(page)
    shown = BeautifulSoup(page, "html5lib")
    expected = "".join(c if c.isprintable() else " " for c in text)
    assert shown.h1.get_text() == shown.title.get_text() == shown.p.get_text() == expected


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=20),
    st.sampled_from([0.0, 1.0, -1e100, 1e-300]),
    st.text(max_size=40),
)
@example([5.0, 5.0 + 1e-15], 0.0, "a")
@example([0.0], 0.0, "$")
@example([1e100, -1e100], 0.0, "体重 $x^2")
def test_any_numbers_and_names_can_be_drawn(values, guess, name):
    y = np.array(values)
    prediction = np.full(len(y), guess)
    for figure in (
        plotting.plot_predicted(y, prediction, name),
        plotting.plot_residuals(y, prediction, name),
        plotting.plot_residual_histogram(y, prediction),
    ):
        ElementTree.fromstring(plotting.to_svg(figure))


def test_the_histogram_counts_every_row():
    rng = np.random.default_rng(0)
    for residual in (rng.standard_normal(5000), np.full(7, 0.1), np.zeros(3), np.array([2.0])):
        axes = plotting.plot_residual_histogram(residual, 0 * residual).axes[0]
        assert sum(bar.get_height() for bar in axes.patches) == len(residual)
        highest = max(axes.patches, key=lambda bar: bar.get_height())
        low, high = axes.get_xlim()
        assert highest.get_width() > (high - low) / 100  # one can see it


def test_learning_curves():
    figure = plotting.plot_learning_curves(curve(5000), factor=4.0, best_epoch=70)
    train, validation, best = figure.axes[0].lines
    assert len(train.get_xdata()) == plotting.MAX_POINTS
    assert (train.get_xdata()[0], train.get_xdata()[-1]) == (1, 5000)
    assert train.get_ydata()[0] == pytest.approx(4 * 1.1)
    assert validation.get_label() == "validation"
    assert best.get_xdata() == [70, 70]
    assert plotting.plot_learning_curves(curve()).axes[0].get_yscale() == "linear"
    steep = plotting.plot_learning_curves(History([100.0, 1.0]))
    assert steep.axes[0].get_yscale() == "log"
    one = plotting.plot_learning_curves(History([1.0], [0.9], [1.1]))
    assert [drawn.get_marker() for drawn in one.axes[0].lines] == ["o"] * 3


@pytest.mark.parametrize(("loss", "power"), [("mse", 2), ("mae", 1), ("huber", 2)])
def test_losses_in_the_unit_of_the_target(loss, power):
    """A loss of standardised values times the factor is the loss of the values."""
    import torch

    std = 3.5
    error = torch.linspace(-4, 4, 50, dtype=torch.float64)
    of = {
        "mse": lambda e, d: torch.nn.functional.mse_loss(e, 0 * e),
        "mae": lambda e, d: torch.nn.functional.l1_loss(e, 0 * e),
        "huber": lambda e, d: torch.nn.functional.huber_loss(e, 0 * e, delta=d),
    }[loss]
    factor, _ = loss_unit(loss, np.array([std]))
    assert factor == std**power
    assert float(of(error / std, 1.0)) * factor == pytest.approx(float(of(error, std)))
    assert loss_unit(loss, np.array([std, 1.0]))[0] == 1.0


def test_the_report_has_a_factor_in_the_picture(tmp_path):
    run(tmp_path, target_std=np.array([10.0]), history=History([3.0], val_loss=[2.0]))
    _, page, _ = pages(tmp_path)
    label = page.find_all("svg")[0]["aria-label"]
    assert label.endswith("they end with training loss 300 and validation loss 200.")
    assert Path(tmp_path, "figures", "learning-rate.svg").exists() is False
