"""The one training loop: every student, every loss, every fold."""
