"""The tables of "Reading the code": each line of the loop, left out or changed, does as they say.

A case takes the source of `bpref.regression.training`, makes one change and runs what comes out.
Its docstring is the cell "Without it" of the English page. Pages and cases are compared both ways:
no row without a case, no case without a row, and no line of the three functions without a row.
"""

import re
import textwrap
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.utils.data import DataLoader

from bpref.regression import (
    MLP,
    Batches,
    Callback,
    Criterion,
    DivergenceError,
    EarlyStopping,
    RegressionDataset,
    make_data,
    make_loaders,
    training,
)
from bpref.regression.steps import Steps

SOURCE = Path(training.__file__).read_text(encoding="utf-8")
PAGES = {lang: Path("docs", lang, "practice", "reading-the-code.md") for lang in ("en", "zh")}
FUNCTIONS = ("train_epoch", "evaluate", "fit")
CASES = {}


def body(function):
    """The lines that the page shows of a function, without indentation and comments."""
    text = SOURCE.split(f"[start:{function}_body]")[1].split(f"# --8<-- [end:{function}_body]")[0]
    lines = textwrap.dedent(text.split("\n", 1)[1]).splitlines()
    return [re.sub(r"  # .*", "", line) for line in lines if line.strip()]


def changed(function, old, new):
    """The module `training` with one change in the body of a function, and nothing else changed."""
    start = SOURCE.index(f"[start:{function}_body]")
    end = SOURCE.index(f"[end:{function}_body]")
    lines = SOURCE[start:end].splitlines(keepends=True)
    lines = [re.sub(r"  # (?!--8<--).*", "", line) for line in lines]
    text = "".join(lines)
    old = textwrap.dedent(old).strip("\n")
    places = [m.start() for m in re.finditer(re.escape(old.splitlines()[0]), text)]
    for place in places:
        first = text.rfind("\n", 0, place) + 1
        indent = re.match(" *", text[first:])[0]
        block = textwrap.indent(old, indent)
        if text.startswith(block, first):
            replacement = textwrap.indent(textwrap.dedent(new).strip("\n") or "pass", indent)
            text = text[:first] + replacement + text[first + len(block) :]
            break
    else:
        raise AssertionError(f"{function} has no lines {old!r}")
    module = ModuleType("bpref.regression.training")
    exec(compile(SOURCE[:start] + text + SOURCE[end:], training.__file__, "exec"), vars(module))
    return module


def case(function, name, *changes):
    """Register a test of what happens when lines are changed; it gets one module per change."""

    def register(check):
        CASES[name] = SimpleNamespace(
            function=function,
            old=[textwrap.dedent(old).strip("\n") for old, _ in changes],
            modules=lambda: [changed(function, old, new) for old, new in changes],
            check=check,
            consequence=" ".join(check.__doc__.split()),
        )
        return check

    return register


class Constant(nn.Module):
    """Predict one trainable number, and remember how many rows came at a time."""

    def __init__(self, value=0.0):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(float(value)))
        self.rows = []

    def forward(self, x):
        self.rows.append(len(x))
        return self.value.expand(len(x), 1)


def hundred_samples(label=10.0):
    """96 labels 0 and 4 other labels, in order: batches 32, 32, 32, 4."""
    y = np.concatenate([np.zeros((96, 1)), np.full((4, 1), label)])
    return DataLoader(RegressionDataset(np.zeros((100, 1)), y), batch_size=32)


def article(seed=0):
    """Model, loaders, loss and optimizer of the article's run."""
    X_train, y_train, X_test, y_test = make_data(seed=seed)
    train, test = RegressionDataset(X_train, y_train), RegressionDataset(X_test, y_test)
    model = MLP(seed=seed)
    loaders = make_loaders(train, test, seed=seed)
    return model, loaders, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def fitted(module, epochs=2, **options):
    model, loaders, criterion, optimizer = article()
    history = module.fit(model, *loaders, criterion, optimizer, epochs, **options)
    return weights(model), history


def one_epoch(module, seed=0, **options):
    model, (loader, _), criterion, optimizer = article(seed)
    loss = module.train_epoch(model, loader, criterion, optimizer, "cpu", **options)
    return weights(model), loss


def same(a, b):
    return all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
        for x, y in zip(a, b, strict=True)
    )


# ---------------------------------------------------------------------------- train_epoch


