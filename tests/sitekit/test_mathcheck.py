"""The checker of the equations: what passes, what fails, and what it says then."""

import ast
import doctest
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import sitekit.mathcheck.check
from sitekit.mathcheck import check_text
from sitekit.mathcheck.check import check_page
from sitekit.mathcheck.errors import FalseEquation, MathError
from sitekit.mathcheck.page import read

ROOT = Path(__file__).parents[2]
PAGE = Path("docs/page.md")


# --- helpers --------------------------------------------------------------------------------------


def block(tex, attributes=""):
    """A display equation with its attribute line."""
    return f"\n$$\n{tex}\n$$\n" + (f"{{ {attributes} }}\n" if attributes else "")


def page(declarations, *equations):
    """A page of one section: what is declared, then its equations."""
    return f"# Page {{ #page }}\n\n{declarations}\n" + "".join(
        e if e.startswith("\n$$") else block(e) for e in equations
    )


def check(text, others=None):
    return check_page(PAGE, text, others=others)


def holds(text, others=None):
    """All equations of a page pass; returns their results."""
    report = check(text, others)
    assert not report.errors, "\n".join(map(str, report.errors))
    return report.results


def statuses(text):
    return [r.status for r in holds(text)]


def the_error(text, others=None):
    """The one error of a page."""
    report = check(text, others)
    assert len(report.errors) == 1, [str(e) for e in report.errors] or "nothing is wrong"
    return report.errors[0]


def fails(declarations, *equations):
    """The last equation is false, all before it pass."""
    found = check(page(declarations, *equations))
    assert len(found.results) == len(equations) - 1, "\n".join(map(str, found.errors))
    (error,) = found.errors
    assert error.tex in equations[-1]
    return error


def marked(error):
    """The text of the formula from the caret on."""
    assert error.pos is not None, "no caret"
    return error.tex[error.pos :]


# --- 1. correct pages -----------------------------------------------------------------------------

ONE_LAYER = r"""
# One layer { #one-layer }

## Symbols { #shapes }

The function $\sigma \colon \mathbb{R} \to \mathbb{R}$ acts on each component.
Indices: $i = 1, \dots, N$, $j = 1, \dots, m$ and $k = 1, \dots, d$.

| Symbol | Batch |
|---|---|
| $x^{(i)} \in \mathbb{R}^{d}$ | $X \in \mathbb{R}^{N \times d}$ |
| $a^{(i)} \in \mathbb{R}^{m}$ | $A \in \mathbb{R}^{N \times m}$ |
| $\hat y^{(i)} \in \mathbb{R}^{m}$ | $\hat Y \in \mathbb{R}^{N \times m}$ |
| $y^{(i)} \in \mathbb{R}^{m}$ | $Y \in \mathbb{R}^{N \times m}$ |
| $\delta^{(i)} \in \mathbb{R}^{m}$ | $\Delta \in \mathbb{R}^{N \times m}$ |
| $W \in \mathbb{R}^{m \times d}$ | the same |
| $b \in \mathbb{R}^{m}$, $J \in \mathbb{R}$ | the same |
| | $\mathbf{1} \in \mathbb{R}^{N}$ |

The error signal is $\delta^{(i)} = \frac{\partial J}{\partial a^{(i)}}$.

## Per sample { #matrix }

<!-- math: uses shapes -->

$$
a^{(i)} = W x^{(i)} + b
$$

$$
\hat y^{(i)} = \sigma(a^{(i)})
$$

$$
J = \frac{1}{2N} \sum_{i=1}^{N} \lVert \hat y^{(i)} - y^{(i)} \rVert^2
$$

$$
\delta^{(i)} = \frac{1}{N} (\hat y^{(i)} - y^{(i)}) \odot \sigma'(a^{(i)})
$$

$$
\frac{\partial J}{\partial W} = \sum_{i=1}^{N} \delta^{(i)} {x^{(i)}}^\top
$$

$$
\frac{\partial J}{\partial x^{(i)}} = W^\top \delta^{(i)}
$$

## By index { #index }

<!-- math: uses shapes matrix -->

$$
\delta_j^{(i)} = \frac{1}{N} (\hat y_j^{(i)} - y_j^{(i)}) \sigma'(a_j^{(i)})
$$

$$
\frac{\partial J}{\partial W_{jk}} = \sum_{i=1}^{N} \delta_j^{(i)} x_k^{(i)}
$$

$$
\frac{\partial J}{\partial b_j} = \sum_{i=1}^{N} \delta_j^{(i)}
$$

## Batch { #batch }

<!-- math: uses shapes matrix -->

$$
A = X W^\top + \mathbf{1} b^\top
$$

$$
\Delta = \frac{1}{N} (\hat Y - Y) \odot \sigma'(A)
$$

$$
\frac{\partial J}{\partial W} = \Delta^\top X
$$

$$
\frac{\partial J}{\partial b} = \Delta^\top \mathbf{1}
$$

$$
\frac{\partial J}{\partial X} = \Delta W
$$
"""


def one_layer(old="", new=""):
    assert old in ONE_LAYER
    return ONE_LAYER.replace(old, new, 1) if old else ONE_LAYER


def test_one_layer_per_sample_by_index_and_as_batch():
    assert statuses(one_layer()) == ["definition"] * 3 + ["claim"] * 11


def test_every_claim_is_compared_in_three_draws_and_by_two_kinds_of_derivative():
    for result in holds(one_layer()):
        assert result.cases == 3
        assert result.compared >= 3
        assert result.error < 1e-9
        if r"\partial" in result.tex or result.tex.startswith((r"\delta", r"\Delta")):
            assert 0 < result.central < 1e-7
        else:
            assert result.central is None


TWO_LAYERS = (
    r"""The functions are $\sigma, \varphi \colon \mathbb{R} \to \mathbb{R}$; $i = 1, \dots, N$,
$r = 1, \dots, m$, $j = 1, \dots, n$, $k = 1, \dots, d$.

| Symbol | Batch |
|---|---|
| $x^{(i)} \in \mathbb{R}^{d}$ | $X \in \mathbb{R}^{N \times d}$ |
| $a_1^{(i)} \in \mathbb{R}^{n}$ | $A_1 \in \mathbb{R}^{N \times n}$ |
| $h_1^{(i)} \in \mathbb{R}^{n}$ | $H_1 \in \mathbb{R}^{N \times n}$ |
| $a_2^{(i)} \in \mathbb{R}^{m}$ | $A_2 \in \mathbb{R}^{N \times m}$ |
| $\hat y^{(i)} \in \mathbb{R}^{m}$ | $\hat Y \in \mathbb{R}^{N \times m}$ |
| $y^{(i)} \in \mathbb{R}^{m}$ | $Y \in \mathbb{R}^{N \times m}$ |
| $\delta_1^{(i)} \in \mathbb{R}^{n}$ | $\Delta_1 \in \mathbb{R}^{N \times n}$ |
| $\delta_2^{(i)} \in \mathbb{R}^{m}$ | $\Delta_2 \in \mathbb{R}^{N \times m}$ |
| $W_1 \in \mathbb{R}^{n \times d}$, $W_2 \in \mathbb{R}^{m \times n}$ | the same |
| $b_1 \in \mathbb{R}^{n}$, $b_2 \in \mathbb{R}^{m}$, $J \in \mathbb{R}$ | the same |
| | $\mathbf{1} \in \mathbb{R}^{N}$ |

$\delta_1^{(i)} = \frac{\partial J}{\partial a_1^{(i)}}$, $\delta_2^{(i)} = \frac{\partial J}{\partial a_2^{(i)}}$.
""",
    r"a_1^{(i)} = W_1 x^{(i)} + b_1",
    r"h_1^{(i)} = \sigma(a_1^{(i)})",
    r"a_2^{(i)} = W_2 h_1^{(i)} + b_2",
    r"\hat y^{(i)} = \varphi(a_2^{(i)})",
    r"J = \frac{1}{2N} \sum_{i=1}^{N} \lVert \hat y^{(i)} - y^{(i)} \rVert^2",
)


@pytest.mark.parametrize(
    "claims",
    [
        [
            r"\delta_2^{(i)} = \frac{1}{N} (\hat y^{(i)} - y^{(i)}) \odot \varphi'(a_2^{(i)})",
            r"\frac{\partial J}{\partial W_2} = \sum_{i=1}^{N} \delta_2^{(i)} {h_1^{(i)}}^\top",
            r"\delta_1^{(i)} = (W_2^\top \delta_2^{(i)}) \odot \sigma'(a_1^{(i)})",
            r"\frac{\partial J}{\partial W_1} = \sum_{i=1}^{N} \delta_1^{(i)} {x^{(i)}}^\top",
        ],
        [
            r"\frac{\partial J}{\partial h_{1,j}^{(i)}} = \sum_{r=1}^{m} W_{2,rj} \delta_{2,r}^{(i)}",
            r"\delta_{1,j}^{(i)} = \sigma'(a_{1,j}^{(i)}) \sum_{r=1}^{m} W_{2,rj} \delta_{2,r}^{(i)}",
            r"\frac{\partial J}{\partial W_{1,jk}} = \sum_{i=1}^{N} \delta_{1,j}^{(i)} x_k^{(i)}",
        ],
        [
            r"A_1 = X W_1^\top + \mathbf{1} b_1^\top",
            r"A_2 = H_1 W_2^\top + \mathbf{1} b_2^\top",
            r"\Delta_1 = (\Delta_2 W_2) \odot \sigma'(A_1)",
            r"\frac{\partial J}{\partial W_1} = \Delta_1^\top X",
            r"\frac{\partial J}{\partial b_1} = \Delta_1^\top \mathbf{1}",
        ],
    ],
    ids=["samples", "index", "batch"],
)
def test_two_layers(claims):
    assert statuses(page(*TWO_LAYERS, *claims)) == ["definition"] * 5 + ["claim"] * len(claims)


L_LAYERS = (
    r"""$i = 1, \dots, N$ samples, $l = 1, \dots, L$ layers,
$\sigma, \varphi \colon \mathbb{R} \to \mathbb{R}$, $J \in \mathbb{R}$.

| Symbol | Batch |
|---|---|
| $x^{(i)} \in \mathbb{R}^{n_0}$ | $X \in \mathbb{R}^{N \times n_0}$ |
| $y^{(i)}, \hat y^{(i)} \in \mathbb{R}^{n_L}$ | |
| $W_l \in \mathbb{R}^{n_l \times n_{l-1}}$, $b_l \in \mathbb{R}^{n_l}$ | |
| $a_l^{(i)} \in \mathbb{R}^{n_l}$ | $A_l \in \mathbb{R}^{N \times n_l}$ |
| $h_l^{(i)} \in \mathbb{R}^{n_l}$ | $H_l \in \mathbb{R}^{N \times n_l}$ |
| $\delta_l^{(i)} \in \mathbb{R}^{n_l}$ | $\Delta_l \in \mathbb{R}^{N \times n_l}$ |

$\delta_l^{(i)} = \frac{\partial J}{\partial a_l^{(i)}}$
""",
    r"h_0^{(i)} = x^{(i)}",
    r"a_l^{(i)} = W_l h_{l-1}^{(i)} + b_l",
    r"h_l^{(i)} = \sigma(a_l^{(i)})",
    r"\hat y^{(i)} = \varphi(a_L^{(i)})",
    r"J = \frac{1}{2N} \sum_{i=1}^{N} \lVert \hat y^{(i)} - y^{(i)} \rVert^2",
    r"\delta_L^{(i)} = \frac{1}{N} (\hat y^{(i)} - y^{(i)}) \odot \varphi'(a_L^{(i)})",
)
DOWN = "\nand for $l = L-1, \\dots, 1$\n"
RECURSION = r"\delta_l^{(i)} = (W_{l+1}^\top \delta_{l+1}^{(i)}) \odot \sigma'(a_l^{(i)})"


