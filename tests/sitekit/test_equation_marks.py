"""Display equations on a rendered page: number, address, mark, code, cache."""

import os
import sys
import textwrap

import markdown
import pytest
import yaml

import sitekit.mathcheck
from sitekit.mathcheck import site as site_module
from sitekit.mathcheck.site import FalseEquation, Site

SHAPES = r"""# Squares { #squares }

## Symbols { #shapes }

$x \in \mathbb{R}^{n}$, $J, c \in \mathbb{R}$, $c > 0$.

$$
J = \frac{1}{2} \lVert x \rVert^2
$$
"""
PAGE = (
    SHAPES
    + r"""
## Gradient { #gradient }

<!-- math: uses shapes -->

Then

$$
\frac{\partial J}{\partial x} = x
$$

$$
J = \frac{1}{2} x^\top x
$$
{ #product python="0.5 * x @ x" }

$$
J \ge 0
$$
{ .unchecked reason="REASON" }

$$
\frac{\partial J}{\partial x} = 2 x
$$
{ .false }

The end.
"""
)


@pytest.fixture
def docs(tmp_path, monkeypatch):
    """An empty site, and the working directory that its build has."""
    folder = tmp_path / "docs" / "en" / "derivation"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return folder


def render(text, lang="en", **extra):
    extensions = ["pymdownx.arithmatex", "attr_list", "tables", "pymdownx.superfences"]
    md = markdown.Markdown(
        extensions=[*extensions, "sitekit.markdown.katex", "sitekit.markdown.equations"],
        extension_configs={
            "pymdownx.arithmatex": {"generic": True},
            "sitekit.markdown.equations": {
                "docs": f"docs/{lang}",
                "folders": ["derivation"],
                "lang": lang,
                "cache": "cache",
            }
            | extra,
        },
    )
    return md.convert(text)


def written(docs, text, name="page.md"):
    (docs / name).write_text(text, encoding="utf-8")
    return text


@pytest.fixture
def html(docs):
    return render(written(docs, PAGE))


def part(html, number):
    """What belongs to one equation."""
    pieces = html.split('<div class="equation ')
    assert len(pieces) == 6
    return pieces[number]


def test_every_display_equation_has_a_number_a_mark_and_an_address(html):
    marks = ["definition", "claim", "claim", "unchecked", "false"]
    ids = ["eq-shapes-1", "eq-gradient-1", "product", "eq-gradient-3", "eq-gradient-4"]
    for number, (mark, name, sign) in enumerate(zip(marks, ids, "≔✓✓–✗", strict=True), 1):
        one = part(html, number)
        assert one.startswith(f'{mark}" id="{name}"')
        assert f"({number})\u202f{sign}</span>" in one


def test_the_formula_is_rendered_without_its_marker(html):
    assert html.count('class="math display"') == 5
    assert "%equation" not in html
    assert "data-equation" not in html


def test_attribute_lines_and_directives_vanish(html):
    for text in ("{ .", "{ #product", "python=", "reason=", ".false", "math: uses"):
        assert text not in html
    assert "<p>The end.</p>" in html


def test_the_mark_says_what_was_compared(html):
    one = part(html, 2)
    assert '<summary title="Equation 2, checked">' in one
    assert '<span class="visually-hidden">Equation 2, checked</span>' in one
    assert "Both sides were computed in 3 random draws" in one
    assert "by central differences the error is &lt; 10⁻" in one
    assert "largest relative error &lt; 10⁻" in one or "largest relative error 0" in one
    assert "central differences" not in part(html, 3)


def test_a_definition_a_false_and_an_unchecked_formula_say_so(html):
    assert "The formula defines its left side." in part(html, 1)
    assert "Not checked by the machine: REASON." in part(html, 4)
    assert "Printed because it is wrong." in part(html, 5)


def test_the_python_expression_is_named(html):
    assert "The right side is also what <code>0.5 * x @ x</code> gives." in part(html, 3)
    assert "is also what" not in part(html, 2)


