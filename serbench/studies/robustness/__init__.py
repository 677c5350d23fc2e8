"""A finished run's students and teachers in noise, at other levels, in rooms, over a telephone."""
