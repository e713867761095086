"""The learned cost of a batch: seconds = a * rows + b, refreshed from what really ran."""

from __future__ import annotations


class BatchCost:
    """Exponentially weighted least squares of duration over rows.

    Args:
        per_row_s: First guess of a, from calibration.
        fixed_s: First guess of b.
        memory: Weight that an old observation keeps at each new one; 0.98 remembers about 50 batches.
    """

    def __init__(self, per_row_s: float = 0.0, fixed_s: float = 0.0, memory: float = 0.98) -> None:
        self._memory = memory
        self.per_row_s = per_row_s
        self.fixed_s = fixed_s
        self._weight = self._rows = self._time = self._rows2 = self._rows_time = 0.0

    def observe(self, rows: int, seconds: float) -> None:
        """Take in one batch that ran."""
        keep = self._memory
        self._weight = weight = self._weight * keep + 1.0
        self._rows = sum_n = self._rows * keep + rows
        self._time = sum_t = self._time * keep + seconds
        self._rows2 = sum_nn = self._rows2 * keep + rows * rows
        self._rows_time = sum_nt = self._rows_time * keep + rows * seconds
        spread = weight * sum_nn - sum_n * sum_n
        if spread > 0.05 * sum_n * sum_n:
            slope = (weight * sum_nt - sum_n * sum_t) / spread
            self.per_row_s = min(max(slope, 0.0), sum_t / sum_n)
            self.fixed_s = max((sum_t - self.per_row_s * sum_n) / weight, 0.0)
        else:
            # All batches of about one size: only the level can be learned; keep the ratio of the two parts.
            level = sum_t / weight
            predicted = self.estimate(sum_n / weight)
            if predicted > 0.0:
                self.per_row_s *= level / predicted
                self.fixed_s *= level / predicted
            else:
                self.per_row_s = level * weight / sum_n

    def estimate(self, rows: float) -> float:
        """Return the expected seconds of one batch of `rows`."""
        return self.per_row_s * rows + self.fixed_s

    def estimate_queue(self, rows: int, max_batch: int) -> float:
        """Return the expected seconds until `rows` waiting rows have run in batches of at most `max_batch`."""
        batches = -(-rows // max(max_batch, 1))
        return self.per_row_s * rows + self.fixed_s * batches
