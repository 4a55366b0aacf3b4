"""Triton's settings, measured: `python -m measure.tune MODEL --stack STACK`. See docs/tuning.md."""
