"""Values that approval and its callers must compute alike."""
