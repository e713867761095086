"""Articulated body fitting from point clouds: network, generated scans, training, export, evaluation (docs/body.md)."""
