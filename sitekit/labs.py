"""Labs: notebooks kept as Markdown, executed by mkdocs-jupyter's rules, rendered as pages.

mkdocs-jupyter 0.26 would render a lab with JupyterLab's own style sheet in every page
(575 KB), without formulas, with empty heading ids in Chinese, and would publish failing
cells. This plugin keeps its configuration and its choice of files, executes the notebook,
and hands MkDocs the result as Markdown: from there on a lab is a page like any other
(ids, formulas, checked links, figures that follow the colour scheme).

The executed notebook is published beside the page, rewritten so that it reads well in
Jupyter and runs without this site.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from pathlib import Path, PurePath
from urllib.parse import urljoin

import jupytext
import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs_jupyter.plugin import Plugin as JupyterPlugin
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from sitekit import svg

log = logging.getLogger("mkdocs.plugins.sitekit.labs")

# Runs before the first cell: figures are SVG in the style of the site.
_PRELUDE = """
%matplotlib inline
import matplotlib
from matplotlib_inline.backend_inline import set_matplotlib_formats
from sitekit.svg import RC
set_matplotlib_formats("svg", bbox_inches=None)
matplotlib.rcParams.update(RC)
"""
# What a lab's outputs depend on besides its own text.
_DEPENDENCIES = ("bpref/**/*.py", "sitekit/labs.py", "sitekit/svg.py", "constraints.txt")
_FIGURE = {"en": "Output of the code above, figure", "zh": "上面代码的输出，图"}
_DOWNLOAD = {"en": "Download this notebook", "zh": "下载本笔记本"}


class LabsPlugin(JupyterPlugin):
    """mkdocs-jupyter with another way of rendering; same options, set in ``mkdocs.yml``."""

    def should_include(self, file: File) -> bool:
        """As mkdocs-jupyter decides, but the name first: it would parse every page to see."""
        path = PurePath(file.abs_src_path or "")
        return any(path.match(p) for p in self.config["include"]) and super().should_include(file)

    def on_files(self, files: Files, config: MkDocsConfig) -> Files:
        self._labs: dict[str, NotebookNode] = {}
        for file in list(files.documentation_pages()):
            if not self.should_include(file):
                continue
            notebook = self._executed(Path(str(file.abs_src_path)))
            self._labs[file.src_uri] = notebook
            address = urljoin(config.site_url, file.url) if config.site_url else ""
            download = nbformat.writes(for_jupyter(notebook, address))
            uri = file.src_uri.removesuffix(".md") + ".ipynb"
            files.append(File.generated(config, uri, content=download))
        return files

    def on_page_read_source(self, page: Page, config: MkDocsConfig) -> str | None:
        notebook = self._labs.get(page.file.src_uri)
        if notebook is None:
            return None
        name = Path(page.file.src_uri).stem
        lang = config.theme["language"]
        link = f"[{_DOWNLOAD[lang]}]({name}.ipynb){{ .md-button download }}"
        return as_markdown(notebook, name, lang, after_title=link)

    # mkdocs-jupyter's own rendering, copying and cache are not used.
    def on_pre_page(self, page: Page, config: MkDocsConfig, files: Files) -> Page:
        return page

    def on_post_page(self, output: str, page: Page, config: MkDocsConfig) -> str:
        return output

    def on_post_build(self, config: MkDocsConfig) -> None:
        pass

    def _executed(self, path: Path) -> NotebookNode:
        cached = Path(self.config["cache_dir"]) / f"{path.stem}-{_key(path)}.ipynb"
        if self.config["cache"] and cached.exists():
            return nbformat.read(cached, as_version=4)
        log.info("executing lab %s", path)
        notebook = jupytext.read(path)
        execute(notebook, path)
        if self.config["cache"]:
            cached.parent.mkdir(parents=True, exist_ok=True)
            unfinished = cached.with_suffix(f".{os.getpid()}")  # two builds may run at once
            nbformat.write(notebook, unfinished)
            unfinished.replace(cached)
        return notebook


def _key(path: Path) -> str:
    """Changes when the lab, the package, or the locked dependencies change."""
    digest = hashlib.sha256(path.read_bytes())
    for pattern in _DEPENDENCIES:
        for dependency in sorted(Path().glob(pattern)):
            digest.update(dependency.read_bytes())
    return digest.hexdigest()[:16]


def execute(notebook: NotebookNode, path: Path) -> None:
    """Run all cells in place; an error in a cell stops the build."""
    notebook.cells.insert(0, nbformat.v4.new_code_cell(_PRELUDE))
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", allow_errors=False, coalesce_streams=True
    )
    try:
        client.execute(cwd=str(Path.cwd()))
    except CellExecutionError as error:
        raise PluginError(f"lab {path.name}: a cell failed\n{error}") from error
    del notebook.cells[0]


def as_markdown(notebook: NotebookNode, name: str, lang: str = "en", after_title: str = "") -> str:
    """The page's Markdown: prose as it is, code as fences, outputs below their code."""
    parts: list[str] = []
    figure = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            text = cell.source
            if after_title and re.search(r"^# ", text, flags=re.M):
                text = re.sub(r"^(# .*)$", rf"\1\n\n{after_title}", text, count=1, flags=re.M)
                after_title = ""
            parts.append(text)
            continue
        parts.append(_fence("python", cell.source))
        for output in cell.outputs:
            data = output.get("data", {})
            if output.output_type == "stream":
                parts.append(_output(output.text))
            elif "image/svg+xml" in data:
                figure += 1
                picture = svg.inline(data["image/svg+xml"], f"{name}-{figure}")
                label = f'role="img" aria-label="{_FIGURE[lang]} {figure}" data-search-exclude="1"'
                parts.append(f'<div class="lab-figure" {label}>\n{picture}</div>')
            elif "text/plain" in data:
                parts.append(_output(data["text/plain"]))
    return "\n\n".join(parts) + "\n"


