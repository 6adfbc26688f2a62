"""Labs: executed, rendered as Markdown, offered as a notebook."""

from pathlib import Path

import jupytext
import markdown
import nbformat
import pytest
from mkdocs.exceptions import PluginError

from sitekit.labs import as_markdown, execute, for_jupyter

LAB = """---
title: A lab
jupyter:
  jupytext:
    text_representation: {extension: .md, format_name: markdown}
  kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A lab { #lab }

Read [the derivation](../derivation/one-layer.md) and [NumPy](https://numpy.org) first.

```python
import matplotlib.pyplot as plt
print("sum", 1 + 1)
print("flushed", flush=True)
print("in pieces")
```

<!--pytest-codeblocks:cont-->

```python
fig, ax = plt.subplots()
ax.plot([0, 1], [0, 1]);
```

!!! note "A note"
    Short.

    And shorter.

??? example "Answer"
    It is **two**.

    Really.
"""


@pytest.fixture(scope="module")
def executed():
    notebook = jupytext.reads(LAB, fmt="md")
    execute(notebook, Path("lab.md"))
    return notebook


def test_lab_becomes_a_page_with_its_outputs(executed):
    page = as_markdown(executed, "lab", after_title="[Download](lab.ipynb)")
    assert "```{.text .output}\nsum 2\nflushed\nin pieces\n```" in page
    assert page.index("# A lab { #lab }") < page.index("[Download](lab.ipynb)")
    assert page.count("<svg") == 1
    assert "var(--fig-series-1)" in page
    assert "title: A lab" in page


def test_download_reads_well_in_jupyter(executed):
    notebook = for_jupyter(executed)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "# A lab\n" in text
    assert "Read the derivation and [NumPy](https://numpy.org) first." in text
    folded = "<details><summary><b>Answer</b></summary>\n\nIt is **two**.\n\nReally.\n\n</details>"
    assert folded in text
    assert "> **A note**\n>\n> Short.\n>\n> And shorter." in text
    assert "pytest-codeblocks" not in text
    assert "---" not in text
    assert notebook.cells[1].outputs[0].text.startswith("sum 2\n")
    picture = notebook.cells[2].outputs[0].data["image/svg+xml"]
    assert "#1f5fa8" in picture


LINKS = {
    "../derivation/one-layer.md": "derivation/one-layer/",
    "../derivation/one-layer.md#batch": "derivation/one-layer/#batch",
    "your-own-table.md": "labs/your-own-table/",
    "../faq/index.md#gradients": "faq/#gradients",
    "../index.md": "",
    "#exercises": "labs/lab/#exercises",
    "../assets/data.csv": "assets/data.csv",
}


@pytest.mark.parametrize(("link", "target"), LINKS.items())
def test_links_of_a_download_lead_to_the_site(link, target):
    cell = nbformat.v4.new_markdown_cell(f"Read [this]({link}).")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    found = for_jupyter(notebook, "https://example.org/site/zh/labs/lab/").cells[0].source
    assert found == f"Read [this](https://example.org/site/zh/{target})."
    assert for_jupyter(notebook).cells[0].source == "Read this."


@pytest.mark.parametrize("address", ["", "https://example.org/labs/lab/"])
@pytest.mark.parametrize(
    "code",
    ["Call `models[0](rows)`.", "```python\nmodels[0](rows)\n```", "    ```\n    m[0](x)\n    ```"],
)
def test_a_call_in_code_is_no_link(code, address):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(code)])
    assert for_jupyter(notebook, address).cells[0].source == code


def test_failing_cell_stops_the_build():
    notebook = jupytext.reads(LAB.replace("1 + 1", "1 + None"), fmt="md")
    with pytest.raises(PluginError, match=r"lab\.md.*\n(.*\n)*.*TypeError"):
        execute(notebook, Path("lab.md"))


def test_output_cannot_leave_its_fence():
    cell = nbformat.v4.new_code_cell("print('```')")
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="```\n\x1b[31m<b>\x1b[0m\n")
    ]
    page = as_markdown(nbformat.v4.new_notebook(cells=[cell]), "lab")
    html = markdown.markdown(page, extensions=["pymdownx.superfences"])
    assert html.count("<pre>") == 2
    assert "\x1b" not in html
    assert "&lt;b&gt;" in html
