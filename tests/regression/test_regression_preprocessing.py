# ruff: noqa: E501  (a case is one line)
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from bpref.regression.cells import LARGEST
from bpref.regression.columns import CategoricalColumn, ColumnReport, NumericColumn
from bpref.regression.errors import DataError, RunError
from bpref.regression.learning import FEW_ROWS, MAX_LEVELS
from bpref.regression.preprocessing import Preprocessor
from bpref.regression.splitting import split_rows
from bpref.regression.table import read_table

HOUSES = pd.DataFrame(
    {
        "size": [50.0, 80.0, 65.0, 120.0],
        "city": ["Bonn", "Ulm", "Bonn", "Aachen"],
        "price": [100.0, 150.0, 140.0, 300.0],
        "rent": [5, 6, 7, 9],
    }
)


def test_numbers_and_categories_as_scikit_learn_makes_them():
    preprocessor = Preprocessor.fit(HOUSES, ["price", "rent"])
    X = preprocessor.transform(HOUSES)
    np.testing.assert_allclose(X[:, :1], StandardScaler().fit_transform(HOUSES[["size"]]))
    encoder = OneHotEncoder(sparse_output=False).fit(HOUSES[["city"]])
    np.testing.assert_array_equal(X[:, 1:], encoder.transform(HOUSES[["city"]]))
    y = preprocessor.transform_targets(HOUSES)
    np.testing.assert_allclose(y, StandardScaler().fit_transform(HOUSES[["price", "rent"]]))
    np.testing.assert_allclose(preprocessor.inverse_targets(y), HOUSES[["price", "rent"]])
    assert X.dtype == y.dtype == np.float64
    assert preprocessor.feature_names == ("size", "city")
    assert preprocessor.categorical_names == ("city",)
    assert preprocessor.target_names == ("price", "rent")
    assert preprocessor.x_names == ("size", "city=Aachen", "city=Bonn", "city=Ulm")


def test_the_order_of_targets_is_the_one_asked_for():
    assert Preprocessor.fit(HOUSES, ["rent", "price"]).target_names == ("rent", "price")
    assert Preprocessor.fit(HOUSES, "rent").feature_names == ("size", "city", "price")


def test_only_training_rows_are_looked_at():
    train, later = HOUSES.iloc[:3], HOUSES.iloc[3:].assign(city="Ulm")
    preprocessor = Preprocessor.fit(train, "price")
    size = preprocessor.features[0]
    assert isinstance(size, NumericColumn)
    assert (size.mean, size.std) == (65.0, pytest.approx(np.std([50, 80, 65])))
    np.testing.assert_allclose(preprocessor.transform(later)[0, 0], (120 - size.mean) / size.std)
    with pytest.raises(DataError, match=r"row 3, column 'city': .* no 'Aachen'; they have Bonn"):
        preprocessor.transform(HOUSES)


def test_columns_may_come_in_any_order_with_others_beside_them_and_without_targets():
    preprocessor = Preprocessor.fit(HOUSES, ["price", "rent"])
    other = HOUSES[["city", "size"]].assign(when=pd.Timestamp("2024-01-01"))
    np.testing.assert_array_equal(preprocessor.transform(other), preprocessor.transform(HOUSES))