def layers(*claims):
    """The network in one section, its recursion in the next."""
    text = page(*L_LAYERS) + "\n## Down { #down }\n"
    return text + DOWN + "".join(map(block, claims))


def test_recursion_through_the_layers():
    text = layers(RECURSION, r"\Delta_l = (\Delta_{l+1} W_{l+1}) \odot \sigma'(A_l)")
    text += "\nfor $l = 1, \\dots, L$\n" + block(
        r"\frac{\partial J}{\partial W_l} = \sum_{i=1}^{N} \delta_l^{(i)} {h_{l-1}^{(i)}}^\top"
    )
    assert statuses(text) == ["definition"] * 5 + ["claim"] * 4


def test_recursion_is_for_its_own_range_only():
    """At the last layer there is no layer above it."""
    error = the_error(page(*L_LAYERS, RECURSION))
    assert "there is no W_{l} with l = " in error.message


SOFTMAX = (
    r"""$i = 1, \dots, N$, $j, k = 1, \dots, m$; logits $a^{(i)} \in \mathbb{R}^{m}$, probabilities
$p^{(i)} \in \mathbb{R}^{m}$, labels $y^{(i)} \in \{e_1, \dots, e_m\}$, $J \in \mathbb{R}$.
$j = 1, \dots, m$, $k = 1, \dots, m$.
""",
    r"p^{(i)} = \operatorname{softmax}(a^{(i)})",
    r"J = -\frac{1}{N} \sum_{i=1}^{N} \sum_{j=1}^{m} y_j^{(i)} \log p_j^{(i)}",
)


def test_softmax_cross_entropy():
    holds(
        page(
            *SOFTMAX,
            r"p_j^{(i)} = \frac{e^{a_j^{(i)}}}{\sum_{k=1}^{m} e^{a_k^{(i)}}}",
            r"\frac{\partial p_j^{(i)}}{\partial a_k^{(i)}} = p_j^{(i)} ([j = k] - p_k^{(i)})",
            r"\frac{\partial p^{(i)}}{\partial a^{(i)}} = \operatorname{diag}(p^{(i)}) - p^{(i)} {p^{(i)}}^\top",
            r"\frac{\partial J}{\partial a^{(i)}} = \frac{1}{N} (p^{(i)} - y^{(i)})",
        )
    )


BATCH_NORM = (
    r"""$i = 1, \dots, N$; $x, \hat x, z, g \in \mathbb{R}^{N}$, $\mu, v, s, \gamma, \beta, J \in \mathbb{R}$,
$\epsilon > 0$, $f \colon \mathbb{R}^{N} \to \mathbb{R}$ and $g = \frac{\partial J}{\partial z}$.""",
    r"\mu = \frac{1}{N} \sum_{i=1}^{N} x_i",
    r"v = \frac{1}{N} \sum_{i=1}^{N} (x_i - \mu)^2",
    r"s = \sqrt{v + \epsilon}",
    r"\hat x_i = \frac{x_i - \mu}{s}",
    r"z_i = \gamma \hat x_i + \beta",
    r"J = f(z)",
)
BATCH_NORM_INPUT = (
    r"\frac{\partial J}{\partial x_i} = \frac{\gamma}{s} (g_i - \frac{1}{N} \sum_{k=1}^{N} g_k"
    r" - \frac{\hat x_i}{N} \sum_{k=1}^{N} g_k \hat x_k)"
)


def test_batch_normalisation():
    holds(
        page(
            *BATCH_NORM,
            r"\frac{\partial J}{\partial \beta} = \sum_{i=1}^{N} g_i",
            r"\frac{\partial J}{\partial \gamma} = \sum_{i=1}^{N} g_i \hat x_i",
            BATCH_NORM_INPUT,
        )
    )


def test_sigmoid_and_its_derivative():
    holds(
        page(
            r"$\sigma \colon \mathbb{R} \to \mathbb{R}$, $a \in \mathbb{R}$",
            r"\sigma(a) = \frac{1}{1 + e^{-a}}",
            r"\sigma'(a) = \sigma(a) (1 - \sigma(a))",
            r"\sigma''(a) = \sigma'(a) (1 - 2 \sigma(a))",
        )
    )


def test_relu_by_cases():
    relu = page(
        r"$\sigma \colon \mathbb{R} \to \mathbb{R}$, $z \in \mathbb{R}$, $a, h \in \mathbb{R}^{n}$,"
        r" $j = 1, \dots, n$, $k = 1, \dots, n$",
        r"\sigma(z) = \max(0, z)",
        r"\sigma'(z) = \begin{cases} 1 & z > 0 \\ 0 & z \le 0 \end{cases}",
        r"\sigma'(z) = [z > 0]",
        r"h = \sigma(a)",
        r"\frac{\partial h_j}{\partial a_k} = [j = k] [a_j > 0]",
    )
    holds(relu)


MOMENTUM = (
    r"""Steps $t = 1, \dots, T$; $w_t, v_t \in \mathbb{R}^{n}$, $\eta, \beta > 0$ and
$f \colon \mathbb{R}^{n} \to \mathbb{R}$.""",
    r"v_0 = 0 w_0",
    r"v_t = \beta v_{t-1} + \nabla f(w_{t-1})",
    r"w_t = w_{t-1} - \eta v_t",
)


def test_momentum_over_the_steps():
    holds(
        page(
            *MOMENTUM,
            r"v_t = \sum_{s=1}^{t} \beta^{t-s} \nabla f(w_{s-1})",
            r"w_t = w_0 - \eta \sum_{s=1}^{t} v_s",
        )
    )


WORDS = (
    r"""Places $t = 1, \dots, T$, words $k = 1, \dots, V$; $w_t \in \{1, \dots, V\}$,
$E_k, e_t, c \in \mathbb{R}^{d}$, $J \in \mathbb{R}$.""",
    r"e_t = E_{w_t}",
    r"J = \sum_{t=1}^{T} (c^\top e_t)^2",
)


def test_the_number_of_a_word_is_an_index():
    *_, result = holds(
        page(*WORDS, r"\frac{\partial J}{\partial E_k} = \sum_{t=1}^{T} [w_t = k] 2 c^\top e_t c")
    )
    assert result.code == "grad_E[k] = sum((w[t] == k) * 2 * c @ e[t] * c for t in range(1, T + 1))"


@pytest.mark.parametrize(
    "wrong",
    [
        r"\frac{\partial J}{\partial E_k} = \sum_{t=1}^{T} 2 c^\top e_t c",
        r"\frac{\partial J}{\partial E_k} = \sum_{t=1}^{T} [t = k] 2 c^\top e_t c",
        r"e_t = E_t",
        r"e_t = E_{w_{t+1}}",
    ],
)
def test_another_number_of_a_word_fails(wrong):
    fails(*WORDS, wrong)


def test_the_class_of_a_sample_is_an_index():
    holds(
        page(
            r"""$i = 1, \dots, N$, $k = 1, \dots, m$; $y^{(i)} \in \{1, \dots, m\}$,
$p^{(i)} \in \mathbb{R}^{m}$, $c^{(i)} \in \mathbb{R}$.""",
            r"c^{(i)} = p_{y^{(i)}}^{(i)}",
            r"c^{(i)} = \sum_{k=1}^{m} [y^{(i)} = k] p_k^{(i)}",
        )
    )


def test_a_number_of_nothing_is_an_error():
    declared = r"$w \in \{1, \dots, 1 - m\}$, $x \in \mathbb{R}^{m}$, $s \in \mathbb{R}$"
    assert the_error(page(declared, "s = x_w")).message == "no sizes suit these shapes"


def test_chain_of_jacobians():
    holds(
        page(
            r"""$x \in \mathbb{R}^{n}$, $u \in \mathbb{R}^{m}$, $v \in \mathbb{R}^{k}$,
$f \colon \mathbb{R}^{n} \to \mathbb{R}^{m}$, $g \colon \mathbb{R}^{m} \to \mathbb{R}^{k}$,
$J \in \mathbb{R}$, $q \colon \mathbb{R}^{k} \to \mathbb{R}$""",
            "u = f(x)",
            "v = g(u)",
            "J = q(v)",
            r"\frac{\partial v}{\partial x} = \frac{\partial v}{\partial u} \frac{\partial u}{\partial x}",
            r"\frac{\partial J}{\partial x} = (\frac{\partial v}{\partial x})^\top \frac{\partial J}{\partial v}",
        )
    )


def test_all_links_of_an_aligned_chain_are_checked():
    chain = r"\begin{aligned} s &= \lVert x \rVert^2 \\ &= x^\top x \\ &= %s \end{aligned}"
    declared = r"$x \in \mathbb{R}^{n}$, $s \in \mathbb{R}$, $i = 1, \dots, n$"
    holds(page(declared, chain % r"\sum_{i=1}^{n} x_i^2"))
    error = fails(declared, chain % r"\sum_{i=1}^{n} x_i")
    assert marked(error).startswith(r"\sum_{i=1}^{n} x_i")
    assert error.where == "docs/page.md:6"


# --- 2. the dialect -------------------------------------------------------------------------------

SHAPES = r"""$i = 1, \dots, N$; $W \in \mathbb{R}^{m \times d}$, $x, u \in \mathbb{R}^{d}$,
$a, b, c \in \mathbb{R}^{m}$, $s, r \in \mathbb{R}$, $\sigma \colon \mathbb{R} \to \mathbb{R}$,
$z^{(i)} \in \mathbb{R}^{d}$."""


