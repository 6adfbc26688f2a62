"""Serve both languages with live reload: ``python -m sitekit.serve [--port 8000]``.

``mkdocs serve`` knows one configuration. This command builds the two, puts Chinese under
/zh/, and after a change rebuilds only the languages that the change concerns.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from mkdocs.livereload import LiveReloadServer

from sitekit.build import build, quiet

log = logging.getLogger("sitekit.serve")

# What each language is made from, besides what both are made from.
OWN = {"en": [Path("docs/en")], "zh": [Path("docs/zh"), Path("mkdocs.zh.yml")]}
SHARED = [
    Path("mkdocs.yml"),
    Path("docs/theme"),
    Path("docs/assets"),
    Path("experiments/results"),
    Path("bpref"),
    Path("CHANGELOG.md"),
]


def newest(paths: Iterable[Path]) -> float:
    """Time of the last change below these paths."""
    files = (f for p in paths for f in (p.rglob("*") if p.is_dir() else [p]))
    return max((f.stat().st_mtime for f in files if f.is_file()), default=0.0)


class Site:
    """Both languages as one folder, as they will be published."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "site"
        # Building English cleans the whole root, so Chinese is built elsewhere and copied.
        self._folders = {"en": self.root, "zh": folder / "zh"}
        self._built = dict.fromkeys(OWN, 0.0)

    def rebuild(self) -> None:
        """Build every language that is older than what it is made from."""
        shared = newest(SHARED)
        for lang, own in OWN.items():
            if max(shared, newest(own)) > self._built[lang]:
                start = time.time()
                build(lang, self._folders[lang])
                self._built[lang] = start
                log.info("built %s in %.1f s", lang, time.time() - start)
        shutil.rmtree(self.root / "zh", ignore_errors=True)
        shutil.copytree(self._folders["zh"], self.root / "zh")


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
