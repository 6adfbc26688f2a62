"""Serve both languages with live reload: ``python -m sitekit.serve [--port 8000]``.

``mkdocs serve`` knows one configuration. This command builds the two, puts Chinese under
/zh/, and after a change rebuilds only the languages that the change concerns. A page with an
error stops neither: the error is printed, and the last good build stays until it is repaired.
"""

from __future__ import annotations

import argparse
import html
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mkdocs.livereload import LiveReloadServer

from sitekit.build import build, quiet

log = logging.getLogger("sitekit.serve")

# What each language is made from, besides what both are made from.
OWN = {
    "en": [Path("docs/en")],
    "zh": [Path("docs/zh"), Path("docs/jieba.txt"), Path("mkdocs.zh.yml")],
}
SHARED = [
    Path("mkdocs.yml"),
    Path("docs/theme"),
    Path("docs/assets"),
    Path("experiments/results"),
    Path("bpref"),
    Path("sitekit/templates"),
    Path("CHANGELOG.md"),
]


def state(paths: Iterable[Path]) -> dict[Path, float]:
    """Every file below these paths with the time of its last change."""
    files = (f for p in paths for f in (p.rglob("*") if p.is_dir() else [p]))
    found = {}
    for file in files:
        with suppress(FileNotFoundError):  # an editor's temporary file, gone by now
            if file.is_file() and file.suffix != ".pyc":
                found[file] = file.stat().st_mtime
    return found


def only_pages_changed(before: dict[Path, float] | None, now: dict[Path, float]) -> bool:
    """Whether Markdown was edited and nothing else: then only those pages need building."""
    if before is None or before.keys() != now.keys():
        return False
    changed = [path for path in now if now[path] != before[path]]
    return all(path.suffix == ".md" and path.parts[0] == "docs" for path in changed)


class Site:
    """Both languages as one folder, as they will be published."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "site"
        # A build cleans its folder and may fail halfway: what is served is a copy.
        self._folders = {lang: folder / lang for lang in OWN}
        self._served = {"en": self.root, "zh": self.root / "zh"}
        self._built: dict[str, dict[Path, float]] = {}
        self._whole: set[str] = set()

    def rebuild(self) -> None:
        """Build every language whose sources have changed since its last build."""
        for lang, own in OWN.items():
            now = state([*SHARED, *own])
            if self._built.get(lang) == now:
                continue
            start = time.time()
            # After a failure the folder may be half empty: the next build is a whole one.
            dirty = lang in self._whole and only_pages_changed(self._built.get(lang), now)
            self._whole.discard(lang)
            try:
                build(lang, self._folders[lang], strict=False, dirty=dirty)
            except (Exception, SystemExit) as error:
                log.error("%s was not built: %s: %s", lang, type(error).__name__, error)
                self._show_error(lang, error)
            else:
                log.info("built %s in %.1f s", lang, time.time() - start)
                self._whole.add(lang)
                self._publish(lang)
            self._built[lang] = now

    def _publish(self, lang: str) -> None:
        """Put a finished build where it is served; English lies around Chinese."""
        served = self._served[lang]
        for old in served.iterdir() if served.exists() else ():
            if old != self._served["zh"]:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        shutil.copytree(self._folders[lang], served, dirs_exist_ok=True)

    def _show_error(self, lang: str, error: BaseException) -> None:
        """Before the first good build there is nothing to show but the error."""
        page = self._served[lang] / "index.html"
        if not page.exists():
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(f"<body><pre>{html.escape(str(error))}</pre></body>", encoding="utf-8")


def make_server(site: Site, host: str, port: int) -> LiveReloadServer:
    """MkDocs' own live-reload server over both languages."""
    server = LiveReloadServer(builder=site.rebuild, host=host, port=port, root=str(site.root))

    def error_page(code: int) -> bytes | None:
        page = site.root / f"{code}.html"
        return page.read_bytes() if page.is_file() else None

    server.error_handler = error_page
    for path in [*SHARED, *(p for own in OWN.values() for p in own)]:
        server.watch(str(path))
    return server


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sitekit.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()
    quiet()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s  %(message)s", stream=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="bpref-site-") as folder:
        site = Site(Path(folder))
        site.rebuild()
        server = make_server(site, args.host, args.port)
        try:
            print(
                f"English http://{args.host}:{args.port}/   中文 http://{args.host}:{args.port}/zh/"
            )
            server.serve()
        except OSError as error:
            print(f"cannot listen on port {args.port}: {error}; try --port", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            pass
        finally:
            server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
