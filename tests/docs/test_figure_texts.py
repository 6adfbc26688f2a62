"""What stands beside a figure is true of it: no number there is typed from a run.

Who can't see a figure has its alternative text alone, and nobody notices when a new run moves the
curve but not the sentence. So a number in an alternative text or a caption is injected, or it is
one that moves with the picture or with the program:

* it stands in the figure, as a tick or a label: "falls below 0.01 at step 100" is what the eye
  reads there, and an axis that is drawn otherwise breaks it;
* it is a setting: a constant of the experiment, a path that it declares as ``WORKED``, or the
  quantile that a key names (``q10``);
* it counts what is drawn: panels, or the ticks of an axis.

Words from eleven on and 百分之 count as digits. 0, 1 and the words up to ten are free.
"""

import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import pytest
from test_claims import leaves

from experiments import run
from experiments._claim import matches, worked_of
from sitekit.markdown.numbers import REFERENCE

PAGES = sorted(p for lang in ("en", "zh") for p in Path("docs", lang).rglob("*.md"))
FIGURE = re.compile(
    r"!\[(?P<alt>(?:[^][]|\[[^]]*\])*)\]"
    r'\(figure:(?P<name>[\w-]+)(?:\s+"(?P<caption>(?:[^"\\]|\\.)*)")?\)'
)
# Not the 32 of float32, the 2 of W2, the 1 of L1: these are names.
DIGITS = re.compile(r"(?<![A-Za-z_\d.])\d+(?:[ ,\u00a0]\d{3})*(?:\.\d+)?(?:e[-−]?\d+)?", re.I)
PERCENT = re.compile(r"[ \u00a0]?(?:%|percent)")
POWER = re.compile(
    r"(?:10|ten) to the (?P<minus>minus )?(?P<n>\d+)|10 的 ?(?P<fu>负 ?)?(?P<z>\d+) 次方"
)
ENGLISH = {
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40,
    "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100,
    "hundreds": 100, "hundredth": 100, "thousand": 1e3, "thousands": 1e3, "thousandth": 1e3,
    "million": 1e6, "millionth": 1e6, "billion": 1e9, "billionth": 1e9,
}  # fmt: skip
ONES = {sign: n for n, sign in enumerate("零一二三四五六七八九")} | {"两": 2}
TENS = {"十": 10, "百": 100, "千": 1000}
LARGE = {"万": 1e4, "亿": 1e8}
CHINESE = re.compile(r"(?:百分之)?[零一二三四五六七八九两十百千万亿]+(?:分之一)?")


def plain(number):
    return float(re.sub(r"[ ,\u00a0]", "", number).replace("−", "-"))


def chinese(numeral):
    """The value of 三十五 or 一万."""
    whole, part, digit = 0.0, 0.0, 0
    for sign in numeral:
        if sign in ONES:
            digit = ONES[sign]
        elif sign in TENS:
            part, digit = part + (digit or 1) * TENS[sign], 0
        else:
            whole, part, digit = (whole + part + digit or 1) * LARGE[sign], 0.0, 0
    return whole + part + digit


def numbers(text):
    """The numbers of a sentence: as they are written, and what an axis may call them."""
    for m in POWER.finditer(text):
        yield m[0], {10.0 ** (int(m["n"] or m["z"]) * (-1 if m["minus"] or m["fu"] else 1))}
    text = POWER.sub("", text)
    for m in DIGITS.finditer(text):
        value = plain(m[0])
        yield m[0], {value, value / 100} if PERCENT.match(text, m.end()) else {value}
    for m in re.finditer(r"[a-z]+", text.lower()):
        if m[0] in ENGLISH:
            value = ENGLISH[m[0]]
            yield m[0], {1 / value} if m[0].endswith("th") else {value}
    for m in CHINESE.finditer(re.sub("十分(?!之)|百分(?:比|之几)", "", text)):
        value = chinese(m[0].removeprefix("百分之").removesuffix("分之一"))
        if "百分之" in m[0]:
            yield m[0], {value, value / 100}
        elif value > 10:
            yield m[0], {1 / value if m[0].endswith("分之一") else value}


