"""Tests of whole books from other programs."""
