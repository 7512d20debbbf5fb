"""Blocks of INFNet, and the all-to-all attention that they replace."""
