"""The article's section 5.2, run word for word, and what its printed losses mean.

Claims, and how each is measured:

* ``run``: the listing stops, and each repair uncovers the next error. The four blocks are
  executed one after the other in one namespace, with one repair more each time; the type of the
  exception is recorded. Repairs: ``import torch``; two loaders; float32 data.
* ``alone``: blocks 2 and 4 do not run on their own, blocks 1 and 3 do.
* ``mean``: "average loss" is a mean of batch means. For each seed the repaired listing is run and
  its last test loss is compared with the mean over the 100 samples.
* ``running``: the "train loss" of an epoch is collected while the weights move. It is compared
  with the loss of the model at the end of that epoch, for the first and the last epoch.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import torch

from experiments._article_listing import BLOCKS

RTOL = 2e-2  # float32 training of 400 steps; rounding differs between CPUs

IMPORT = "import torch\n"
LOADERS = """
train_loader = DataLoader(train_dataset, batch_size=32, shuffle=True)
test_loader = DataLoader(test_dataset, batch_size=32)
"""
FLOAT32 = """
X_train, y_train, X_test, y_test = (a.astype('float32') for a in (X_train, y_train, X_test, y_test))
train_dataset = RegressionDataset(X_train, y_train)
test_dataset = RegressionDataset(X_test, y_test)
"""


def _execute(source: str, epochs: int = 100, seed: int = 0) -> tuple[str, dict[str, Any]]:
    """("" or the exception's type and message, namespace) after running the source."""
    np.random.seed(seed)  # noqa: NPY002, the listing draws from the global generator
    torch.manual_seed(seed)
    namespace: dict[str, Any] = {"__name__": "listing"}
    source = source.replace("epochs = 100", f"epochs = {epochs}")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, "section 5.2", "exec"), namespace)
    except (NameError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}", namespace
    return "", namespace


def listing(repairs: int) -> str:
    """The four blocks with the first ``repairs`` of the three repairs."""
    one, two, three, four = BLOCKS
    return "".join(
        [
            IMPORT if repairs > 0 else "",
            one,
            FLOAT32 if repairs > 2 else "",
            LOADERS if repairs > 1 else "",
            two,
            three,
            four,
        ]
    )


def _sample_mean(namespace: dict[str, Any], which: str) -> float:
    """Mean squared error over all samples, with the weights as they are now."""
    with torch.no_grad():
        x, y = (torch.as_tensor(namespace[f"{part}_{which}"]) for part in ("X", "y"))
        return float(((namespace["model"](x) - y) ** 2).mean())


def run(seeds: int = 8) -> dict:
    stages = [_execute(listing(k), epochs=1)[0] for k in range(4)]
    alone = [_execute(block, epochs=1)[0] for block in BLOCKS]

    unweighted, running_first, running_last, final_test = [], [], [], []
    for seed in range(seeds):
        for epochs, gaps in ((1, running_first), (100, running_last)):
            failure, space = _execute(listing(3), epochs, seed)
            assert not failure, failure
            gaps.append(abs(space["train_loss"] - _sample_mean(space, "train")))
        true = _sample_mean(space, "test")
        final_test.append(true)
        unweighted.append(abs(space["test_loss"] - true) / true)
    return {
        "run": {
            "errors": [stage.split(":")[0] for stage in stages],
            "messages": stages[:2],
            "dtype_in_message": "dtype" in stages[2],
            "repairs": stages.index(""),
        },
        "alone": [error.split(":")[0] for error in alone],
        "seeds": seeds,
        "mean": {
            "median_relative": float(np.median(unweighted)),
            "max_relative": float(np.max(unweighted)),
        },
        "running": {
            "first_epoch": float(np.median(running_first)),
            "last_epoch": float(np.median(running_last)),
        },
        "test": {
            "lowest": float(np.min(final_test)),
            "highest": float(np.max(final_test)),
        },
    }
