"""`countersign-rbac`: the Roles that give our services the Secrets that Pipelines name."""
