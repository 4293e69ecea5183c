"""What approval and those who ask it for consent must compute alike."""
