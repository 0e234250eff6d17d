"""Recorded results, and `python -m tests.golden.regrow`, which grows them again."""
