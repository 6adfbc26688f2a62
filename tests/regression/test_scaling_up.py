"""The sentences of the page "Scaling up" and of the lab about the trajectory hold."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from bpref.regression import Batches, Config
from bpref.regression.backend import choose_backend
from bpref.regression.engine import make_engine

LAB = Path("docs/en/labs/numpy-to-pytorch.md")
CELL = re.compile(r"^( *)```python\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def lab():
    """What the cells of the lab have made."""
    text = LAB.read_text(encoding="utf-8")
    names = {}
    for _, cell in CELL.findall(text[: text.index("{ #exercises }")]):
        exec(textwrap.dedent(cell), names)
    return names


@pytest.mark.parametrize(
    ("mistake", "loss", "weights"),
    [
        ("W_1 reshaped, not transposed", 1, 1),
        ("sum, and the rate over 32", 1, 4),
        ("the rows in another order", 1, 1),
        ("gradient of half the loss", 2, 1),
        ("slope of tanh at H", 2, 1),
        ("zero_grad forgotten", 3, 2),
        ("last batch divided by 32", 5, 4),
        ("last batch dropped", 4, 4),
        ("the order of epoch 1 for all", 5, 5),
    ],
)
def test_a_mistake_parts_at_the_step_that_the_lab_says(lab, mistake, loss, weights):
    found = lab["differences"](lab["MISTAKES"][mistake])
    assert [lab["first"](values) for values in found] == [loss, weights]


def test_several_mistakes_end_close_to_the_right_loss(lab):
    ends = [lab["everything"](path.weights[-1]) for path in lab["MISTAKES"].values()]
    right = lab["everything"](lab["ours"].weights[-1])
    assert sum(0.8 * right < end < 1.25 * right for end in ends) >= 3


@pytest.mark.parametrize(
    ("definition", "step"),
    [
        ("momentum as a mean", 1),
        ("dampening=0.9 in PyTorch", 2),
        ("Adam, epsilon under the root", 1),
        ("Adam, epsilon before correction", 1),
    ],
)
def test_another_definition_parts_at_the_step_that_the_lab_says(lab, definition, step):
    _, weights = lab["differences"](*lab["DEFINITIONS"][definition])
    assert lab["first"](weights) == step


def test_float32_leaves_the_tolerance_at_once_and_levels_off(lab):
    _, weights = lab["differences"](lab["single"])
    assert lab["first"](weights) == 1
    assert weights[100:].max() < 1e-5


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_rows_on_the_disk_are_not_copied(tmp_path, backend):
    shape = (100, 3)
    np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype=np.float32, shape=shape).flush()
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    for dtype, shared in (("float32", True), ("float64", False)):
        engine = make_engine(Config(backend=backend, dtype=dtype), (3, 10, 1), None, None)
        assert np.shares_memory(np.asarray(engine.rows(X)), X) == shared


def test_auto_may_choose_numpy_unless_the_device_is_named():
    sizes = (1, 10, 1)
    assert choose_backend(Config(device="auto"), sizes) == "numpy"
    assert choose_backend(Config(device="cuda"), sizes) == "torch"


def test_the_shares_of_the_exercise():
    X = np.zeros((10, 1))
    shares = [
        len(next(iter(Batches(X, X, batch_size=10, rank=rank, world_size=3)))[0])
        for rank in range(3)
    ]
    factors = [3 * n / 10 for n in shares]
    assert shares == [3, 3, 4]
    assert factors == pytest.approx([0.9, 0.9, 1.2])
    assert sum(factors) / 3 == pytest.approx(1)


@pytest.mark.parametrize("sign", [1, -1])
def test_which_updates_bfloat16_loses(sign):
    """Above a power of two the limit is 2^-8 of the weight, below it half of that."""
    limit = 2**-8 if sign > 0 else 2**-9
    weight = torch.ones((), dtype=torch.bfloat16)
    assert weight + sign * 0.99 * limit == weight
    assert weight + sign * 1.01 * limit != weight
