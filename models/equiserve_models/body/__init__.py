"""Articulated body fitting from point clouds: the network, generated scans, training, export, evaluation (docs/body.md)."""