@cache
def drawn(name, lang):
    """The numbers that a figure shows, and how many panels and ticks it has."""
    source = (run.FIGURES / f"{name}.{lang}.svg").read_text(encoding="utf-8")
    texts = [e.text or "" for e in ET.fromstring(source).iter() if e.tag.endswith("}text")]
    texts += re.findall(r"<!--(.*?)-->", source)  # formulas; their glyphs stand in tspans
    shown = " | ".join(texts).translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789"))
    powers = r"(?:(\d+) ?\\times ?)?10\^\{([-−]?\d+)\}"
    found = {float(base or 1) * 10.0 ** plain(n) for base, n in re.findall(powers, shown)}
    shown = re.sub(r"(?<=[A-Za-z_])(?=\d)", " ", re.sub(powers, "", shown))  # of W2 also the 2
    found |= {plain(m[0]) for m in DIGITS.finditer(shown)}
    if "log 10" in shown:  # an axis of exponents
        found |= {10.0**n for tick in found if tick < 300 for n in (tick, -tick)}
    axes = re.split(r'id="[\w-]*axes_\d+"', source)[1:]
    ticks = [len(re.findall(rf'id="[\w-]*{t}_\d+"', ax)) for ax in axes for t in ("xtick", "ytick")]
    return found | {len(axes), *ticks}


def scalars(value):
    """The numbers inside a constant of a module."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield abs(float(value))
    elif isinstance(value, range):
        yield float(len(value))
    elif isinstance(value, dict):
        yield from (n for pair in value.items() for part in pair for n in scalars(part))
    elif isinstance(value, tuple | list):
        yield from (n for part in value for n in scalars(part))


@cache
def settings(name):
    """The numbers that an experiment is given."""
    module, result = run.load(name), run.read_result(name)
    found = {
        number
        for key, constant in vars(module).items()
        if key.isupper() and key != "RTOL"
        for number in scalars(constant)
    }
    for path, value in leaves(result):
        found |= {int(q[1]) / 100 for step in path if (q := re.fullmatch(r"q(\d\d)", str(step)))}
        joined = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path).lstrip(".")
        if any(matches(joined, pattern) for pattern in worked_of(module)):
            found.update(scalars(value))
    return found


def owners(figure):
    """The experiments of a figure: those that name it, or the one whose name it begins with."""
    if figure in run.names():
        return [figure]
    sources = {n: (run.ROOT / f"{n}.py").read_text(encoding="utf-8") for n in run.names()}
    named = [n for n, source in sources.items() if f'"{figure}"' in source]
    return named or [max((n for n in sources if figure.startswith(n)), key=len)]


@cache
def allowed(figure, lang):
    return {0.0, 1.0}.union(drawn(figure, lang), *(settings(owner) for owner in owners(figure)))


def typed(text, known):
    """The numbers of a text that are neither injected nor known."""
    return [written for written, values in numbers(REFERENCE.sub("", text)) if not values & known]


def texts(page):
    """The figures of a page, each with its alternative text and its caption."""
    for m in FIGURE.finditer(page.read_text(encoding="utf-8")):
        yield m["name"], f"{m['alt']} {m['caption'] or ''}"


@pytest.mark.parametrize("page", [p for p in PAGES if any(texts(p))], ids=str)
def test_no_number_beside_a_figure_is_typed(page):
    lang = page.parts[1]
    found = [(name, typed(text, allowed(name, lang))) for name, text in texts(page)]
    assert [(name, numbers) for name, numbers in found if numbers] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_figure_is_read_and_its_powers_of_ten_are_plain(page):
    """A screen reader and a caption have no LaTeX, which is what `sci` writes."""
    assert len(list(texts(page))) == page.read_text(encoding="utf-8").count("](figure:")
    assert not [name for name, text in texts(page) if re.search(r"\|\s*sci", text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rises from about 12 percent with 5 pairs.", ["12"]),
        ("It rises from {{ a.b[0] | pct }} with 5 pairs, below the tick at 20 %.", []),
        ("In float32 the layer W2 is at 0.015, near 1e-3.", ["0.015"]),
        ("After some twenty steps it reaches 2,000.", ["twenty"]),
        ("It ends at 10 to the minus 3, that is a thousandth, not at 10 to the minus 6.",
         ["10 to the minus 6"]),
        ("二十步后升到百分之四十二，十分分散，2000 步。", ["二十", "百分之四十二"]),
        ("从 10 的负 3 次方升到 10 的 6 次方，即十亿分之一。", ["10 的 6 次方", "十亿分之一"]),
    ],
)  # fmt: skip
def test_a_typed_number_is_noticed(text, expected):
    assert typed(text, {0.2, 5.0, 2000.0, 1e-3}) == expected


def test_what_a_figure_shows_is_known():
    """The reading of figures and settings itself can fail."""
    assert {1e-16, 1e-2} <= drawn("regularization-decay-linear", "en")
    assert {4, 6} <= drawn("tuning-what-first", "zh")  # panels, rows
    assert 0.1 in settings("learning_rate")
    assert owners("tuning-one-table") == ["tuning_seeds"]
    assert owners("bug_museum_dense") == ["bug_museum"]
    assert typed("from 12 % to 42 %", allowed("tuning-one-table", "en")) == ["12", "42"]
