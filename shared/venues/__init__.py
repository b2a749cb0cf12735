"""The venues' conversations, without a socket; the two venues never import each other."""
