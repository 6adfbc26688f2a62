"""Check pages from the command line: ``python -m sitekit.mathcheck PAGE[#equation] …``."""

from __future__ import annotations

import sys
from pathlib import Path

from sitekit.mathcheck.check import check_page
from sitekit.mathcheck.page import read


def main(arguments: list[str]) -> int:
    failed = 0
    for argument in arguments:
        name, _, wanted = argument.partition("#")
        path = Path(name)
        others = {str(p.resolve()): read(p) for p in path.parent.glob("*.md") if p != path}
        report = check_page(path, others=others)
        for error in report.errors:
            print(error)
        failed += len(report.errors)
        for result in report.results:
            if wanted and result.id != wanted:
                continue
            numbers = f"{result.compared} numbers, error {result.error:.1e}"
            if result.central is not None:
                numbers += f", by differences {result.central:.1e}"
            detail = result.reason if result.status == "unchecked" else numbers
            print(f"{name}:{result.line} ({result.number}) {result.id}: {result.status}; {detail}")
            for line in result.code.splitlines():
                print(f"    {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