@pytest.mark.parametrize(
    ("tex", "message", "at"),
    [
        (r"a = W q", "q is not declared in this section", "q"),
        (r"a = V_{2} x", "V_{…} is not declared in this section", "V_{2}"),
        (r"r = x^T x", r"write W^\top", "x^T"),
        (r"r = {z^{(i)\top}} x", "", "z^{(i)"),
        (r"r = z^{(i)}^\top x", r"two superscripts: write {z^{(i)}}^\top", "z^{(i)}^"),
        (r"a = W x \odot c", r"write (A b) \odot c with brackets", r"W x"),
        (r"a = b + s", "sum of 4×1 and a number", "s"),
        (r"a = W b", "inner sizes differ", "b"),
        (r"s = x u", "inner sizes differ", "u"),
        (r"r = 1, s = 2", "one equation in each block", "s = 2"),
        (r"r = 1 \quad s = 2", "one equation in each block", r"\quad"),
        (r"r = s.", "without punctuation", "."),
        (r"r = 1,", "ends too early", ""),
        (r"r = 1;", "not part of the dialect", ";"),
        (
            r"\begin{aligned} r &= 1 \\ s &= 2 \end{aligned}",
            "a new row continues the chain: it begins with = + or -",
            "s &= 2",
        ),
        (r"s = \sigma r", r"\sigma is a function: write \sigma(…)", r"\sigma r"),
        (r"s = \sigma", r"\sigma is a function: write \sigma(…)", r"\sigma"),
        (r"s = \sum_{k} W_{1k} q_k", "q_{…} is not declared", "q_k"),
        (r"a_j = b_j", "j", "j"),
        (r"b = x", "b is declared as 4, its definition is 2", "x"),
        (r"s = r \text{ if it rains}", r"\text", r"\text"),
        (r"s = \|x\|", r"write \lVert v \rVert", r"\|"),
        (r"s < r", r"< can't be evaluated: mark it .unchecked with a reason", "s"),
        (r"s \approx r", r"\approx can't be evaluated", "s"),
        (r"s \leftarrow s - r", r"\leftarrow can't be evaluated", "s"),
        (r"\lVert x \rVert", "an equation needs =", r"\lVert"),
        (r"s = \frac{x}{x}", "division by a vector: write it by element", "x}"),
        (r"s = x^2", r"a power of a vector: write v \odot v", "x^2"),
        (r"s = \partial r / \partial x", r"\partial", r"\partial"),
        (r"s = (r", "ends too early", ""),
        (r"s = r)", "did not expect", ")"),
        (r"s = \frac{1}", "ends too early", ""),
        (r"s = \log", "a function without its argument", r"\log"),
        (r"s = \foo(r)", r"\foo is not declared", r"\foo"),
        (r"s = 中", "'中' is not part of the dialect", "中"),
        (r"s = r \pm 1", r"\pm has two meanings: write two equations", None),
        (r"s = \sum_{i=1}^{N}", r"\sum of nothing", r"\sum"),
        (r"s = z^{(i)}_1", "index i is on the right side only: sum over it", "z"),
        (r"s = z_1", "z has a sample: write z^{(i)}", "z_1"),
        (r"s = x_{N + 9}", "is outside 1 … ", "x"),
        (r"s = W_1", "W has 2 indices, not 1", "W_1"),
    ],
)
def test_an_error_of_the_dialect_says_what_and_where(tex, message, at):
    error = the_error(page(SHAPES, tex))
    assert message in error.message
    assert error.where == "docs/page.md:8"
    if at is not None:
        assert marked(error).startswith(at)


def test_an_error_shows_the_line_with_a_caret_under_the_place():
    error = the_error(page(SHAPES, "a\n= W\n  q"))
    assert str(error) == ("docs/page.md:10: q is not declared in this section\n      q\n      ^")


def test_a_display_without_an_end_is_named():
    error = the_error("# Page { #page }\n\n$$\na = b\n")
    assert "never closed" in error.message
    assert error.where == "docs/page.md:3"


def test_a_definition_is_checked_even_if_nothing_uses_it():
    error = the_error(page(r"$a \in \mathbb{R}^{n}$, $b \in \mathbb{R}^{m}$", "a = 2 b"))
    assert "declared as" in error.message


def test_an_index_needs_a_range():
    error = the_error(page(r"$a, b \in \mathbb{R}^{n}$", "a_j = b_j"))
    assert "j" in error.message
    assert marked(error).startswith("j")


@pytest.mark.parametrize(
    ("declarations", "tex"),
    [
        (r"$W_l \in \mathbb{R}^{n}$, $l = 1, \dots, L$", "W_l = 2 W_l"),
        (r"$a, b \in \mathbb{R}$", "a = 2 a"),
    ],
)
def test_a_definition_by_itself_is_an_error(declarations, tex):
    assert "is defined by itself" in the_error(page(declarations, tex)).message


def test_circular_definitions_are_an_error():
    report = check(page(r"$a, b \in \mathbb{R}$", "a = 2 b", "b = 2 a"))
    assert report.errors
    assert all("defined by itself" in e.message for e in report.errors)


# --- 2a. plausible slips --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tex", "message", "at"),
    [
        (r"b = \sgima(a)", r"; did you mean \sigma?", r"\sgima"),
        (r"s = \farc{1}{2} r", r"; did you mean \frac?", r"\farc"),
        (
            r"c = \operatorname{sotfmax}(b)",
            r"; did you mean \operatorname{softmax}?",
            r"\operatorname",
        ),
        (r"c = \softmax(b)", r"; write \operatorname{softmax}", r"\softmax"),
        (r"c = \mathbf{W} x", r"\mathbf{W} is not declared in this section", r"\mathbf"),
        (
            r"s = \partial_r J",
            r"; write a derivative as \frac{\partial J}{\partial w}",
            r"\partial",
        ),
        (r"s = \int r", r"\int is not declared in this section", r"\int"),
        (r"s = \frac{1}{2", "ends too early: this { is never closed", "{2"),
        (r"s = \frac{1{2} r", "ends too early: this { is never closed", "{1{2}"),
        (r"s = \frac{1}{2}} r", "did not expect '}': it closes nothing", "} r"),
        (r"s = (r + (s - 1)", "this ( is never closed", "(r"),
        (r"s = \lvert r \rVert", r"did not expect '\rVert': \lvert is open before it", r"\rVert"),
        (r"s = \left( r + 1 \right]", "did not expect ']': ( is open before it", "]"),
        (r"s = \begin{cases} r & r > 0", r"this \begin{cases} is never closed", r"\begin"),
        (
            r"c = \begin{pmatrix} 1 \\ 2 \end{pmatrix}",
            r"\begin{pmatrix} is not part of the dialect: write cases, bmatrix or aligned",
            r"\begin",
        ),
        (r"\begin{aligned} s &= r", r"\begin{aligned} is never closed", r"\begin"),
        (r"s = \begin{aligned} r \end{aligned}", "aligned stands around the whole", r"\begin"),
        (r"s = r,", "write one equation in each block, without punctuation", ""),
        (r"s = .5 r", "write 0.5 with its zero", "."),
        (" ", "the formula is empty", " "),
        (r"s = \sum x_k", r"a sum needs its index: \sum_{i=1}^{N}", r"\sum"),
        (r"s = \sum_{k=1} x_k", "a sum has both limits or none", r"\sum"),
        (r"s = \sum_{k=d}^{1} x_k", "the limits of this sum are the wrong way round", r"\sum"),
        (r"s = \sum_{k,j} W_{jk}", r"one index for each sum: \sum_j \sum_k", "_{k,j}"),
        (r"s = \sum_{k=1}^{2000} r", "index k has 2000 values, at most 1000", r"\sum"),
        (r"s = x_{100}", "x has 1 indices, not 3; each digit is one, as in W_{12}", "x_"),
        (r"s = x_0", "index 0 is outside 1 … 4", "x_0"),
        (r"s = W_1_2", "two subscripts", "_2"),
        (r"s = r^2^2", "two superscripts", "r^2^2"),
        (r"s = (r + 1)^2^2", "two superscripts", "(r + 1)"),
        (r"s = \lVert x \rVert_2", "it is the Euclidean norm", r"\lVert"),
        (r"s = \log r", "$c > 0$ declares a positive one", r"\log"),
        (r"c = W x + x", "sum of 4×1 and 2×1", "x"),
    ],
)
def test_a_slip_of_the_pen_is_named_at_its_place(tex, message, at):
    error = the_error(page(SHAPES, tex))
    assert message in error.message
    assert error.where == "docs/page.md:8"
    assert marked(error).startswith(at)


@pytest.mark.parametrize(
    ("declarations", "equations", "message", "at"),
    [
        (
            r"$a, x \in \mathbb{R}^{n}$, $s \in \mathbb{R}$",
            ["a = 2 x", "a = 3 x"],
            "; a is defined in line 6",
            "3 x",
        ),
        (
            r"$s, r, q \in \mathbb{R}$",
            ["s = r^2", r"\frac{\partial s}{\partial q} = r"],
            "; the derivative is zero: does it depend on the denominator?",
            "r",
        ),
        (
            r"$s, r, q \in \mathbb{R}$",
            ["s = r^2", r"\frac{\partial s}{\partial q} = 0 r"],
            "both sides are zero: nothing here depends on the denominator",
            r"\frac",
        ),
        (
            r"$l = 1, \dots, L$, $A_l, B_l \in \mathbb{R}^{n \times n}$",
            ["B_l = A_{l+1}"],
            "there is no A_{l} with l = ",
            "A_{l+1}",
        ),
        (r"$a, b \in \mathbb{R}$", ["a = 2 b + a"], "a is defined by itself", "a"),
        (
            r"$v \in \mathbb{R}^{n \times d$, $s \in \mathbb{R}$",
            [r"s = \lVert v \rVert"],
            "v is not declared in this section; line 3 seems to declare it and can't be read",
            "v",
        ),
        (
            r"$v \in R^{d}$, $s \in \mathbb{R}$",
            [r"s = \lVert v \rVert"],
            "; line 3 seems to declare it and can't be read",
            "v",
        ),
        (
            r"$t = 1, \ldots T$, $v \in \mathbb{R}^{T}$",
            ["v_t = 2"],
            "t is not declared in this section; line 3 seems to declare it and can't be read",
            "t",
        ),
        (
            r"$v, w \in \mathbb{R}^{n_t}$",
            ["v = 2 w"],
            "in the shape of v: t is not declared in this section",
            None,
        ),
        (
            r"$p = 1, \dots, 1000000$, $v \in \mathbb{R}^{n}$",
            ["v_p = 2 p"],
            "index p has 1000000 values, at most 1000 are computed: write the limit as a letter",
            "v_p",
        ),
        (
            r"$s, r \in \mathbb{R}$",
            ["s = 10^{400} r"],
            "the value is infinite or not a number",
            "s",
        ),
    ],
)
def test_a_slip_across_formulas_is_named_at_its_place(declarations, equations, message, at):
    error = fails(declarations, *equations)
    assert message in error.message
    assert error.where == f"docs/page.md:{2 + 4 * len(equations)}"
    if at is not None:
        assert marked(error).startswith(at)


def test_a_row_may_have_a_distance():
    chain = r"\begin{aligned} s &= (r + 1)^2 \\[4pt] &= r^2 + 2 r + 1 \end{aligned}"
    holds(page(r"$s, r \in \mathbb{R}$", chain))


def test_more_sizes_than_there_are_numbers_for_is_an_error():
    names = "abcdfghijklmopqrtuvwxyzABCDEFGHIJKLMNOPQ"
    shapes = ", ".join(rf"${name} \in \mathbb{{R}}^{{n_{{{k}}}}}$" for k, name in enumerate(names))
    norms = " + ".join(rf"\lVert {name} \rVert" for name in names)
    error = the_error(page(rf"{shapes}, $s \in \mathbb{{R}}$", f"s = {norms}"))
    assert "n is one size too many: at most 38 of them" in error.message


