"""Tells people about opportunities and about trouble, each thing once."""
