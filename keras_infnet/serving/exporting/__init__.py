"""Writes exports and checks that they answer as `predict` does."""
