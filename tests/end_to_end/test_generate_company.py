"""A shipped generator over real sockets: what it draws in company it draws alone, and after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.generate_company import ZOO, compare

MODEL = "mnist-diffusion"


def test_answers_do_not_depend_on_company_nor_on_a_restart(tmp_path: Path) -> None:
    if not (ZOO / MODEL / "model.yaml").is_file():
        pytest.skip(f"{MODEL} is not shipped in this checkout")
    found = compare(ZOO, MODEL, 40, tmp_path)
    assert found.rows_a_batch > 1.5, "they did share batches"
    assert (found.differ_alone, found.differ_restarted) == (0, 0)
