"""Shift-equivariant classifiers (adaptive polyphase anchoring) and their plain twins."""
