"""The Markdown extensions: formulas, numbers, figures."""

import json

import markdown
import pytest

from sitekit.markdown.figures import FigureError
from sitekit.markdown.katex import FormulaError
from sitekit.markdown.numbers import NumberError, show


def convert(text, **configs):
    extensions = ["pymdownx.arithmatex", "pymdownx.superfences", "attr_list", "tables", *configs]
    return markdown.markdown(
        text,
        extensions=extensions,
        extension_configs={"pymdownx.arithmatex": {"generic": True}} | configs,
    )


KATEX = {"sitekit.markdown.katex": {}}


def test_formula_becomes_html_and_mathml():
    html = convert(
        "Slope $W^\\top x$ 与梯度 $\\delta$ 都在。\n\n$$\nJ = \\frac{1}{2N}\n$$\n", **KATEX
    )
    assert html.count("<math") == 3
    assert html.count('class="math"') == 2
    assert html.count('class="math display"') == 1
    assert "arithmatex" not in html


def test_comma_stays_with_the_formula_before_it():
    html = convert("权重 $W$，偏置 $b$ 与 $a$ 相等。", **KATEX)
    assert html.count('class="unbroken"') == 1
    assert "</span>，</span>" in html


def test_comma_stays_with_the_last_part_of_a_longer_formula():
    html = convert("So $a = b + c$, and $d$ is free.", **KATEX)
    formula, _, rest = html.partition('<span class="unbroken">')
    assert formula.count('class="katex-base"') == 2
    last, comma, _ = rest.partition(",</span>")
    assert comma
    assert last.count('class="katex-base"') == 1
    assert "data-search-exclude" in last
    for part in (formula.partition('<span class="math">')[2], last):
        assert part.count("<span") == part.count("</span>")


def test_nothing_follows_a_displayed_formula_on_its_line():
    assert "unbroken" not in convert("$$\na = b\n$$\n", **KATEX)


def test_formula_with_relation_signs():
    html = convert("$$\na < b \\quad c > d\n$$\n", **KATEX)
    assert "<mo>&lt;</mo>" in html
    assert "&amp;lt;" not in html


@pytest.mark.parametrize("tex", ["\\frac{1}", "\\notacommand", "a^b^c", "x_{", "中文"])
def test_bad_formula_stops_the_build_and_names_itself(tex):
    with pytest.raises(FormulaError) as error:
        convert(f"Text ${tex}$ text", **KATEX)
    assert tex in str(error.value)


def test_formula_in_a_fence_stays_code():
    assert "<math" not in convert("```text\n$x$\n```\n", **KATEX)


@pytest.fixture
def results(tmp_path):
    data = {"loss": 0.123456, "tiny": 4.04e-32, "share": 0.517, "change": -0.052}
    data["runs"] = [{"n": 3}, {"n": 40000}]
    (tmp_path / "claim.json").write_text(json.dumps(data), encoding="utf-8")
    return {"sitekit.markdown.numbers": {"results": str(tmp_path)}}


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("{{ claim.loss | .3f }}", "0.123"),
        ("{{claim.loss|.1e}}", "1.2e-01"),
        ("{{ claim.share | pct1 }}", "51.7\u00a0%"),
        ("{{ claim.runs[1].n | ,d }}", "40,000"),
        ("{{ claim.runs[0].n }}", "3"),
    ],
)
def test_number_is_injected(results, reference, shown):
    assert convert(f"It is {reference}.", **results) == f"<p>It is {shown}.</p>"


def test_number_inside_a_formula(results):
    html = convert("$10 \\cdot {{ claim.tiny | sci }}$", **results, **KATEX)
    assert "4.0 \\times 10^{-32}" in html


def test_a_negative_number_has_a_minus_between_words_and_a_hyphen_in_formulas_and_code(results):
    share, number = "{{ claim.change | pct1 }}", "{{ claim.change | .2f }}"
    html = convert(f"$1$, from {share} to {number}, `x = {number}`", **results)
    assert html.endswith(", from \u22125.2\u00a0% to \u22120.05, <code>x = -0.05</code></p>")
    assert ">-0.05</annotation>" in convert(f"${number}$", **results, **KATEX)


def test_number_in_a_table(results):
    assert "<td>0.12</td>" in convert("| a |\n|---|\n| {{ claim.loss | .2f }} |\n", **results)


def test_reference_in_a_fence_is_code(results):
    assert "{{ claim.loss }}" in convert("```text\n{{ claim.loss }}\n```\n", **results)


@pytest.mark.parametrize(
    "reference",
    [
        "{{ claim.lost }}",
        "{{ claim.runs[7].n }}",
        "{{ nobody.x }}",
        "{{ claim.loss | q }}",
        "{{ claim.runs | pct }}",
    ],
)
def test_number_that_no_run_wrote_stops_the_build(results, reference):
    with pytest.raises(NumberError):
        convert(reference, **results)


