"""The benchmark and the tuner."""