@case("train_epoch", "train-mode", ("model.train()", ""))
def _(without):
    """nothing changes for this network; a layer with dropout stays switched off after the first
    evaluation"""
    assert same(one_epoch(without), one_epoch(training))
    for module, on in ((training, True), (without, False)):
        model = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))
        training.evaluate(model, hundred_samples(), nn.MSELoss())
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        module.train_epoch(model, hundred_samples(), nn.MSELoss(), optimizer)
        assert model[1].training is on


@case(
    "train_epoch",
    "on-device",
    ("for batch in on_device(batches, device):", "for batch in batches:"),
)
def _(without):
    """without `on_device`: an error about two devices, where the weights are not on the CPU; on the
    CPU nothing"""
    assert same(one_epoch(without), one_epoch(training))
    assert elsewhere("train_epoch", without)
    assert not elsewhere("train_epoch", training)


def elsewhere(function, module):
    """Whether the loop complains about devices when the weights are not on the CPU.

    The device "meta" is on every machine. It has shapes and no values, so that the loop ends at
    `.item()` at the latest.
    """
    model = MLP(seed=0).to("meta")
    arguments = [model, hundred_samples(), nn.MSELoss()]
    if function == "train_epoch":
        arguments.append(optim.SGD(model.parameters(), lr=0.01))
    with pytest.raises(RuntimeError) as error:
        getattr(module, function)(*arguments, "meta")
    return "item()" not in str(error.value) and "device" in str(error.value)


@case("train_epoch", "begin", ("steps.begin(batches, optimizer)", ""))
def _(without):
    """nothing changes here, where the rate is constant and there is no dropout; a schedule has no
    effect"""
    assert same(one_epoch(without), one_epoch(training))
    before = weights(MLP(seed=0))
    at_rest, _ = one_epoch(training, steps=Steps(rate=lambda step: 0.0))
    assert torch.equal(at_rest, before)
    moved, _ = one_epoch(without, steps=Steps(rate=lambda step: 0.0))
    assert not torch.equal(moved, before)


@case("train_epoch", "zero-grad", ("optimizer.zero_grad()", ""))
def _(without):
    """gradients pile up: that of each batch is added to those before"""
    found = {}
    for module in (training, without):
        model = Constant(0)
        optimizer = optim.SGD(model.parameters(), lr=0.0)
        module.train_epoch(model, hundred_samples(), nn.MSELoss(), optimizer)
        module.train_epoch(model, hundred_samples(), nn.MSELoss(), optimizer)
        found[module] = model.value.grad.item()
    last = -2 * 10.0  # of the batch of four labels 10; that of the others is 0
    assert found == {training: last, without: 2 * last}


@case("train_epoch", "batch-loss-zero", ("batch_loss = 0.0", ""))
def _(without):
    """an error: there is nothing to add to"""
    with pytest.raises(NameError, match="batch_loss"):
        one_epoch(without)


@case(
    "train_epoch",
    "parts",
    ("for x, y, *weight in parts(batch, accumulate):", "for x, y, *weight in [batch]:"),
)
def _(without):
    """`accumulate` has no effect: the step is the same, and the whole batch is in memory at once"""
    found = {}
    for module in (training, without):
        model = Constant(8)
        optimizer = optim.SGD(model.parameters(), lr=0.25)
        module.train_epoch(model, hundred_samples(), Criterion(), optimizer, accumulate=4)
        found[module] = model.value.item(), max(model.rows)
    assert found[without][0] == pytest.approx(found[training][0])
    assert found[training][1] == 8
    assert found[without][1] == 32


@case("train_epoch", "forward", ("output = model(x)", ""))
def _(without):
    """an error: there is no output to judge"""
    with pytest.raises(NameError, match="output"):
        one_epoch(without)


@case(
    "train_epoch",
    "criterion",
    ("loss = criterion(output, y, *weight)", ""),
    ("loss = criterion(output, y, *weight)", "loss = criterion(output, y)"),
)
def _(without, unweighted):
    """an error: there is no loss to go back from. Without `*weight`, sample weights have no
    effect"""
    with pytest.raises(NameError, match="loss"):
        one_epoch(without)
    X, y = torch.zeros(2, 1), torch.tensor([[0.0], [2.0]])
    batches = Batches(X, y, np.array([1.0, 0.0]), batch_size=2)
    for module, expected in ((training, 0.0), (unweighted, 1.0)):
        model = Constant(0)
        optimizer = optim.SGD(model.parameters(), lr=0.5)
        module.train_epoch(model, batches, Criterion(), optimizer)
        assert model.value.item() == expected