def test_the_code_is_shown_with_the_command_that_repeats_the_check(html):
    one = part(html, 2)
    assert "As NumPy code, made from the formula and run:" in one
    assert '<span class="n">grad_x</span>' in one
    assert "python -m sitekit.mathcheck docs/en/derivation/page.md#eq-gradient-1" in one
    assert "NumPy code" not in part(html, 4)
    assert "python -m sitekit" not in part(html, 5)


def test_the_words_are_chinese_on_a_chinese_page(tmp_path, docs):
    folder = tmp_path / "docs" / "zh" / "derivation"
    folder.mkdir(parents=True)
    html = render(written(folder, PAGE.replace("REASON", "不等式。")), "zh")
    assert '<summary title="公式 2，已检验">' in part(html, 2)
    assert "随机取值 3 次" in part(html, 2)
    assert "改用中心差分，误差为" in part(html, 2)
    assert "此式定义等号左边的量" in part(html, 1)
    assert "右边也等于 <code>0.5 * x @ x</code> 的结果" in part(html, 3)
    assert "未经机器检验：不等式。" in part(html, 4)
    assert "不等式。。" not in html
    assert "每次都不成立" in part(html, 5)
    for english in ("Equation", "random draws", "Repeat"):
        assert english not in html


def test_a_reason_is_escaped(docs):
    html = render(written(docs, PAGE.replace("REASON", "a < b & c")))
    assert "a &lt; b &amp; c." in part(html, 4)


def test_an_equation_in_a_box_is_indented(docs):
    inside = "".join(f"    {line}\n" for line in PAGE.split("Then\n\n")[1].splitlines())
    text = written(docs, PAGE.split("Then\n\n")[0] + "- item\n\n" + inside)
    html = render(text)
    assert html.count('<div class="equation ') == 5
    assert "python=" not in html
    assert "%equation" not in html


def test_a_page_outside_the_checked_folders_stays_as_it_is(docs):
    html = render("# Other { #other }\n\n$$\na = b\n$$\n")
    assert "equation" not in html
    assert 'class="math display"' in html


def test_a_wrong_sign_stops_the_build_and_names_page_and_line(docs):
    text = PAGE.replace("= x\n", "= -x\n")
    written(docs, text)
    with pytest.raises(FalseEquation) as error:
        render(text)
    line = text.splitlines().index(r"\frac{\partial J}{\partial x} = -x") + 1
    assert str(error.value).startswith(f"{docs / 'page.md'}:{line}: the two sides differ: ")
    assert "    \\frac{\\partial J}{\\partial x} = -x\n" in str(error.value)
    assert str(error.value).endswith("^")


def test_an_unreadable_page_is_named(docs):
    text = written(docs, PAGE.replace(' reason="REASON"', ""))
    with pytest.raises(ValueError, match="needs a reason") as error:
        render(text)
    assert "page.md:" in str(error.value)


def test_front_matter_does_not_hide_a_page(docs):
    """MkDocs takes it away before the page is rendered."""
    written(docs, "---\ntitle: Squares\n---\n\n" + PAGE)
    assert 'class="equation claim"' in render(PAGE)


def test_a_heading_without_an_id_does_not_hide_a_page(docs):
    text = PAGE + "\n## More\n\nWords.\n"
    written(docs, "---\ntitle: Squares\n---\n\n" + text)
    assert 'class="equation claim"' in render(text)


def test_all_wrong_equations_of_a_page_are_named(docs):
    text = PAGE.replace("= x\n", "= -x\n").replace(r"\frac{1}{2} x^\top x", r"x^\top x")
    written(docs, text)
    with pytest.raises(FalseEquation) as error:
        render(text)
    assert str(error.value).count("page.md:") == 2


def test_a_wrong_page_leaves_nothing_in_the_cache(docs, tmp_path):
    text = written(docs, PAGE.replace("= x\n", "= -x\n"))
    for _ in range(2):
        with pytest.raises(FalseEquation):
            render(text)
    assert not list(tmp_path.glob("cache/*"))


