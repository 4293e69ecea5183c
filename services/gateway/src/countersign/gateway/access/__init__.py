"""Sessions, and the right to see and to act, as the cluster says."""
