"""What runs and sweeps amount to: leaderboard, significance, advice, differences."""
