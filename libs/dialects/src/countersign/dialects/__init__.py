"""The dialects of forges, without I/O: requests built, answers read, one folder a kind.

Every service may import it. Nothing here sends anything or knows another library but contracts.
"""
