"""Who is trained on, who is tested, and the guard that proves it."""
