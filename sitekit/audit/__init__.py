"""Checks of the pages: fences, language parity, links, accessibility, weight."""
