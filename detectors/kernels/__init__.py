"""Sequential kernels: one observation after the other, state as arrays indexed by stream.

Each module holds the state of one bank (a named tuple of arrays whose first axis is the stream) and the compiled loop
over it. A kernel reads nothing but its arguments, so the same observations in the same order leave the same state,
however they are cut into calls.
"""
