"""The record: each try at a promotion, who asked, who decided, with what, and what became of it.

Pure folds of the events, so that whoever reads the same events writes the same record.
"""
