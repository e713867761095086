"""Tasks: what a family of models means to a caller. A task is a program over the engine."""
