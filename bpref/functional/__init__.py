"""Every operator as a pair: ``op(...) -> (output, cache)``, ``op_backward(grad_output, cache)``.

Names, argument names, defaults, reductions and layouts are PyTorch's. The cache is the tuple of
what the backward pass needs and no more; it refers to the caller's arrays and does not copy them.
float32 stays float32 and float64 stays float64.
"""

from bpref.functional.activation import (
    identity,
    identity_backward,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from bpref.functional.linear import linear, linear_backward
from bpref.functional.loss import (
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_backward,
    cross_entropy,
    cross_entropy_backward,
    half_mse_loss,
    half_mse_loss_backward,
    mse_loss,
    mse_loss_backward,
)

__all__ = [
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "half_mse_loss",
    "half_mse_loss_backward",
    "identity",
    "identity_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "mse_loss",
    "mse_loss_backward",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "tanh",
    "tanh_backward",
]
