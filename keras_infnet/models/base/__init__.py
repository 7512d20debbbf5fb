"""Base classes of all models."""
