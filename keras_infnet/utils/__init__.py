"""Helpers without dependencies on other folders of the package."""
