"""Kept history, judged again: what other rules would have made of it."""
