r"""Checks that the equations of a Markdown page are true.

A page says in inline formulas what its symbols are, and in display equations what holds. Each
display equation is parsed, evaluated on random numbers with all sizes different, and both sides
are compared; derivatives are taken by complex step and again by differences. A wrong sign, a lost
transpose or a shape that fits by chance is an error with its page, line and place in the LaTeX.

>>> from sitekit.mathcheck import check_text
>>> page = r'''# Loss { #loss }
...
... The weights $w \in \mathbb{R}^{d}$ and the loss $J \in \mathbb{R}$:
...
... $$
... J = \frac{1}{2} \lVert w \rVert^2
... $$
...
... $$
... \frac{\partial J}{\partial w} = w
... $$
... '''
>>> [(result.id, result.status, result.code) for result in check_text(page)]
[('eq-loss-1', 'definition', 'J = 1 / 2 * np.sum(w ** 2)'), ('eq-loss-2', 'claim', 'grad_w = w')]
>>> check_text(page.replace("= w", "= 2 w"))  # doctest: +ELLIPSIS
Traceback (most recent call last):
    ...
sitekit.mathcheck.errors.FalseEquation: text:10: the two sides differ: ...

**On another site.** The extension numbers the display equations, gives each a mark that says how
it was checked, and stops the build where one fails. It needs Arithmatex before it (``generic``),
works on the elements of class ``arithmatex``, and leaves their rendering and all styles to the
site; in ``mkdocs.yml``::

    markdown_extensions:
      - attr_list
      - pymdownx.arithmatex: {generic: true}
      - sitekit.markdown.equations:
          docs: docs                # folder of the pages
          folders: [derivation]     # below it: the pages whose equations are checked
          lang: en                  # or zh: language of the marks
          cache: .cache/mathcheck   # results are kept until a formula or the checker changes

With Python-Markdown alone these are its ``extensions`` and ``extension_configs``. One page, or one
equation of it: ``python -m sitekit.mathcheck PAGE.md#ID``. From Python: `check_text` for a string,
`check.check_page` for a file, `site.Site` for a folder with its cache.

**The dialect** is described in `sitekit.mathcheck.page`, with its limits.

**Out of scope.** This is no proof: a claim is tested at random points, real ones only. Inline
formulas declare and are not checked. Inequalities, limits, expectations, approximations,
integrals and asymptotics can't be evaluated; such a formula is marked ``.unchecked`` with a
reason, which the page shows. ``python="…"`` and the emitted NumPy code are run with the rights of
the build: check only pages that you trust.

The modules from below: ``syntax`` and ``pieces`` read LaTeX, ``page`` reads Markdown, ``scope``
holds the symbols, ``resolve`` and ``declare`` give formulas their meaning (``hints`` says what may
be meant by an unknown name), ``sizes`` and ``families`` say how large and how many things are,
``build`` makes the scope of a section, ``draw``, ``values``, ``operations``, ``derivatives`` and
``evaluate`` compute, ``emit`` writes NumPy code, ``check`` compares, ``site`` keeps results,
``mutate`` asks whether wrong formulas are noticed.
"""

from sitekit.mathcheck.check import Report, Result, check_page, check_text
from sitekit.mathcheck.errors import FalseEquation, MathError

__all__ = ["FalseEquation", "MathError", "Report", "Result", "check_page", "check_text"]
