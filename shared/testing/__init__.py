"""Fakes and helpers that ship with what they stand in for."""
