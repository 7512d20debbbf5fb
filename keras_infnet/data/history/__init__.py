"""Behavior sequences and statistics, computed from past events only."""
