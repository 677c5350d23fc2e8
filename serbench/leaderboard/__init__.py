"""Many runs as a static site: tables to sort and filter, a page for each corpus and each run."""

from serbench.leaderboard.site import Written, write_leaderboard

__all__ = ["Written", "write_leaderboard"]
