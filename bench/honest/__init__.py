"""Honest players who want much: loads that no limit may hinder."""