@case("train_epoch", "backward", ("loss.backward()", ""))
def _(without):
    """no gradient, so that `step` does nothing"""
    assert torch.equal(one_epoch(without)[0], weights(MLP(seed=0)))
    model, (loader, _), criterion, optimizer = article()
    without.train_epoch(model, loader, criterion, optimizer)
    assert all(p.grad is None for p in model.parameters())


@case(
    "train_epoch",
    "item",
    ("batch_loss += loss.item()", "batch_loss += loss"),
    ("batch_loss += loss.item()", ""),
)
def _(tensor, without):
    """without `.item()`: the loss becomes a tensor that keeps the graph of its batch. Without the
    line: a loss of 0"""
    assert one_epoch(without)[1] == 0.0
    assert torch.equal(one_epoch(without)[0], one_epoch(training)[0])
    kept = []

    class Loss(Steps):
        def update(self, model, x, loss):
            kept.append(loss)
            return super().update(model, x, float(torch.as_tensor(loss).detach()))

    one_epoch(tensor, steps=Loss())
    assert all(isinstance(loss, torch.Tensor) and loss.grad_fn is not None for loss in kept)
    kept.clear()
    one_epoch(training, steps=Loss())
    assert [type(loss) for loss in kept] == [float] * 4


@case("train_epoch", "update", ("batch_loss = steps.update(model, x, batch_loss)", ""))
def _(without):
    """a loss that is not a number gets into all weights, without a word; no clipping"""
    for module in (training, without):
        model = Constant(0)
        optimizer = optim.SGD(model.parameters(), lr=0.25)
        if module is training:
            with pytest.raises(DivergenceError):
                module.train_epoch(model, hundred_samples(np.nan), nn.MSELoss(), optimizer)
            assert model.value.isfinite()
        else:
            module.train_epoch(model, hundred_samples(np.nan), nn.MSELoss(), optimizer)
            assert model.value.isnan()
    clipped = []
    options = {"before_update": lambda loss: clipped.append(loss) or loss}
    one_epoch(training, steps=Steps(**options))
    assert len(clipped) == 4
    one_epoch(without, steps=Steps(**options))
    assert len(clipped) == 4


@case("train_epoch", "step", ("optimizer.step()", ""))
def _(without):
    """the network stays as it was"""
    assert torch.equal(one_epoch(without)[0], weights(MLP(seed=0)))
    assert not torch.equal(one_epoch(training)[0], weights(MLP(seed=0)))


@case(
    "train_epoch",
    "end",
    ("if steps.end(batch_loss, total_weight(batch)):", "if steps.end(batch_loss, 1):"),
    ("if steps.end(batch_loss, total_weight(batch)):", "if False:"),
)
def _(per_batch, without):
    """with 1 in place of the number of samples: each batch weighs the same, whatever its size.
    Without the line: an error, since no step was counted"""
    model = Constant(0)
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    for module, expected in ((training, 4.0), (per_batch, 25.0)):
        loss = module.train_epoch(model, hundred_samples(), nn.MSELoss(), optimizer)
        assert loss == expected
    with pytest.raises(ValueError, match="no sample"):
        one_epoch(without)


@case("train_epoch", "break", ("break", ""))
def _(without):
    """a callback cannot end the run within an epoch: the other batches follow"""

    class Stop(Callback):
        def on_step(self, state):
            return True

    for module, expected in ((training, 1), (without, 4)):
        steps = Steps(callbacks=[Stop()])
        one_epoch(module, steps=steps)
        assert steps.state.step == expected


# ------------------------------------------------------------------------------- evaluate


@case("evaluate", "eval-mode", ("model.eval()", ""))
def _(without):
    """nothing changes for this network; with dropout, two measurements of the same model differ"""
    model, (_, loader), criterion, _ = article()
    assert without.evaluate(model, loader, criterion) == training.evaluate(model, loader, criterion)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))
    for module, equal in ((training, True), (without, False)):
        model.train()
        twice = [module.evaluate(model, loader, criterion) for _ in range(2)]
        assert (twice[0] == twice[1]) is equal


@case("evaluate", "sums-zero", ("loss_sum, weight_sum = 0.0, 0.0", ""))
def _(without):
    """an error: there is nothing to add to"""
    with pytest.raises(NameError, match="loss_sum"):
        without.evaluate(MLP(seed=0), hundred_samples(), nn.MSELoss())


