"""Callbacks and learning rate schedules."""
