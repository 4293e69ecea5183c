"""The client library of the bus, mended where what it does is not safe enough."""
