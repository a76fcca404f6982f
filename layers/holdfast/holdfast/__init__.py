"""Holdfast: scheduled backups of an AWS account's data, and the proof that they stand."""
