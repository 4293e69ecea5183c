"""How each forge signs its webhooks, and how it tells the fate of a pull request; pure."""
