"""Kubernetes objects as Countersign reads them: Pipelines and Flux applications."""
