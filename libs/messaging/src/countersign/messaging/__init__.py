"""Countersign on NATS: topology, permissions, settling, projections, request/reply."""