@case("evaluate", "no-graph", ("with no_graph():", "if True:"))
def _(without):
    """the same number; the graph is recorded for nothing, in time and memory"""
    seen = []

    def criterion(output, y):
        seen.append(output.requires_grad)
        return nn.functional.mse_loss(output, y)

    losses = [
        module.evaluate(MLP(seed=0), hundred_samples(), criterion) for module in (training, without)
    ]
    assert losses[0] == losses[1]
    assert seen == [False] * 4 + [True] * 4


@case(
    "evaluate",
    "evaluate-on-device",
    ("for batch in on_device(batches, device):", "for batch in batches:"),
)
def _(without):
    """as in training: an error about two devices, where the weights are not on the CPU"""
    assert elsewhere("evaluate", without)
    assert not elsewhere("evaluate", training)


@case("evaluate", "unpack", ("x, y, *weight = batch", ""))
def _(without):
    """an error: there is no input"""
    with pytest.raises(NameError, match="'x'"):
        without.evaluate(MLP(seed=0), hundred_samples(), nn.MSELoss())


@case(
    "evaluate",
    "evaluate-criterion",
    ("loss = criterion(model(x), y, *weight)", ""),
    ("loss = criterion(model(x), y, *weight)", "loss = criterion(model(x), y)"),
)
def _(without, unweighted):
    """an error: there is no loss. Without `*weight`, sample weights have no effect within a
    batch"""
    with pytest.raises(NameError, match="loss"):
        without.evaluate(MLP(seed=0), hundred_samples(), nn.MSELoss())
    X, y = torch.zeros(2, 1), torch.tensor([[0.0], [2.0]])
    batches = Batches(X, y, np.array([1.0, 0.0]), batch_size=2)
    assert training.evaluate(nn.Identity(), batches, Criterion()) == 0
    assert unweighted.evaluate(nn.Identity(), batches, Criterion()) == 2


@case(
    "evaluate",
    "loss-sum",
    ("loss_sum += loss.item() * total_weight(batch)", "loss_sum += loss.item()"),
)
def _(unweighted):
    """without the number of samples: the sum of the batch means over the number of samples, which
    is the mean of nothing"""
    losses = [
        module.evaluate(nn.Identity(), hundred_samples(), nn.MSELoss())
        for module in (training, unweighted)
    ]
    assert losses == [4.0, 1.0]


@case(
    "evaluate",
    "weight-sum",
    ("weight_sum += total_weight(batch)", ""),
    ("weight_sum += total_weight(batch)", "weight_sum += 1"),
)
def _(without, batches):
    """an error, since no sample was counted. With 1 in its place: a loss that is too large by the
    size of a batch"""
    with pytest.raises(ValueError, match="no sample"):
        without.evaluate(nn.Identity(), hundred_samples(), nn.MSELoss())
    assert batches.evaluate(nn.Identity(), hundred_samples(), nn.MSELoss()) == 100.0


# ------------------------------------------------------------------------------------ fit


@case("fit", "history", ("history = state.history", "history = History()"))
def _(own):
    """with a history of its own: callbacks do not see the losses, and the best epoch is never
    found"""
    seen = {}

    class Look(Callback):
        def on_epoch_end(self, state):
            seen[state.epoch] = len(state.history.val_loss), state.best_epoch

    fitted(training, callbacks=[Look()])
    assert seen == {1: (1, 1), 2: (2, 2)}
    fitted(own, callbacks=[Look()])
    assert seen == {1: (0, 0), 2: (0, 0)}


@case(
    "fit",
    "whole-train-set",
    (
        "whole_train_set = in_order(train_batches) if measure_train else None",
        "whole_train_set = train_batches if measure_train else None",
    ),
)
def _(same_loader):
    """with the training loader itself: measuring draws from its generator, so that the next epoch
    has another order, and the weights are others"""
    for measure in (True, False):
        alike = torch.equal(fitted(training)[0], fitted(same_loader, measure_train=measure)[0])
        assert alike is not measure


