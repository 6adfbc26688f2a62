"""The program of a training step gives what the modules give, or leaves the step to them."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, quick, seeds

from bpref import nn, optim
from bpref.nn.training_step import Program

CRITERIA = {
    "mse": lambda: nn.MSELoss(),
    "mse sum": lambda: nn.MSELoss(reduction="sum"),
    "half mse": lambda: nn.HalfMSELoss(),
    "half mse sum": lambda: nn.HalfMSELoss(reduction="sum"),
    "cross entropy": lambda: nn.CrossEntropyLoss(),
    "cross entropy sum": lambda: nn.CrossEntropyLoss(reduction="sum"),
}
ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Identity]


def problem(seed, sizes, activations, bias, criterion, n, dtype=np.float64):
    rng = np.random.default_rng(seed)
    layers = []
    for d, m, activation in zip(sizes, sizes[1:], activations, strict=False):
        layers += [nn.Linear(d, m, bias=bias, generator=rng, dtype=dtype), activation()]
    model = nn.Sequential(*layers)
    x = normal(seed, n, sizes[0], dtype=dtype)
    if "entropy" in criterion:
        y = rng.integers(0, sizes[-1], n)
    else:
        y = normal(seed + 1, n, sizes[-1], dtype=dtype)
    return model, x, y


def by_modules(model, criterion, optimizer, x, y):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    model.backward(criterion.backward())
    optimizer.step()
    return float(loss)


@pytest.mark.parametrize("criterion", CRITERIA)
@quick
@given(
    seeds,
    st.lists(st.integers(1, 5), min_size=2, max_size=4),
    st.lists(st.sampled_from(ACTIVATIONS), min_size=3, max_size=3),
    st.booleans(),
    st.integers(1, 6),
)
def test_like_the_modules(criterion, seed, sizes, activations, bias, n):
    model, x, y = problem(seed, sizes, activations, bias, criterion, n)
    twin = copy.deepcopy(model)
    step = nn.TrainingStep(model, CRITERIA[criterion](), optim.SGD(model.parameters(), lr=0.1))
    sgd = optim.SGD(twin.parameters(), lr=0.1)
    for _ in range(3):
        loss = step(x, y)
        expected = by_modules(twin, CRITERIA[criterion](), sgd, x, y)
        assert loss == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert list(step._programs) == [x.shape], "it ran as a program"
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_float32_stays_float32(criterion):
    model, x, y = problem(0, [3, 4, 2], ACTIVATIONS, True, criterion, 5, np.float32)
    step = nn.TrainingStep(model, CRITERIA[criterion](), optim.SGD(model.parameters(), lr=0.1))
    assert isinstance(step(x, y), float)
    program = step._programs[x.shape]
    arrays = [a for call in program.forward + program.backward for a in call.args]
    assert {a.dtype for a in arrays if isinstance(a, np.ndarray)} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda p: optim.Adam(p, lr=0.01),
    ],
)
def test_any_optimizer(make):
    model, x, y = problem(1, [3, 4, 2], ACTIVATIONS, True, "mse", 5)
    twin = copy.deepcopy(model)
    step, other = (
        nn.TrainingStep(model, nn.MSELoss(), make(model.parameters())),
        make(twin.parameters()),
    )
    for _ in range(20):
        step(x, y)
        by_modules(twin, nn.MSELoss(), other, x, y)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-10)


def test_other_models_and_losses_run_by_their_modules():
    rng = np.random.default_rng(0)
    shared = nn.Sequential(nn.Linear(2, 2, generator=rng), nn.Linear(2, 2, generator=rng))
    shared[1].weight = shared[0].weight
    x, y = normal(0, 4, 2), normal(1, 4, 2)

    class Doubled(nn.Sequential):
        def forward(self, input):
            return 2.0 * super().forward(input)

        def backward(self, grad_output):
            return super().backward(2.0 * grad_output)

    cases = [
        (shared, nn.MSELoss()),
        (Doubled(nn.Linear(2, 2, generator=rng)), nn.MSELoss()),
        (nn.Sequential(nn.Linear(2, 2, generator=rng), nn.LeakyReLU()), nn.MSELoss()),
        (nn.Sequential(nn.Sequential(nn.Linear(2, 2, generator=rng))), nn.MSELoss()),
        (nn.Linear(2, 2, generator=rng), nn.MSELoss()),
        (nn.Sequential(nn.Linear(2, 2, generator=rng)), nn.L1Loss()),
    ]
    for model, criterion in cases:
        twin = copy.deepcopy(model)
        step = nn.TrainingStep(model, criterion, optim.SGD(model.parameters(), lr=0.1))
        sgd = optim.SGD(twin.parameters(), lr=0.1)
        for _ in range(2):
            assert step(x, y) == by_modules(twin, criterion, sgd, x, y)
        assert step._programs == {}


@pytest.mark.parametrize(
    "criterion",
    [
        nn.CrossEntropyLoss(weight=np.array([1.0, 3.0])),
        nn.CrossEntropyLoss(label_smoothing=0.1),
        nn.CrossEntropyLoss(ignore_index=0),
    ],
)
def test_a_cross_entropy_with_options_runs_by_the_modules(criterion):
    model, x, y = problem(3, [3, 2], ACTIVATIONS, True, "cross entropy", 5)
    twin = copy.deepcopy(model)
    step = nn.TrainingStep(model, criterion, optim.SGD(model.parameters(), lr=0.1))
    assert step(x, y) == by_modules(twin, criterion, optim.SGD(twin.parameters(), lr=0.1), x, y)
    assert step._programs == {}


class OwnForward(nn.MSELoss):
    def forward(self, input, target):
        return 3.0 * super().forward(input, target)


class OwnBackward(nn.HalfMSELoss):
    def backward(self, grad_output=1.0):
        return 3.0 * super().backward(grad_output)


class OwnCrossEntropy(nn.CrossEntropyLoss):
    def backward(self, grad_output=1.0):
        return np.clip(super().backward(grad_output), -0.01, 0.01)


class ReversedGradient(nn.Sequential):
    def backward(self, grad_output):
        return super().backward(-grad_output)


class CalledTwice(nn.Sequential):
    def __call__(self, input):
        return 2.0 * super().__call__(input)


def assert_like_five_lines(step, x, y, programs=()):
    """One step has the result of the five lines, and afterwards there are only these programs."""
    twin = copy.deepcopy(step)
    expected = by_modules(twin.model, twin.criterion, twin.optimizer, x, y)
    assert step(x, y) == pytest.approx(expected, rel=1e-12)
    for ours, theirs in zip(step.model.parameters(), twin.model.parameters(), strict=True):
        np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-12, atol=1e-14)
    assert list(step._programs) == list(programs)


def build(model, criterion):
    return nn.TrainingStep(model, criterion, optim.SGD(model.parameters(), lr=0.1))


@pytest.mark.parametrize("criterion", [OwnForward, OwnBackward, OwnCrossEntropy])
def test_a_loss_with_a_method_of_its_own_runs_by_it(criterion):
    name = "cross entropy" if criterion is OwnCrossEntropy else "mse"
    model, x, y = problem(10, [3, 2], ACTIVATIONS, True, name, 5)
    assert_like_five_lines(build(model, criterion()), x, y)


@pytest.mark.parametrize("kind", [ReversedGradient, CalledTwice])
def test_a_model_with_a_method_of_its_own_runs_by_it(kind):
    model, x, y = problem(11, [3, 4, 2], ACTIVATIONS, True, "mse", 5)
    assert_like_five_lines(build(kind(*model.modules), nn.MSELoss()), x, y)


@pytest.mark.parametrize("place", ["model", "layer", "criterion"])
@pytest.mark.parametrize("method", ["forward", "backward"])
def test_a_patched_object_runs_by_the_patch(place, method):
    model, x, y = problem(12, [3, 4, 2], ACTIVATIONS, True, "mse", 5)
    step = build(model, nn.MSELoss())
    patched = {"model": model, "layer": model[0], "criterion": step.criterion}[place]
    plain, calls = getattr(patched, method), []

    def counted(*args):
        calls.append(args)
        return plain(*args)

    setattr(patched, method, counted)
    step(x, y)
    assert len(calls) == 1
    assert step._programs == {}


def test_a_subclass_without_methods_of_its_own_keeps_its_program():
    class Summed(nn.MSELoss):
        def __init__(self):
            super().__init__(reduction="sum")

    model = nn.MLP([3, 4, 2], generator=np.random.default_rng(13))
    x, y = normal(13, 5, 3), normal(14, 5, 2)
    assert_like_five_lines(build(model, Summed()), x, y, [x.shape])


@pytest.mark.parametrize(
    ("criterion", "option", "value", "programs"),
    [
        ("mse", "reduction", "sum", 1),
        ("half mse", "reduction", "sum", 1),
        ("cross entropy", "reduction", "sum", 1),
        ("cross entropy", "weight", nn.Buffer(np.array([1.0, 3.0])), 0),
        ("cross entropy", "label_smoothing", 0.2, 0),
        ("cross entropy", "ignore_index", 1, 0),
    ],
)
def test_a_changed_option_of_the_loss_counts_from_the_next_step(criterion, option, value, programs):
    model, x, y = problem(15, [3, 4, 2], ACTIVATIONS, True, criterion, 6)
    step = build(model, CRITERIA[criterion]())
    before = getattr(step.criterion, option)
    step(x, y)
    setattr(step.criterion, option, value)
    assert_like_five_lines(step, x, y, [x.shape][:programs])
    setattr(step.criterion, option, before)
    assert_like_five_lines(step, x, y, [x.shape])
    setattr(step.criterion, option, value)
    assert_like_five_lines(step, x, y, [x.shape][:programs])
    step.criterion.reduction = "median"
    with pytest.raises(ValueError, match="reduction"):
        step(x, y)


def test_replaced_modules_count_from_the_next_step():
    model, x, y = problem(16, [3, 4, 2], [nn.Tanh, nn.Tanh], True, "mse", 5)
    step = build(model, nn.MSELoss())
    step(x, y)
    model.modules = (model[0], nn.ReLU(), model[2])
    assert_like_five_lines(step, x, y, [x.shape])
    model.modules = [model[0], nn.Sigmoid(), model[2]]
    assert_like_five_lines(step, x, y, [x.shape])
    with pytest.raises(TypeError):  # what is changed in place would not be noticed
        model.modules[1] = nn.Sigmoid()
    model.modules = (model[0], nn.LeakyReLU(), model[2])
    assert_like_five_lines(step, x, y)
    model.modules = (model[0], nn.Tanh(), model[2])
    step(x, y)
    step.criterion = nn.HalfMSELoss()
    assert_like_five_lines(step, x, y, [x.shape])


@pytest.mark.parametrize("criterion", ["mse", "cross entropy"])
def test_lists_are_taken_as_the_modules_take_them(criterion):
    model, x, y = problem(17, [3, 4, 2], ACTIVATIONS, True, criterion, 5)
    step = build(model, CRITERIA[criterion]())
    assert_like_five_lines(step, x.tolist(), y)
    step(x, y)
    assert_like_five_lines(step, x.tolist(), y.tolist(), [x.shape])
    assert_like_five_lines(step, x, y.tolist(), [x.shape])


def test_ignored_labels_and_probabilities_run_by_the_modules():
    for target in (np.array([0, -100, 1]), np.full((3, 2), 0.5)):
        model, x, _ = problem(2, [3, 2], ACTIVATIONS, True, "cross entropy", 3)
        twin = copy.deepcopy(model)
        criterion = nn.CrossEntropyLoss()
        step = nn.TrainingStep(model, criterion, optim.SGD(model.parameters(), lr=0.1))
        sgd = optim.SGD(twin.parameters(), lr=0.1)
        assert step(x, target) == by_modules(twin, criterion, sgd, x, target)
        for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
            np.testing.assert_array_equal(ours.data, theirs.data)


def test_batches_of_several_sizes_and_an_empty_one():
    model, x, y = problem(4, [2, 3, 1], ACTIVATIONS, True, "mse", 6)
    twin = copy.deepcopy(model)
    step = nn.TrainingStep(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    sgd = optim.SGD(twin.parameters(), lr=0.1)
    for n in (4, 2, 4, 1, 2):
        expected = by_modules(twin, nn.MSELoss(), sgd, x[:n], y[:n])
        assert step(x[:n], y[:n]) == pytest.approx(expected)
    assert set(step._programs) == {(4, 2), (2, 2), (1, 2)}
    assert np.isnan(step(x[:0], y[:0]))  # the mean over nothing
    deep = normal(0, 2, 3, 2), normal(1, 2, 3, 1)  # a batch with two leading axes
    expected = float(nn.MSELoss()(model(deep[0]), deep[1]))
    assert step(*deep) == pytest.approx(expected)
    assert set(step._programs) == {(4, 2), (2, 2), (1, 2)}


def test_arguments_are_not_modified_and_may_have_any_layout():
    model, x, y = problem(5, [3, 4, 2], ACTIVATIONS, True, "mse", 6)
    step = nn.TrainingStep(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0))
    loss = step(x, y)
    for array in (x, y):
        array.flags.writeable = False
    assert step(np.asfortranarray(x)[::-1][::-1], np.asfortranarray(y)) == pytest.approx(loss)
    assert step(x, y) == loss


def test_a_replaced_or_moved_parameter_is_trained():
    model, x, y = problem(6, [3, 4, 2], ACTIVATIONS, True, "mse", 5)
    sgd = optim.SGD(model.parameters(), lr=0.1)
    step = nn.TrainingStep(model, nn.MSELoss(), sgd)
    step(x, y)
    nn.Sequential(model)  # moves all parameters into another flat vector
    before = model.state_dict()
    step(x, y)
    assert all(not np.array_equal(before[k], v) for k, v in model.state_dict().items())
    model[0].weight = nn.Parameter(np.zeros((4, 3)))
    twin = copy.deepcopy(model)
    expected = float(nn.MSELoss()(twin(x), y))
    assert step(x, y) == pytest.approx(expected)
    assert model[0].weight.grad.any()


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copy_trains_its_own_model(clone):
    model, x, y = problem(7, [3, 4, 2], ACTIVATIONS, True, "mse", 5)
    step = nn.TrainingStep(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    step(x, y)
    twin = clone(step)
    assert step(x, y) == pytest.approx(twin(x, y))
    assert step(x, y) == pytest.approx(twin(x, y))
    for ours, theirs in zip(model.parameters(), twin.model.parameters(), strict=True):
        assert not np.shares_memory(ours.data, theirs.data)
        np.testing.assert_allclose(ours.data, theirs.data)


def test_extreme_logits_do_not_overflow():
    model = nn.Sequential(nn.Linear(1, 2, dtype=np.float32))
    model[0].weight.data = np.array([[1e4], [-1e4]], np.float32)
    step = nn.TrainingStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.0))
    x = np.array([[1.0]], np.float32)
    assert step(x, np.array([0])) == pytest.approx(0.0, abs=1.0)
    assert step(x, np.array([1])) == pytest.approx(2e4, rel=1e-3)


def test_a_wrong_batch_is_refused_by_name_before_anything_changes():
    model, x, y = problem(8, [3, 4, 2], ACTIVATIONS, True, "mse", 5)
    step = nn.TrainingStep(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    for _ in range(2):  # before there is a program, and with one
        before = model.state_dict()
        with pytest.raises(ValueError, match=r"target: expected shape \(5, 2\), got \(5,\)"):
            step(x, y[:, 0])
        with pytest.raises(TypeError, match="input: expected dtype float32 or float64, got int"):
            step(x.astype(int), y)
        with pytest.raises(TypeError, match="float64 as of input, got float32"):
            step(x, y.astype(np.float32))
        for key, value in model.state_dict().items():
            np.testing.assert_array_equal(value, before[key])
        step(x, y)
    labels = nn.TrainingStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(ValueError, match="target"):
        labels(x, np.array([0, 1, 2, 0, 0]))


def test_what_it_is_made_of_is_checked():
    sgd = optim.SGD([nn.Parameter(np.ones(1))])
    with pytest.raises(TypeError, match=r"model: expected a bpref\.nn\.Module, got int"):
        nn.TrainingStep(1, nn.MSELoss(), sgd)
    with pytest.raises(TypeError, match=r"criterion: expected a bpref\.nn\.Module, got str"):
        nn.TrainingStep(nn.MLP([1, 1]), "mse", sgd)


def test_the_input_gradient_is_not_computed():
    """The first layer's product with its weight would be a third of its backward pass."""
    model, x, _ = problem(9, [3, 4, 2], ACTIVATIONS, True, "mse", 5)
    program = Program(model, nn.MSELoss(), x)
    products = [call for call in program.backward if call.func is np.dot]
    assert sum(call.args[-1].shape == x.shape for call in products) == 0


@pytest.mark.parametrize("held", ["some", "more"])
def test_an_optimizer_of_other_parameters_runs_by_the_modules(held):
    """Gradients that it does not hold add up; those of a stranger are set to zero."""
    model, x, y = problem(3, [3, 2], [nn.Tanh], True, "mse", 5)
    stranger = nn.Parameter(np.ones(2))
    stranger.grad = np.ones(2)
    params = list(model.parameters())
    params = params[1:] if held == "some" else [*params, stranger]
    step = nn.TrainingStep(model, nn.MSELoss(), optim.SGD(params, lr=0.0))
    step(x, y)
    once = model[0].weight.grad.copy()
    step(x, y)
    factor = 2.0 if held == "some" else 1.0
    np.testing.assert_allclose(model[0].weight.grad, factor * once)
    assert stranger.grad.any() == (held == "some")
