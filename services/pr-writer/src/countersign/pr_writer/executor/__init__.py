"""Does one job at one forge with one token, in a process that ends afterwards."""
