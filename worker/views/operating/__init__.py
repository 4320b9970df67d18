"""The installation as people see it: status, audit, the day's report, parked messages."""
