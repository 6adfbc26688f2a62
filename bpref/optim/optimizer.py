"""What all update rules share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from bpref import _check
from bpref.nn.parameter import Parameter, flat_vectors, structure_version

State = dict[str, np.ndarray]
PIECE = 2**16  # elements of a long vector that are updated at a time
# data, grad, state, and two arrays that a step writes to: the change of data, and lr.
Block = tuple[np.ndarray, np.ndarray, State, np.ndarray, np.ndarray]


# --8<-- [start:Optimizer]
class Optimizer:
    """The base of every update rule: θ ← θ − lr · direction.

    A subclass defines `direction` and names what `state_dict` saves. Where all parameters lie in
    one flat vector (see `bpref.nn.flatten`), a step treats them as this one vector; otherwise
    it goes through them one by one, with equal results.

    A gradient is never None here: a parameter that no backward pass has reached has the gradient
    zero and takes part in the step, with weight decay and momentum. PyTorch skips it.

    Parameters
    ----------
    params : iterable of Parameter
        ``model.parameters()``.
    lr : float
        The learning rate η; may be changed between steps, as every other option.

    Attributes
    ----------
    params : list of Parameter
    options : tuple of str
        The names of the arguments of the constructor, each also an attribute.
    buffers : tuple of str
        The names, PyTorch's, of the arrays that the rule keeps for each parameter.
    steps : int
        How many steps were made.

    Raises
    ------
    TypeError
        If params holds something else than parameters, or lr is not a number.
    ValueError
        If params is empty or holds a parameter twice, or lr is negative.

    Examples
    --------
    >>> class SignDescent(Optimizer):
    ...     def direction(self, data, grad, state):
    ...         return np.sign(grad)
    >>> theta = Parameter(np.array([1.0, 2.0]))
    >>> theta.grad = np.array([0.1, -7.0])
    >>> SignDescent([theta], lr=0.5).step()
    >>> theta.data
    array([0.5, 2.5])
    """

    options: ClassVar[tuple[str, ...]] = ("lr",)
    buffers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Iterable[Parameter], lr: float) -> None:
        self.params = check_parameters("params", params)
        self.lr = _check.real("lr", lr, minimum=0.0)
        self.steps = 0
        self.initial_lr: float | None = None  # set by the first schedule
        self._states: list[State] = [{} for _ in self.params]  # or one of vectors, if flat
        self._flat: tuple[int, list[Block]] | None = None  # structure version, the one block

    def direction(self, data: np.ndarray, grad: np.ndarray, state: State) -> np.ndarray:
        """Return what is subtracted from the parameters, before the factor lr.

        Parameters
        ----------
        data, grad : ndarray
            The values and gradients of a parameter, or of all of them; not to be changed.
        state : dict of str to ndarray
            What the rule remembers about them; empty before the first step.

        Returns
        -------
        ndarray, shape of data
        """
        raise NotImplementedError(f"{type(self).__name__} does not define direction")

    def step(self) -> None:
        """Change every parameter once, in place."""
        self.steps += 1
        for data, grad, state, change, lr in self._blocks():
            lr.fill(self.lr)  # as a factor, an array without axes is faster than a Python number
            direction = self.direction(data, grad, state)
            if data.size <= change.size:
                np.multiply(direction, lr, out=change)
                data -= change
                continue
            for start in range(0, data.size, PIECE):  # pieces that stay in the cache
                stop = min(start + PIECE, data.size)
                piece = np.multiply(direction[start:stop], lr, out=change[: stop - start])
                data[start:stop] -= piece

    def zero_grad(self) -> None:
        """Set every gradient to zero."""
        for _, grad, _, _, _ in self._blocks():
            grad.fill(0.0)

    def state_dict(self) -> dict[str, Any]:
        """Return all that a later run needs to go on, as copies.

        Returns
        -------
        dict
            "steps": the number of steps; "options": their values by name; "state": for each
            parameter a dict of its arrays.
        """
        return {
            "steps": self.steps,
            "options": {name: getattr(self, name) for name in self.options},
            "state": [
                {name: array.copy() for name, array in state.items()}
                for state in self._parameter_states()
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken; nothing is changed when anything does not fit.

        The values of the parameters are not part of it: load those into the model. Once a step
        was made, every array that the options ask for has to be there. Where one of them, such as
        a momentum, was set after the last step, make a step before the state is taken.

        Parameters
        ----------
        state_dict : mapping
            From an optimizer of the same class for parameters of the same shapes.

        Raises
        ------
        TypeError
            If something is of the wrong kind.
        ValueError
            If keys or arrays are missing or unexpected, an option is out of range, or a shape
            does not fit.
        """
        _check.keys("state_dict", state_dict, ("steps", "options", "state"))
        steps = _check.count("state_dict['steps']", state_dict["steps"])
        _check.keys("state_dict['options']", state_dict["options"], self.options)
        checked = type(self)(self.params, **state_dict["options"])
        checked._states = checked._check_states(state_dict["state"], steps)
        for name in self.options:
            setattr(self, name, getattr(checked, name))
        self.steps, self._states = steps, checked._states
        self._flat = None

    def __getstate__(self) -> dict[str, Any]:
        # A copy (copy.deepcopy, pickle) has parameters of its own: its vectors are to be found.
        return {**vars(self), "_flat": None}

    def _blocks(self) -> list[Block]:
        """Return what a step works on: all parameters as one vector, or one by one."""
        if self._flat is not None and self._flat[0] == structure_version():
            return self._flat[1]  # nothing has moved since
        self._states = self._parameter_states()
        flat = flat_vectors(self.params)
        if flat is None:
            places = zip(self.params, self._states, strict=True)
            return [_block(p.data, p.grad, state) for p, state in places]
        joined = {
            name: np.concatenate([state[name].ravel() for state in self._states])
            for name in self._states[0]
        }
        self._states = [joined]
        self._flat = structure_version(), [_block(*flat, joined)]
        return self._flat[1]

    def _parameter_states(self) -> list[State]:
        """Return the state of each parameter: views, where one dict holds that of all."""
        if len(self._states) > 1:
            return self._states
        (joined,) = self._states
        states, start = [], 0
        for p in self.params:
            elements = slice(start, start + p.size)
            states.append(
                {name: a.reshape(-1)[elements].reshape(p.shape) for name, a in joined.items()}
            )
            start += p.size
        return states

    def _check_states(self, states: Any, steps: int) -> list[State]:
        """Return copies of the arrays when each fits its parameter and none is missing."""
        name = "state_dict['state']"
        if not isinstance(states, (list, tuple)):
            raise TypeError(f"{name}: expected a list, got {type(states).__name__}")
        if len(states) != len(self.params):
            raise ValueError(f"{name}: expected {len(self.params)} dicts, got {len(states)}")
        first = list(states[0]) if isinstance(states[0], Mapping) else []
        unknown = [key for key in first if key not in self.buffers]
        if unknown:
            raise ValueError(f"{name}: expected names from {self.buffers}, got {unknown}")
        # More than a step makes is right, too: an option may have been another one before.
        expected = list(dict.fromkeys([*self._made_by_a_step(), *first])) if steps else []
        for i, state in enumerate(states):
            _check.keys(f"{name}[{i}]", state, expected)
        return [
            {key: _as_array(f"{name}[{i}][{key!r}]", state[key], p) for key in state}
            for i, (state, p) in enumerate(zip(states, self.params, strict=True))
        ]

    def _made_by_a_step(self) -> State:
        """Return the state after one step of a new optimizer with these options."""
        trial = Parameter(np.ones((1,) * len(self.params[0].shape)))
        trial.grad = np.ones(trial.shape)
        fresh = type(self)([trial], **{name: getattr(self, name) for name in self.options})
        with np.errstate(all="ignore"):  # only the names of the arrays matter
            fresh.step()
        (state,) = fresh._states
        return state


