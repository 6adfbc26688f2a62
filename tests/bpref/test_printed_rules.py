r"""The formulas of the "Backward rules" pages are right, where the checker can read them.

The functions are checked by differences and against PyTorch, whatever the page prints. Here the
printed forward formula is differentiated, and the printed rule must give the same: both come from
the registry as they are. What only helps the eye is taken away, and sums over no axis
(``\sum_{\mathcal B}`` without broadcasting).
"""

import re

import pytest

from bpref.ops import FAMILIES
from sitekit.mathcheck import check_text
from sitekit.mathcheck.errors import FalseEquation

OPERATORS = {o.name: o for operators in FAMILIES.values() for o in operators}

ONE = r"""$a, h, J, \bar h \in \mathbb{R}$, $f \colon \mathbb{R} \to \mathbb{R}$ and
$\bar h = \frac{\partial J}{\partial h}$."""
SIGMOID = r"\sigma(x) = \frac{1}{1 + e^{-x}}"
LOSS = r"""$i = 1, \dots, n$, $\hat y, y, a, w, v, p, q, u, \ell \in \mathbb{R}^{n}$,
$J, L, \bar J \in \mathbb{R}$, $f \colon \mathbb{R} \to \mathbb{R}$, $\delta > 0$ and
$\bar J = \frac{\partial L}{\partial J}$."""
CLASSES = r"""$i = 1, \dots, N$, $c = 1, \dots, m$, $z_i, \pi_i, p_i, \ell_i \in \mathbb{R}^{m}$,
$k_i, y_i \in \{1, \dots, m\}$, $R_i, b_i \in \mathbb{R}$, $w \in \mathbb{R}^{m}$, $Z > 0$,
$J, L, \bar J \in \mathbb{R}$, $f \colon \mathbb{R} \to \mathbb{R}$ and
$\bar J = \frac{\partial L}{\partial J}$."""
MARGIN = r"""$i = 1, \dots, N$, $c = 1, \dots, C$, $x_i, v_i \in \mathbb{R}^{C}$,
$y_i \in \{1, \dots, C\}$, $p \in \{1, 2\}$, $\mu > 0$, $J, L, \bar J \in \mathbb{R}$,
$f \colon \mathbb{R} \to \mathbb{R}$ and $\bar J = \frac{\partial L}{\partial J}$."""
BATCH = r"""$X, T \in \mathbb{R}^{N \times d}$, $Y, \bar Y, \Delta, C \in \mathbb{R}^{N \times m}$,
$W \in \mathbb{R}^{m \times d}$, $b \in \mathbb{R}^{m}$, $A \in \mathbb{R}^{r \times d}$,
$B \in \mathbb{R}^{m \times r}$, $s, J \in \mathbb{R}$, $\mathbf{1} \in \mathbb{R}^{N}$,
$\sigma \colon \mathbb{R} \to \mathbb{R}$, $\Delta = \frac{\partial J}{\partial Y}$,
$\bar Y = \frac{\partial J}{\partial Y}$."""
ALIKE = BATCH.replace(r"$X, T \in \mathbb{R}^{N \times d}$", r"$X, Z \in \mathbb{R}^{N \times m}$")
OF_Y = r"J = \sum_{i} \sum_{j} C_{ij} \sigma(Y_{ij})"
BROADCAST = (r"W^\top + b", r"W^\top + \mathbf{1} b^\top")
BILINEAR = r"""$n = 1, \dots, N$, $k = 1, \dots, m$, $i = 1, \dots, d$, $j = 1, \dots, s$,
$X \in \mathbb{R}^{N \times d}$, $Z \in \mathbb{R}^{N \times s}$, $J \in \mathbb{R}$,
$Y, \Delta, C \in \mathbb{R}^{N \times m}$, $W \in \mathbb{R}^{m \times d \times s}$,
$b \in \mathbb{R}^{m}$, $\sigma \colon \mathbb{R} \to \mathbb{R}$,
$\Delta = \frac{\partial J}{\partial Y}$."""
ROW = r"""$i = 1, \dots, n$, $x \in \mathbb{R}^{n}$, $y, J, \bar y \in \mathbb{R}$,
$f \colon \mathbb{R} \to \mathbb{R}$ and $\bar y = \frac{\partial J}{\partial y}$."""

