"""The audit: every tardy accounted for, every file what its receipt says."""