# --- the cache ------------------------------------------------------------------------------------


@pytest.fixture
def checks(monkeypatch):
    """The pages that were really computed."""
    done = []
    original = Site.check

    def check(self, path):
        done.append(path.name)
        return original(self, path)

    monkeypatch.setattr(Site, "check", check)
    return done


def test_a_second_build_computes_nothing_and_shows_the_same(docs, checks):
    text = written(docs, PAGE)
    assert render(text) == render(text)
    assert checks == ["page.md"]


def test_words_and_lines_may_change(docs, checks):
    render(written(docs, PAGE))
    html = render(written(docs, PAGE.replace("Then\n", "Then we get:\n\nMore words.\n")))
    assert checks == ["page.md"]
    assert "More words." in html


def test_the_lines_of_cached_results_are_those_of_the_page_now(docs, checks, tmp_path):
    site = Site(tmp_path / "docs" / "en", ["derivation"], tmp_path / "cache")
    written(docs, PAGE)
    before = [r.line for r in site.results(docs / "page.md")]
    written(docs, "\n\n" + PAGE)
    assert [r.line for r in site.results(docs / "page.md")] == [n + 2 for n in before]
    assert checks == ["page.md"]


def test_the_reason_is_that_of_the_page_now(docs, checks):
    render(written(docs, PAGE))
    html = render(written(docs, PAGE.replace("REASON", "another")))
    assert "another." in part(html, 4)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"= \frac{1}{2} x^\top x", r"= \frac12 x^\top x"),
        (r"x \in \mathbb{R}^{n}", r"x \in \mathbb{R}^{m}"),
        ("#product", "#other"),
        ("0.5 * x @ x", "x @ x / 2"),
        ("\n$$\nJ \\ge 0", "\n$$\nJ > 0"),
    ],
)
def test_a_changed_formula_is_computed_again(docs, checks, old, new):
    assert old in PAGE
    render(written(docs, PAGE))
    render(written(docs, PAGE.replace(old, new)))
    assert checks == ["page.md"] * 2


def test_a_translation_has_its_own_reason(docs, checks, tmp_path):
    """The formulas are the same, so the results may be shared, but not the words."""
    folder = tmp_path / "docs" / "zh" / "derivation"
    folder.mkdir(parents=True)
    render(written(docs, PAGE.replace("REASON", "an inequality")))
    html = render(written(folder, PAGE.replace("REASON", "不等式")), "zh")
    assert "未经机器检验：不等式。" in part(html, 4)


OTHER = r"""# Other { #other }

<!-- math: uses page.md#shapes -->

$$
J = \frac{1}{2} x^\top x
$$
"""


def test_a_changed_section_that_is_imported_is_computed_again(docs, checks):
    written(docs, PAGE)
    text = written(docs, OTHER, "other.md")
    render(text)
    render(text)
    assert checks == ["other.md"]
    written(docs, PAGE.replace(r"\frac{1}{2} \lVert", r"\frac{1}{3} \lVert"))
    with pytest.raises(FalseEquation) as error:
        render(text)
    assert checks == ["other.md"] * 2
    assert "other.md:6" in str(error.value)


