"""Tests of the formats of sheet music: exact notes from small files, and refusals with their reasons."""