def test_numerical_derivatives_that_never_agree_are_an_error():
    error = fails(
        r"$s, r \in \mathbb{R}$",
        r"s = \sin(100000 r)",
        r"\frac{\partial s}{\partial r} = 100000 \cos(100000 r)",
    )
    assert "never agree" in error.message


# --- 2b. an error is reported once ----------------------------------------------------------------

CASCADE = (
    r"$W \in \mathbb{R}^{m \times d}$, $x \in \mathbb{R}^{d}$, $a, h, u \in \mathbb{R}^{m}$,"
    r" $J, s, r \in \mathbb{R}$, $\sigma \colon \mathbb{R} \to \mathbb{R}$"
)
AFTER = (r"h = \sigma(a)", r"J = \lVert h \rVert^2", "s = 2 r")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("a = W u", "inner sizes differ"),
        ("a = W^\\top u", "a is declared as"),
        ("a = W v", "v is not declared"),
        ("a = W x +", "ends too early"),
        ("a = (W x", "never closed"),
        ("a = W x = (", "never closed"),
    ],
)
def test_a_bad_definition_is_reported_once_with_what_depends_on_it(wrong, message):
    report = check(page(CASCADE, wrong, *AFTER))
    (error,) = report.errors
    assert message in error.message
    assert error.where == "docs/page.md:6"
    assert str(error).splitlines()[-1] == ("    not checked because of this: eq-page-2, eq-page-3")
    assert [r.id for r in report.results] == ["eq-page-4"]


def test_an_undeclared_symbol_with_a_bad_definition_is_known():
    (error,) = check(page(CASCADE, "p = W x +", r"h = \sigma(p)")).errors
    assert error.blocked == ["eq-page-2"]


@pytest.mark.parametrize(
    ("wrong", "blocked"),
    [
        ("g_0 = v", ["eq-page-2", "eq-page-3", "eq-page-4"]),
        (r"f(p) = p v", ["eq-page-5"]),
    ],
)
def test_a_bad_definition_of_a_family_or_a_function(wrong, blocked):
    declared = (
        r"$t = 1, \dots, T$, $g_t, s, r \in \mathbb{R}$, $f \colon \mathbb{R} \to \mathbb{R}$"
    )
    text = page(declared, wrong, "g_t = 2 g_{t-1}", "g_2 = 4 g_0", "s = g_2", "r = f(2)")
    (error,) = check(text).errors
    assert error.blocked == blocked


def test_a_bad_definition_of_the_batch_is_one_of_the_samples():
    declared = r"""$i = 1, \dots, N$, $z^{(i)} \in \mathbb{R}^{d}$

| one sample | batch |
|---|---|
| $y^{(i)} \in \mathbb{R}^{d}$ | $Y \in \mathbb{R}^{N \times d}$ |
"""
    (error,) = check(page(declared, "Y = v", "y^{(i)} = 2 z^{(i)}")).errors
    assert error.blocked == ["eq-page-2"]


def test_a_bad_claim_blocks_nothing():
    report = check(page(CASCADE, "a = W x", "a = (W x", *AFTER))
    (error,) = report.errors
    assert error.blocked == []
    assert len(report.results) == 4


def test_all_unreadable_equations_of_a_section_are_named():
    report = check(page(CASCADE, "a = W x +", "s = (r", r"J = \lVert x \rVert^2"))
    assert [e.where for e in report.errors] == ["docs/page.md:6", "docs/page.md:10"]
    assert [r.id for r in report.results] == ["eq-page-3"]


def test_an_equation_without_a_readable_left_side_blocks_its_section():
    (error,) = check(page(CASCADE, r"\hat{a = W x", *AFTER)).errors
    assert error.blocked == ["eq-page-2", "eq-page-3", "eq-page-4"]


def test_a_wrong_declaration_is_reported_once_for_all_sections_that_see_it():
    text = page(r"$v \in \mathbb{R}^{n}$, $v \in \mathbb{R}^{m}$, $s, r \in \mathbb{R}$", "s = 2 r")
    text += "\n## Two { #two }\n" + block("s = r + r")
    (error,) = check(text).errors
    assert error.message == "v is declared twice, in two ways"
    assert error.blocked == ["eq-page-1", "eq-two-1"]


def test_a_bad_definition_of_another_page_is_named_there():
    other = Path("docs/other.md")
    pages = {str(other.resolve()): read(other, page(CASCADE, "a = W u"))}
    here = "# Here { #here }\n\n<!-- math: uses other.md#page -->\n" + block(r"J = \lVert a \rVert")
    (error,) = check(here, pages).errors
    assert error.where == "docs/other.md:6"
    assert error.blocked == ["eq-here-1"]


def test_a_bad_definition_is_no_verdict_on_a_false_formula():
    """It fails because of the definition, not because it is wrong."""
    report = check(page(CASCADE, "a = W u", block("h = 2 a", ".false")))
    (error,) = report.errors
    assert error.blocked == ["eq-page-2"]


# --- 2c. no exception of Python reaches the author ----------------------------------------------

TOKENS = [
    r"x",
    r"a",
    r"b",
    r"c",
    r"W",
    r"s",
    r"r",
    r"\sigma",
    r"\sigma'",
    r"\max",
    r"\log",
    r"e",
    r"\sum_{i=1}^{N}",
    r"\sum_j",
    r"\frac{1}{N}",
    r"\frac{\partial",
    r"s}{\partial",
    r"x}",
    r"\frac{\partial",
    r"a}{\partial",
    r"x}",
    r"=",
    r"+",
    r"-",
    r"\odot",
    r"\cdot",
    r"/",
    r"(",
    r")",
    r"[",
    r"]",
    r"{",
    r"}",
    r"^\top",
    r"^2",
    r"^{-1}",
    r"_j",
    r"_1",
    r"_{jk}",
    r"_{i=1}",
    r"^{(i)}",
    r"^i",
    r"i",
    r"j",
    r"k",
    r"N",
    r"0",
    r"1",
    r"2",
    r"0.5",
    r"\lVert",
    r"\rVert",
    r"\lvert",
    r"\rvert",
    r"\sqrt{2}",
    r"\hat",
    r"\mathbf{1}",
    r"\nabla",
    r"\nabla_x",
    r"\partial",
    r"\operatorname{softmax}",
    r"\operatorname{diag}",
    r"\begin{cases}",
    r"\end{cases}",
    r"&",
    r"\\",
    r"\text{otherwise}",
    r"\begin{bmatrix}",
    r"\end{bmatrix}",
    r",",
    r".",
    r"'",
    r">",
    r"\le",
    r"\ne",
    r"\dots",
    r"\quad",
    r"\mathbb{R}",
    r"\in",
    r"\det",
    r"\operatorname{tr}",
    r"\prod_{k=1}^{i}",
    r"\begin{aligned}",
    r"\end{aligned}",
]
CORRECT = [
    r"a = W x + b",
    r"a_j = \sum_{k=1}^{d} W_{jk} x_k + b_j",
    r"s = \frac{1}{2} \lVert W x - b \rVert^2",
    r"\frac{\partial s}{\partial x} = W^\top ( W x - b )",
    r"c = b \odot \sigma' ( a )",
    r"r = \sum_{j=1}^{m} \log ( 1 + e^{ b_j } )",
    r"c_j = \begin{cases} b_j & b_j > 0 \\ 0 & \text{otherwise} \end{cases}",
    r"s = x^\top u = \sum_{k=1}^{d} x_k u_k",
    r"\begin{aligned} s &= \max ( r , 0 ) \\ &= r [ r > 0 ] \end{aligned}",
    r"c = \operatorname{softmax} ( b )",
    r"\sigma ( r ) = \frac{1}{1 + e^{-r}}",
    r"c = \begin{bmatrix} 1 & 2 \\ 3 & r \end{bmatrix} b",
]
FUZZ = SHAPES + r" $j = 1, \dots, m$, $k = 1, \dots, d$, $s = \frac{\partial r}{\partial s}$."


def allowed(text):
    """A page passes, or its errors are MathErrors in the author's words with their place."""
    report = check_page(PAGE, text, cases=1)
    for error in report.errors:
        assert isinstance(error, MathError)
        assert error.where.startswith("docs/page.md:")
        for word in ("Error:", "NoneType", "object", "Traceback", "ndarray", "unpack"):
            assert word not in error.message, error.message
    return report


@st.composite
def mutated(draw):
    tokens = draw(st.sampled_from(CORRECT)).split(" ")
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(tokens)))
        kind = draw(st.sampled_from(["insert", "replace", "delete", "swap"]))
        if kind == "insert":
            tokens.insert(place, draw(st.sampled_from(TOKENS)))
        elif place < len(tokens):
            if kind == "replace":
                tokens[place] = draw(st.sampled_from(TOKENS))
            elif kind == "delete":
                del tokens[place]
            else:
                other = draw(st.integers(0, len(tokens) - 1))
                tokens[place], tokens[other] = tokens[other], tokens[place]
    return " ".join(tokens)


@settings(
    database=None,
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(mutated())
def test_a_mutated_formula_passes_or_is_a_math_error(tex):
    allowed(page(FUZZ, tex))


@settings(database=None, max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=12))
def test_random_tokens_pass_or_are_a_math_error(tokens):
    allowed(page(FUZZ, " ".join(tokens)))


@settings(database=None, max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([*TOKENS, r"\colon", r"\to", r"\times"]), min_size=1, max_size=10))
@example(["x", "_j", r"\in", r"\mathbb{R}", "^2"])
def test_random_inline_formulas_are_declarations_or_ignored(tokens):
    allowed(page(SHAPES + f" And ${' '.join(tokens)}$ too.", "c = b"))


@settings(database=None, max_examples=40, deadline=None, derandomize=True)
@given(st.text(alphabet=r"$\{}^_=ab1 #|<>!-`" + "\n", max_size=60))
def test_any_text_is_a_page(text):
    allowed(text)


@pytest.mark.parametrize(
    "tex",
    [
        r"\sigma(r) = \frac{1}{1 + e^{-r}} + 0 \sigma'(r) \sigma(x)",
        r"0.5 \sigma(r) = \frac{1}{1 + e^{-r}}",
        r"c = b \odot \sigma'()",
        r"s = \max()",
        r"s = \det(W)",
        r"c = \operatorname{diag}(s)",
        r"c = b \operatorname{tr}(\sigma'(a))",
        r"s = \begin{cases} r & b > 0 \\ 0 & \text{otherwise} \end{cases}",
        r"s = \begin{cases} \text{otherwise} & 0 \\ 0 & r \end{cases}",
        r"s = \begin{cases} r & r > 0 2 \\ 0 & r \le 0 \end{cases}",
        r"c = \begin{bmatrix} 1 & 2 \\ b & r \end{bmatrix} b",
        r"c = \begin{bmatrix} 1 & 2 \\ 3 \end{bmatrix} b",
        r"a = \nabla_x \sum_{k=1}^{d} b_k",
        r"c = b \nabla \sigma'(a)",
        r"s = \sum_{k=1}^{d} ' x_k",
        r"s = r [r, 0]",
        r"s = 0^{-1}",
        r"s = r^{x}",
        r"s = \log(-1)",
        r"s = \sum_{k=1}^{10^{9}} r",
        r"s = \frac{\partial}{\partial x}",
        r"s = \frac{\partial r}{x}",
        r"s = \frac{\partial r}{\partial}",
        r"s = \frac{r}{\partial x}",
        r"s = \nabla",
        r"s = \nabla r",
        r"{} = {}",
        r"s = {}",
        r"s = ()",
        r"s = \hat{}",
        r"s = x_{}",
        r"s = x_{k = 1}",
        r"s = \hat{x + 1}",
        r"s = \mathbf{x_1}",
    ],
)
def test_a_strange_formula_is_a_math_error(tex):
    assert allowed(page(SHAPES, tex)).errors


