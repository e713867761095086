"""Keep freed memory in the process: on CPU, a step of a training that frees and maps it anew pays for page faults.

glibc returns blocks above 128 KB to the kernel at once. A network whose tensors are larger then has its pages zeroed
again at each operation; `python -m equiserve_models.body.cost` prints what keeping them is worth.
"""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Tell glibc to serve large blocks from its heap and not to shrink it; False where there is no glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(
        mallopt(key, value) == 1
        for key, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 << 20))
    )
