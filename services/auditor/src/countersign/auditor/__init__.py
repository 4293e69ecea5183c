"""What is known of every stored credential."""
