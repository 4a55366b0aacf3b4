"""The benchmark of placements."""
