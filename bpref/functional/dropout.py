"""Dropout and its backward pass."""

from __future__ import annotations

import numpy as np

from bpref import _check


# --8<-- [start:dropout]
def dropout(
    input: np.ndarray,
    p: float = 0.5,
    training: bool = True,
    generator: np.random.Generator | None = None,
) -> tuple[np.ndarray, tuple[np.ndarray | None, tuple[int, ...], np.dtype]]:
    """Set each element to zero with probability p and multiply the others by 1/(1 − p).

    The factor keeps the expected value, so that evaluation needs no correction.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        x.
    p : float, default 0.5
        The probability of a zero, from 0 to 1.
    training : bool, default True
        False returns the input itself and draws no random numbers.
    generator : numpy.random.Generator, optional
        Where the random numbers come from; unseeded without one.

    Returns
    -------
    output : ndarray, shape of input
    cache : tuple
        (factors: 0 or 1/(1 − p), or None in evaluation; shape and dtype of the input).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, p no number or generator no Generator.
    ValueError
        If p is not from 0 to 1.

    Notes
    -----
    Source: N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", JMLR 15, 2014, which multiplies by 1 − p in evaluation instead.

    Examples
    --------
    >>> output, _ = dropout(np.ones(1000), p=0.2, generator=np.random.default_rng(0))
    >>> np.unique(output)
    array([0.  , 1.25])
    """
    (input,) = _check.floats(input=input)
    p = _check.fraction("p", p)
    rng = _check.generator(generator)
    if not training:
        return input, (None, input.shape, input.dtype)

    keep = rng.random(input.shape) >= p
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    factor = np.asarray(keep * scale, input.dtype)
    return input * factor, (factor, input.shape, input.dtype)


# --8<-- [end:dropout]


# --8<-- [start:dropout_backward]
def dropout_backward(
    grad_output: np.ndarray, cache: tuple[np.ndarray | None, tuple[int, ...], np.dtype]
) -> np.ndarray:
    """Multiply the gradient by the same factors as the input.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `dropout` returned.

    Returns
    -------
    grad_input : ndarray, shape of input

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> output, cache = dropout(np.ones(5), generator=np.random.default_rng(0))
    >>> bool((dropout_backward(np.ones(5), cache) == output).all())
    True
    """
    factor, shape, dtype = cache
    grad_output = _check.grad_output(grad_output, shape, dtype)
    return grad_output if factor is None else grad_output * factor


# --8<-- [end:dropout_backward]
