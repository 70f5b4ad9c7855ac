"""The stages of the stream, in order: decode, normalise, price, observe. Each is a pure function, frame in, frame out."""
