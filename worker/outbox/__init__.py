"""Outcomes → broker; answers → the reply queues that commands named."""
