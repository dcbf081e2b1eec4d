"""Captures of real protocols at a director, recorded for the tests of replay."""
