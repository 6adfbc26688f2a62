"""Python-Markdown extensions: formulas, injected numbers, inline figures."""
