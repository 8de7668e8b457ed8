"""BitMEX: perpetuals and dated futures, inverse, linear and quanto.

Not offered by the venue: sequence numbers of its books, times of its liquidations.
"""
