"""Rebuilds trained models in another form."""
