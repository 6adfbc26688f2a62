"""What all modules have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from bpref import _check
from bpref.nn.parameter import Buffer, Parameter, flat_vectors, structure_changed


class Module:
    """A layer or a network: `forward` keeps what `backward` needs.

    A subclass writes both by hand. Attributes that are a `Parameter` or a `Module` are found by
    themselves and named as in PyTorch. Each backward pass uses up one forward pass: a module
    remembers the last forward only.

    Examples
    --------
    >>> class Scale(Module):
    ...     def __init__(self):
    ...         self.factor = Parameter(np.array(3.0))
    ...     def forward(self, input):
    ...         self._cache = input
    ...         return self.factor.data * input
    ...     def backward(self, grad_output):
    ...         input = self._take_cache()
    ...         self.factor.accumulate(np.sum(grad_output * input))
    ...         return grad_output * self.factor.data
    >>> scale = Scale()
    >>> scale(np.array([1.0, 2.0]))
    array([3., 6.])
    >>> scale.backward(np.array([1.0, 1.0]))
    array([3., 3.])
    >>> float(scale.factor.grad)
    3.0
    """

    _cache: Any = None
    training: bool = True  # dropout and batch normalisation behave differently in `eval` mode

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Return the output and keep the cache.

        Parameters
        ----------
        *inputs : ndarray
            The batch; most modules take one array.
        **options
            What a module takes by name, such as a mask.

        Returns
        -------
        ndarray
        """
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def backward(self, grad_output: Any) -> Any:
        """Add to every parameter's gradient and return the gradient for the input.

        Parameters
        ----------
        grad_output : ndarray, shape of the output
            The gradient of the loss for the output.

        Returns
        -------
        grad_input : ndarray, shape of the input

        Raises
        ------
        RuntimeError
            If there was no forward pass since the last backward pass.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define backward")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; as in PyTorch, an array can't take the place of a parameter."""
        replaces = isinstance(vars(self).get(name), Parameter)
        if replaces and not (value is None or isinstance(value, Parameter)):
            came = type(value).__name__
            raise TypeError(f"{name}: expected a Parameter, got {came}; write to {name}.data")
        # Whatever takes the place of something may decide how a step is computed: an option or a
        # method. Caches and the mode do not.
        decides = hasattr(self, name) and not name.startswith("_") and name != "training"
        if decides or isinstance(value, (Parameter, Module)):
            structure_changed()
        super().__setattr__(name, value)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    def train(self, mode: bool = True) -> Self:
        """Set training mode here and in all modules below; return the module itself.

        Parameters
        ----------
        mode : bool, default True
            False is `eval` mode.

        Returns
        -------
        Module

        Examples
        --------
        >>> from bpref import nn
        >>> net = nn.Sequential(nn.Linear(1, 2), nn.ReLU()).eval()
        >>> net[1].training
        False
        """
        for module in self._modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode, as ``train(False)``."""
        return self.train(False)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (name, parameter), each parameter once, in PyTorch's order.

        Examples
        --------
        >>> from bpref import nn
        >>> [name for name, _ in nn.Sequential(nn.Linear(1, 2), nn.ReLU()).named_parameters()]
        ['0.weight', '0.bias']
        """
        seen: set[int] = set()
        for name, parameter in self._all_parameters():
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield name, parameter

    def parameters(self) -> Iterator[Parameter]:
        """Yield each parameter once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def zero_grad(self) -> None:
        """Set every gradient to zero."""
        flat = self.flat_vectors()
        if flat is not None:
            flat[1].fill(0.0)
            return
        for parameter in self.parameters():
            parameter.zero_grad()

    def flat_vectors(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return (values, gradients) of all parameters as two vectors, or None.

        Returns
        -------
        (data, grad) : ndarrays, shape (number of elements,)
            Views: writing into them changes the parameters. A `Sequential` has them; None when
            the parameters are stored apart.
        """
        return flat_vectors(list(self.parameters()))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters and buffers under PyTorch's key names.

        ``torch_model.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})`` moves
        them to the same model in PyTorch.

        Returns
        -------
        dict of str to ndarray
        """
        return {name: array.copy() for name, array in self._state()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Copy values into the parameters; nothing is changed when anything does not fit.

        Parameters
        ----------
        state_dict : mapping of str to NumPy array or PyTorch tensor
            Exactly the keys of `state_dict`; float32 and float64 are converted into each other.

        Raises
        ------
        TypeError
            If it is not a mapping, or a value is not float32 or float64.
        ValueError
            If keys are missing or unexpected, or a shape does not fit.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict: expected a mapping, got {type(state_dict).__name__}")
        own = dict(self._state())
        missing = [key for key in own if key not in state_dict]
        unexpected = [key for key in state_dict if key not in own]
        if missing or unexpected:
            raise ValueError(
                f"state_dict: expected the keys {list(own)}, "
                f"got {list(state_dict)} (missing {missing}, unexpected {unexpected})"
            )
        values = {key: _as_array(key, state_dict[key], array) for key, array in own.items()}
        for key, array in own.items():
            array[...] = values[key]

    def _members(self) -> Iterator[tuple[str, Any]]:
        yield from vars(self).items()

    def _modules(self) -> Iterator[Module]:
        """Yield this module and all below it, one yield for each place."""
        yield self
        for _, member in self._members():
            if isinstance(member, Module):
                yield from member._modules()

    def _all_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield (name, parameter): own ones first, a shared one under each of its names."""
        members = list(self._members())
        for name, member in members:
            if isinstance(member, Parameter):
                yield name, member
        for name, member in members:
            if isinstance(member, Module):
                for inner, parameter in member._all_parameters():
                    yield f"{name}.{inner}", parameter

    def _state(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (name, array) in PyTorch's order: parameters, buffers, then the modules below."""
        members = list(self._members())
        for kind in (Parameter, Buffer):
            for name, member in members:
                if isinstance(member, kind):
                    yield name, member.data
        for name, member in members:
            if isinstance(member, Module):
                for inner, array in member._state():
                    yield f"{name}.{inner}", array

    def _take_cache(self) -> Any:
        """Return the cache of the last forward pass and forget it."""
        cache, self._cache = self._cache, None
        if cache is None:
            raise RuntimeError(
                f"{type(self).__name__}.backward: expected a forward pass before it, got none "
                "since the last backward pass; call the module first"
            )
        return cache


def _as_array(key: str, value: Any, own: np.ndarray) -> np.ndarray:
    """Return an array that fits, from an array or a PyTorch tensor, without importing torch."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    name = f"state_dict[{key!r}]"
    if own.dtype.kind in "iu":
        array = _check.array(name, value)
        if array.dtype.kind not in "iu":
            raise TypeError(f"{name}: expected an integer dtype, got {array.dtype}")
    else:
        (array,) = _check.floats(**{name: value})
    _check.shape(name, array, own.shape)
    return array
