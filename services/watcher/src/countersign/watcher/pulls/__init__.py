"""The fate of pull requests, as signed webhooks of forges tell it."""