def test_scientific_notation():
    assert show(6.54e-27, "sci") == "6.5 \\times 10^{-27}"
    assert show(12345.0, "sci4") == "1.2345 \\times 10^{4}"


@pytest.fixture
def figures(tmp_path):
    (tmp_path / "plot.en.svg").write_text("<svg><text>en</text></svg>", encoding="utf-8")
    (tmp_path / "plot.zh.svg").write_text("<svg><text>中</text></svg>", encoding="utf-8")

    def config(lang):
        return {"sitekit.markdown.figures": {"figures": str(tmp_path), "lang": lang}}

    return config


def test_figure_is_inlined_in_the_language_of_the_page(figures):
    source = '![A line that falls.](figure:plot "The caption.")'
    english, chinese = convert(source, **figures("en")), convert(source, **figures("zh"))
    assert "<svg><text>en</text></svg>" in english
    assert "<svg><text>中</text></svg>" in chinese
    assert 'aria-label="A line that falls."' in english
    assert "<figcaption>The caption.</figcaption>" in english
    assert 'id="fig-plot"' in english


def test_number_is_injected_into_alternative_text_and_caption(figures, results):
    number = "{{ claim.runs[1].n | ,d }}"
    source = f'![It ends at {number}.](figure:plot "After {{{{ claim.share | pct }}}}.")'
    html = convert(source, **figures("en"), **results)
    assert 'aria-label="It ends at 40,000."' in html
    assert "<figcaption>After 52 %.</figcaption>" in html


@pytest.mark.parametrize("source", ["![](figure:plot)", "![Alt.](figure:none)"])
def test_figure_without_alternative_text_or_file_stops_the_build(figures, source):
    with pytest.raises(FigureError):
        convert(source, **figures("en"))


def test_empty_corner_of_a_table_is_not_a_header():
    html = convert("|  | a |\n|---|---|\n| b | 1 |\n", **{"sitekit.markdown.accessible": {}})
    assert html.count("<th>") == 1
    assert html.count("<td") == 3


@pytest.mark.parametrize("extension", [{}, {"pymdownx.inlinehilite": {}}])
def test_names_in_tables_and_headings_may_break(extension):
    table = "| c |\n|---|\n| `nn.max_pool` `_x_` `a<b_c` `h_0` `0.5` |"
    text = f"# `a_b`\n\n{table}\n\nText `a_b`.\n\n`tests/{'x' * 30}_a.py`"
    html = convert(text, **{"sitekit.markdown.breaks": {}}, **extension)
    assert "<code>a_<wbr>b</code></h1>" in html
    assert "<code>nn.<wbr>max_<wbr>pool</code> <code>_x_</code>" in html
    assert "<code>a&lt;b_<wbr>c</code> <code>h_0</code> <code>0.5</code>" in html
    assert "<code>a_b</code>." in html
    assert f"<code>tests/<wbr>{'x' * 30}_<wbr>a.<wbr>py</code>" in html


def test_a_number_is_not_broken():
    text = "A 95 % interval, 10 000 draws and 3 of 1000 in 2021, `95 %`.\n\n| 30 % |\n|---|\n"
    html = convert(text, **{"sitekit.markdown.breaks": {}})
    assert "A 95\u00a0% interval, 10\u00a0000 draws and 3 of 1000 in 2021, " in html
    assert "<code>95 %</code>" in html
    assert "<th>30\u00a0%</th>" in html


@pytest.mark.parametrize(
    "text",
    [
        "It is $ a + b $ here.",
        "It is $a + b $ here.",
        "It is $a and no end.",
        "| a |\n|---|\n| $ x $ |\n",
        "- item\n  $$\n  y\n  $$\n",
        "Text\n$$\nx\n$$\nmore.",
        "# Title $ x $",
    ],
)
def test_formula_that_would_stay_text_stops_the_build(text):
    with pytest.raises(FormulaError, match="dollar sign is left"):
        convert(text, **KATEX)


@pytest.mark.parametrize("text", ["It costs \\$5.", "Run `$x`.", "```text\n$ make\n```", "$a$"])
def test_real_dollars_and_code_are_no_formulas(text):
    convert(text, **KATEX)


@pytest.mark.parametrize(
    "reference",
    ["{{ Claim.loss }}", "{{ claim }}", "{{ claim.a b }}", "{{ claim.loss", "{{ claim.runs }}"],
)
def test_what_is_no_reference_to_one_number_stops_the_build(results, reference):
    with pytest.raises(NumberError):
        convert(reference, **results)


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), None, [1.0]])
def test_value_that_is_no_number_stops_the_build(value):
    with pytest.raises(NumberError):
        show(value, ".2f")


def test_braces_of_a_formula_are_no_reference(results):
    assert "<math" in convert("${{x^{(1)}}}^\\top \\frac{{a}}{b}$", **results, **KATEX)