@case(
    "fit",
    "while",
    ("while state.epoch < epochs and not state.stop_reason:", "for _ in range(epochs):"),
    (
        "while state.epoch < epochs and not state.stop_reason:",
        "while state.epoch < epochs:",
    ),
)
def _(counted, unstopped):
    """with `for … in range(epochs)`: a run that goes on after two of three epochs trains three
    more. Without the reason to stop: callbacks cannot end the run"""
    for module, expected in ((training, 3), (counted, 5)):
        steps = Steps()
        model, loaders, criterion, optimizer = article()
        training.fit(model, *loaders, criterion, optimizer, 2, steps=steps)
        steps.state.stop_reason = ""
        module.fit(model, *loaders, criterion, optimizer, 3, steps=steps)
        assert steps.state.epoch == expected

    class Stop(Callback):
        def on_epoch_end(self, state):
            return True

    assert len(fitted(training, 3, callbacks=[Stop()])[1].lr) == 1
    assert len(fitted(unstopped, 3, callbacks=[Stop()])[1].lr) == 3


@case("fit", "set-epoch", ("set_epoch(train_batches, state.epoch, steps.batch)", ""))
def _(without):
    """`Batches` come in the same order in every epoch; a `DataLoader` does not need the line"""
    assert same(fitted(without), fitted(training))
    X = torch.arange(8.0)[:, None]
    for module, alike in ((training, False), (without, True)):
        seen = []

        def criterion(output, y, seen=seen):
            seen.append(y.flatten().tolist())
            return nn.functional.mse_loss(output, y)

        model, batches = Constant(0), Batches(X, X, batch_size=8)
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        module.fit(model, batches, None, criterion, optimizer, 2, measure_train=False)
        assert (seen[0] == seen[1]) is alike


@case(
    "fit",
    "call-train-epoch",
    (
        """
        epoch_loss = train_epoch(
            model, train_batches, criterion, optimizer, device, accumulate=accumulate, steps=steps
        )
        """,
        "epoch_loss = 0.0",
    ),
)
def _(without):
    """nothing is trained; everything is measured"""
    trained, history = fitted(without)
    assert torch.equal(trained, weights(MLP(seed=0)))
    assert history.val_loss[0] == history.val_loss[1]


@case(
    "fit",
    "stopped",
    (
        """
        if steps.stopped:
            state.stop_reason = state.stop_reason or "callback"
            break
        """,
        "",
    ),
)
def _(without):
    """half an epoch counts as one, and the next one begins"""

    class Stop(Callback):
        def on_step(self, state):
            return state.step == 2

    for module, expected in ((training, 0), (without, 2)):
        assert len(fitted(module, callbacks=[Stop()])[1].epoch_loss) == expected


@case("fit", "epoch-loss", ("history.epoch_loss.append(epoch_loss)", ""))
def _(without):
    """the loss measured while the weights moved is lost; without a validation set the state has no
    loss at all"""
    weights_of, history = fitted(without)
    assert torch.equal(weights_of, fitted(training)[0])
    assert history.epoch_loss == []
    for module, known in ((training, True), (without, False)):
        model, (loader, _), criterion, optimizer = article()
        steps = Steps()
        module.fit(model, loader, None, criterion, optimizer, 1, steps=steps)
        assert np.isfinite(steps.state.best_loss) == known


@case(
    "fit",
    "measure-train",
    (
        """
        if whole_train_set is not None:
            history.train_loss.append(evaluate(model, whole_train_set, criterion, device))
        """,
        "",
    ),
)
def _(without):
    """only the loss of a moving model is known of the training set"""
    found = fitted(without)
    assert found[1].train_loss == []
    assert found[1].epoch_loss == fitted(training)[1].epoch_loss
    assert fitted(training)[1].epoch_loss[0] > fitted(training)[1].train_loss[0] + 0.1


@case(
    "fit",
    "measure-validation",
    (
        """
        if val_batches is not None:
            val_loss = steps.over_processes(evaluate(model, val_batches, criterion, device))
        """,
        """
        if val_batches is not None:
            val_loss = evaluate(model, val_batches, criterion, device)
        """,
    ),
    ("if val_batches is not None:", "if True:"),
)
def _(alone, always):
    """without `over_processes`: each process knows the loss of its own share only. Without the
    condition: an error, where there is no validation set"""
    for module, expected in ((training, 3.0), (alone, 1.0)):  # as if the others' shares were 2
        steps = Steps(over_processes=lambda share: share + 2.0)
        model = Constant(0)
        loader = DataLoader(RegressionDataset(np.zeros((2, 1)), np.ones((2, 1))), batch_size=2)
        optimizer = optim.SGD(model.parameters(), lr=0.0)
        history = module.fit(model, loader, loader, nn.MSELoss(), optimizer, 1, steps=steps)
        assert history.val_loss == [expected]
    model, (loader, _), criterion, optimizer = article()
    with pytest.raises(TypeError):
        always.fit(model, loader, None, criterion, optimizer, 1)


