"""Trained models as other graphs over the same weights."""
