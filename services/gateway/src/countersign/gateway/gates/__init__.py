"""The states of gates: which, in what words, with what to do. Pure."""
