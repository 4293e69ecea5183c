"""What parent, executor and parser tell each other. Pure; imported by all three."""
