"""Pairs the venues' markets: curated rows and series templates go live, everything else is a candidate for review."""
