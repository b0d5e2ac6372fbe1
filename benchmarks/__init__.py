"""Measurements of Tocsin against what the machine itself can do; `python -m benchmarks` runs them."""
