"""What a run is made from: options and table, as config.json has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from bpref import __version__
from bpref.regression.checkpoint import check_format
from bpref.regression.config import Config
from bpref.regression.csv_text import DELIMITERS
from bpref.regression.errors import ConfigError, RunError
from bpref.regression.wording import shown

FORMAT: Final = 1  # of a run folder; older ones stay readable


@dataclass(frozen=True)
class Recipe:
    """All that decides a run; with the same rows it gives the same weights.

    Attributes
    ----------
    config : Config
    file : str or None
        Absolute path of the table; None is the article's line.
    sha256 : str
        Of the bytes of the file, or of the rows of the line.
    targets, drop, categorical : tuple of str
        Columns, as the command was told.
    delimiter : str
    rows : dict
        How many rows "train", "validation" and "test" have. Which ones is in split.csv.
    split_sha256 : str
        Of the bytes of split.csv; empty in a run of a version that did not write it.
    log_gradients : bool
    """

    config: Config
    file: str | None
    sha256: str
    targets: tuple[str, ...]
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    delimiter: str = ","
    rows: dict[str, int] = field(default_factory=dict)
    split_sha256: str = ""
    log_gradients: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the content of config.json."""
        return {
            "format": FORMAT,
            "bpref": __version__,
            "options": self.config.to_dict(),
            "data": {
                "file": self.file,
                "sha256": self.sha256,
                "targets": list(self.targets),
                "drop": list(self.drop),
                "categorical": list(self.categorical),
                "delimiter": self.delimiter,
                "rows": self.rows,
                "split_sha256": self.split_sha256,
            },
            "log_gradients": self.log_gradients,
        }

    @classmethod
    def from_dict(cls, written: dict[str, Any], name: str) -> Recipe:
        """Return the recipe of `to_dict`; `name` is the file, for messages.

        Raises
        ------
        RunError
            If the form is of a later version, or damaged.
        """
        if "format" not in written:
            raise RunError(f"{name}: not written by bpref-train: it names no format")
        check_format(written["format"], FORMAT, name)
        options, data = written.get("options"), written.get("data")
        if not isinstance(options, dict) or not isinstance(data, dict):
            raise RunError(f"{name}: damaged: options and data must be objects")
        try:
            config = Config.from_dict(options)
        except (ConfigError, TypeError) as error:
            raise RunError(f"{name}: {error}") from None

        def entry(key: str, kind: type) -> Any:
            if not isinstance(data.get(key), kind):
                raise RunError(
                    f"{name}: damaged: {key} must be of type {kind.__name__}, "
                    f"got {shown(data.get(key))}"
                )
            return data[key]

        if entry("delimiter", str) not in DELIMITERS:
            raise RunError(f"{name}: damaged: delimiter is {shown(data['delimiter'])}")
        columns = {}
        for key in ("targets", "drop", "categorical"):
            columns[key] = tuple(entry(key, list))
            if not all(isinstance(column, str) for column in columns[key]):
                raise RunError(f"{name}: damaged: {key} must hold names of columns")
        return cls(
            config=config,
            file=None if data.get("file") is None else entry("file", str),
            sha256=entry("sha256", str),
            **columns,
            delimiter=data["delimiter"],
            rows=entry("rows", dict),
            split_sha256=entry("split_sha256", str) if "split_sha256" in data else "",
            log_gradients=bool(written.get("log_gradients")),
        )
