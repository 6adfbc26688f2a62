"""From a table to the rows of a run, the first time and when the run is taken up again."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bpref.regression.config import Config
from bpref.regression.errors import DataError, RunError
from bpref.regression.frames import Array
from bpref.regression.preprocessing import Preprocessor
from bpref.regression.recipe import Recipe
from bpref.regression.run_folder import PARTS, RunFolder
from bpref.regression.splitting import split_rows
from bpref.regression.table import read_table
from bpref.regression.wording import path_name

LINE: Final = "y = 2x + 1 + noise"  # what the article learns
BLOCK: Final = 65_536  # rows that are turned into numbers at a time


@dataclass(frozen=True)
class Rows:
    """A table, split and turned into numbers.

    Attributes
    ----------
    source : str
        What messages call the table.
    sha256 : str
        Of the bytes of the file.
    preprocessor : Preprocessor
    parts : dict
        ``X`` (N, d) in the dtype of the run and ``y`` (N, m) float64, standardised, of "train",
        "validation" and "test"; a part without rows is left out.
    lines : dict of ndarray, int64
        The lines of the file on which the rows of each part begin.
    """

    source: str
    sha256: str
    preprocessor: Preprocessor
    parts: dict[str, tuple[NDArray[Any], Array]]
    lines: dict[str, NDArray[np.int64]]

    def truth(self, part: str) -> Array:
        """Return y (N, m) of a part in the unit of the table."""
        return self.preprocessor.inverse_targets(self.parts[part][1])

    def split_csv(self) -> bytes:
        """Return the content of split.csv: every row's line and part, in the order of the file."""
        names = list(self.lines)
        lines = np.concatenate(list(self.lines.values()))
        codes = np.repeat(np.arange(len(names)), [len(found) for found in self.lines.values()])
        order = np.argsort(lines)
        text = io.StringIO()
        text.write("line,part\n")
        for start in range(0, len(order), BLOCK):
            rows = order[start : start + BLOCK]
            pairs = zip(lines[rows].tolist(), codes[rows].tolist(), strict=True)
            text.writelines(f"{line},{names[code]}\n" for line, code in pairs)
        return text.getvalue().encode()


def prepare(
    config: Config,
    file: str | None,
    targets: Sequence[str],
    *,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    delimiter: str = ",",
) -> Rows:
    """Read a table, split its rows by the seed, learn the preprocessing from the training rows.

    Parameters
    ----------
    config : Config
        Shares, seed and policy for missing cells.
    file : str or None
        None is the article's line with its targets and no options.
    targets, drop, categorical, delimiter
        As in `read_table` and `Preprocessor.fit`.

    Raises
    ------
    DataError
        If the table cannot be used.
    """
    frame, sha256 = _read(config, file, drop, categorical, delimiter)
    source = frame.attrs["source"]
    found = split_rows(len(frame), config.validation, config.test, config.seed, source=source)
    split = dict(zip(PARTS, found, strict=True))
    targets = targets if file is not None else ["y"]
    preprocessor = Preprocessor.fit(frame, targets, config.missing, split["train"])
    cells = _apart(frame)
    del frame
    return _rows(cells, sha256, preprocessor, split, config.dtype)


