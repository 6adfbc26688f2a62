"""Registry entries of `bpref.functional.rnn`, `lstm` and `gru`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bpref import functional as F
from bpref.fast import recurrent as fast
from bpref.ops.operator import Array, Cost, Draw, Operator, Sample


def _parameter(draw: Draw, unit: float, *shape: int) -> Array:
    """Return values between −1 and 1; where values are extreme, only 0 and ± one unit.

    Then sums of extreme values are exact: else what rounding leaves of 1e4 − 1e4 + 1 would open or
    close a gate. What is not extreme stays below 4, where float32 has four digits of 1 − tanh².
    """
    values = draw.uniform(-1.0, 1.0, *shape)
    return unit * np.round(values) if draw.values == "extreme" else values


def _sample(gates: int) -> Callable[[Draw], Sample]:
    def sample(draw: Draw) -> Sample:
        T = draw.integer(1, 2 if draw.values == "extreme" else 5)
        N, D, H = draw.batch(), draw.integer(1, 3), draw.integer(1, 3)
        inputs = {"input": draw.normal(T, N, D), "h_0": draw.normal(N, H)}
        if gates == 3:  # a gate scales the state, so an extreme one would not give exact sums
            inputs["h_0"] = draw.uniform(-1.0, 1.0, N, H)
        if gates == 4:
            inputs["c_0"] = draw.uniform(-1.0, 1.0, N, H)
        inputs["weight_ih"] = _parameter(draw, 0.5, gates * H, D)
        inputs["weight_hh"] = _parameter(draw, 0.5, gates * H, H)
        for name in ("bias_ih", "bias_hh"):
            if draw.boolean():
                inputs[name] = _parameter(draw, 0.125, gates * H)
        options: dict[str, Any] = {"reverse": draw.boolean()}
        if draw.boolean():
            options["lengths"] = np.array([draw.integer(1, T) for _ in range(N)], dtype=int)
        if draw.boolean():
            # A truncated gradient is not the gradient, so it can't be like central differences.
            options["truncation"] = T if draw.values == "smooth" else draw.integer(1, 3)
        if gates == 1:
            options["nonlinearity"] = draw.choice(("tanh", "relu"))
        return Sample(inputs, options)

    return sample


def _benchmark(gates: int) -> Callable[[Draw], Sample]:
    def benchmark(draw: Draw) -> Sample:
        T, N, D, H = 50, 32, 64, 128
        states = ("h_0", "c_0") if gates == 4 else ("h_0",)
        shapes = {
            "weight_ih": (gates * H, D),
            "weight_hh": (gates * H, H),
            "bias_ih": (gates * H,),
            "bias_hh": (gates * H,),
        }
        bound = H**-0.5  # as PyTorch's initial values
        return Sample(
            {
                "input": draw.normal(T, N, D),
                **{name: draw.normal(N, H) for name in states},
                **{name: draw.uniform(-bound, bound, *shape) for name, shape in shapes.items()},
            }
        )

    return benchmark


def _sizes(
    input: Any,
    h_0: Any,
    truncation: int | None = None,
    nonlinearity: str = "",
    **rest: Any,
) -> dict[str, int]:
    T, N, D = input.shape
    cuts = 0 if truncation is None else (T - 1) // truncation
    tanh = int(nonlinearity != "relu")
    # K is the number of steps whose gradient goes on to the step before.
    return {"T": T, "N": N, "D": D, "H": h_0.shape[1], "K": T - cuts, "z": tanh}


def _reference(module: str) -> Callable[..., Any]:
    """Return a function that runs torch.nn's module with the given tensors as its parameters."""

    def reference(
        torch: Any,
        input: Any,
        h_0: Any,
        weight_ih: Any,
        weight_hh: Any,
        bias_ih: Any = None,
        bias_hh: Any = None,
        lengths: Any = None,
        truncation: int | None = None,
        reverse: bool = False,
        c_0: Any = None,
        **options: str,
    ) -> Any:
        (T, N, D), H = input.shape, h_0.shape[1]
        layer = getattr(torch.nn, module)(D, H, dtype=input.dtype, **options)
        zeros = weight_ih.new_zeros(len(weight_ih))
        tensors = {
            "weight_ih_l0": weight_ih,
            "weight_hh_l0": weight_hh,
            "bias_ih_l0": zeros if bias_ih is None else bias_ih,
            "bias_hh_l0": zeros if bias_hh is None else bias_hh,
        }

        def run(sequence: Any, state: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
            hx = state if c_0 is not None else state[0]
            output, hx = torch.func.functional_call(layer, tensors, (sequence, hx))
            return output, hx if c_0 is not None else (hx,)

        state = (h_0[None],) if c_0 is None else (h_0[None], c_0[None])
        rnn = torch.nn.utils.rnn
        if N == 0 or (truncation is None and not reverse and lengths is None):
            output, state = run(input, state)
        elif truncation is None and not reverse:
            packed = rnn.pack_padded_sequence(input, lengths, enforce_sorted=False)
            output, state = run(packed, state)
            output, _ = rnn.pad_packed_sequence(output, total_length=T)
        else:  # one sequence after the other, so without any padding
            outputs, states = [], []
            for n in range(N):
                sequence = input[: T if lengths is None else lengths[n], n : n + 1]
                sequence = sequence.flip(0) if reverse else sequence
                chunks: list[Any] = []
                own = tuple(s[:, n : n + 1] for s in state)
                for chunk in sequence.split(truncation or T):
                    detached = tuple(s.detach() for s in own)
                    output, own = run(chunk, detached if chunks else own)
                    chunks.append(output)
                whole = torch.cat(chunks)
                outputs.append((whole.flip(0) if reverse else whole)[:, 0])
                states.append(own)
            # The zeros bring the result to T steps even when every sequence is shorter.
            padded = rnn.pad_sequence([*outputs, outputs[0].new_zeros(T, H)])
            output = padded[:, :N]
            state = tuple(torch.cat(s, dim=1) for s in zip(*states, strict=True))
        return (output, *(s[0] for s in state))

    return reference


_SHAPES = {"input": "(T, N, D)", "h_0": "(N, H)"}
_RULE_INPUT = r"\Delta_t W_{ih}"
_RULE_WEIGHT_IH = r"\textstyle\sum_t \Delta_t^\top X_t"
_RULE_BIAS = r"\textstyle\sum_{t,s} \Delta_{t,s,:}"

OPERATORS = [
    Operator(
        name="rnn",
        family="recurrent",
        forward=F.rnn,
        backward=F.rnn_backward,
        gradients=("input", "h_0", "weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        sample=_sample(1),
        formula=r"H_t = \tanh A_t, \quad "
        r"A_t = X_t W_{ih}^\top + b_{ih} + H_{t-1} W_{hh}^\top + b_{hh}",
        rules={
            "input": _RULE_INPUT + r", \quad \Delta_t = \bar H_t \odot (1 - H_t \odot H_t)",
            "h_0": r"\Delta_1 W_{hh}, \quad \bar H_t = \bar Y_t + \Delta_{t+1} W_{hh}",
            "weight_ih": _RULE_WEIGHT_IH,
            "weight_hh": r"\textstyle\sum_t \Delta_t^\top H_{t-1}",
            "bias_ih": _RULE_BIAS,
            "bias_hh": _RULE_BIAS,
        },
        shapes={
            **_SHAPES,
            "weight_ih": "(H, D)",
            "weight_hh": "(H, H)",
            "bias_ih": "(H,)",
            "bias_hh": "(H,)",
            "output": "(T, N, H), (N, H)",
        },
        sizes=_sizes,
        cost=Cost(
            forward="T*N*H*(D + H)",
            backward="T*N*H*(2*D + H) + K*N*H*H + 2*z*T*N*H",
            stored="T*N*D + (T + 1)*N*H + N",
        ),
        torch="nn.RNN",
        reference=_reference("RNN"),
        parameters=("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        benchmark=_benchmark(1),
    ),
    Operator(
        name="lstm",
        family="recurrent",
        forward=F.lstm,
        backward=F.lstm_backward,
        gradients=("input", "h_0", "c_0", "weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        sample=_sample(4),
        formula=r"\begin{aligned}"
        r"(a_i, a_f, a_g, a_o) &= A_t = X_t W_{ih}^\top + b_{ih} + H_{t-1} W_{hh}^\top + b_{hh} \\"
        r"(i, f, g, o) &= (\sigma(a_i), \sigma(a_f), \tanh a_g, \sigma(a_o)) \\"
        r"C_t &= f \odot C_{t-1} + i \odot g \\"
        r"H_t &= o \odot \tanh C_t"
        r"\end{aligned}",
        rules={
            "input": r"\begin{aligned}"
            r"&\Delta_t W_{ih}, \quad \Delta_t = (\Delta_i, \Delta_f, \Delta_g, \Delta_o) \\"
            r"&\Delta_i = \bar C_t \odot g \odot i \odot (1 - i) \\"
            r"&\Delta_f = \bar C_t \odot C_{t-1} \odot f \odot (1 - f) \\"
            r"&\Delta_g = \bar C_t \odot i \odot (1 - g \odot g) \\"
            r"&\Delta_o = \bar H_t \odot \tanh C_t \odot o \odot (1 - o)"
            r"\end{aligned}",
            "h_0": r"\Delta_1 W_{hh}, \quad \bar H_t = \bar Y_t + \Delta_{t+1} W_{hh}",
            "c_0": r"\bar C_1 \odot f_1, \quad "
            r"\bar C_t = \bar C_{t+1} \odot f_{t+1} + \bar H_t \odot o_t \odot (1 - \tanh^2 C_t)",
            "weight_ih": _RULE_WEIGHT_IH,
            "weight_hh": r"\textstyle\sum_t \Delta_t^\top H_{t-1}",
            "bias_ih": _RULE_BIAS,
            "bias_hh": _RULE_BIAS,
        },
        shapes={
            **_SHAPES,
            "c_0": "(N, H)",
            "weight_ih": "(4H, D)",
            "weight_hh": "(4H, H)",
            "bias_ih": "(4H,)",
            "bias_hh": "(4H,)",
            "output": "(T, N, H), (N, H), (N, H)",
        },
        sizes=_sizes,
        cost=Cost(
            forward="4*T*N*H*(D + H) + 3*T*N*H",
            backward="4*T*N*H*(2*D + H) + 4*K*N*H*H + 15*T*N*H + K*N*H",
            stored="T*N*D + 2*(T + 1)*N*H + 4*T*N*H + N",
        ),
        torch="nn.LSTM",
        reference=_reference("LSTM"),
        parameters=("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        benchmark=_benchmark(4),
        fast=(fast.lstm, fast.lstm_backward),
    ),
    Operator(
        name="gru",
        family="recurrent",
        forward=F.gru,
        backward=F.gru_backward,
        gradients=("input", "h_0", "weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        sample=_sample(3),
        formula=r"\begin{aligned}"
        r"(p_r, p_z, p_n) &= X_t W_{ih}^\top + b_{ih} \\"
        r"(q_r, q_z, q_n) &= H_{t-1} W_{hh}^\top + b_{hh} \\"
        r"(r, z, n) &= (\sigma(p_r + q_r), \sigma(p_z + q_z), \tanh(p_n + r \odot q_n)) \\"
        r"H_t &= (1 - z) \odot n + z \odot H_{t-1}"
        r"\end{aligned}",
        rules={
            "input": r"\begin{aligned}"
            r"&\Delta_t W_{ih}, \quad \Delta_t = (\Delta_r, \Delta_z, \Delta_n) \\"
            r"&\Delta_r = \Delta_n \odot q_n \odot r \odot (1 - r) \\"
            r"&\Delta_z = \bar H_t \odot (H_{t-1} - n) \odot z \odot (1 - z) \\"
            r"&\Delta_n = \bar H_t \odot (1 - z) \odot (1 - n \odot n)"
            r"\end{aligned}",
            "h_0": r"\begin{aligned}"
            r"&E_1 W_{hh} + \bar H_1 \odot z_1, \quad "
            r"E_t = (\Delta_r, \Delta_z, \Delta_n \odot r) \\"
            r"&\bar H_t = \bar Y_t + E_{t+1} W_{hh} + \bar H_{t+1} \odot z_{t+1}"
            r"\end{aligned}",
            "weight_ih": _RULE_WEIGHT_IH,
            "weight_hh": r"\textstyle\sum_t E_t^\top H_{t-1}",
            "bias_ih": _RULE_BIAS,
            "bias_hh": r"\textstyle\sum_{t,s} E_{t,s,:}",
        },
        shapes={
            **_SHAPES,
            "weight_ih": "(3H, D)",
            "weight_hh": "(3H, H)",
            "bias_ih": "(3H,)",
            "bias_hh": "(3H,)",
            "output": "(T, N, H), (N, H)",
        },
        sizes=_sizes,
        cost=Cost(
            forward="3*T*N*H*(D + H) + 3*T*N*H",
            backward="3*T*N*H*(2*D + H) + 3*K*N*H*H + 10*T*N*H + K*N*H",
            stored="T*N*D + (T + 1)*N*H + 4*T*N*H + N",
        ),
        torch="nn.GRU",
        reference=_reference("GRU"),
        parameters=("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        benchmark=_benchmark(3),
    ),
]
