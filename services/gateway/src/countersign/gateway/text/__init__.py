"""Small parts of text: addresses, links, ages, letters. Pure."""