@case(
    "fit",
    "finite",
    (
        """
        if not math.isfinite(val_loss):
            x, *_ = next(iter(on_device(val_batches, device)))
            raise diverged(model, x, state, "validation loss", val_loss)
        """,
        "",
    ),
)
def _(without):
    """the run goes on with a loss of inf or nan, and says nothing"""
    for module in (training, without):
        model, (loader, _), criterion, optimizer = article()
        arguments = model, loader, hundred_samples(np.inf), criterion, optimizer, 2
        if module is training:
            with pytest.raises(DivergenceError, match="validation loss"):
                module.fit(*arguments)
        else:
            assert module.fit(*arguments).val_loss == [np.inf, np.inf]


@case("fit", "val-loss", ("history.val_loss.append(val_loss)", ""))
def _(without):
    """the loss is measured and lost: no epoch is the best, and early stopping ends the run at its
    patience"""
    stop = [EarlyStopping(2)]
    assert len(fitted(training, 5, callbacks=stop)[1].lr) == 5
    assert len(fitted(without, 5, callbacks=stop)[1].lr) == 2


@case("fit", "lr", ("history.lr.append(rate_of(optimizer))", ""))
def _(without):
    """the same weights, and no record of the schedule"""
    assert torch.equal(fitted(without)[0], fitted(training)[0])
    assert fitted(without)[1].lr == []


@case("fit", "finish-epoch", ("state.finish_epoch()", ""))
def _(without):
    """the loop never ends"""

    class Enough(Exception):
        pass

    class Guard(Callback):
        calls = 0

        def on_epoch_end(self, state):
            self.calls += 1
            if self.calls == 10:
                raise Enough

    guard = Guard()
    fitted(training, callbacks=[guard])
    assert guard.calls == 2
    with pytest.raises(Enough):
        fitted(without, callbacks=[Guard()])


@case(
    "fit",
    "on-epoch-end",
    (
        """
        if call(callbacks, "on_epoch_end", state):
            state.stop_reason = state.stop_reason or "callback"
        """,
        "",
    ),
)
def _(without):
    """callbacks are not called after an epoch: no early stopping, no progress"""
    seen = []

    class Stop(Callback):
        def on_epoch_end(self, state):
            seen.append(state.epoch)
            return True

    for module, expected in ((training, 1), (without, 3)):
        assert len(fitted(module, 3, callbacks=[Stop()])[1].lr) == expected
    assert seen == [1]


# --------------------------------------------------------------------------- page and cases


def rows(lang):
    """The rows of the line tables: case, code of the first cell, the cell "Without it"."""
    found = []
    for line in PAGES[lang].read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 4 and re.fullmatch(r"`[a-z-]+`", cells[3].rstrip(" |")):
            found.append((cells[3].rstrip(" |").strip("`"), cells[0].strip("| "), cells[2]))
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_line_does_what_the_table_says(name):
    CASES[name].check(*CASES[name].modules())


@pytest.mark.parametrize("lang", PAGES)
def test_each_row_has_its_case_and_each_case_its_row(lang):
    assert [name for name, _, _ in rows(lang)] == list(CASES)


def test_the_table_states_what_the_case_checks():
    assert {name: cell for name, _, cell in rows("en")} == {
        name: case.consequence for name, case in CASES.items()
    }
    assert all(cell for _, _, cell in rows("zh"))


def test_both_pages_name_the_same_code():
    assert [row[:2] for row in rows("en")] == [row[:2] for row in rows("zh")]


@pytest.mark.parametrize("name", CASES)
def test_the_row_names_the_line_that_the_case_changes(name):
    code = next(code for row, code, _ in rows("en") if row == name)
    pieces = re.escape(code.strip("`")).split("…")
    assert re.search(".*".join(pieces), " ".join(CASES[name].old[0].split())), code


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_line_of_the_function_is_without_a_row(function):
    left = [line.strip() for line in body(function)]
    for case_ in CASES.values():
        if case_.function == function:
            for old in case_.old:
                left = [line for line in left if line not in map(str.strip, old.splitlines())]
    assert left == []


def test_a_line_that_is_not_there_is_noticed():
    """The check itself can fail."""
    with pytest.raises(AssertionError, match="no lines"):
        changed("fit", "optimizer.step()", "")