def test_an_import_of_an_import_is_followed(docs, checks):
    written(docs, SHAPES)
    middle = "# Middle { #middle }\n\n<!-- math: uses page.md#shapes -->\n\n$s \\in \\mathbb{R}$\n"
    written(docs, middle, "middle.md")
    text = written(docs, OTHER.replace("page.md#shapes", "middle.md#middle"), "other.md")
    render(text)
    written(docs, SHAPES.replace(r"\mathbb{R}^{n}", r"\mathbb{R}^{m}"))
    render(text)
    assert checks == ["other.md"] * 2


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that the page compares itself with; returns a way to change it."""
    folder = tmp_path / "compared_package"
    folder.mkdir()
    monkeypatch.syspath_prepend(tmp_path)

    def write(body):
        file = folder / "__init__.py"
        old = file.stat().st_mtime_ns if file.exists() else 0
        file.write_text(f"def half(x):\n    return {body}\n", encoding="utf-8")
        os.utime(file, ns=(old + 10**10, old + 10**10))
        for name in [n for n in sys.modules if n.startswith("compared_package")]:
            del sys.modules[name]
        site_module._package_code.cache_clear()

    yield write
    sys.modules.pop("compared_package", None)
    site_module._package_code.cache_clear()


def test_a_changed_function_of_the_compared_package_is_computed_again(docs, checks, package):
    package("0.5 * x @ x")
    text = written(docs, PAGE.replace("0.5 * x @ x", "compared_package.half(x)"))
    render(text)
    render(text)
    assert checks == ["page.md"]
    package("0.6 * x @ x")
    with pytest.raises(FalseEquation) as error:
        render(text)
    assert "python='compared_package.half(x)' gives another value" in str(error.value)


@pytest.mark.parametrize(
    "python", ["np.sum(compared_package.half(x))", "1 * compared_package.half(x)"]
)
def test_the_package_may_stand_anywhere_in_the_expression(docs, checks, package, python):
    package("0.5 * x @ x")
    text = written(docs, PAGE.replace("0.5 * x @ x", python))
    render(text)
    package("0.6 * x @ x")
    with pytest.raises(FalseEquation):
        render(text)


def test_changed_code_of_the_checker_computes_again(docs, checks, monkeypatch):
    text = written(docs, PAGE)
    render(text)
    monkeypatch.setattr(site_module, "_own_code", lambda: "another program")
    render(text)
    assert checks == ["page.md"] * 2


def test_two_pages_with_the_same_formulas_keep_their_own_address(docs):
    """Which page a text is, is found by its formulas: equal formulas must not swap pages."""
    first = written(docs, OTHER, "a.md")
    second = written(docs, OTHER.replace("# Other", "# Another"), "b.md")
    written(docs, PAGE)
    assert "derivation/a.md#eq-other-1" in render(first)
    assert "derivation/b.md#eq-other-1" in render(second)


# --- on another site ------------------------------------------------------------------------------


def test_the_configuration_of_the_docstring_is_all_that_another_site_needs(tmp_path, monkeypatch):
    """Without this site's own rendering of formulas: the browser may do that."""
    lines = textwrap.dedent(sitekit.mathcheck.__doc__.split("mkdocs.yml``::\n")[1]).splitlines()
    rest = next(k for k, line in enumerate(lines) if line and line[0] not in " m")
    extensions = yaml.safe_load("\n".join(lines[:rest]))["markdown_extensions"]
    names = [e if isinstance(e, str) else next(iter(e)) for e in extensions]
    options = {k: v for e in extensions if isinstance(e, dict) for k, v in e.items()}
    folder = tmp_path / "docs" / "derivation"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    md = markdown.Markdown(extensions=names, extension_configs=options)
    html = md.convert(written(folder, PAGE))
    assert html.count('<div class="equation claim"') == 2
    assert html.count('<div class="arithmatex">') == 5
    assert "python -m sitekit.mathcheck docs/derivation/page.md#eq-gradient-1" in html
    assert list((tmp_path / ".cache" / "mathcheck").glob("*.json"))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"lang": "fr"}, "lang is one of en, zh, not 'fr'"),
        ({"folders": ["derivation", "derivaton"]}, "there is no folder 'derivaton' in "),
    ],
)
def test_an_option_without_effect_is_an_error(docs, option, message):
    with pytest.raises(ValueError, match=message):
        render(PAGE, **option)


def test_equations_that_could_not_be_checked_are_named_in_one_line(docs):
    text = written(docs, PAGE.replace(r"J = \frac{1}{2} \lVert x \rVert^2", "J = x^2"))
    with pytest.raises(FalseEquation) as error:
        render(text)
    assert str(error.value).count("page.md:") == 1
    assert str(error.value).splitlines()[-1] == (
        "    not checked because of this: eq-gradient-1, product, eq-gradient-4"
    )
