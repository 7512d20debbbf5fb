"""Sweeps over the settings of one model."""
