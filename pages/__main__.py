"""``python -m pages``: write every made page."""

from __future__ import annotations

from pages import made_pages

if __name__ == "__main__":
    for path, text in made_pages.all_pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)
