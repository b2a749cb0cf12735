"""How a service lives: start, settings, clock, logs, health, metrics, stop."""
