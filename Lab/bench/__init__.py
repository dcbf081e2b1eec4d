"""Side by side: the director and what people would use instead, on the same cables, in interleaved rounds."""
