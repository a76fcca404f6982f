"""The embedded cloud: the whole of Holdfast on one machine, without an AWS account."""
