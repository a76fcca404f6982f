"""Holdfast next to other programs that decide the same."""
