"""Every stream and key: its name, message types, trimming and version."""
