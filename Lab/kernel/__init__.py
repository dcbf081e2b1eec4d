"""Plays scenarios through kernel IPVS and through our director, and shows where the two differ."""
