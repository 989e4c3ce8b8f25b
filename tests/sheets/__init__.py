"""Tests of the library of sheet music."""
