from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bpref.regression.batches import Batches, parts, total_weight
from bpref.regression.dropout import Masks


def rows(n, d=2, m=1):
    X = np.arange(float(n * d)).reshape(n, d)
    return X, X[:, :m] * 10 + 1


@given(
    n=st.integers(1, 60),
    size=st.integers(1, 70),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 5),
    shuffle=st.booleans(),
)
def test_every_row_comes_once_in_an_order_of_seed_and_epoch_alone(n, size, seed, epoch, shuffle):
    X, y = rows(n)
    options = {"batch_size": size, "seed": seed, "shuffle": shuffle}
    batches = Batches(X, y, **options)
    list(batches)  # what was read before does not matter
    batches.set_epoch(epoch)
    found = list(batches)
    assert len(found) == len(batches)
    assert all(len(x) == size for x, _ in found[:-1])
    order = np.random.default_rng([seed, epoch]).permutation(n) if shuffle else np.arange(n)
    assert (np.concatenate([x for x, _ in found]) == X[order]).all()
    assert (np.concatenate([y for _, y in found]) == y[order]).all()
    tensors = Batches(torch.from_numpy(X), torch.from_numpy(y), **options)
    tensors.set_epoch(epoch)
    for a, b in zip(found, tensors, strict=True):
        assert all((one == other.numpy()).all() for one, other in zip(a, b, strict=True))


@given(n=st.integers(1, 40), size=st.integers(1, 20), start=st.integers(0, 5))
def test_an_epoch_can_begin_behind_some_batches(n, size, start):
    batches = Batches(*rows(n), batch_size=size, seed=1)
    whole = [x.tolist() for x, _ in batches]
    batches.set_epoch(0, start)
    assert [x.tolist() for x, _ in batches] == whole[start:]
    assert [x.tolist() for x, _ in batches] == whole  # for one time only


@given(
    n=st.integers(1, 40),
    size=st.integers(1, 20),
    processes=st.integers(1, 5),
    weights=st.booleans(),
    shuffle=st.booleans(),
)
def test_the_parts_of_all_processes_are_the_batch(n, size, processes, weights, shuffle):
    X, y = rows(n)
    w = np.linspace(0.5, 2, n) if weights else None
    options = {"batch_size": size, "seed": 3, "shuffle": shuffle}
    whole = list(Batches(X, y, w, **options))
    ranks = [
        Batches(X, y, w, rank=rank, world_size=processes, **options) for rank in range(processes)
    ]
    for batch, *of_ranks in zip(whole, *ranks, strict=True):
        if processes > 1:
            assert (np.concatenate([part[0] for part in of_ranks]) == batch[0]).all()
            assert (np.concatenate([part[1] for part in of_ranks]) == batch[1]).all()
            assert {total_weight(part) for part in of_ranks} == {total_weight(batch)}
        if weights:
            assert (np.concatenate([part[2] for part in of_ranks]) == batch[2]).all()
        lengths = [len(part[0]) for part in of_ranks]
        assert max(lengths) - min(lengths) <= 1
        assert [r.rows for r in ranks] == [len(batch[0])] * processes
        assert [r.first_row for r in ranks] == [sum(lengths[:k]) for k in range(processes)]


@given(n=st.integers(0, 12), count=st.integers(1, 15), weights=st.booleans())
def test_parts_are_the_batch_with_its_total(n, count, weights):
    X, y = rows(n)
    batch = (X, y, np.arange(1.0, n + 1)) if weights else (X, y)
    found = parts(batch, count)
    assert len(found) == (1 if count == 1 else min(count, max(n, 1)))
    if count > 1:
        assert (np.concatenate([part[0] for part in found]) == X).all()
        assert {part[3] for part in found} == {total_weight(batch)}
        if weights:
            assert (np.concatenate([part[2] for part in found]) == batch[2]).all()
        else:
            assert all(part[2] is None for part in found)


def test_in_order_gives_the_same_rows_unshuffled():
    X, y = rows(10)
    batches = Batches(X, y, np.ones(10), batch_size=4)
    assert (np.concatenate([batch[0] for batch in batches.in_order()]) == X).all()


def test_weights_are_of_the_dtype_of_the_rows():
    X, y = (a.astype(np.float32) for a in rows(4))
    for as_rows in (np.asarray, torch.from_numpy):
        batches = Batches(as_rows(X), as_rows(y), np.full(4, 0.1), batch_size=3)
        for _, y_batch, weight, total in batches:
            assert weight.dtype == y_batch.dtype
            assert total == pytest.approx(0.1 * len(weight))


@pytest.mark.parametrize(
    ("X", "y", "options", "message"),
    [
        (np.zeros((3, 1)), np.zeros(3), {}, "2-D"),
        (np.zeros((3, 1)), np.zeros((4, 1)), {}, "same N"),
        (np.zeros((0, 1)), np.zeros((0, 1)), {}, "above 0"),
        (np.zeros((3, 1)), np.zeros((3, 1)), {"batch_size": 0}, "batch_size"),
        (np.zeros((3, 1)), np.zeros((3, 1)), {"weight": np.ones(2)}, "weight"),
        (np.zeros((3, 1)), np.zeros((3, 1)), {"rank": 2, "world_size": 2}, "rank"),
    ],
)
def test_what_does_not_fit_is_refused(X, y, options, message):
    with pytest.raises(ValueError, match=message):
        Batches(X, y, **{"batch_size": 2, **options})


# --- dropout -----------------------------------------------------------------------------------


@given(
    cuts=st.lists(st.integers(0, 9), max_size=3).map(sorted),
    step=st.integers(0, 2**40),
    layer=st.integers(0, 3),
)
def test_a_mask_depends_on_seed_step_layer_and_row_alone(cuts, step, layer):
    masks, other = Masks(0.4, seed=1), Masks(0.4, seed=1)
    masks.start(step, 9)
    whole = masks.take(layer, (9, 5), np.float64)
    assert set(np.unique(whole)) <= {0.0, 1 / 0.6}
    other.start(step + 1, 9)
    other.take(layer, (9, 5), np.float64)
    other.start(step, 9)
    bounds = [0, *cuts, 9]
    pieces = [other.take(layer, (b - a, 5), np.float64) for a, b in pairwise(bounds)]
    assert (np.concatenate(pieces) == whole).all()
    with pytest.raises(IndexError):
        other.take(layer, (1, 5), np.float64)


def test_masks_of_other_seeds_steps_and_layers_differ():
    found = []
    for seed, step, layer in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)):
        masks = Masks(0.5, seed)
        masks.start(step, 20)
        found.append(masks.take(layer, (20, 20), np.float32).tobytes())
    assert len(set(found)) == 4


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_of_zeros_and_the_mean(p):
    masks = Masks(p, seed=0)
    masks.start(0, 1000)
    mask = masks.take(0, (1000, 100), np.float64)
    assert (mask == 0).mean() == pytest.approx(p, abs=0.01)
    assert mask.mean() == pytest.approx(1, abs=0.05)
