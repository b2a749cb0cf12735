"""Kalshi's wire: schema, session, signing and addresses, fed with bytes and free of I/O."""