def restore(folder: RunFolder, recipe: Recipe, file: str | None = None) -> Rows:
    """Read the table of a run again.

    Parameters
    ----------
    folder : RunFolder
        Of the run.
    recipe : Recipe
        From it.
    file : str, optional
        Where the table is now; by default where it was.

    Raises
    ------
    DataError
        If the table cannot be read.
    RunError
        If it is not the table of the run, or split.csv is damaged.
    """
    preprocessor = folder.preprocessor()
    split_path = folder.path / "split.csv"
    if file is None and recipe.file is not None and not Path(recipe.file).exists():
        raise RunError(
            f"{path_name(recipe.file)}: the table of the run is no longer there: name the FILE"
        )
    frame, sha256 = _read(
        recipe.config, file or recipe.file, recipe.drop, recipe.categorical, recipe.delimiter
    )
    if sha256 != recipe.sha256:
        raise RunError(
            f"{frame.attrs['source']}: not the table of {folder.name}: the file has changed since "
            f"(SHA-256 {sha256[:12]}…, then {recipe.sha256[:12]}…)"
        )
    name = path_name(split_path)
    try:
        content = split_path.read_bytes()
        written = pd.read_csv(io.BytesIO(content), dtype={"line": np.int64, "part": str})
        parts, lines = written["part"].to_numpy(), written["line"].to_numpy()
    except (OSError, ValueError, KeyError) as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise RunError(f"{name}: damaged or missing: {reason}") from None
    split = {part: np.flatnonzero(parts == part) for part in PARTS}
    counts = {part: len(rows) for part, rows in split.items()}
    same = recipe.split_sha256 in ("", hashlib.sha256(content).hexdigest())
    if not same or not np.array_equal(lines, frame.index.to_numpy()) or counts != recipe.rows:
        raise RunError(f"{name}: does not fit the table and config.json: it was changed")
    cells = _apart(frame)
    del frame
    return _rows(cells, sha256, preprocessor, split, recipe.config.dtype)


def read_part(
    preprocessor: Preprocessor,
    recipe: Recipe,
    file: str,
    *,
    targets: bool,
    delimiter: str | None = None,
) -> pd.DataFrame:
    """Read the columns that a model needs from another table.

    Parameters
    ----------
    preprocessor : Preprocessor
        Its policy for missing cells holds here, too.
    recipe : Recipe
        Of the run.
    file : str
        The table.
    targets : bool
        Whether the targets are needed.
    delimiter : str, optional
        By default that of the training.

    Raises
    ------
    DataError
        If a column is missing, or a cell cannot be used.
    """
    wanted = preprocessor.feature_names + (preprocessor.target_names if targets else ())
    return read_table(
        file,
        columns=wanted,
        categorical=preprocessor.categorical_names,
        missing=preprocessor.missing,
        delimiter=delimiter or recipe.delimiter,
    )


def sha256_of(file: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path_name(file)}: cannot be read: {reason}") from None


def _read(
    config: Config,
    file: str | None,
    drop: Sequence[str],
    categorical: Sequence[str],
    delimiter: str,
) -> tuple[pd.DataFrame, str]:
    if file is None:
        return _line(config.seed)
    frame = read_table(
        file, drop=drop, categorical=categorical, missing=config.missing, delimiter=delimiter
    )
    return frame, sha256_of(file)


def _line(seed: int) -> tuple[pd.DataFrame, str]:
    """Return the article's 200 rows as a table."""
    from bpref.regression.data import make_data

    X_train, y_train, X_test, y_test = make_data(seed=seed)
    x, y = np.vstack([X_train, X_test])[:, 0], np.vstack([y_train, y_test])[:, 0]
    frame = pd.DataFrame({"x": x, "y": y}, index=pd.RangeIndex(2, len(x) + 2, name="line"))
    frame.attrs["source"] = LINE
    return frame, hashlib.sha256(np.stack([x, y]).astype("<f8").tobytes()).hexdigest()


def _apart(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return each column alone. `del` in one frame takes as long as that is wide."""
    return {str(name): values.to_frame() for name, values in frame.items()}


def _rows(
    cells: dict[str, pd.DataFrame],
    sha256: str,
    preprocessor: Preprocessor,
    split: dict[str, Any],
    dtype: str,
) -> Rows:
    """Turn the columns into numbers, and drop them: a large table is in memory only once."""
    frame = pd.concat([cells[name] for name in preprocessor.target_names], axis=1)
    source, index = frame.attrs["source"], frame.index.to_numpy(np.int64)
    y = preprocessor.transform_targets(frame)
    columns = [
        preprocessor.transform_feature(cells.pop(column.name), column).astype(dtype)
        for column in preprocessor.features
    ]
    parts, lines = {}, {}
    for part, rows in split.items():
        lines[part] = index[rows]
        if not len(rows):
            continue
        X = np.empty((len(rows), len(preprocessor.x_names)), dtype)
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            np.concatenate([values[block] for values in columns], 1, out=X[start : start + BLOCK])
        parts[part] = X, y[rows]
    return Rows(source, sha256, preprocessor, parts, lines)
