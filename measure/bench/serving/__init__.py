"""Serving, side by side: Triton alone, a transformer on KServe's SDK, and ours."""
