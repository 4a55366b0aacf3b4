"""Triton's settings, measured: `python -m tune MODEL --stack STACK`. See docs/tuning.md."""
