"""HTTP: pages, actions, the JSON API and server-sent events."""