def _output(text: str) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)  # the colours of a terminal
    return _fence("{.text .output}", text.rstrip())


def _fence(info: str, text: str) -> str:
    """A fence that no backticks in the text can close."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{info}\n{text}\n{marks}"


def for_jupyter(notebook: NotebookNode, address: str = "") -> NotebookNode:
    """A copy that reads well in Jupyter: no front matter, ids or admonition syntax.

    Links into the site lead to it if the address of the lab's page is known; else they are text.
    """
    copy: NotebookNode = nbformat.from_dict(notebook)
    copy = nbformat.reads(nbformat.writes(copy), as_version=4)
    copy.cells = [cell for cell in copy.cells if cell.cell_type != "raw"]
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            cell.source = _jupyter_markdown(cell.source, address)
        for output in cell.get("outputs", []):
            picture = output.get("data", {})
            if "image/svg+xml" in picture:
                picture["image/svg+xml"] = svg.standalone(picture["image/svg+xml"])
    copy.cells = [cell for cell in copy.cells if cell.source.strip()]
    return copy


# Code comes first: in `models[name](rows)` there is no link.
_LINK_OR_CODE = re.compile(
    r"(?P<code>^ *(?P<marks>`{3,}).*?^ *(?P=marks)|`[^`\n]+`)"
    r"|\[(?P<text>[^\]]+)\]\((?![a-z]+:)(?P<to>[^)]*)\)",
    flags=re.M | re.S,
)


def _link(found: re.Match[str], address: str) -> str:
    """A link into the site, with its address or without; code as it is."""
    if found["code"]:
        return found[0]
    return f"[{found['text']}]({_absolute(found['to'], address)})" if address else found["text"]


def _jupyter_markdown(text: str, address: str) -> str:
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.S)
    text = re.sub(r"^(#+ .*?) *\{ *#[\w-]+ *\}$", r"\1", text, flags=re.M)
    text = re.sub(r"(\*\*[^*]+\*\*|\))\{[^}]*\}", r"\1", text)
    text = re.sub(_LINK_OR_CODE, lambda found: _link(found, address), text)
    return re.sub(r'^(!!!|\?\?\?\+?) \w+ "([^"]*)"\n((?:\n|    .*\n?)+)', _box, text, flags=re.M)


def _absolute(link: str, address: str) -> str:
    """The address that a link between Markdown files leads to; a page is a folder there."""
    file, mark, place = link.partition("#")
    if not file:
        return address + mark + place
    # The files of MkDocs lie beside the folders of their pages.
    page = re.sub(r"(?:(^|/)index)?\.md$", r"\1/", file).lstrip("/").replace("//", "/")
    return urljoin(address, f"../{page}") + mark + place


def _box(match: re.Match[str]) -> str:
    """A box as a quotation; one that is folded on the page stays folded."""
    body = re.sub(r"^    ", "", match[3], flags=re.M).strip()
    if match[1].startswith("???"):
        return f"<details><summary><b>{match[2]}</b></summary>\n\n{body}\n\n</details>\n\n"
    quoted = "\n".join(f"> {line}".rstrip() for line in body.splitlines())
    return f"> **{match[2]}**\n>\n{quoted}\n\n"
