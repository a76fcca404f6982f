"""Decisions: pure functions over plain values. No clock, no environment, no AWS."""
