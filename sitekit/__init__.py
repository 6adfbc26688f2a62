"""Turns Markdown pages into a checked site. Knows nothing of backpropagation."""
