"""The edge that all requests pass: guards, forms, frames, refusals and spans."""
