"""Jobs and answers, as parent, executor and parser exchange them. Pure; imported by all three."""
