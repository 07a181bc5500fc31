"""Importing statements."""