@pytest.mark.parametrize(
    "inline",
    [
        r"q \in \mathbb{R}^{m, d}",
        r"q \in \mathbb{R}^{m = d}",
        r"q \in \mathbb{R}^{}",
        r"q \in \mathbb{R}^{m +}",
        r"q \in \mathbb{R}^{m \times}",
        r"q \in \mathbb{R}^{m \times d \times n}",
        r"q \in \mathbb{R}_{+}",
        r"q \in \{1, \dots, -m\}",
        r"q \in \{1, \dots, m\}",
        r"q \in \{1, \dots, m = d\}",
        r"q \in \{1, \dots, e'\}",
        r"q \in \{a, b, c\}",
        r"q \in \{e_1, \dots, e'\}",
        r"q \in \{\}",
        r"q \in [0, 1)",
        r"q \in (a, b)",
        r"q \colon \mathbb{R}",
        r"q \colon \mathbb{R} \to",
        r"q = 1, \dots",
        r"q = 1, \dots, 2, 3",
        r"\dots, N",
        r"1, \dots, N",
        r"q > 0 > 0",
        r"q' > 0",
        r"\frac{\partial s}{\partial x}",
        r"s = \frac{\partial}{\partial x}",
    ],
)
def test_a_strange_declaration_is_ignored_or_a_math_error(inline):
    allowed(page(SHAPES + f" And ${inline}$.", "c = b"))


# --- 3. false formulas ----------------------------------------------------------------------------

ARTICLE = (
    r"""$x_i \in \mathbb{R}^{d}$, $W_1 \in \mathbb{R}^{n \times d}$, $b_1, h_i \in \mathbb{R}^{n}$,
$W_2 \in \mathbb{R}^{1 \times n}$ and $b_2, z_i, \hat{y_i}, y_i, J \in \mathbb{R}$; $i = 1, \dots, N$,
and $\sigma \colon \mathbb{R} \to \mathbb{R}$ is the sigmoid.""",
    r"\sigma(a) = \frac{1}{1 + e^{-a}}",
    r"h_i = \sigma(W_1 x_i + b_1)",
    r"z_i = W_2 h_i + b_2",
    r"\hat{y_i} = \sigma(z_i)",
    r"J = \frac{1}{2N} \sum_{i=1}^N (\hat{y_i} - y_i)^2",
)
ARTICLE_SCALAR = (
    r"""$x_i, W_1, b_1, h_i, W_2, b_2, z_i, \hat{y_i}, y_i, J \in \mathbb{R}$; $i = 1, \dots, N$,
and $\sigma \colon \mathbb{R} \to \mathbb{R}$ is the sigmoid.""",
    *ARTICLE[1:],
)
PRINTED = {
    "W_1": r"(\sigma'(h_i)\sigma'(z_i)\frac{\partial z_i}{\partial W_1})",
    "b_1": r"(\sigma'(h_i)\sigma'(z_i))",
    "W_2": r"(\sigma'(h_i)\sigma'(z_i)\frac{\partial z_i}{\partial W_2})",
    "b_2": r"(\sigma'(h_i)\sigma'(z_i))",
}


def printed(name):
    head = rf"\frac{{\partial J}}{{\partial {name}}} = \frac{{1}}{{N}}\sum_{{i=1}}^N"
    return head + r"(\hat{y_i} - y_i)" + PRINTED[name]


@pytest.mark.parametrize("setting", [ARTICLE, ARTICLE_SCALAR], ids=["vectors", "numbers"])
@pytest.mark.parametrize("name", list(PRINTED))
def test_the_articles_gradients_fail(name, setting):
    fails(*setting, printed(name))


@pytest.mark.parametrize("setting", [ARTICLE, ARTICLE_SCALAR], ids=["vectors", "numbers"])
def test_the_articles_gradients_can_be_printed_as_false(setting):
    wrong = [block(printed(name), ".false") for name in PRINTED]
    results = holds(page(*setting, *wrong))
    assert [r.status for r in results[-4:]] == ["false"] * 4


def test_the_articles_network_has_these_gradients():
    """Right in the same notation: the checker can read the setting, so a failure is a verdict."""
    holds(
        page(
            *ARTICLE,
            r"\frac{\partial J}{\partial b_2} = \frac{1}{N} \sum_{i=1}^N (\hat{y_i} - y_i) \sigma'(z_i)",
            r"\frac{\partial J}{\partial W_2} = \frac{1}{N} \sum_{i=1}^N (\hat{y_i} - y_i) \sigma'(z_i) h_i^\top",
            r"\frac{\partial J}{\partial b_1} = \frac{1}{N} \sum_{i=1}^N (\hat{y_i} - y_i) \sigma'(z_i)"
            r" (W_2^\top \odot \sigma'(W_1 x_i + b_1))",
        )
    )


@pytest.mark.parametrize(
    "wrong",
    [
        r"\frac{\partial z_i}{\partial W_1} = x_i^\top",
        r"\frac{\partial z_i}{\partial W_2} = \sigma(h_i) \sigma(z_i)",
    ],
)
def test_the_articles_inner_derivatives_fail(wrong):
    fails(*ARTICLE, wrong)
    fails(*ARTICLE_SCALAR, wrong.replace(r"x_i^\top", "x_i"))


@pytest.mark.parametrize(
    ("shape", "wrong", "right"),
    [
        (r"$z \in \mathbb{R}$, $W \in \mathbb{R}^{1 \times d}$", "x", r"x^\top"),
        (r"$z \in \mathbb{R}^{m}$, $W \in \mathbb{R}^{m \times d}$", r"x^\top", None),
    ],
)
def test_derivative_of_a_product_by_its_matrix(shape, wrong, right):
    setting = (shape + r", $x \in \mathbb{R}^{d}$", "z = W x")
    fails(*setting, rf"\frac{{\partial z}}{{\partial W}} = {wrong}")
    if right:
        holds(page(*setting, rf"\frac{{\partial z}}{{\partial W}} = {right}"))


# Distill, "Why Momentum Really Works", https://distill.pub/2017/momentum. Reported in
# https://github.com/distillpub/post--momentum/issues/98, /102 and /107.

QUADRATIC = r"""The matrix $A \in \mathbb{R}^{n \times n}$ is $A = Q \operatorname{diag}(\lambda) Q^\top$
with an orthogonal $Q \in \mathbb{R}^{n \times n}$, made of a skew $K \in \mathbb{R}^{n \times n}$;
$B, I \in \mathbb{R}^{n \times n}$, $\mathbf{1} \in \mathbb{R}^{n}$,
$\lambda, b, u, v, x, y, p, q \in \mathbb{R}^{n}$, $i = 1, \dots, n$,
$\alpha, \beta > 0$, $F, G \in \mathbb{R}$."""
ORTHOGONAL = (
    r"I = \operatorname{diag}(\mathbf{1})",
    r"K = B - B^\top",
    r"Q = (I - K) (I + K)^{-1}",
    r"I = Q^\top Q",
    r"A = Q \operatorname{diag}(\lambda) Q^\top",
)


def test_momentum_article_error_of_the_loss_lacks_a_half():
    """Issue 98: f(w) − f(w*) with w = u, w* = v, x = Qᵀ(w − w*)."""
    setting = (
        QUADRATIC,
        *ORTHOGONAL,
        r"F = \frac{1}{2} u^\top A u - (A v)^\top u",
        r"G = \frac{1}{2} v^\top A v - (A v)^\top v",
        r"x = Q^\top (u - v)",
    )
    fails(*setting, r"F - G = \sum_{i=1}^{n} \lambda_i x_i^2")
    holds(page(*setting, r"F - G = \frac{1}{2} \sum_{i=1}^{n} \lambda_i x_i^2"))


def test_momentum_article_change_of_basis_needs_the_transpose():
    """Issue 107: with x = Q(w − w*), y = Qz the components of the update do not separate.

    w = u, w* = v, z = p; the next z is q.
    """
    setting = (QUADRATIC, *ORTHOGONAL, r"q = \beta p + A (u - v)")
    for basis, true in (("Q", False), (r"Q^\top", True)):
        inside = (*setting, rf"x = {basis} (u - v)", rf"y = {basis} p")
        claim = rf"{basis} q = \beta y + \lambda \odot x"
        if true:
            holds(page(*inside, claim))
        else:
            fails(*inside, claim)


def test_momentum_article_power_of_a_matrix_has_its_indices_swapped():
    """Issue 102: R^k = σ₁^k R₁ − σ₂^k R₂ with R₁ = (R − σ₂ I) / (σ₁ − σ₂), not (R − σ₁ I)."""
    declared = r"""$R, I, R_1, R_2, P \in \mathbb{R}^{2 \times 2}$, $s_1, s_2, r, p, q, u \in \mathbb{R}$."""
    setting = (
        declared,
        r"I = \begin{bmatrix} 1 & 0 \\ 0 & 1 \end{bmatrix}",
        r"P = \begin{bmatrix} 1 & p \\ q & 1 + p q \end{bmatrix}",
        r"R = P \begin{bmatrix} s_1 & 0 \\ 0 & s_2 \end{bmatrix} P^{-1}",
    )
    claim = r"R R R = s_1^3 R_1 - s_2^3 R_2"
    for one, two, true in (("1", "2", False), ("2", "1", True)):
        inside = (
            *setting,
            rf"R_1 = \frac{{1}}{{s_1 - s_2}} (R - s_{one} I)",
            rf"R_2 = \frac{{1}}{{s_1 - s_2}} (R - s_{two} I)",
        )
        if true:
            holds(page(*inside, claim))
        else:
            fails(*inside, claim)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"= W^\top \delta^{(i)}", r"= W \delta^{(i)}"),
        (
            r"= \sum_{i=1}^{N} \delta^{(i)} {x^{(i)}}^\top",
            r"= \sum_{i=1}^{N} x^{(i)} {\delta^{(i)}}^\top",
        ),
        (r"= \Delta^\top X", r"= X^\top \Delta"),
        (
            r"\delta^{(i)} = \frac{1}{N} (\hat y^{(i)} - y^{(i)})",
            r"\delta^{(i)} = \frac{1}{N} (y^{(i)} - \hat y^{(i)})",
        ),
        (r"\delta^{(i)} = \frac{1}{N} (", r"\delta^{(i)} = ("),
        (r"\Delta = \frac{1}{N} (", r"\Delta = ("),
        (r"\sigma'(a^{(i)})", r"\sigma'(\hat y^{(i)})"),
        (r"\sigma'(A)", r"\sigma(A)"),
        (r"\frac{\partial J}{\partial X} = \Delta W", r"\frac{\partial J}{\partial X} = \Delta"),
        (r"\delta_j^{(i)} x_k^{(i)}", r"\delta_k^{(i)} x_j^{(i)}"),
        (
            r"= \sum_{i=1}^{N} \delta_j^{(i)} x_k^{(i)}",
            r"= \sum_{i=1}^{N} \delta_j^{(1)} x_k^{(i)}",
        ),
        (
            r"\frac{\partial J}{\partial b_j} = \sum_{i=1}^{N} \delta_j^{(i)}",
            r"\frac{\partial J}{\partial b_j} = \frac{1}{N} \sum_{i=1}^{N} \delta_j^{(i)}",
        ),
        (
            r"= \sum_{i=1}^{N} \delta_j^{(i)} x_k^{(i)}",
            r"= \sum_{i=1}^{N} \sum_{k=1}^{d} \delta_j^{(i)} x_k^{(i)}",
        ),
        (
            r"= \sum_{i=1}^{N} \delta_j^{(i)} x_k^{(i)}",
            r"= \sum_{i=2}^{N} \delta_j^{(i)} x_k^{(i)}",
        ),
        (r"A = X W^\top + \mathbf{1} b^\top", r"A = X W^\top"),
    ],
)
def test_a_wrong_gradient_of_one_layer_fails(old, new):
    error = the_error(one_layer(old, new))
    line = one_layer(old, new).splitlines()[int(error.where.rpartition(":")[2]) - 1]
    assert new.splitlines()[0] in line


