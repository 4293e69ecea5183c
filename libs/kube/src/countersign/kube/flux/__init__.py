"""Objects of Flux, read for the few fields that promotions need."""
