"""How many equations the site has, how each is checked, and which wrong ones would be noticed.

Every display equation of the pages below FOLDERS is changed at each place where an author might
slip (`sitekit.mathcheck.mutate`); the page is then checked again.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from sitekit.mathcheck import mutate
from sitekit.mathcheck.page import read
from sitekit.mathcheck.site import Site

DOCS = Path(__file__).resolve().parent.parent / "docs"
FOLDERS = ["ideas", "derivation", "checking", "practice", "applications", "faq", "context"]

# Changed claims that say the same as the original: page, equation, the changed LaTeX, and why.
EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "derivation/batch-normalization.md",
        "eq-chain-5",
        r"""\begin{aligned}
\frac{\partial J}{\partial \mu} &= -\frac{1}{s} \sum_{i=1}^{N} \hat g_i + \frac{2}{N} \frac{\partial J}{\partial v} \sum_{i=1}^{N} (x_i - \mu) \\
&= -\frac{1}{s} \sum_{i=1}^{N} \hat g_i
\end{aligned}""",  # noqa: E501
    ): "the sum whose sign changed is zero: the deviations from the mean cancel",
    (
        "applications/reinforcement-learning.md",
        "eq-two-actions-3",
        r"\frac{\partial J}{\partial z_j} = "
        r"-\sum_{k=1}^{m} \pi_k (r_k + c) \frac{\partial \log \pi_k}{\partial z_j}",
    ): "the baseline drops out, whatever its value, so also with the other sign",
    **{
        (
            "faq/tuning.md",
            "eq-seeds-6",
            r"\sum_{i=1}^{k} (g_i - \bar g)^2 = \sum_{i=1}^{k} (p_i - \bar p)^2 + "
            rf"\sum_{{i=1}}^{{k}} (q_i - \bar q)^2 - 2 \sum_{{i=1}}^{{k}} {product}",
        ): "the deviations of the other factor from its mean cancel, whatever stands beside p or q"
        for product in (
            r"(p_i + \bar p) (q_i - \bar q)",
            r"(p_i - \bar p) (q_i + \bar q)",
        )
    },
}


def site(lang: str = "en") -> Site:
    return Site(DOCS / lang, FOLDERS, DOCS.parent / ".cache" / "mathcheck")


def pages(lang: str = "en") -> dict[str, Path]:
    """The pages with display equations by their name below docs."""
    found = {p.relative_to(DOCS / lang).as_posix(): p for p in site(lang).paths()}
    return {name: path for name, path in found.items() if read(path).equations}


def _mutants(name: str) -> dict[str, Any]:
    path = DOCS / "en" / name
    outcomes = list(mutate.run(path, site().pages()))
    claims = [o for o in outcomes if not o.defines]
    survivors = [[o.id, m.tex] for o in claims for m in o.survivors]
    return {
        "claims": {"killed": sum(o.killed for o in claims), "survivors": survivors},
        "definitions": {
            "killed": sum(o.killed for o in outcomes if o.defines),
            "survived": sum(len(o.survivors) for o in outcomes if o.defines),
        },
    }


def run() -> dict[str, Any]:
    """Counts for each page, and what became of the wrong formulas."""
    names = list(pages())
    with ProcessPoolExecutor(2) as pool:
        mutants = dict(zip(names, pool.map(_mutants, names), strict=True))
    by_page = {}
    for name in names:
        results = site().results(DOCS / "en" / name)
        by_page[name] = {
            "equations": len(results),
            **{
                status: sum(r.status == status for r in results)
                for status in ("claim", "definition", "false", "unchecked")
            },
            "python": sum(bool(r.python) for r in results),
            "with_code": sum(bool(r.code) for r in results),
        }
    total = {
        key: sum(page[key] for page in by_page.values()) for key in next(iter(by_page.values()))
    }
    total["checked"] = total["equations"] - total["unchecked"]
    total["share"] = total["checked"] / total["equations"]
    killed = sum(m["claims"]["killed"] for m in mutants.values())
    survivors = [[n, *s] for n, m in mutants.items() for s in m["claims"]["survivors"]]
    wrong = [s for s in survivors if tuple(s) not in EQUIVALENT]
    definitions = {
        key: sum(m["definitions"][key] for m in mutants.values()) for key in ("killed", "survived")
    }
    return {
        "pages": by_page,
        "total": {**total, "pages": len(by_page)},
        "mutants": {
            "claims": killed + len(survivors),
            "killed": killed,
            "equivalent": len(survivors) - len(wrong),
            "missed": wrong,
            "rate": killed / (killed + len(wrong)),
            "definitions": definitions["killed"] + definitions["survived"],
            "definitions_killed": definitions["killed"],
        },
    }
