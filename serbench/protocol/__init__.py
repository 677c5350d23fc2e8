"""Training and test sides, and the guard that proves that they have no leaks."""