# --8<-- [end:Optimizer]


def buffer(state: State, name: str, data: np.ndarray, value: float = 0.0) -> np.ndarray:
    """Return the array `name` of the state, made on first use: the shape of data, all `value`."""
    if name not in state:
        state[name] = np.full_like(data, value)
    return state[name]


def fraction(name: str, value: Any) -> float:
    """Return `value` when it is a number from 0 to below 1: the factor of a moving average."""
    if _check.real(name, value, minimum=0.0) >= 1:
        raise ValueError(f"{name}: expected less than 1, got {value}")
    return float(value)


def check_parameters(name: str, params: Iterable[Parameter]) -> list[Parameter]:
    """Return the parameters as a list: at least one, none twice."""
    hint = "; pass model.parameters()"
    if not isinstance(params, Iterable):
        came = type(params).__name__
        raise TypeError(f"{name}: expected an iterable of parameters, got {came}{hint}")
    result = list(params)
    for index, p in enumerate(result):
        if not isinstance(p, Parameter):
            came = type(p).__name__
            raise TypeError(f"{name}[{index}]: expected a bpref.nn.Parameter, got {came}{hint}")
    if not result:
        raise ValueError(f"{name}: expected at least one parameter, got none")
    if len({id(p) for p in result}) < len(result):
        raise ValueError(f"{name}: expected each parameter once, got one of them twice")
    return result


def _block(data: np.ndarray, grad: np.ndarray, state: State) -> Block:
    is_long_vector = data.ndim == 1 and data.size > PIECE
    change = np.empty(PIECE, data.dtype) if is_long_vector else np.empty_like(data)
    return data, grad, state, change, np.empty((), data.dtype)


def _as_array(name: str, value: Any, like: Parameter) -> np.ndarray:
    (array,) = _check.floats(**{name: value})
    _check.shape(name, array, like.shape)
    return np.array(array, like.dtype)
