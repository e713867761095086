"""Outputs of a model on moved pictures, kept for the next check of the same picture: other metrics, another reference,
a finer grid or another plot of the same elements then cost no forward pass.

What is found here has the bits that running it would give. An entry is known by the model's file and manifest, its
runtime, the picture's bytes, the group and its action, and the *company*: where measurements say that a row's bits
do not depend on it (`Calibration.exact_in_batches`), an entry is one element; elsewhere it is a whole batch, which is
used as a whole or not at all.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Hashable

import numpy as np

from equiserve.classifier import PictureClassifier
from equiserve.symmetry import Element, Orbit

#: What an entry holds beside its arrays' own bytes: key, tuple and the array objects.
_ENTRY_BYTES = 512

Entry = tuple[np.ndarray, ...]


class OutputCache:
    """Arrays by key, those that were used last, up to a number of bytes; may be used from any thread.

    Args:
        max_bytes: Bound of what is kept; 0 keeps nothing.

    Attributes:
        held_bytes: What is kept now.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Entry | None:
        """Return what is kept under a key, or None; the arrays are not to be written to."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def put(self, key: Hashable, *arrays: np.ndarray) -> None:
        """Keep copies of arrays; the entries that were used least recently make room."""
        size = _bytes(arrays)
        if size > self.max_bytes:
            return
        entry = tuple(array.copy() for array in arrays)
        with self._lock:
            self._forget(self._entries.pop(key, None))
            self._entries[key] = entry
            self.held_bytes += size
            while self.held_bytes > self.max_bytes:
                self._forget(self._entries.popitem(last=False)[1])

    def _forget(self, entry: Entry | None) -> None:
        if entry is not None:
            self.held_bytes -= _bytes(entry)


class OrbitOutputs:
    """The part of an `OutputCache` that belongs to one orbit of one model; reads and keeps whole batches of rows.

    Args:
        cache: Where outputs lie.
        classifier: The model.
        orbit: The picture, as it is acted on, and the action.
        batch: Rows of each batch.
    """

    def __init__(self, cache: OutputCache, classifier: PictureClassifier, orbit: Orbit, batch: int) -> None:
        model, calibration = classifier.model, classifier.model.calibration
        self._cache = cache
        #: Whether an entry is one element: no row's bits depend on its company.
        self.by_element = calibration.exact_in_batches and batch >= calibration.stable_batch
        seed = hashlib.blake2b(digest_size=16)
        for part in (
            model.manifest.model_dump_json(),
            model.version,
            model.file_digest,
            (model.runtime.name, model.runtime.version, model.runtime.device, model.runtime.threads),
            (orbit.group.name, orbit.action.fill, orbit.action.background),
            (orbit.picture.shape, orbit.picture.dtype.str),
            1 if self.by_element else batch,
        ):
            seed.update(repr(part).encode())
        seed.update(orbit.picture.tobytes())
        self._seed = seed.digest()

    def units(self, elements: tuple[Element, ...], batch: int) -> list[tuple[int, int]]:
        """Return the slices (start, stop) of an orbit that are looked up and kept as one."""
        size = 1 if self.by_element else batch
        return [(start, min(start + size, len(elements))) for start in range(0, len(elements), size)]

    def find(self, elements: tuple[Element, ...]) -> Entry | None:
        """Return scores [k, K] and changed [k] of one unit."""
        return self._cache.get((self._seed, elements))

    def keep(self, elements: tuple[Element, ...], scores: np.ndarray, changed: np.ndarray) -> None:
        """Keep the scores [k, K] of one batch of elements, which is one unit or several."""
        size = 1 if self.by_element else len(elements)
        for start in range(0, len(elements), size):
            part = slice(start, start + size)
            self._cache.put((self._seed, elements[part]), scores[part], changed[part])

    def find_controls(self, of: Hashable) -> Entry | None:
        """Return what `keep_controls` kept under this key."""
        return self._cache.get((self._seed, "controls", of))

    def keep_controls(self, of: Hashable, *arrays: np.ndarray) -> None:
        """Keep the scores of the batches of control pictures."""
        self._cache.put((self._seed, "controls", of), *arrays)


def _bytes(arrays: Entry) -> int:
    return _ENTRY_BYTES + sum(array.nbytes for array in arrays)