@pytest.mark.parametrize(
    "wrong",
    [
        r"\delta_1^{(i)} = \delta_2^{(i)} \odot \sigma'(a_1^{(i)})",
        r"\delta_1^{(i)} = (W_2^\top \delta_2^{(i)}) \odot \sigma'(h_1^{(i)})",
        r"\delta_1^{(i)} = (W_1^\top \delta_2^{(i)}) \odot \sigma'(a_1^{(i)})",
        r"\delta_1^{(i)} = W_2^\top \delta_2^{(i)}",
        r"\delta_{1,j}^{(i)} = \sigma'(a_{1,j}^{(i)}) \sum_{r=1}^{m} W_{2,jr} \delta_{2,r}^{(i)}",
        r"\delta_{1,j}^{(i)} = \sigma'(a_{1,j}^{(i)}) W_{2,1j} \delta_{2,1}^{(i)}",
        r"\delta_{1,j}^{(i)} = \sum_{r=1}^{m} W_{2,rj} \delta_{2,r}^{(i)}",
        r"\frac{\partial J}{\partial W_1} = \sum_{i=1}^{N} \delta_2^{(i)} {x^{(i)}}^\top",
        r"\Delta_1 = (W_2 \Delta_2) \odot \sigma'(A_1)",
        r"\Delta_1 = (\Delta_2 W_2) \odot \sigma'(H_1)",
        r"\Delta_1 = -(\Delta_2 W_2) \odot \sigma'(A_1)",
    ],
)
def test_a_wrong_gradient_of_two_layers_fails(wrong):
    fails(*TWO_LAYERS, wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        r"\delta_l^{(i)} = (W_{l+1} \delta_{l+1}^{(i)}) \odot \sigma'(a_l^{(i)})",
        r"\delta_l^{(i)} = (W_{l+1}^\top \delta_{l+1}^{(i)}) \odot \sigma'(a_{l+1}^{(i)})",
        r"\delta_l^{(i)} = (W_l^\top \delta_{l+1}^{(i)}) \odot \sigma'(a_l^{(i)})",
        r"\delta_l^{(i)} = (W_{l+1}^\top \delta_{l+1}^{(i)}) \odot \sigma(a_l^{(i)})",
        r"\delta_l^{(i)} = (W_{l+1}^\top \delta_L^{(i)}) \odot \sigma'(a_l^{(i)})",
    ],
)
def test_a_wrong_recursion_fails(wrong):
    assert the_error(layers(wrong)).tex == wrong


@pytest.mark.parametrize(
    "wrong",
    [
        r"\frac{\partial J}{\partial a^{(i)}} = p^{(i)} - y^{(i)}",
        r"\frac{\partial J}{\partial a^{(i)}} = \frac{1}{N} (y^{(i)} - p^{(i)})",
        r"\frac{\partial p_j^{(i)}}{\partial a_k^{(i)}} = p_j^{(i)} (1 - p_k^{(i)})",
        r"\frac{\partial p_j^{(i)}}{\partial a_k^{(i)}} = [j = k] p_j^{(i)} (1 - p_k^{(i)})",
        r"p_j^{(i)} = \frac{e^{a_j^{(i)}}}{\sum_{k=1}^{m} e^{a_j^{(i)}}}",
    ],
)
def test_a_wrong_softmax_fails(wrong):
    fails(*SOFTMAX, wrong)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"- \frac{1}{N} \sum_{k=1}^{N} g_k ", ""),
        (r" - \frac{\hat x_i}{N} \sum_{k=1}^{N} g_k \hat x_k", ""),
        (r"\gamma", "1"),
        (r"g_k \hat x_k", r"g_k \hat x_i"),
        (r"{s}", "{v}"),
    ],
)
def test_a_wrong_batch_normalisation_fails(old, new):
    assert old in BATCH_NORM_INPUT
    fails(*BATCH_NORM, BATCH_NORM_INPUT.replace(old, new))


@pytest.mark.parametrize(
    "wrong",
    [
        r"v_t = \sum_{s=1}^{t} \beta^{t-s+1} \nabla f(w_{s-1})",
        r"v_t = \sum_{s=1}^{t} \beta^{t-s} \nabla f(w_s)",
        r"v_t = \sum_{s=1}^{t} \nabla f(w_{s-1})",
        r"w_t = w_0 - \eta v_t",
    ],
)
def test_a_wrong_momentum_fails(wrong):
    fails(*MOMENTUM, wrong)


def test_a_chain_of_jacobians_in_the_wrong_order_fails():
    fails(
        r"""$x, u, v \in \mathbb{R}^{n}$, $f \colon \mathbb{R}^{n} \to \mathbb{R}^{n}$,
$g \colon \mathbb{R}^{n} \to \mathbb{R}^{n}$""",
        "u = f(x)",
        "v = g(u)",
        r"\frac{\partial v}{\partial x} = \frac{\partial u}{\partial x} \frac{\partial v}{\partial u}",
    )


def test_all_sizes_differ_so_a_transpose_never_passes_by_shape():
    error = fails(
        r"$W \in \mathbb{R}^{m \times n}$, $x \in \mathbb{R}^{n}$, $a \in \mathbb{R}^{m}$",
        "a = W x",
        r"\frac{\partial a}{\partial x} = W^\top",
    )
    assert error.message.startswith("left side is ")


# --- 3b. false statements that once passed --------------------------------------------------------


@pytest.mark.parametrize(
    ("declarations", "equations", "wrong"),
    [
        pytest.param(
            r"$w, J, x \in \mathbb{R}$, $v \in \mathbb{R}^{d}$",
            ["J = w^2 x"],
            r"\frac{dJ}{dw} = w x",
            id="d is a size: dJ/dw is no quotient",
        ),
        pytest.param(
            r"$s, r \in \mathbb{R}$, $\sigma \colon \mathbb{R} \to \mathbb{R}$",
            ["s = 2 r"],
            r"\sigma(s)' = \sigma(s)",
            id="a prime behind the brackets",
        ),
        pytest.param(
            r"$a, p \in \mathbb{R}^{m}$",
            [r"p = \operatorname{softmax}(a)"],
            r"p = \operatorname{softmax}(a)_1",
            id="a subscript behind the brackets",
        ),
        pytest.param(
            r"$a, h \in \mathbb{R}$. For $a > 0$ the slope is one, for $a < 0$ it is zero.",
            [r"h = \max(0, a)"],
            r"\frac{\partial h}{\partial a} = 1",
            id="a remark about a sign",
        ),
        pytest.param(
            r"$i = 1, \dots, N$, $x^{(i)}, y^{(i)}, w, J \in \mathbb{R}$. For a single sample,"
            r" $N = 1$, this is well known.",
            [r"J = \frac{1}{2N} \sum_{i=1}^{N} (w x^{(i)} - y^{(i)})^2"],
            r"\frac{\partial J}{\partial w} = \sum_{i=1}^{N} (w x^{(i)} - y^{(i)}) x^{(i)}",
            id="a remark about a size",
        ),
        pytest.param(
            r"$c, d_1, e_1, a, h \in \mathbb{R}$, $\lambda > 0$",
            [r"h = \lambda \max(0, a) + c d_1 e_1"],
            r"h = \lambda a + c d_1 e_1",
            id="a branch that three draws do not visit",
        ),
        pytest.param(
            r"$a, h \in \mathbb{R}$",
            [r"h = \max(0, a)"],
            r"\frac{\partial h}{\partial a} = [a > 0.5]",
            id="a kink at another place",
        ),
        pytest.param(
            r"$a, h \in \mathbb{R}^{n}$, $j = 1, \dots, n$",
            [r"h_j = \min(\max(0, a_j), 6)"],
            r"h_j = \max(0, a_j)",
            id="a branch for large values",
        ),
        pytest.param(
            r"$a, h, r, A \in \mathbb{R}$, $\epsilon \in (0, 1)$",
            [r"h = \min(r A, \max(\min(r, 1 + \epsilon), 1 - \epsilon) A)"],
            r"\frac{\partial h}{\partial r} = A",
            id="clipping",
        ),
        pytest.param(
            r"$x, y, \epsilon \in \mathbb{R}$",
            [r"\epsilon = 10^{-10}", r"y = \epsilon x"],
            r"y = 2 \epsilon x",
            id="a small number",
        ),
        pytest.param(
            r"$l = 1, \dots, L$, $a_l, b_l \in \mathbb{R}^{n}$",
            [r"a_l = 2 b_l"],
            r"a_1 = 3 b_1",
            id="a member of a family that is defined already",
        ),
    ],
)
def test_a_false_statement_does_not_pass(declarations, equations, wrong):
    report = check(page(declarations, *equations, wrong))
    assert [e.tex for e in report.errors] == [wrong]


NETWORK = (
    r"""$x \in \mathbb{R}^{n}$, $W \in \mathbb{R}^{m \times n}$, $a, \delta \in \mathbb{R}^{m}$,
$J \in \mathbb{R}$. The error signal is $MEANING$.""",
    "a = W x",
    r"J = \lVert a \rVert^2",
)


@pytest.mark.parametrize(
    "meaning",
    [
        r"\delta = \frac{\partial J}{\partial a}",
        r"\delta = \frac{\partial J}{\partial a} \in \mathbb{R}^{m}",
        r"\delta = \partial J / \partial a",
        r"\delta = \nabla_a J",
        r"\frac{\partial J}{\partial a} = \delta",
        r"\delta = \frac{\partial J}{\partial q}",
    ],
)
def test_a_meaning_is_never_passed_over_in_silence(meaning):
    r"""It is read, or it is an error: else a wrong formula for δ would be its definition."""
    declarations, *equations = NETWORK
    text = page(declarations.replace("MEANING", meaning), *equations, r"\delta = 3 a")
    assert check(text).errors


