"""The seven repairs of the article's listing, in the order of the page that makes them.

The page shows each repair where it is made; a test compares it with the one here.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

LISTING = Path(__file__).parent / "article_listing.txt"

# What is replaced, for each repair.
REPAIRS = (
    (("import numpy as np\n", "import numpy as np\nimport torch\n"),),
    (
        (
            "batch_size = 32\n",
            "batch_size = 32\n"
            "train_loader = DataLoader(train_dataset, batch_size, shuffle=True)\n"
            "test_loader = DataLoader(test_dataset, batch_size)\n",
        ),
    ),
    (
        ("self.X = X\n", "self.X = X.astype(np.float32)\n"),
        ("self.y = y\n", "self.y = y.astype(np.float32)\n"),
    ),
    (
        ("X_train = np", "np.random.seed(0)\nX_train = np"),
        ("model = MLP()", "torch.manual_seed(0)\nmodel = MLP()"),
        ("shuffle=True", "shuffle=True, generator=torch.Generator().manual_seed(0)"),
    ),
    (
        ("+= loss.item()", "+= loss.item() * len(x)"),
        ("/ len(data_loader)", "/ len(data_loader.dataset)"),
    ),
    (
        (
            "    train_loss = train_epoch(model, train_loader, optimizer, device)\n",
            "    train_epoch(model, train_loader, optimizer, device)\n"
            "    train_loss = evaluate(model, train_in_order, device)\n",
        ),
        (
            "test_loader =",
            "train_in_order = DataLoader(train_dataset, batch_size)\ntest_loader =",
        ),
    ),
    (
        (
            "train_dataset = RegressionDataset(X_train, y_train)",
            "train_dataset = RegressionDataset(X_train[:80], y_train[:80])\n"
            "val_dataset = RegressionDataset(X_train[80:], y_train[80:])",
        ),
        ("test_loader =", "val_loader = DataLoader(val_dataset, batch_size)\ntest_loader ="),
        ("test_loss = evaluate(model, test_loader", "val_loss = evaluate(model, val_loader"),
        (
            "test loss: {test_loss:.4f}')\n",
            "val loss: {val_loss:.4f}')\n\n"
            "print(f'test loss: {evaluate(model, test_loader, device):.4f}')\n",
        ),
    ),
)


def repaired(count: int) -> str:
    """The listing with the first repairs, 0 to 7 of them."""
    program = LISTING.read_text(encoding="utf-8")
    for repair in REPAIRS[:count]:
        for old, new in repair:
            program = program.replace(old, new)
    return program


def losses(program: str) -> list[float]:
    """Run a program and return the number at the end of each line that it prints."""
    with redirect_stdout(io.StringIO()) as screen:
        exec(program, {})
    return [float(line.split()[-1]) for line in screen.getvalue().splitlines()]
