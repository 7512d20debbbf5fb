"""Blocks of INFNet and what they are compared with."""
