"""Batches of encoded rows."""
