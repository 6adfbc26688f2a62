"""The registry of operators: what each computes, what checks it, what it costs.

The tests, the benchmark, the self-test and the "Backward rules" pages are made from it, so that
an operator without a check, a cost or a page can't exist.
"""

from bpref.ops import (
    activation,
    attention,
    conv,
    dropout,
    embedding,
    linear,
    lora,
    loss,
    norm,
    pooling,
    recurrent,
    softmax,
    tensor,
)
from bpref.ops.operator import Cost, Draw, Operator, RandomDraw, Sample

__all__ = ["FAMILIES", "OPERATORS", "Cost", "Draw", "Operator", "RandomDraw", "Sample"]

# In the order of the pages.
FAMILIES: dict[str, list[Operator]] = {
    "linear": linear.OPERATORS,
    "tensor": tensor.OPERATORS,
    "activation": [*activation.OPERATORS, *softmax.OPERATORS],
    "loss": loss.OPERATORS,
    "conv": conv.OPERATORS,
    "pooling": pooling.OPERATORS,
    "norm": norm.OPERATORS,
    "recurrent": recurrent.OPERATORS,
    "embedding": embedding.OPERATORS,
    "dropout": dropout.OPERATORS,
    "attention": attention.OPERATORS,
    "lora": lora.OPERATORS,
}

OPERATORS: dict[str, Operator] = {
    operator.name: operator for family in FAMILIES.values() for operator in family
}
