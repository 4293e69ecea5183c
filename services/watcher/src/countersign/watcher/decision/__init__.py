"""Whether a content should be promoted, and what stands in the way. Pure."""
