"""Checks the equations of a page: see `sitekit.mathcheck.page` for what an author writes."""
