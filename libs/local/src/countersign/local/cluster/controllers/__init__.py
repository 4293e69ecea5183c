"""What Flux's controllers do, played."""
