"""Training and test sides, and the guard that proves them free of leaks."""
