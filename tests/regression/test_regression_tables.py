"""The tables that come with the package are those that their README describes."""

import hashlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes

from bpref.regression.errors import DataError
from bpref.regression.preprocessing import Preprocessor
from bpref.regression.table import read_table
from experiments import regression_tables, run

DATA = Path(str(resources.files("bpref.regression"))) / "data"
README = (DATA / "README.md").read_text(encoding="utf-8")
# Of the files as their sources gave them; penguins.csv is the source's file itself.
SHA256 = {
    "diabetes.csv": "d0b14a7a6a4015e4291e82705a7dd34906afb0b87bf5f67037bf1ec2f51e663f",
    "auto_mpg.csv": "30c111af7cf484b5632b69c366baf2d5977d73b326b34f645a0396f9a2ad4216",
    "penguins.csv": "f204db2c753b0937caac3cb35258562c14f073e4bbc76be24b4c51ce22767a93",
}


def section(name):
    return README.split(f"## {name}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", SHA256)
def test_no_byte_of_a_table_has_changed(name):
    assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == SHA256[name]


def test_every_table_is_known_here_and_in_the_experiment():
    assert {path.name for path in DATA.glob("*.csv")} == set(SHA256)
    assert {f"{name}.csv" for name in regression_tables.TARGETS} == set(SHA256)


@pytest.mark.parametrize("name", SHA256)
def test_the_readme_names_every_column_and_the_source(name):
    text = section(name)
    for column in pd.read_csv(DATA / name, nrows=0).columns:
        assert column in text, column
    assert "Source: " in text
    assert "https://doi.org/" in text
    assert "Licence" in text


def test_diabetes_has_the_values_of_scikit_learn():
    source = load_diabetes(scaled=False, as_frame=True).frame
    pd.testing.assert_frame_equal(pd.read_csv(DATA / "diabetes.csv"), source)
    licence = (DATA / "LICENSE-scikit-learn.txt").read_text(encoding="utf-8")
    assert licence.startswith("BSD 3-Clause License")
    assert "Redistributions of source code must retain the above copyright" in licence
    assert "LICENSE-scikit-learn.txt" in section("diabetes.csv")


def test_auto_mpg_has_the_392_cars():
    frame = read_table(DATA / "auto_mpg.csv")
    assert frame.shape == (392, 8)
    assert frame["origin"].value_counts().to_dict() == {"usa": 245, "japan": 79, "europe": 68}
    assert round(frame["mpg"].sum(), 1) == 9190.8
    assert (frame["mpg"].min(), frame["mpg"].max()) == (9.0, 46.6)
    text = section("auto_mpg.csv")
    assert "https://creativecommons.org/licenses/by/4.0/" in text
    assert "Changes to the original" in text  # CC BY asks for it
    licence = (DATA / "LICENSE-mlxtend.txt").read_text(encoding="utf-8")
    assert "Sebastian Raschka" in licence
    assert "LICENSE-mlxtend.txt" in text


def test_penguins_have_333_complete_rows():
    with pytest.raises(DataError, match=r"penguins\.csv: line 5, column 'bill_length_mm'"):
        read_table(DATA / "penguins.csv")
    frame = read_table(DATA / "penguins.csv", missing="drop")
    assert (frame.shape, frame.attrs["dropped_rows"]) == ((333, 8), 11)
    assert frame["species"].value_counts().to_dict() == {
        "Adelie": 146,
        "Gentoo": 119,
        "Chinstrap": 68,
    }
    assert "https://creativecommons.org/publicdomain/zero/1.0/" in section("penguins.csv")


@pytest.mark.parametrize("name", regression_tables.TARGETS)
def test_the_result_is_of_these_tables(name):
    found = run.read_result("regression_tables")["tables"][name]
    frame = read_table(DATA / f"{name}.csv", missing="drop")
    preprocessor = Preprocessor.fit(frame, regression_tables.TARGETS[name])
    assert found["rows"] == len(frame)
    assert found["inputs"] == len(preprocessor.x_names)
    assert found["columns"] == frame.shape[1] - 1
    # The interval is that of the paired ratios in the file.
    logs = np.log(found["to_sklearn"]["each"])
    assert np.isclose(np.exp(logs.mean()), found["to_sklearn"]["ratio"])
    half = 2.0930 * logs.std(ddof=1) * (1 / 20 + 0.25) ** 0.5
    ends = np.exp([logs.mean() - half, logs.mean() + half])
    expected = [found["to_sklearn"]["low"], found["to_sklearn"]["high"]]
    np.testing.assert_allclose(ends, expected, rtol=5e-3)


def test_both_trainers_get_the_same_budget():
    """What MLPRegressor is given says the same as the configuration of ours."""
    from bpref.regression.baseline import mlp_options

    for config in regression_tables.configs(seed=0):
        options, replaced = mlp_options(config, rows=265, outputs=1)
        assert replaced == []
        assert options["hidden_layer_sizes"] == config.hidden_sizes
        assert options["learning_rate_init"] == config.lr
        assert options["batch_size"] == config.batch_size
        assert (options["solver"], options["activation"]) == (config.optimizer, config.activation)
        assert options["alpha"] == config.weight_decay == 0


def test_a_change_of_the_margin_is_noticed():
    """The claim fails for a trainer that is worse than the margin allows."""
    result = json.loads(json.dumps(run.read_result("regression_tables")))
    claim = regression_tables.CLAIMS[0]
    assert claim.holds(result)
    result["tables"]["penguins"]["to_sklearn"]["high"] = 1.101
    assert not claim.holds(result)