def test_missing_cells_take_the_mean_and_the_most_common_level():
    train = pd.DataFrame(
        {
            "a": [1.0, np.nan, 3.0, 8.0, -np.inf],
            "c": ["x", "y", None, "y", "x"],
            "y": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    preprocessor = Preprocessor.fit(train, "y", "mean")
    X = preprocessor.transform(train)
    np.testing.assert_array_equal(X[[1, 4], 0], 0.0)
    np.testing.assert_array_equal(X[2, 1:], [1.0, 0.0])  # x and y are equally common: the first
    number, category = preprocessor.features
    assert isinstance(number, NumericColumn)
    assert isinstance(category, CategoricalColumn)
    assert (number.mean, number.missing) == (4.0, 2)
    assert number.std == pytest.approx(np.std([1, 3, 8]))
    assert (category.common, category.missing) == ("x", 1)
    empty = pd.DataFrame({"a": [None], "c": [None]})  # a row to predict from nothing
    np.testing.assert_array_equal(preprocessor.transform(empty), [[0.0, 1.0, 0.0]])


def test_drop_has_left_rows_out_before_and_refuses_the_rest():
    train = pd.DataFrame({"a": [1.0, 3.0], "c": ["x", "y"], "y": [1.0, 2.0]})
    preprocessor = Preprocessor.fit(train, "y", "drop")
    for name in ("a", "c"):
        with pytest.raises(DataError, match=f"row 0, column '{name}': the value is missing"):
            preprocessor.transform(train.assign(**{name: [None, train[name].iloc[1]]}))
    for missing in ("error", "drop", "mean"):
        preprocessor = Preprocessor.fit(train, "y", missing)
        with pytest.raises(DataError, match="row 1, column 'y': the value is missing"):
            preprocessor.transform_targets(train.assign(y=[1.0, np.nan]))


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1.0, 1e99])
def test_no_scale_of_numbers_leaves_float64(scale):
    train = pd.DataFrame(
        {"a": [1 * scale, 2 * scale, 4 * scale], "y": [scale, 3 * scale, 2 * scale]}
    )
    X = Preprocessor.fit(train, "y").transform(train)
    tolerance = 1e-2 if scale == 1e-320 else 1e-12  # a subnormal number has few digits
    np.testing.assert_allclose(X[:, 0], np.array([-4, -1, 5]) / np.sqrt(14), rtol=tolerance)


@pytest.mark.parametrize(
    "dtype", ["int8", "uint64", "float32", "Int64", "Float64", "bool", "boolean", "object"]
)
def test_every_dtype_of_numbers(dtype):
    values = pd.Series([0, 1, 1, 0]).astype(dtype)
    train = pd.DataFrame({"a": values, "y": [1.0, 2.0, 3.0, 5.0]})
    X = Preprocessor.fit(train, "y").transform(train)
    np.testing.assert_array_equal(X[:, 0], [-1, 1, 1, -1])


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category"])
def test_every_dtype_of_texts(dtype):
    values = pd.Series(["b", "a ", "b", "a"]).astype(dtype)
    train = pd.DataFrame({"a": values, "y": [1.0, 2.0, 3.0, 5.0]})
    X = Preprocessor.fit(train, "y").transform(train)
    np.testing.assert_array_equal(X, [[0, 1], [1, 0], [0, 1], [1, 0]])


def test_levels_that_no_training_row_has_are_no_columns():
    colors = pd.Categorical(["red", "blue", "red"], categories=["green", "red", "blue"])
    preprocessor = Preprocessor.fit(pd.DataFrame({"c": colors, "y": [1.0, 2.0, 4.0]}), "y")
    assert preprocessor.x_names == ("c=blue", "c=red")


def test_the_limits_of_categories():
    texts = [f"t{i}" for i in range(MAX_LEVELS)] * 2
    train = pd.DataFrame({"c": texts, "y": np.arange(float(len(texts)))})
    assert len(Preprocessor.fit(train, "y").x_names) == MAX_LEVELS
    few = train.iloc[: FEW_ROWS - 1]
    assert len(Preprocessor.fit(few, "y").x_names) == FEW_ROWS - 1
    with pytest.raises(DataError, match=f"{FEW_ROWS} different texts in {FEW_ROWS} training rows"):
        Preprocessor.fit(train.iloc[:FEW_ROWS], "y")


