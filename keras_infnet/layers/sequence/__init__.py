"""Layers over sequences of events."""