def test_the_meaning_of_a_family_holds_for_its_last_member_too():
    """δ_L is one of the δ_l: its formula is a claim."""
    text = page(*L_LAYERS[:-1], L_LAYERS[-1].replace(r"\frac{1}{N}", "7"))
    assert the_error(text).tex.startswith(r"\delta_L")


def test_rows_of_a_table_pair_the_symbols_in_their_order():
    declared = r"""$i = 1, \dots, N$, $\sigma \colon \mathbb{R} \to \mathbb{R}$,
$W \in \mathbb{R}^{n \times d}$

| one sample | batch |
|---|---|
| $x^{(i)} \in \mathbb{R}^{d}$ | $X \in \mathbb{R}^{N \times d}$ |
| $a^{(i)}, h^{(i)} \in \mathbb{R}^{n}$ | $A, H \in \mathbb{R}^{N \times n}$ |
"""
    forward = (r"a^{(i)} = W x^{(i)}", r"h^{(i)} = \sigma(a^{(i)})")
    assert check(page(declared, *forward, "H = A")).errors


def test_samples_as_columns_are_not_taken_for_rows():
    declared = r"""$i = 1, \dots, N$, $W \in \mathbb{R}^{n \times d}$

| one sample | batch, samples as columns |
|---|---|
| $x^{(i)} \in \mathbb{R}^{d}$ | $X \in \mathbb{R}^{d \times N}$ |
| $a^{(i)} \in \mathbb{R}^{n}$ | $A \in \mathbb{R}^{n \times N}$ |
"""
    assert check(page(declared, r"a^{(i)} = W x^{(i)}", r"A = X W^\top")).errors


@pytest.mark.parametrize(
    "declarations",
    [
        r"$x \in \mathbb{R}^{n}$, later $x \in \mathbb{R}^{m}$, $s \in \mathbb{R}$",
        r"$x \in \mathbb{R}^{n}$, later $x \in \mathbb{R}$, $s \in \mathbb{R}$",
        r"$x \in \mathbb{R}^{2}$ with components $x_1, x_2 \in \mathbb{R}$, $s \in \mathbb{R}$",
    ],
)
def test_contradicting_declarations_are_an_error(declarations):
    assert check(page(declarations, r"s = x^\top x")).errors


@pytest.mark.parametrize(
    "tex",
    [
        r"r = 1/N \sum_{i=1}^{N} z^{(i)}_1",
        r"r = 1/2 \lVert x \rVert^2",
        r"r = \log (1 + s^2)^2",
    ],
)
def test_a_formula_with_two_readings_is_an_error(tex):
    r"""A reader takes 1/2 s for half of s and \log (…)^2 for the log of a square."""
    assert check(page(SHAPES, tex)).errors


def test_transpose_is_not_a_power_where_t_is_a_size():
    declared = r"$t = 1, \dots, T$, $W, B \in \mathbb{R}^{n \times n}$"
    assert check(page(declared, "B = W^T W")).errors


@pytest.mark.parametrize(
    "skipped",
    [
        "$$ y = 3 x $$",
        "$$y = 3 x$$",
        "> $$\n> y = 3 x\n> $$",
        "\\[\ny = 3 x\n\\]",
        "\\begin{equation}\ny = 3 x\n\\end{equation}",
    ],
)
def test_no_display_is_passed_over_in_silence(skipped):
    text = page(r"$x, y \in \mathbb{R}$", "y = 2 x") + f"\n{skipped}\n"
    assert check(text).errors


@pytest.mark.parametrize("fence", ["```text\na\n````", "```a = 1```"])
def test_a_fence_hides_no_equation_after_it(fence):
    text = page(r"$x, y \in \mathbb{R}$") + f"\n{fence}\n" + block("y = 2 x") + block("y = 3 x")
    assert check(text).errors


def test_two_equations_with_one_id_are_an_error():
    text = page(NUMBERS, block("a = 2 b", "#one"), block("a = b + b", "#one"))
    assert check(text).errors


def test_false_by_a_fault_of_the_dialect_is_no_verdict():
    """True as a reader takes it: it must not be printed as a wrong formula."""
    declared = r"$x, z \in \mathbb{R}^{n}$, $\epsilon \in \mathbb{R}$, $j = 1, \dots, n$"
    text = page(declared, r"z_j = x_j + \epsilon", block(r"z = x + \epsilon", ".false"))
    assert check(text).errors


@pytest.mark.parametrize(
    "tex", [r"s = \det(X)", r"s = \begin{cases} 1 & v > 0 \\ 0 & v \le 0 \end{cases}"]
)
def test_a_false_formula_that_cannot_be_evaluated_raises_nothing(tex):
    allowed(page(NUMBERS + r", $s \in \mathbb{R}$", r"s = v^\top v", block(tex, ".false")))


# --- 3c. true statements that once failed ---------------------------------------------------------


def test_a_later_range_does_not_change_a_family_declared_before():
    """All in one section: the layers, then the recursion downwards."""
    assert not check(page(*L_LAYERS) + DOWN + block(RECURSION)).errors


def test_sizes_of_a_convolution():
    holds(
        page(
            r"""$x \in \mathbb{R}^{n}$, $w \in \mathbb{R}^{k}$, $z \in \mathbb{R}^{n - k + 1}$,
$j = 1, \dots, n - k + 1$, $r = 1, \dots, k$, $f \colon \mathbb{R}^{n - k + 1} \to \mathbb{R}$,
$J \in \mathbb{R}$""",
            r"z_j = \sum_{r=1}^{k} w_r x_{j + r - 1}",
            "J = f(z)",
            r"\frac{\partial J}{\partial w_r} = \sum_{j=1}^{n-k+1} \frac{\partial J}{\partial z_j} x_{j+r-1}",
        )
    )


def test_a_function_of_a_vector_may_be_defined():
    holds(
        page(
            r"$f \colon \mathbb{R}^{n} \to \mathbb{R}$, $x \in \mathbb{R}^{n}$",
            r"f(x) = \frac{1}{2} \lVert x \rVert^2",
            r"\nabla f(x) = x",
        )
    )


def test_one_output_is_a_matrix_with_one_row():
    holds(
        page(
            r"$W \in \mathbb{R}^{1 \times d}$, $x \in \mathbb{R}^{d}$, $a \in \mathbb{R}^{1}$",
            "a = W x",
        )
    )


# --- 3d. derivatives of derivatives ---------------------------------------------------------------

HIGHER = (r"$s, r, q \in \mathbb{R}$, $f \colon \mathbb{R} \to \mathbb{R}$", r"s = e^{r} \sin(q r)")


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        (
            r"\frac{\partial^2 s}{\partial r^2} = 2 q e^{r} \cos(q r) + (1 - q^2) s",
            r"\frac{\partial^2 s}{\partial r^2} = 2 q e^{r} \cos(q r) - (1 - q^2) s",
        ),
        (
            r"\frac{\partial^2 s}{\partial q \partial r} = (1 + r) e^{r} \cos(q r) - q r s",
            r"\frac{\partial^2 s}{\partial q \partial r} = r e^{r} \cos(q r) - q r s",
        ),
        (
            r"\frac{\partial^3 s}{\partial r^3} = (1 - 3 q^2) s + (3 q - q^3) e^{r} \cos(q r)",
            r"\frac{\partial^3 s}{\partial r^3} = (1 - 3 q^2) s + (3 q + q^3) e^{r} \cos(q r)",
        ),
        (
            r"\frac{\partial^3 s}{\partial q^2 \partial r} = -(2 r + r^2) s - q r^2 e^{r} \cos(q r)",
            r"\frac{\partial^3 s}{\partial q^2 \partial r} = -(2 r + r^2) s - q r e^{r} \cos(q r)",
        ),
    ],
)
def test_second_and_third_derivatives(claim, wrong):
    assert statuses(page(*HIGHER, claim)) == ["definition", "claim"]
    fails(*HIGHER, wrong)


def test_a_function_defined_by_a_derivative_has_one():
    inner = (*HIGHER, r"f(p) = \frac{\partial (p q^2 s)}{\partial q}")
    holds(page(*inner, r"f'(r) = \frac{\partial (q^2 s)}{\partial q}"))
    fails(*inner, r"f'(r) = 2 q s")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (r"\frac{\partial^4 s}{\partial r^4} = s", "at most third derivatives"),
        (r"\frac{\partial^2 s}{\partial r} = s", r"\partial^2 stands over 1 of them"),
        (r"\frac{\partial s}{\partial r \partial q} = s", r"\partial^1 stands over 2 of them"),
    ],
)
def test_an_order_that_cannot_be_is_an_error(wrong, message):
    error = fails(*HIGHER, wrong)
    assert message in error.message
    assert marked(error) == wrong


# --- 4. scopes ------------------------------------------------------------------------------------

TWO_SECTIONS = r"""
# Page {{ #page }}

$s \in \mathbb{{R}}$

## First {{ #first }}

$x \in \mathbb{{R}}^{{n}}$

$$
s = x^\top x
$$

{level} Second {{ #second }}
{directive}

$$
s = \lVert x \rVert^2
$$
"""


def two_sections(level="##", directive=""):
    return TWO_SECTIONS.format(level=level, directive=directive)


def test_a_section_does_not_see_its_siblings():
    error = the_error(two_sections())
    assert error.message.startswith("x is not declared")
    assert error.where == "docs/page.md:18"


def test_a_subsection_sees_what_is_around_it():
    assert statuses(two_sections("###")) == ["definition", "claim"]


def test_uses_imports_a_section_with_its_definitions():
    assert statuses(two_sections(directive="\n<!-- math: uses first -->")) == [
        "definition",
        "claim",
    ]


def test_uses_imports_a_section_of_another_page():
    other = Path("docs/other.md")
    text = "# Other { #other }\n\n" + two_sections().partition("## Second")[0]
    pages = {str(other.resolve()): read(other, text)}
    here = "# Page {{ #page }}\n\n$s \\in \\mathbb{{R}}$\n\n<!-- math: uses {} -->\n".format(
        "other.md#first"
    )
    assert [r.status for r in holds(here + block(r"s = \lVert x \rVert^2"), pages)] == ["claim"]
    assert the_error(here + block(r"s = -\lVert x \rVert^2"), pages).where == "docs/page.md:8"


@pytest.mark.parametrize("name", ["third", "other.md#first"])
def test_uses_of_a_section_that_does_not_exist(name):
    error = the_error(two_sections(directive=f"\n<!-- math: uses {name} -->"))
    assert f"no section {name!r} to use" in error.message
    assert error.where == "docs/page.md:16"


def test_a_circular_import_ends():
    text = two_sections(directive="\n<!-- math: uses first -->").replace(
        "## First { #first }\n", "## First { #first }\n\n<!-- math: uses second -->\n"
    )
    allowed(text)


def test_two_families_that_clash_are_an_error():
    """a_l is declared for every layer; a without a layer would be another symbol."""
    error = the_error(
        page(r"$l = 1, \dots, L$, $a_l \in \mathbb{R}^{n}$, $b \in \mathbb{R}^{n}$", "a = 2 b")
    )
    assert "may be the same: declare one of them" in error.message


