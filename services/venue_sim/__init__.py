"""A Kalshi and a Polymarket that speak the real wire protocols on loopback ports, over one seeded world."""
