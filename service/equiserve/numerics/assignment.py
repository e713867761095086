"""Who belongs to whom: the assignment of least total cost (Hungarian method)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def assign(costs: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairing of rows and columns with the least total cost.

    Shortest augmenting paths with dual variables (Jonker and Volgenant 1987; Crouse 2016), O(n^3).

    Args:
        costs: [R, C], finite; the shorter side is assigned completely.

    Returns:
        Row and column indices of min(R, C) pairs, rows ascending.
    """
    c = np.asarray(costs, np.float64)
    if c.shape[0] > c.shape[1]:
        columns, rows = assign(c.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    n_rows, n_columns = c.shape
    row_price, column_price = np.zeros(n_rows), np.zeros(n_columns)
    row_of = np.full(n_columns, -1)
    column_of = np.full(n_rows, -1)
    for start in range(n_rows):
        shortest, came_from = np.full(n_columns, np.inf), np.full(n_columns, -1)
        done_columns, done_rows = np.zeros(n_columns, np.bool_), np.zeros(n_rows, np.bool_)
        row, distance = start, 0.0
        while True:
            done_rows[row] = True
            through = distance + c[row] - row_price[row] - column_price
            better = ~done_columns & (through < shortest)
            shortest[better], came_from[better] = through[better], row
            column = int(np.argmin(np.where(done_columns, np.inf, shortest)))
            distance = float(shortest[column])
            done_columns[column] = True
            if row_of[column] < 0:
                break
            row = int(row_of[column])
        reached = done_rows.copy()
        reached[start] = False
        row_price[start] += distance
        row_price[reached] += distance - shortest[column_of[reached]]
        column_price[done_columns] -= distance - shortest[done_columns]
        while True:
            row = int(came_from[column])
            row_of[column] = row
            column_of[row], column = column, int(column_of[row])
            if row == start:
                break
    return np.arange(n_rows), column_of