def test_a_letter_is_a_size_or_a_symbol():
    error = the_error(page(r"$x \in \mathbb{R}^{n}$, $n \in \mathbb{R}$", "n = 2 x_1"))
    assert "n is a size already" in error.message


def test_an_index_means_the_range_above():
    text = page(r"$x, y \in \mathbb{R}^{n}$, $i = 1, \dots, n$", "y_i = x_i")
    holds(text + "\nfor $i = 1, \\dots, n-1$\n" + block("y_{i+1} = x_{i+1}"))
    error = the_error(text + block("y_{i+1} = x_{i+1}"))
    assert "is outside 1 … " in error.message


# --- 5. unchecked, false, python ------------------------------------------------------------------

NUMBERS = r"$a, b, c \in \mathbb{R}$, $v, w \in \mathbb{R}^{n}$, $X, Y \in \mathbb{R}^{m \times n}$"


def test_unchecked_is_not_read():
    text = page(NUMBERS, block(r"a \ge \|q.", '.unchecked reason="an inequality"'))
    (result,) = holds(text)
    assert (result.status, result.reason) == ("unchecked", "an inequality")


@pytest.mark.parametrize("attributes", [".unchecked", '.unchecked reason=""'])
def test_unchecked_needs_a_reason(attributes):
    error = the_error(page(NUMBERS, block("a = b", attributes)))
    assert error.message == '.unchecked needs a reason="…"'
    assert error.where == "docs/page.md:6"


def test_unchecked_defines_nothing():
    text = page(NUMBERS, block("a = 3 b", '.unchecked reason="no"'), "a = 2 b")
    assert statuses(text) == ["unchecked", "definition"]


def test_false_must_fail():
    wrong = block("a = b - 1", ".false")
    assert statuses(page(NUMBERS, "a = b + 1", wrong)) == ["definition", "false"]


def test_false_may_fail_by_its_shape():
    (_, result) = holds(page(NUMBERS, "w = 2 v", block(r"w = v^\top", ".false")))
    assert result.status == "false"
    assert "left side is" in result.reason


def test_a_true_formula_marked_false_is_an_error():
    error = the_error(page(NUMBERS, "a = b + 1", block("a = 1 + b", ".false")))
    assert error.message == "this formula is marked .false, and it holds"
    assert error.where == "docs/page.md:10"


def test_false_defines_nothing():
    text = page(NUMBERS, block("a = b - 1", ".false"), "a = b + 1")
    assert statuses(text) == ["false", "definition"]


def test_false_with_an_unreadable_formula_is_an_error():
    the_error(page(NUMBERS, block("a = b -", ".false")))


def test_python_has_the_same_value():
    text = page(NUMBERS, block("w = 2 v", 'python="v + v"'))
    (result,) = holds(text)
    assert result.python == "v + v"


def test_python_may_call_the_package():
    text = page(
        r"$p, a \in \mathbb{R}^{n}$",
        block(r"p = \operatorname{softmax}(a)", 'python="bpref.functional.softmax(a, 0)[0]"'),
    )
    holds(text)


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("v + 2 * v", "gives another value"),
        ("v[:, None] + v[:, None]", "gives another value"),
        ("v.sum()", "gives another value"),
        ("np.full_like(v, np.nan)", "gives another value"),
        ("1 / 0", "fails: division by zero"),
        ("nothing", "fails: name 'nothing' is not defined"),
        ("v +", "python="),
    ],
)
def test_a_wrong_python_expression_is_an_error(python, message):
    error = the_error(page(NUMBERS, block("w = 2 v", f'python="{python}"')))
    assert message in error.message
    assert error.where == "docs/page.md:6"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ('.false python="v"', "python needs a formula that is checked and holds"),
        ('.unchecked reason="no" python="v"', "python needs a formula that is checked and holds"),
        ('numpy="v + v"', "numpy is unknown"),
        ('.unchekced reason="no"', ".unchekced is unknown"),
        ("false", "false is unknown"),
        ('.false .unchecked reason="no"', ".unchecked and .false exclude each other"),
        ('reason="no"', "reason belongs to .unchecked"),
    ],
)
def test_an_attribute_without_effect_is_an_error(attributes, message):
    error = the_error(page(NUMBERS, block("w = 2 v", attributes)))
    assert message in error.message
    assert error.where == "docs/page.md:6"


def test_false_where_some_random_sizes_do_not_suit_the_shapes():
    declared = r"$x \in \mathbb{R}^{n}$, $w \in \mathbb{R}^{k}$, $z, y \in \mathbb{R}^{n - k + 1}$"
    assert statuses(page(declared, "z = 2 y", block("z = 3 y", ".false"))) == [
        "definition",
        "false",
    ]


def test_python_counts_samples_and_elements_from_zero():
    declared = r"$i = 1, \dots, N$, $j = 1, \dots, n$, $x^{(i)} \in \mathbb{R}^{n}$, $u^{(i)} \in \mathbb{R}^{n}$"
    holds(page(declared, block(r"u_j^{(i)} = 3 x_j^{(i)}", 'python="3 * x[i, j]"')))


def test_an_equation_has_an_id():
    text = page(NUMBERS, block("a = 2 b", "#half"), "a = b + b")
    assert [r.id for r in holds(text)] == ["half", "eq-page-2"]


# --- 6. the code ----------------------------------------------------------------------------------

CODE = [
    (r"c = W x + b", "c = W @ x + b"),
    (r"c_j = \sum_{k=1}^{d} W_{jk} x_k", "c[j] = sum(W[j, k] * x[k] for k in range(d))"),
    (r"s = \frac{1}{2} \lVert x - u \rVert^2", "s = 1 / 2 * np.sum((x - u) ** 2)"),
    (r"c = (W x) \odot \sigma'(b)", "c = (W @ x) * sigma_prime(b)"),
    (r"V = b x^\top", "V = np.outer(b, x)"),
    (r"s = b^\top W x", "s = b @ W @ x"),
    (r"s = \max(r, 0)", "s = np.maximum(r, 0)"),
    (r"c = \operatorname{softmax}(b)", "c = softmax(b)"),
    (r"s = \frac{r}{1 + e^{-r}}", "s = r / (1 + np.exp(-r))"),
    (r"s = -(r - 1)^2", "s = -(r - 1) ** 2"),
    (r"s = r - (r - 1)", "s = r - (r - 1)"),
    (r"s = r (r - 1)", "s = r * (r - 1)"),
    (
        r"s = \begin{cases} r & r > 0 \\ 0 & r \le 0 \end{cases}",
        "s = np.where(r > 0, r, 0)",
    ),
    (r"s = \sqrt{r^2 + 1}", "s = np.sqrt(r ** 2 + 1)"),
    (r"u = W^\top b", "u = W.T @ b"),
]
CODE_SHAPES = r"""$j = 1, \dots, m$, $k = 1, \dots, d$, $W, V \in \mathbb{R}^{m \times d}$,
$x, u \in \mathbb{R}^{d}$, $b, c \in \mathbb{R}^{m}$, $s, r \in \mathbb{R}$,
$\sigma \colon \mathbb{R} \to \mathbb{R}$."""


@pytest.mark.parametrize(("tex", "code"), CODE)
def test_the_code_of_a_formula(tex, code):
    (result,) = holds(page(CODE_SHAPES, tex))
    assert result.code == code


def test_the_code_of_layers_and_gradients():
    text = layers(RECURSION)
    codes = {r.tex: r.code for r in holds(text)}
    assert codes[L_LAYERS[2]] == "a[l][i] = W[l] @ h[l - 1][i] + b[l]"
    assert codes[RECURSION] == "delta[l][i] = (W[l + 1].T @ delta[l + 1][i]) * sigma_prime(a[l][i])"
    batch = {r.id: r.code for r in holds(one_layer())}
    assert batch["eq-batch-3"] == "grad_W = Delta.T @ X"
    assert batch["eq-index-2"] == "grad_W[j, k] = sum(delta[i, j] * x[i, k] for i in range(N))"


def test_two_symbols_with_one_python_name_have_no_code():
    """``n`` can't be a number and a family at once; the formula is checked all the same."""
    declared = r"$k = 1, \dots, K$, $n > 0$, $n_k > 0$, $g_k, G \in \mathbb{R}^{P}$"
    (result,) = holds(page(declared, r"G = \sum_{k=1}^{K} \frac{n_k}{n} g_k"))
    assert (result.status, result.code) == ("definition", "")


def test_the_code_was_run(monkeypatch):
    """A line of code that gives another value is an error, not a line on the page."""
    monkeypatch.setattr("sitekit.mathcheck.emit.Emitter._num", lambda self, expr: ("7", 4))
    error = the_error(page(CODE_SHAPES, "s = 2 r"))
    assert error.message == "the code of this formula gives another value: 7 * r"


# --- 7. the command line --------------------------------------------------------------------------


def command(path, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "sitekit.mathcheck", f"{path}{''.join(arguments)}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def test_the_command_names_page_and_line_of_a_wrong_sign(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(
        one_layer("(\\hat y^{(i)} - y^{(i)}) \\odot", "(\\hat y^{(i)} + y^{(i)}) \\odot")
    )
    done = command(file)
    line = 1 + one_layer().splitlines().index(
        r"\delta^{(i)} = \frac{1}{N} (\hat y^{(i)} - y^{(i)}) \odot \sigma'(a^{(i)})"
    )
    assert done.returncode == 1
    assert f"{file}:{line}: the two sides differ" in done.stdout
    assert not done.stderr


def test_the_command_shows_one_equation(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(page(NUMBERS, "a = b + 1", block("a = 1 + b", "#swapped")))
    done = command(file, "#swapped")
    assert done.returncode == 0
    assert "swapped: claim" in done.stdout
    assert "a = 1 + b" in done.stdout
    assert "eq-page-1" not in done.stdout


# --- 8. the package -------------------------------------------------------------------------------

MODULES = sorted(Path(sitekit.mathcheck.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", [sitekit.mathcheck, sitekit.mathcheck.check])
def test_the_examples_of_the_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_a_text_is_checked_without_a_file():
    text = page(NUMBERS, "a = 2 b", "a = b + b")
    assert [r.status for r in check_text(text)] == ["definition", "claim"]
    wrong = page(NUMBERS, "a = 2 b", "a = b + 2 b", "c = a +")
    with pytest.raises(FalseEquation) as error:
        check_text(wrong, "the draft")
    assert "the draft:10: the two sides differ" in str(error.value)
    assert "the draft:14: the formula ends too early" in str(error.value)


def test_imports_are_at_the_top_and_point_one_way():
    below = {}
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
        assert all(node in tree.body for node in imports), f"{path.name} imports inside"
        names = {n.module for n in imports if isinstance(n, ast.ImportFrom) and n.module}
        below[f"sitekit.mathcheck.{path.stem}"] = {n for n in names if n.startswith("sitekit.")}
    order = list(graphlib.TopologicalSorter(below).static_order())  # raises at a cycle
    assert order.index("sitekit.mathcheck.scope") < order.index("sitekit.mathcheck.evaluate")