# What each page declares, its other formulas, and the symbol of each argument that has a rule.
READ: dict[str, tuple[str, list[str], dict[str, str]]] = {
    **{n: (ONE, ["J = f(h)"], {"input": "a"}) for n in ("identity", "sigmoid", "tanh", "relu")},
    "leaky_relu": (ONE + " $s > 0$", ["J = f(h)"], {"input": "a"}),
    "elu": (ONE + r" $\alpha > 0$", ["J = f(h)"], {"input": "a"}),
    "gelu": (ONE + r" $\Phi \colon \mathbb{R} \to \mathbb{R}$", ["J = f(h)"], {"input": "a"}),
    "silu": (ONE, [SIGMOID, "J = f(h)"], {"input": "a"}),
    "softplus": (ONE + r" $\beta > 0$", [SIGMOID, "J = f(h)"], {"input": "a"}),
    "log_softmax": (
        r"$a, h, \bar h, c \in \mathbb{R}^{n}$, $J \in \mathbb{R}$, $k = 1, \dots, n$, "
        r"$\sigma \colon \mathbb{R} \to \mathbb{R}$, $\bar h = \frac{\partial J}{\partial h}$",
        [r"J = c^\top \sigma(h)"],
        {"input": "a"},
    ),
    "mse_loss": (LOSS, ["L = f(J)"], {"input": r"\hat y"}),
    "l1_loss": (LOSS, ["L = f(J)"], {"input": r"\hat y"}),
    "huber_loss": (LOSS + r" $e \in \mathbb{R}^{n}$", ["L = f(J)"], {"input": r"\hat y"}),
    "binary_cross_entropy_with_logits": (
        LOSS + r" $\sigma \colon \mathbb{R} \to \mathbb{R}$", [SIGMOID, "L = f(J)"], {"input": "a"},
    ),
    "kl_div": (LOSS, ["p_i = e^{\\ell_i}", "q_i = e^{u_i}", "L = f(J)"], {"input": r"\ell"}),
    "nll_loss": (CLASSES, [r"p_{i,c} = e^{\ell_{i,c}}", "L = f(J)"], {"input": r"\ell_{i,c}"}),
    "reinforce_loss": (
        CLASSES, [r"\pi_i = \operatorname{softmax}(z_i)", "L = f(J)"], {"logits": "z_{i,c}"},
    ),
    "multi_margin_loss": (
        MARGIN,
        ["L = f(J)"],
        {"input": "x_{i,c}"},
    ),
    "linear": (BATCH, [OF_Y], {"input": "X", "weight": "W"}),
    "lora_linear": (BATCH, [OF_Y], {"input": "X", "lora_A": "A", "lora_B": "B"}),
    "bilinear": (
        BILINEAR,
        [r"J = \sum_n \sum_k C_{nk} \sigma(Y_{nk})"],
        {"input1": "X_{ni}", "input2": "Z_{nj}", "weight": "W_{kij}", "bias": "b_k"},
    ),
    "add": (ALIKE, [OF_Y], {"input": "X", "other": "Z"}),
    "mul": (ALIKE, [OF_Y], {"input": "X", "other": "Z"}),
    "matmul": (
        BATCH + r" $Z \in \mathbb{R}^{d \times m}$", [OF_Y], {"input": "X", "other": "Z"},
    ),
    "transpose": (
        BATCH.replace(r"X, T \in \mathbb{R}^{N \times d}", r"X \in \mathbb{R}^{m \times N}"),
        [OF_Y],
        {"input": "X"},
    ),
    "dropout": (
        ALIKE.replace("X, Z", "X, Q") + r" $p \in (0, 1)$", [OF_Y], {"input": "X"},
    ),
    "sum": (ROW, ["J = f(y)"], {"input": "x_i"}),
    "mean": (ROW, ["J = f(y)"], {"input": "x_i"}),
}  # fmt: skip

# Written for arrays of any shape, with axes in words or several steps in one cell.
NOT_READ = {
    "concat", "reshape", "max", "softmax", "logsumexp", "half_mse_loss", "smooth_l1_loss",
    "cross_entropy", "hinge_embedding_loss", "iou_loss",
    "generalized_box_iou_loss", "ctc_loss", "conv1d", "conv2d", "conv_transpose2d", "max_pool2d",
    "avg_pool2d", "batch_norm", "layer_norm", "group_norm", "rms_norm", "rnn", "lstm", "gru",
    "embedding", "positional_encoding", "rotary_embedding", "scaled_dot_product_attention",
    "multi_head_attention",
}  # fmt: skip


def plain(tex):
    tex = tex.replace(r"\textstyle\sum_{\mathcal B} ", "").replace(r"\textstyle", "")
    tex = re.sub(
        r"\\sum_\{([a-z])([a-z])\}", r"\\sum_\1 \\sum_\2", tex.replace(r"\tfrac", r"\frac")
    )
    tex = re.sub(r"\|([^|]+)\|", r"\\lvert \1 \\rvert", tex).removeprefix(r"\bar x_i = ")
    return tex.replace("m \\odot", "Q \\odot")  # the mask of dropout: m is a size here


def page(name, wrong=()):
    """The printed formulas of an operator as a page of the dialect; some rules made wrong."""
    operator, (declared, others, symbols) = OPERATORS[name], READ[name]
    loss = "L" if "L = f(J)" in others else "J"
    steps = plain(operator.formula).replace(*BROADCAST).split(r", \quad ")
    if name in ("dropout", "lora_linear"):  # then it says what m and s are
        steps = steps[:1]
    claims = []
    for argument, symbol in symbols.items():
        rule = plain(operator.rules[argument])
        rule = f"2 ({rule})" if argument in wrong else rule
        claims.append(rf"\frac{{\partial {loss}}}{{\partial {symbol}}} = {rule}")
    return declared + "".join(f"\n\n$$\n{tex}\n$$" for tex in [*others, *steps, *claims])


def test_every_operator_is_read_or_named():
    assert READ.keys() | NOT_READ == OPERATORS.keys()
    assert not READ.keys() & NOT_READ


@pytest.mark.parametrize("name", READ)
def test_the_printed_rule_is_the_derivative_of_the_printed_formula(name):
    results = check_text(page(name))
    assert sum(r.status == "claim" for r in results) >= len(READ[name][2])


@pytest.mark.parametrize("name", READ)
def test_a_wrong_rule_fails(name):
    for argument in READ[name][2]:
        with pytest.raises(FalseEquation, match="the two sides differ"):
            check_text(page(name, [argument]))