def test_the_report_says_what_was_done_to_each_column(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{i},{i % 4},{'true' if i % 3 else 'false'},c{i % 2},x{i},{i * i}" for i in range(12)]
    rows[5] = "5,,true,,x5,25"
    path.write_text("id,a,flag,c,name,y\n" + "\n".join(rows) + "\n")
    frame = read_table(path, drop=["name"], categorical=["c"], missing="mean")
    assert Preprocessor.fit(frame, "y", "mean").report() == [
        ColumnReport("y", "target", "numeric", 0, "standardised: mean 42.1667, std 39.4099"),
        ColumnReport(
            "id",
            "feature",
            "numeric",
            0,
            "standardised: mean 5.5, std 3.45205; it counts the rows: an identifier?",
        ),
        ColumnReport(
            "a",
            "feature",
            "numeric",
            1,
            "standardised: mean 1.54545, std 1.15708; 1 missing filled with the mean",
        ),
        ColumnReport(
            "flag",
            "feature",
            "numeric",
            0,
            "standardised: mean 0.666667, std 0.471405; true and false read as 1 and 0",
        ),
        ColumnReport(
            "c",
            "feature",
            "categorical",
            1,
            "one column each for c0, c1; categories, as asked for; 1 missing filled with 'c0'",
        ),
        ColumnReport("name", "dropped", "", 0, "not used"),
    ]


def test_places_survive_the_split(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,c,y\n\n" + "".join(f"{i},{'xz'[i == 7]},{i}\n" for i in range(10)))
    frame = read_table(path)
    preprocessor = Preprocessor.fit(frame.iloc[[0, 2, 4, 6]].assign(c=list("xyxy")), "y")
    with pytest.raises(DataError) as error:
        preprocessor.transform(frame.iloc[[9, 7, 1]])
    assert str(error.value) == (
        f"{path}: line 10, column 'c': the training rows have no 'z'; they have x, y"
    )


# The written form


@st.composite
def trained(draw) -> tuple[pd.DataFrame, Preprocessor]:
    rows = draw(st.integers(2, 9))
    number = st.floats(-LARGEST, LARGEST)
    level = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5).map(str.strip)
    missing = draw(st.sampled_from(["error", "mean"]))
    gap = st.none() if missing == "mean" else st.nothing()
    columns = {}
    for at in range(draw(st.integers(1, 4))):
        cell = draw(st.sampled_from([number, level.filter(bool)]))
        cells = st.lists(st.one_of(cell, gap), min_size=rows, max_size=rows)
        columns[f"x{at}"] = draw(cells)
    for at in range(draw(st.integers(1, 2))):
        columns[f"y{at}"] = draw(st.lists(number, min_size=rows, max_size=rows))
    frame = pd.DataFrame(columns)
    targets = [name for name in columns if name.startswith("y")]
    try:
        return frame, Preprocessor.fit(frame, targets, missing)
    except DataError:  # constant, or nothing but gaps
        return frame, Preprocessor.fit(HOUSES, "price")


@settings(max_examples=150, deadline=None)
@given(trained())
def test_written_and_read_again_it_does_the_same_bit_for_bit(drawn):
    frame, preprocessor = drawn
    frame = frame if set(preprocessor.feature_names) <= set(frame.columns) else HOUSES
    again = Preprocessor.from_dict(
        json.loads(json.dumps(preprocessor.to_dict(), allow_nan=False, ensure_ascii=False))
    )
    assert again == preprocessor
    for use in ("transform", "transform_targets"):
        a, b = getattr(preprocessor, use)(frame), getattr(again, use)(frame)
        assert np.isfinite(a).all()
        assert a.tobytes() == b.tobytes()
    y = preprocessor.transform_targets(frame)
    assert preprocessor.inverse_targets(y).tobytes() == again.inverse_targets(y).tobytes()
    assert again.report() == preprocessor.report()
    assert preprocessor.transform(frame).shape == (len(frame), len(preprocessor.x_names))


@settings(max_examples=50, deadline=None)
@given(trained())
def test_a_row_alone_is_transformed_as_among_others(drawn):
    frame, preprocessor = drawn
    frame = frame if set(preprocessor.feature_names) <= set(frame.columns) else HOUSES
    X = preprocessor.transform(frame)
    rows = [preprocessor.transform(frame.iloc[[at]]) for at in range(len(frame))]
    assert np.concatenate(rows).tobytes() == X.tobytes()


def written() -> dict[str, object]:
    return json.loads(json.dumps(Preprocessor.fit(HOUSES, "price").to_dict()))


def test_the_written_form():
    assert written() == {
        "version": 1,
        "missing": "error",
        "rows": 4,
        "dropped_rows": 0,
        "dropped_columns": [],
        "features": [
            {
                "name": "size",
                "kind": "numeric",
                "missing": 0,
                "note": "",
                "mean": 78.75,
                "std": pytest.approx(np.std([50, 80, 65, 120]), rel=1e-15),
            },
            {
                "name": "city",
                "kind": "categorical",
                "missing": 0,
                "note": "",
                "levels": ["Aachen", "Bonn", "Ulm"],
                "common": "Bonn",
            },
            {
                "name": "rent",
                "kind": "numeric",
                "missing": 0,
                "note": "",
                "mean": 6.75,
                "std": pytest.approx(np.std([5, 6, 7, 9]), rel=1e-15),
            },
        ],
        "targets": [
            {
                "name": "price",
                "kind": "numeric",
                "missing": 0,
                "note": "",
                "mean": 172.5,
                "std": pytest.approx(np.std([100, 150, 140, 300]), rel=1e-15),
            }
        ],
    }


# Where, what is put there, and the message.
DAMAGED = {
    "later version": (["version"], 2, "version 2 is later than 1, the latest that this version of bpref reads: use a newer bpref"),
    "no version": (["version"], None, "version must be an integer, got 'None'"),
    "no targets": (["targets"], [], "it needs a feature and numeric targets"),
    "no features": (["features"], [], "it needs a feature and numeric targets"),
    "features are no list": (["features"], "size", "features must be of type list, got 'size'"),
    "policy": (["missing"], "zero", "missing must be one of error, drop, mean, got 'zero'"),
    "rows": (["rows"], "4", "rows must be of type int, got '4'"),
    "a column is no object": (["features", 0], 3, "a column must be an object, got '3'"),
    "no name": (["features", 0, "name"], None, "name must be of type str, got 'None'"),
    "same name": (["features", 0, "name"], "price", "a column is there twice"),
    "kind": (["features", 0, "kind"], "date", "column 'size' has the unknown kind 'date'"),
    "no mean": (["features", 0, "mean"], None, "mean must be of type float, got 'None'"),
    "std 0": (["targets", 0, "std"], 0.0, "column 'price' has mean 172.5 and std 0.0: they must be finite, std above 0"),
    "NaN": (["features", 0, "mean"], float("nan"), "column 'size' has mean nan"),
    "levels": (["features", 1, "levels"], ["Bonn", 1], "column 'city' needs different levels of text"),
    "same level": (["features", 1, "levels"], ["Bonn", "Bonn"], "column 'city' needs different levels of text"),
    "common": (["features", 1, "common"], "Mainz", "column 'city' has no level 'Mainz'"),
    "dropped": (["dropped_columns"], [1], "dropped_columns must hold names"),
}  # fmt: skip


@pytest.mark.parametrize(("where", "value", "message"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_form_is_one_line(where, value, message):
    form = written()
    inner = form
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises(RunError) as error:
        Preprocessor.from_dict(form)
    assert str(error.value).startswith(f"preprocessing: {message}")
    assert len(str(error.value).splitlines()) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*written(), "name", "kind"]), inner, max_size=6)
        ),
        max_leaves=8,
    )
)
def test_any_other_json_is_refused_in_one_line(form):
    with pytest.raises(RunError) as error:
        Preprocessor.from_dict(form)
    assert len(str(error.value).splitlines()) == 1


# Splits


@given(
    st.integers(1, 300), st.floats(0, 0.6), st.floats(0, 0.4, exclude_max=True), st.integers(0, 9)
)
def test_a_split_has_every_row_once(n, validation, test, seed):
    try:
        parts = split_rows(n, validation, test, seed)
    except DataError as error:
        assert "too few" in str(error)  # noqa: PT017
        assert n < 100 or 0 < validation * n <= 0.5 or 0 < test * n <= 0.5
        return
    assert sorted(np.concatenate(parts)) == list(range(n))
    assert [len(part) for part in parts[1:]] == [round(validation * n), round(test * n)]
    assert len(parts[0]) >= 2
    for part, again in zip(parts, split_rows(n, validation, test, seed), strict=True):
        np.testing.assert_array_equal(part, again)
        np.testing.assert_array_equal(part, np.sort(part))


def test_a_split_follows_its_seed_and_leaves_the_global_generator_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    a, b = (split_rows(50, 0.2, 0.2, seed) for seed in (0, 1))
    assert not np.array_equal(a[0], b[0])
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_without_test_rows():
    train, validation, test = split_rows(10, 0.2, 0.0, seed=0)
    assert (len(train), len(validation), len(test)) == (8, 2, 0)
    assert test.dtype == np.int64
